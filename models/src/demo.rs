//! The main job from end to end on real data: train, quantize, plan, serialize, and run on an emulated
//! microcontroller with exactly the numbers that the host computes.

use std::path::PathBuf;

use dunlin_converter::device::{self, baked, baked::BoardReport, boards, setup};
use dunlin_converter::file::{self, ModelFile};
use dunlin_converter::nn::{Dataset, Loss, Progress};
use dunlin_converter::npy::Array;
use dunlin_converter::pack::Packing;
use dunlin_converter::plan::plan;
use dunlin_converter::report::ModelReport;
use dunlin_converter::samples::{self, Samples};
use dunlin_converter::{Data, Program, Result, export};
use serde::Serialize;

use crate::digits;

/// The board of the demo: a Cortex-M4F.
const BOARD: &str = "cortex-m4";

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of the first parameters and the order of training.
    pub seed: u64,
    /// Where the model goes.
    pub output: PathBuf,
    /// Where the quantized network goes as a `.tflite` file, if that is wanted, too.
    pub tflite: Option<PathBuf>,
    /// Whether to install first what the board needs.
    pub setup: bool,
    /// What is shown while training.
    pub progress: Progress,
}

/// What the demo found out.
#[derive(Clone, Debug, Serialize)]
pub struct DemoReport {
    /// See [`Options::seed`].
    pub seed: u64,
    /// Digits trained on.
    pub training_samples: usize,
    /// Digits that training never saw.
    pub held_out_samples: usize,
    /// Part of the held-out digits that the f32 network reads rightly.
    pub f32_accuracy: f64,
    /// Part that the int8 model reads rightly.
    pub int8_accuracy: f64,
    /// Held-out digits that the board read, too.
    pub samples_compared: usize,
    /// Whether host and board computed the same bytes; absent if there was no board.
    pub host_device_equal: Option<bool>,
    /// Instructions of one inference on the board; the most where they depend on the input.
    pub instructions: Option<u64>,
    /// The arena: in the firmware if there was a board, otherwise as planned.
    pub arena_bytes: u64,
    /// No arena with these steps in this order is smaller.
    pub arena_lower_bound_bytes: usize,
    /// Instructions and constants of the firmware, the model not counted.
    pub code_bytes: Option<u64>,
    /// The model: in the firmware if there was a board, otherwise the file.
    pub model_bytes: u64,
    /// The model's file.
    pub file: PathBuf,
    /// What is in it.
    pub model: ModelReport,
    /// All that was measured on the board.
    pub board: Option<BoardReport>,
    /// Why there was no board, and how to get it.
    pub missing: Option<String>,
}

/// Does it all. `say` is told each result as it comes, in lines for people.
///
/// # Errors
/// If a file cannot be written, or the firmware does not build or fails. A board that cannot be emulated for
/// lack of a tool is none.
pub fn run(options: &Options, say: &mut dyn FnMut(&str)) -> Result<DemoReport> {
    let missing = prepare(options.setup, say);
    let trained = digits::train(options.seed, options.progress)?;
    let (training, held_out) = (&trained.digits.training, &trained.digits.held_out);
    let f32_accuracy = trained.network.evaluate(held_out, Loss::CrossEntropy)?.accuracy.unwrap_or(0.0);
    say(&format!("trained on {} scanned digits, {} are held out", training.len(), held_out.len()));
    say(&format!("f32 reads  {:.2} % of the held-out digits rightly", 100.0 * f32_accuracy));

    let graph = trained.network.quantized(training)?;
    let program = Program::compile_with(&graph, Packing::Dsp, |graph| Ok(plan(graph)))?;
    file::write_program(&options.output, &program)?;
    if let Some(path) = &options.tflite {
        export::write_tflite(path, &graph)?;
    }
    let written = ModelFile::read(&options.output)?;
    let model = written.model()?;
    let samples = Samples::of(&model, &[images(held_out)])?;
    let outputs = samples::run(&model, &samples)?;
    let int8_accuracy = accuracy(&outputs, held_out);
    say(&format!("int8 reads {:.2} %", 100.0 * int8_accuracy));
    let report = ModelReport::of(&model)?;
    say(&format!("\n{}\narena: {}", report.operators_table(), report.plan_sentence()));
    say(&format!("{}: {} bytes", options.output.display(), report.model_bytes));
    if let Some(path) = &options.tflite {
        say(&format!("{}: the same network for TensorFlow Lite", path.display()));
    }

    let board = match &missing {
        None => {
            say(&format!("building firmware and running it on the emulated {BOARD} ..."));
            Some(baked::run(BOARD, written.bytes(), &model, &samples, &outputs)?.report)
        }
        Some(missing) => {
            say(&format!("\nthe board is left out: {missing}"));
            None
        }
    };
    Ok(DemoReport {
        seed: options.seed,
        training_samples: training.len(),
        held_out_samples: held_out.len(),
        f32_accuracy,
        int8_accuracy,
        samples_compared: board.as_ref().map_or(0, |board| board.samples_compared),
        host_device_equal: board.as_ref().map(|board| board.host_device_equal),
        instructions: board.as_ref().map(|board| board.instructions),
        arena_bytes: board.as_ref().map_or(report.plan.arena_bytes as u64, |board| board.costs.arena_bytes),
        arena_lower_bound_bytes: report.plan.arena_lower_bound_bytes,
        code_bytes: board.as_ref().map(|board| board.costs.code_bytes),
        model_bytes: board.as_ref().map_or(report.model_bytes as u64, |board| board.costs.model_bytes),
        file: options.output.clone(),
        model: report,
        board,
        missing,
    })
}

/// Installs what the board needs if asked to; what is missing then, and how to get it. A machine that cannot
/// even be looked at misses something, too.
fn prepare(install: bool, say: &mut dyn FnMut(&str)) -> Option<String> {
    let mut status = || {
        let home = device::home()?;
        let all = boards::discover(&home)?;
        let board = std::slice::from_ref(boards::find(&all, BOARD)?);
        if install { setup::install(&home, board, say) } else { setup::status(board) }
    };
    let items: Vec<String> = match status() {
        Ok(status) => status.missing().map(|i| format!("{} is missing ({})", i.name, i.by_hand)).collect(),
        Err(error) => vec![error.to_string()],
    };
    let advice = "`cargo run --release -- setup` installs what it can; then run the demo again";
    (!items.is_empty()).then(|| format!("{}; {advice}", items.join(", ")))
}

fn images(data: &Dataset) -> Array {
    let dims = [data.len()].iter().chain(data.dims()).copied().collect();
    Array { dims, data: Data::F32((0..data.len()).flat_map(|i| data.sample(i)).copied().collect()) }
}

/// Part of the samples whose greatest score (stored as int8) is their label's.
fn accuracy(scores: &[u8], data: &Dataset) -> f64 {
    let n_classes = scores.len() / data.len();
    let best = |scores: &[u8]| {
        let greatest = scores.iter().map(|&score| score as i8).max();
        scores.iter().position(|&score| Some(score as i8) == greatest)
    };
    let right = scores.chunks_exact(n_classes).enumerate().filter(|(i, s)| best(s) == Some(data.label(*i)));
    right.count() as f64 / data.len() as f64
}
