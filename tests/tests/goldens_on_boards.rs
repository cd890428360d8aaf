//! Every golden case, and networks of random operators, on every emulated core: the same bytes as on the host, which
//! `goldens.rs` and `export.rs` hold to the goldens.

use dunlin_converter::device::{
    self,
    boards::Board,
    emulator::Options,
    firmware,
    suite::{self, Answer},
};
use dunlin_converter::{Data, Graph, Program};
use dunlin_tests::boards::runnable_boards;
use dunlin_tests::cases::{cases, operators};
use dunlin_tests::random_networks::network;
use fastrand::Rng;

/// Random networks that are made.
const N_NETWORKS: u64 = 120;
/// The most bytes of a random network's model and arena.
const MAX_BYTES: usize = 6000;

/// A model and its input, ready to be sent.
struct Case {
    name: String,
    model: Vec<u8>,
    arena_bytes: usize,
    inputs: Vec<u8>,
    /// What the host computes.
    outputs: Vec<u8>,
}

impl Case {
    fn of(name: String, graph: &Graph, inputs: &[Data]) -> Case {
        let bytes = |data: &[Data]| data.iter().flat_map(|data| data.bytes()).collect();
        let program = Program::compile(graph).unwrap_or_else(|e| panic!("{name}: {e}"));
        let outputs = program.run(inputs).unwrap_or_else(|e| panic!("{name}: {e}"));
        Case {
            name,
            model: program.bytes().to_vec(),
            arena_bytes: program.plan.arena_bytes,
            inputs: bytes(inputs),
            outputs: bytes(&outputs),
        }
    }
}

fn golden_cases() -> Vec<Case> {
    let cases = operators().into_iter().flat_map(|operator| cases(&operator));
    cases.map(|case| Case::of(case.name, &case.graph, &case.inputs)).collect()
}

/// Random networks in int8 that the smallest board has room for.
fn random_cases() -> Vec<Case> {
    let networks = (0..N_NETWORKS).filter_map(|seed| Some((seed, network(seed).ok()?.quantized)));
    let cases = networks.map(|(seed, graph)| {
        let n: usize = graph.dims(graph.inputs()[0]).iter().product();
        let mut rng = Rng::with_seed(seed);
        let x = Data::I8((0..n).map(|_| rng.i8(..)).collect());
        Case::of(graph.name.clone(), &graph, &[x])
    });
    cases.filter(|case| case.model.len() + case.arena_bytes <= MAX_BYTES).collect()
}

#[test]
fn every_core_computes_what_the_host_computes() {
    let (mut cases, networks) = (golden_cases(), random_cases());
    assert!(networks.len() > 50, "only {} networks are small", networks.len());
    cases.extend(networks);
    let failures: Vec<String> =
        runnable_boards().iter().flat_map(|board| differences(board, &cases)).collect();
    for failure in &failures {
        println!("{failure}");
    }
    assert!(failures.is_empty(), "{} cases differ", failures.len());
}

fn differences(board: &Board, cases: &[Case]) -> Vec<String> {
    let home = device::home().unwrap();
    let firmware = firmware::build(&home, board, firmware::Program::Suite, true).unwrap();
    let sent: Vec<suite::Case> =
        cases.iter().map(|case| suite::Case { model: &case.model, inputs: &case.inputs }).collect();
    let options = Options { count: false, ..Options::default() };
    let answers = suite::run(&home, board, &firmware, &sent, options).unwrap();
    let compared = cases.iter().zip(&answers).filter_map(|(case, answer)| {
        let what = match answer {
            Answer::Ran { outputs, .. } if *outputs == case.outputs => return None,
            Answer::Ran { .. } => "computes other bytes than the host".to_owned(),
            Answer::NoRoom => format!("has no room for {} + {} bytes", case.model.len(), case.arena_bytes),
            Answer::Refused(code) => format!("refuses the model with error {code}"),
            Answer::WrongInput => format!("takes another input than {} bytes", case.inputs.len()),
        };
        Some(format!("{}: {} {what}", case.name, board.name))
    });
    compared.collect()
}
