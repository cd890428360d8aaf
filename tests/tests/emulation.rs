//! The emulated boards: each builds, runs, ends as it should, and counts the same instructions in every run.

use std::{fs, path::Path, time::Duration};

use dunlin::format;
use dunlin_converter::device::{
    self, Error,
    boards::Board,
    emulator::{self, Options},
    firmware::{self, Firmware, Program},
    suite::{self, Answer, Case},
};
use dunlin_tests::boards::{bake, runnable_board, runnable_boards};

/// Bytes of the identity's input and output.
const N: u32 = 32;

/// The smallest model: no step, its output is its input.
fn identity() -> Vec<u8> {
    let tensor = format::TensorRecord {
        dtype: dunlin::DType::I8 as u8,
        rank: 1,
        place: format::Place::Arena,
        zero_point: 0,
        offset: 0,
        dim0: N,
        dim1: 1,
        dim2: 1,
        dim3: 1,
        table: 0,
        period: 0,
        writer: format::NO_STEP,
    };
    let port = format::PortRecord { tensor: 0, scale: 1.0 };
    let ports_offset = format::HEADER_BYTES + format::TENSOR_BYTES;
    let steps_offset = ports_offset + 2 * format::PORT_BYTES;
    let file_bytes = steps_offset.next_multiple_of(format::ALIGN);
    let mut header = format::Header {
        magic: format::MAGIC,
        version: format::VERSION,
        rounding: format::ROUNDING_TFLM,
        fed: 0,
        checksum: 0,
        file_bytes: file_bytes as u32,
        arena_bytes: N,
        n_tensors: 1,
        n_activations: 1,
        n_steps: 0,
        n_inputs: 1,
        n_outputs: 1,
        n_calls: 0,
        ports_offset: ports_offset as u32,
        calls_offset: steps_offset as u32,
        steps_offset: steps_offset as u32,
        names_offset: steps_offset as u32,
        constants_offset: file_bytes as u32,
        memory1_offset: 0,
        memory2_offset: 0,
        memory3_offset: 0,
    };
    let encode = |header: &format::Header| {
        let mut file = postcard::to_stdvec(header).unwrap();
        file.extend(postcard::to_stdvec(&tensor).unwrap());
        file.extend(postcard::to_stdvec(&port).unwrap());
        file.extend(postcard::to_stdvec(&port).unwrap());
        file.resize(file_bytes, 0);
        file
    };
    header.checksum = format::checksum(&encode(&header)[format::CHECKED_FROM..]);
    encode(&header)
}

fn build(board: &Board, program: Program, logs: bool) -> Firmware {
    firmware::build(&device::home().unwrap(), board, program, logs).unwrap()
}

fn run(board: &Board, firmware: &Firmware, input: &[u8]) -> device::Result<emulator::Emulation> {
    emulator::run(&device::home().unwrap(), board, firmware, input, Options::default())
}

fn samples() -> Vec<u8> {
    (0..3 * N).map(|i| i as u8).collect()
}

/// A folder as the converter writes it, with the identity.
fn bake_identity(dir: &Path) {
    let table = format!("pub const ARENA_BYTES: usize = {N};\npub static OPS: &[dunlin::Entry] = &[];\n");
    bake(dir, &identity(), &table);
}

#[test]
fn every_board_runs_a_baked_model() {
    let dir = tempfile::tempdir().unwrap();
    bake_identity(dir.path());
    for board in runnable_boards() {
        let firmware = build(&board, Program::Baked(dir.path()), true);
        let sizes = firmware.sizes().unwrap();
        assert_eq!(
            (sizes.model_bytes, sizes.arena_bytes),
            (identity().len() as u64, u64::from(N)),
            "{}",
            board.name
        );
        let [first, second] = [(); 2].map(|()| run(&board, &firmware, &samples()).unwrap());
        assert_eq!(first.output, samples(), "{}", board.name);
        assert!(first.log.iter().any(|line| line.contains("3 samples")), "{}: {:?}", board.name, first.log);
        assert!(
            first.stack_bytes.is_some_and(|bytes| (16..4096).contains(&bytes)),
            "{:?}",
            first.stack_bytes
        );
        let counts = first.counts.unwrap();
        assert_eq!(Some(&counts), second.counts.as_ref(), "{}: counts differ between two runs", board.name);
        let [init, runs @ ..] = &counts.regions[..] else { panic!("{}: no counts", board.name) };
        assert!(
            init.instructions() > 100 && runs.len() == 3 && runs.iter().all(|run| *run == runs[0]),
            "{counts:?}"
        );
    }
}

#[test]
fn every_board_runs_the_suite() {
    let (model, input) = (identity(), &samples()[..N as usize]);
    let mut damaged = model.clone();
    damaged[format::CHECKED_FROM] ^= 1;
    let cases = [
        Case { model: &damaged, inputs: input },
        Case { model: &model, inputs: input },
        Case { model: &model, inputs: &input[1..] },
        Case { model: &model, inputs: input },
    ];
    for board in runnable_boards() {
        let firmware = build(&board, Program::Suite, true);
        let home = device::home().unwrap();
        let answers = suite::run(&home, &board, &firmware, &cases, Options::default()).unwrap();
        assert_eq!(answers[0], Answer::Refused(dunlin::Error::Length as u32), "{}", board.name);
        assert_eq!(answers[2], Answer::WrongInput, "{}", board.name);
        assert_eq!(answers[1], answers[3], "{}", board.name);
        let Answer::Ran { outputs, init_instructions: Some(_), run_instructions: Some(_) } = &answers[1]
        else {
            panic!("{}: {:?}", board.name, answers[1])
        };
        assert_eq!(outputs, input, "{}", board.name);

        let error = run(&board, &firmware, &suite::fault_input()).unwrap_err();
        assert!(matches!(error, Error::Fault { .. }), "{error}");
        assert!(error.to_string().contains("ERROR fault at 0x"), "{error}");
    }
}

#[test]
fn a_model_larger_than_the_ram_is_refused() {
    let Some(board) = runnable_board("cortex-m0") else { return };
    let firmware = build(&board, Program::Suite, true);
    let large = vec![0; board.memory().unwrap().ram_bytes as usize];
    let model = identity();
    let cases =
        [Case { model: &large, inputs: &large }, Case { model: &model, inputs: &samples()[..N as usize] }];
    let answers =
        suite::run(&device::home().unwrap(), &board, &firmware, &cases, Options::default()).unwrap();
    assert_eq!(answers[0], Answer::NoRoom);
    assert!(matches!(answers[1], Answer::Ran { .. }), "{:?}", answers[1]);
}

#[test]
fn a_firmware_larger_than_the_ram_is_refused() {
    let Some(board) = runnable_board("cortex-m0") else { return };
    let ram_bytes = board.memory().unwrap().ram_bytes;
    for (arena_bytes, missing_bytes) in [(ram_bytes + 160, None), (ram_bytes - 1024, Some(1024))] {
        let dir = tempfile::tempdir().unwrap();
        let table = format!(
            "pub const ARENA_BYTES: usize = {arena_bytes};\npub static OPS: &[dunlin::Entry] = &[];\n"
        );
        bake(dir.path(), &identity(), &table);
        let home = device::home().unwrap();
        match firmware::build(&home, &board, Program::Baked(dir.path()), false) {
            Err(Error::TooLarge { region: "RAM", missing_bytes: found, .. }) => {
                assert_eq!(found, missing_bytes.unwrap_or(found));
            }
            other => panic!("an arena of {arena_bytes} bytes: {other:?}"),
        }
    }
}

#[test]
fn bad_input_and_endless_runs_are_errors() {
    let Some(board) = runnable_board("cortex-m4") else { return };
    let dir = tempfile::tempdir().unwrap();
    bake_identity(dir.path());
    let firmware = build(&board, Program::Baked(dir.path()), true);
    let error = run(&board, &firmware, &samples()[1..]).unwrap_err().to_string();
    assert!(error.contains("the input ends too early"), "{error}");

    let options = Options { limit: Duration::ZERO, count: false };
    let error = emulator::run(&device::home().unwrap(), &board, &firmware, &samples(), options).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[test]
fn what_does_not_compile_is_shown() {
    let Some(board) = runnable_board("cortex-m3") else { return };
    let dir = tempfile::tempdir().unwrap();
    bake_identity(dir.path());
    fs::write(dir.path().join("net.rs"), "pub const ARENA_BYTES: usize = \"many\";").unwrap();
    let home = device::home().unwrap();
    let error = firmware::build(&home, &board, Program::Baked(dir.path()), true).unwrap_err().to_string();
    assert!(error.contains("cargo build") && error.contains("net.rs") && error.contains("many"), "{error}");
}
