//! Random int8 layers on every emulated core against the portable kernels, which the host runs: every length and
//! remainder, unaligned rows, padding on all sides, and factors and biases at the ends of their ranges.

mod layer;
mod packed;
mod plain;

use dunlin::{Model, Session, ops};
use dunlin_converter::Quant;
use dunlin_converter::device::{
    self,
    boards::Board,
    emulator::Options,
    firmware,
    suite::{self, Answer},
};
use dunlin_converter::plan::plan;
use dunlin_converter::program::AlignedBytes;
use dunlin_converter::write::write;
use dunlin_tests::boards::runnable_boards;

use layer::{Layer, zero_point};

/// Layers for each board.
const N_LAYERS: u64 = 1900;
/// Boards with less RAM may have no room for a layer.
const ENOUGH_RAM: u64 = 1 << 18;

/// A layer, its inputs, and the host's outputs.
struct Case {
    name: String,
    model: Vec<u8>,
    inputs: Vec<u8>,
    outputs: Vec<u8>,
}

#[test]
fn every_core_computes_random_layers_as_the_portable_kernels() {
    let cases: Vec<Case> = (0..N_LAYERS).filter_map(case).collect();
    assert!(cases.len() as u64 > N_LAYERS / 2, "only {} layers are valid", cases.len());
    let failures: Vec<String> =
        runnable_boards().iter().flat_map(|board| differences(board, &cases)).collect();
    for failure in &failures {
        println!("{failure}");
    }
    assert!(failures.is_empty(), "{} layers differ", failures.len());
}

fn differences(board: &Board, cases: &[Case]) -> Vec<String> {
    let home = device::home().unwrap();
    let firmware = firmware::build(&home, board, firmware::Program::Suite, true).unwrap();
    let sent: Vec<suite::Case> =
        cases.iter().map(|case| suite::Case { model: &case.model, inputs: &case.inputs }).collect();
    let options = Options { count: false, ..Options::default() };
    let answers = suite::run(&home, board, &firmware, &sent, options).unwrap();
    let is_small = board.memory().unwrap().ram_bytes < ENOUGH_RAM;
    let compared = cases.iter().zip(&answers).filter_map(|(case, answer)| match answer {
        Answer::Ran { outputs, .. } if *outputs == case.outputs => None,
        Answer::NoRoom if is_small => None,
        Answer::Ran { outputs, .. } => {
            let at = (0..outputs.len()).find(|&i| outputs[i] != case.outputs[i]);
            Some(format!("{} on {}: differs from element {at:?} on", case.name, board.name))
        }
        other => Some(format!("{} on {}: {other:?}", case.name, board.name)),
    });
    compared.collect()
}

/// Layer number `seed`, unless its sizes are no layer.
fn case(seed: u64) -> Option<Case> {
    let mut layer = Layer::new(seed);
    let made = match seed % 19 {
        8 | 9 => layer.depthwise_records(),
        10 | 11 => layer.conv_pairs(),
        12 | 13 => layer.conv_winograd(),
        15 | 16 => layer.conv_vectors(),
        17 | 18 => layer.depthwise_vectors(),
        0 => layer.pointwise(),
        1 | 2 => layer.conv(),
        4 if (seed / 19).is_multiple_of(2) => layer.transpose_conv(),
        3 | 4 => layer.depthwise(),
        5 => layer.fully_connected(),
        6 => match seed / 19 % 4 {
            0 | 1 => layer.max_pool(),
            2 => layer.average_pool(),
            _ => layer.mean(),
        },
        14 => layer.moved(),
        _ => match seed / 19 % 3 {
            0 => layer.weighted_sum(),
            1 => layer.mul(),
            _ => layer.add(),
        },
    };
    let output = made.ok()?;
    let Layer { mut graph, inputs, mut rng } = layer;
    graph[output].quant =
        Some(Quant::i8(1.0, graph[output].quant.as_ref().map_or(zero_point(&mut rng), |q| q.zero_point)));
    graph.mark_output(output);
    let node = &graph.nodes()[0];
    let dims: Vec<_> = node.inputs.iter().chain(&node.outputs).map(|&id| graph.dims(id)).collect();
    let name = format!("layer {seed}: {:?} of {dims:?}", node.op);
    let model = write(&graph, &plan(&graph)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let bytes = AlignedBytes::from(&model[..]);
    let checked = Model::check(&bytes, ops::ALL).ok()?;
    let mut arena = AlignedBytes::zeroed(checked.arena_bytes());
    let mut session = Session::new(&checked, &mut arena).unwrap();
    for (i, x) in inputs.iter().enumerate() {
        session.input(i).unwrap().copy_from(x).unwrap();
    }
    let outputs = session.run().output_bytes(0).unwrap().to_vec();
    let inputs = inputs.concat().iter().map(|&x| x as u8).collect();
    Some(Case { name, model, inputs, outputs })
}
