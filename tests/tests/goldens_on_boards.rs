//! Every golden case on every emulated core: the same bytes as on the host, which `goldens.rs` holds to the goldens.

use dunlin_converter::Program;
use dunlin_converter::device::{
    self,
    boards::Board,
    emulator::Options,
    firmware,
    suite::{self, Answer},
};
use dunlin_tests::boards::runnable_boards;
use dunlin_tests::cases::{cases, operators};

/// A golden case, ready to be sent.
struct Case {
    name: String,
    model: Vec<u8>,
    arena_bytes: usize,
    inputs: Vec<u8>,
    /// What the host computes.
    outputs: Vec<u8>,
}

fn all_cases() -> Vec<Case> {
    let golden_cases = operators().into_iter().flat_map(|operator| cases(&operator));
    golden_cases
        .map(|case| {
            let program = Program::compile(&case.graph).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            let outputs = program.run(&case.inputs).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            Case {
                name: case.name,
                model: program.bytes().to_vec(),
                arena_bytes: program.plan.arena_bytes,
                inputs: case.inputs.iter().flat_map(|data| data.bytes()).collect(),
                outputs: outputs.iter().flat_map(|data| data.bytes()).collect(),
            }
        })
        .collect()
}

#[test]
fn every_core_computes_what_the_host_computes() {
    let cases = all_cases();
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
