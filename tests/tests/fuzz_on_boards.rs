//! Damaged model files on every emulated core: each is refused with the host's error or computes the host's
//! bytes, though addresses and sizes have 32 bits there, and no assertion watches.

use std::ops::Range;
use std::time::{Duration, Instant};

use dunlin::{DType, Error, Model, Session, ops};
use dunlin_converter::device::{
    self,
    boards::Board,
    emulator::Options,
    firmware,
    suite::{self, Answer},
};
use dunlin_converter::program::{AlignedBytes, run_on};
use dunlin_tests::boards::runnable_boards;
use dunlin_tests::damage::{Seed, damaged, seeds};
use dunlin_tests::parts::repair;
use fastrand::Rng;

/// Files for each board.
const N_FILES: usize = 2000;
/// Larger arenas are on no board.
const MAX_ARENA_BYTES: usize = 1 << 20;
/// What takes the host longer is left out: emulation is slow.
const MAX_RUN: Duration = Duration::from_millis(1);

/// Where in the header it stands where memories begin.
const MEMORY_OFFSETS: Range<usize> = 52..64;

fn has_its_checksum(file: &[u8]) -> bool {
    let mut repaired = file.to_vec();
    repair(&mut repaired);
    repaired == file
}

/// A damaged file, and what the host makes of it.
struct Case {
    i: u64,
    name: String,
    file: Vec<u8>,
    inputs: Vec<u8>,
    host: Result<Vec<u8>, Error>,
}

#[test]
fn every_core_treats_damaged_files_as_the_host_does() {
    let boards = runnable_boards();
    let seeds = seeds();
    // Bytes changed at random fail at the checksum or the length, which says little.
    let telling = |case: &Case| !matches!(case.host, Err(Error::Checksum | Error::Length | Error::NotAModel));
    let cases: Vec<Case> = (0..).filter_map(|i| case(i, &seeds)).filter(telling).take(N_FILES).collect();
    let n_run = cases.iter().filter(|case| case.host.is_ok()).count();
    assert!(n_run > N_FILES / 10, "only {n_run} of {N_FILES} files run");
    let failures: Vec<String> = boards.iter().flat_map(|board| differences(board, &cases)).collect();
    for failure in &failures {
        println!("{failure}");
    }
    assert!(failures.is_empty(), "{} files differ", failures.len());
}

/// File number `i`, unless it is too large or too slow.
fn case(i: u64, seeds: &[Seed]) -> Option<Case> {
    let mut rng = Rng::with_seed(i);
    let seed = &seeds[rng.usize(..seeds.len())];
    let mut file = damaged(seed, seeds, &mut rng);
    // Boards run models in one piece: without the feature `memories` they do not look where memories begin, as the host
    // does (`fuzz.rs` damages that, too).
    let had_its_checksum = has_its_checksum(&file);
    if let Some(offsets) = file.get_mut(MEMORY_OFFSETS) {
        offsets.fill(0);
        if had_its_checksum {
            repair(&mut file);
        }
    }
    let bytes = AlignedBytes::from(&file[..]);
    let (inputs, host) = match Model::check(&bytes, ops::ALL) {
        Err(error) => (Vec::new(), Err(error)),
        Ok(model) if model.arena_bytes() > MAX_ARENA_BYTES => return None,
        Ok(model) => {
            let mut arena = AlignedBytes::zeroed(model.arena_bytes());
            let mut session = Session::new(&model, &mut arena).ok()?;
            let n_bytes = |i: usize| model.input(i).map_or(0, |port| port.ty.bytes());
            let noise = |i: usize| (0..n_bytes(i)).map(|_| rng.u8(..)).collect();
            let inputs: Vec<Vec<u8>> = (0..model.n_inputs()).map(noise).collect();
            let started = Instant::now();
            let slices: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
            run_on(&mut session, &slices, |step| step.run()).ok()?;
            // The board reads the rows that arrive last.
            let fed = model.fed_input();
            let early = (0..inputs.len()).filter(|&i| Some(i) != fed);
            let inputs = early.chain(fed).flat_map(|i| inputs[i].clone()).collect();
            if started.elapsed() > MAX_RUN {
                return None;
            }
            let outputs =
                (0..model.n_outputs()).map(|i| session.output_bytes(i)).collect::<Result<Vec<_>, _>>();
            (inputs, Ok(comparable(&model, &outputs.ok()?.concat())))
        }
    };
    Some(Case { i, name: seed.name.clone(), file, inputs, host })
}

/// The bytes of all outputs, with one pattern for every NaN: which of them an operation makes is the core's choice.
fn comparable(model: &Model, outputs: &[u8]) -> Vec<u8> {
    let mut bytes = outputs.to_vec();
    let mut rest = &mut bytes[..];
    for port in (0..model.n_outputs()).filter_map(|i| model.output(i).ok()) {
        let (output, after) = rest.split_at_mut(port.ty.bytes().min(rest.len()));
        if port.ty.dtype == DType::F32 {
            for number in output.as_chunks_mut::<4>().0 {
                if f32::from_le_bytes(*number).is_nan() {
                    *number = f32::NAN.to_le_bytes();
                }
            }
        }
        rest = after;
    }
    bytes
}

fn differences(board: &Board, cases: &[Case]) -> Vec<String> {
    let home = device::home().unwrap();
    let firmware = firmware::build(&home, board, firmware::Program::Suite, true).unwrap();
    let sent: Vec<suite::Case> =
        cases.iter().map(|case| suite::Case { model: &case.file, inputs: &case.inputs }).collect();
    let options = Options { count: false, ..Options::default() };
    let answers = suite::run(&home, board, &firmware, &sent, options).unwrap();
    let mut n_compared = 0;
    let compared = cases.iter().zip(&answers).filter_map(|(case, answer)| {
        let what = match (answer, &case.host) {
            (Answer::NoRoom, _) => return None,
            (Answer::Refused(code), _) if *code == Error::ArenaTooSmall as u32 => return None,
            (Answer::Ran { outputs, .. }, Ok(host)) => {
                let file = AlignedBytes::from(&case.file[..]);
                let model = Model::check(&file, ops::ALL).ok()?;
                n_compared += 1;
                if comparable(&model, outputs) == *host {
                    return None;
                }
                "computes other bytes than the host".to_string()
            }
            (Answer::Refused(code), Err(error)) if *code == *error as u32 => {
                n_compared += 1;
                return None;
            }
            (answer, host) => format!("answers {answer:?}, the host {host:?}"),
        };
        Some(format!("file {} from {}: {} {what}", case.i, case.name, board.name))
    });
    let failures: Vec<String> = compared.collect();
    println!("{}: {n_compared} of {} files compared", board.name, cases.len());
    failures
}
