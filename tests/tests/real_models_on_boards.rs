//! The reference models on emulated boards: the bytes of TensorFlow Lite Micro, there too.

use dunlin_converter::Data;
use dunlin_converter::device::baked;
use dunlin_converter::device::boards::Board;
use dunlin_converter::npy::Array;
use dunlin_converter::program::Rewrite;
use dunlin_converter::samples::Samples;
use dunlin_tests::assets::{array, program, program_as, samples as split};
use dunlin_tests::boards::runnable_boards;

/// Samples of each model on each board.
const N_SAMPLES: usize = 3;
/// Alignment of an arena.
const ARENA_ALIGN: usize = 16;
/// RAM that firmware needs beside the arena: variables, stack and the buffers of the link.
const OTHER_RAM_BYTES: u64 = 6 * 1024;

/// Runs a model's first samples on a board, its weights arranged like this, and compares with the goldens.
fn assert_bytes(name: &str, board: &Board, rewrite: Rewrite) {
    let Some(program) = program_as(name, rewrite) else { return };
    let board = board.name.as_str();
    let golden = |file: &str| array(&format!("golden/{name}/{file}.npy"));
    let (Some(inputs), Some(outputs)) = (golden("input20"), golden("output20.tflm")) else { return };
    let dims = [&[N_SAMPLES], &inputs.dims[1..]].concat();
    let first = |data: Vec<Data>| -> Vec<u8> {
        data.iter().take(N_SAMPLES).flat_map(|sample| sample.bytes()).collect()
    };
    let x = first(split(&inputs, inputs.dims[0])).iter().map(|&byte| byte as i8).collect();
    let expected = first(split(&outputs, outputs.dims[0]));
    let model = program.model().unwrap();
    let inputs = Array { dims, data: Data::I8(x) };
    let samples = Samples::of(&model, &[inputs]).unwrap();
    let run = baked::run(board, program.bytes(), &model, &samples, &expected);
    let run = run.unwrap_or_else(|e| panic!("{name} on {board}: {e}"));
    let report = &run.report;
    println!("{name} on {board}: {} instructions, {:?}", report.instructions, report.costs);
    assert_eq!(report.first_difference, None, "{name} on {board}");
    // The symbol's size is a multiple of its alignment.
    let planned_bytes = program.plan.arena_bytes.next_multiple_of(ARENA_ALIGN);
    assert_eq!(report.costs.arena_bytes as usize, planned_bytes, "{name}: the plan is what is used");
}

/// One test: two builds for the same board must not run at the same time.
#[test]
fn models_give_the_same_bytes_on_every_board_that_holds_them() {
    let Some(program) = program("mlperf_kws_int8") else { return };
    for board in runnable_boards() {
        let ram_bytes = board.memory().unwrap().ram_bytes;
        if ram_bytes < program.plan.arena_bytes as u64 + OTHER_RAM_BYTES {
            println!("{}: {ram_bytes} bytes of RAM do not hold keyword spotting", board.name);
            continue;
        }
        let packing: Rewrite = board.packing().into();
        assert_bytes("mlperf_kws_int8", &board, packing);
        if board.name == "qemu-cortex-m4" {
            for name in ["mlperf_vww_int8", "mlperf_ic_int8", "mlperf_ad_int8"] {
                assert_bytes(name, &board, packing);
            }
            assert_bytes("mlperf_ic_int8", &board, Rewrite::EXPANDED);
        }
    }
}
