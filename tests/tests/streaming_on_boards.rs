//! Plans in which rows live and die, on the emulated Cortex-M4F: the bytes of the goldens in an arena of exactly the
//! planned size, and how many instructions that costs.

use dunlin_converter::device;
use dunlin_converter::device::emulator::Options as Emulation;
use dunlin_converter::device::firmware::{self, Program as Kind};
use dunlin_converter::device::suite::{self, Answer, Case};
use dunlin_converter::plan::rows::{Options, Style};
use dunlin_converter::program::Rewrite;
use dunlin_tests::assets::{array, program, program_by_rows, program_by_rows_as, samples};
use dunlin_tests::boards::runnable_board;

/// Reference models.
const MODELS: [&str; 4] = ["mlperf_kws_int8", "mlperf_vww_int8", "mlperf_ic_int8", "mlperf_ad_int8"];
/// A plan by rows may cost so many instructions for a hundred of the plan with whole tensors.
const MAX_PERCENT: u64 = 115;

#[test]
fn models_by_rows_give_the_bytes_of_the_goldens_on_a_board() {
    let Some(board) = runnable_board("cortex-m4") else { return };
    let (mut models, mut names, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
    let by_rows = |fed| Options { style: Style::Rows, fed, effort: 1 };
    for name in MODELS {
        let golden = |file: &str| array(&format!("golden/{name}/{file}.npy"));
        let (Some(inputs), Some(outputs)) = (golden("input20"), golden("output20.tflm")) else { return };
        let expanded = program_by_rows_as(name, Rewrite::EXPANDED, &by_rows(false));
        let [in_memory, fed] = [false, true].map(|fed| program_by_rows(name, &by_rows(fed)));
        let plans = [program(name), in_memory, fed, expanded];
        for program in plans.into_iter().flatten() {
            let sample = samples(&inputs, 20).swap_remove(7).bytes();
            models.push((program.bytes().to_vec(), sample));
            names.push(format!("{name}, {} bytes", program.plan.arena_bytes));
            wanted.push(samples(&outputs, 20).swap_remove(7).bytes());
        }
    }
    let home = device::home().unwrap();
    let firmware = firmware::build(&home, &board, Kind::Suite, false).unwrap();
    let cases: Vec<Case> = models.iter().map(|(model, inputs)| Case { model, inputs }).collect();
    let answers = suite::run(&home, &board, &firmware, &cases, Emulation::default()).unwrap();
    let mut counts = Vec::new();
    for ((answer, name), wanted) in answers.into_iter().zip(&names).zip(&wanted) {
        let Answer::Ran { outputs, run_instructions, .. } = answer else { panic!("{name}: {answer:?}") };
        assert!(&outputs == wanted, "{name}: other bytes than the golden's");
        counts.push(run_instructions.unwrap());
    }
    for (counts, names) in counts.chunks(4).zip(names.chunks(4)) {
        println!("{names:?}: {counts:?} instructions");
        assert!(counts[1] * 100 <= counts[0] * MAX_PERCENT, "{names:?}: {counts:?} instructions");
        assert!(counts[3] <= counts[1], "{names:?}: {counts:?} instructions");
    }
}
