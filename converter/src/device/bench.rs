//! What a model costs on an emulated core, operator by operator.

use std::path::Path;

use dunlin::Model;
use dunlin_timing::Tally;
use serde::Serialize;

use super::{
    Result,
    baked::{self, Costs, CycleEstimate, bake, regions},
    boards::{self, Board},
    emulator::{self, Options},
    firmware::{self, Program},
};
use crate::report::ModelReport;
use crate::samples::{self, Samples};

/// Instructions and bytes of a model on a core. Instructions are exact and repeatable; cycles are an estimate.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// The core.
    pub core: String,
    /// The board that has it.
    pub board: String,
    /// Instructions of one inference.
    pub instructions: u64,
    /// Its cycles.
    #[serde(flatten)]
    pub estimate: CycleEstimate,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Everything else that counts.
    #[serde(flatten)]
    pub costs: Costs,
    /// The steps, in order.
    pub operators: Vec<OperatorCost>,
}

/// What a step costs.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorCost {
    /// Its number, from 0.
    pub index: usize,
    /// The operator.
    pub operator: String,
    /// Dimensions of its first output.
    pub output_shape: Vec<u32>,
    /// Multiply-accumulates; 0 for operators that are not counted in MACs.
    pub macs: u64,
    /// Instructions.
    pub instructions: u64,
    /// An estimate of the core's cycles, without wait states; absent for a core of which no table is known.
    pub estimated_cycles: Option<u64>,
    /// Instructions for each multiply-accumulate; absent without MACs.
    pub instructions_per_mac: Option<f64>,
}

/// Measures `model` (the bytes of its file are `file`) on the board of this name or core, on one made-up sample.
/// Two firmwares run: the product's, which gives totals and sizes, and one that counts each step.
pub fn run(board: &str, file: &[u8], model: &Model) -> crate::Result<BenchReport> {
    let sample = Samples::random(model, 1, 0)?;
    let host_outputs = samples::run(model, &sample)?;
    let whole = baked::run(board, file, model, &sample, &host_outputs)?.report;
    Ok(BenchReport {
        operators: operators(board, file, model)?,
        core: whole.core,
        board: whole.board,
        instructions: whole.instructions,
        estimate: whole.estimate,
        macs: ModelReport::of(model)?.macs,
        costs: whole.costs,
    })
}

/// Instructions for each multiply-accumulate.
pub fn per_mac(instructions: u64, macs: u64) -> Option<f64> {
    (macs > 0).then(|| instructions as f64 / macs as f64)
}

/// What each step of `model` costs in one run on one made-up sample.
pub fn operators(board: &str, file: &[u8], model: &Model) -> crate::Result<Vec<OperatorCost>> {
    let home = super::home()?;
    let boards = boards::discover(&home)?;
    let board = boards::find(&boards, board)?;
    let executed = count_steps(&home, board, file, model, &Samples::random(model, 1, 0)?)?;
    let table = dunlin_timing::table(&board.core);
    let report = ModelReport::of(model)?;
    let costs = report.operators.iter().zip(executed).map(|(step, executed)| OperatorCost {
        index: step.index,
        operator: step.operator.clone(),
        output_shape: step.output_shape.clone(),
        macs: step.macs,
        instructions: executed.instructions(),
        estimated_cycles: table.map(|table| executed.estimated_cycles(table)),
        instructions_per_mac: per_mac(executed.instructions(), step.macs),
    });
    Ok(costs.collect())
}

/// Instructions of each step of one run.
fn count_steps(
    home: &Path,
    board: &Board,
    file: &[u8],
    model: &Model,
    sample: &Samples,
) -> Result<Vec<Tally>> {
    let dir = bake(home, board, file, model)?;
    let firmware = firmware::build(home, board, Program::BakedBySteps(&dir), false)?;
    let emulation = emulator::run(home, board, &firmware, sample.bytes(), Options::default())?;
    let calls = (0..model.n_calls()).filter_map(|i| Some(model.call(i).ok()?.step as usize));
    let steps: Vec<usize> = calls.filter(|&step| step < model.n_steps()).collect();
    let (_, counts) = regions(board, &emulation, steps.len())?;
    let mut sums = vec![Tally::default(); model.n_steps()];
    for (step, count) in steps.into_iter().zip(counts) {
        sums[step] += *count;
    }
    Ok(sums)
}
