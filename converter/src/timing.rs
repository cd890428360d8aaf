//! How long a model takes on this machine.

use std::time::{Duration, Instant};

use dunlin::{Model, Session};
use serde::Serialize;

use crate::program::{self, AlignedBytes};
use crate::report::ModelReport;
use crate::samples::Samples;
use crate::{Error, Result};

/// How long the least of many runs took: what else the machine does makes a run longer, and nothing makes it shorter.
const MEASURED: Duration = Duration::from_millis(500);
/// Short runs are timed several at once, for so long, so that looking at the clock costs nothing that counts.
const AT_ONCE: Duration = Duration::from_micros(20);

/// Time of a model on this machine, in one thread.
#[derive(Clone, Debug, Serialize)]
pub struct HostTiming {
    /// One inference, the input's copy not included.
    pub microseconds: f64,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// The vectors that kernels took, if there are kernels for this machine.
    pub vectors: Option<&'static str>,
    /// The steps, in order; each is measured with a clock of its own, which adds some hundredths.
    pub operators: Vec<OperatorTime>,
}

/// Time of a step.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorTime {
    /// Its number, from 0.
    pub index: usize,
    /// The operator.
    pub operator: String,
    /// Dimensions of its first output.
    pub output_shape: Vec<u32>,
    /// Multiply-accumulates; 0 for operators that are not counted in MACs.
    pub macs: u64,
    /// All its rows.
    pub microseconds: f64,
}

/// Times `model` on one made-up sample, each time the best of all runs in about a second.
/// Meanwhile [`dunlin::fast_f32`] is on, as programs have it that look for speed.
///
/// # Errors
/// If the model takes its input by rows: its runs are no single call.
pub fn time(model: &Model) -> Result<HostTiming> {
    let _fast = FastF32::on();
    if model.fed_input().is_some() {
        return Err(Error::Invalid(
            "takes its input row by row, and is not timed here: choose another plan".to_string(),
        ));
    }
    let report = ModelReport::of(model)?;
    let sample = Samples::random(model, 1, 0)?;
    let refused = |source| Error::Model { what: format!("model `{}`", report.name), source };
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(model, &mut arena).map_err(refused)?;
    for inputs in sample.inputs(model)? {
        program::run_on(&mut session, &inputs, |step| step.run()).map_err(refused)?;
    }
    let microseconds = time_whole(&mut session);
    let steps = time_steps(&mut session, model.n_steps());
    let operators = report.operators.iter().zip(steps).map(|(step, microseconds)| OperatorTime {
        index: step.index,
        operator: step.operator.clone(),
        output_shape: step.output_shape.clone(),
        macs: step.macs,
        microseconds,
    });
    let vectors = dunlin::host_vectors().last();
    Ok(HostTiming { microseconds, macs: report.macs, vectors, operators: operators.collect() })
}

/// Has kernels take no wider vectors than those of this name, or with `none` the portable kernels: for the whole program.
///
/// # Errors
/// If this machine has none of the name.
pub fn limit_vectors(name: &str) -> Result<()> {
    if dunlin::limit_host_vectors(Some(name).filter(|name| *name != "none")) {
        return Ok(());
    }
    let names: Vec<&str> = dunlin::host_vectors().collect();
    Err(Error::Invalid(format!(
        "`{name}` are no vectors that kernels are made for and this machine has: it has {}",
        if names.is_empty() { "none".to_string() } else { names.join(", ") }
    )))
}

/// While it lives, f32 is fast; then it is again what it was.
struct FastF32 {
    before: bool,
}

impl FastF32 {
    fn on() -> FastF32 {
        FastF32 { before: dunlin::fast_f32(true) }
    }
}

impl Drop for FastF32 {
    fn drop(&mut self) {
        dunlin::fast_f32(self.before);
    }
}

/// Microseconds of a run. (Inputs are not written again: a run may have reused their bytes, which changes no time.)
fn time_whole(session: &mut Session) -> f64 {
    let start = Instant::now();
    session.run();
    let n_runs = (AT_ONCE.as_nanos() / start.elapsed().as_nanos().max(1)).clamp(1, 20) as u32;
    let mut best = Duration::MAX;
    while start.elapsed() < MEASURED {
        let before = Instant::now();
        for _ in 0..n_runs {
            session.run();
        }
        best = best.min(before.elapsed());
    }
    best.as_secs_f64() * 1e6 / f64::from(n_runs)
}

/// Microseconds of each step.
fn time_steps(session: &mut Session, n_steps: usize) -> Vec<f64> {
    let start = Instant::now();
    let mut best = vec![Duration::MAX; n_steps];
    while start.elapsed() < MEASURED {
        let mut times = vec![Duration::ZERO; n_steps];
        session.run_each(|step| {
            let before = Instant::now();
            step.run();
            times[step.index()] += before.elapsed();
        });
        best.iter_mut().zip(times).for_each(|(best, time)| *best = time.min(*best));
    }
    best.iter().map(|time| time.as_secs_f64() * 1e6).collect()
}
