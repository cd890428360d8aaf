//! Plans in which rows live and die: the bytes of the goldens in an arena of exactly the planned size in which
//! everything dead is noise.

use dunlin::Model;
use dunlin_converter::Data;
use dunlin_converter::pack::Packing;
use dunlin_converter::plan::rows::{Options, Style};
use dunlin_converter::program::{AlignedBytes, Rewrite};
use dunlin_tests::assets::{array, program_as, program_by_rows, program_by_rows_as, program_for, samples};
use dunlin_tests::convnet::{convnet, convnet_by_rows, inputs, run};
use dunlin_tests::damage::with_damaged_plan;
use dunlin_tests::poison::run_poisoned;

/// What the kernels' scratch memory may add.
const SCRATCH_BYTES: usize = 1024;
/// Models, and the most bytes of an arena by rows with the whole input in it, and with an input that arrives by rows,
/// scratch memory apart.
const MODELS: [(&str, [usize; 2]); 4] = [
    ("mlperf_kws_int8", [5_146, 4_836]),
    ("mlperf_vww_int8", [28_800, 13_536]),
    ("mlperf_ic_int8", [12_864, 11_808]),
    // 640 numbers are widened at once, which takes more scratch memory than others.
    ("mlperf_ad_int8", [1_024, 1_024]),
];
/// Samples of each.
const N_SAMPLES: usize = 3;

#[test]
fn models_in_poisoned_arenas_give_the_bytes_of_the_goldens() {
    for (name, most) in MODELS {
        let by_rows = |style, fed| Some(Options { style, fed, effort: 1 });
        let plans = [
            None, // whole tensors, which reach into each other
            by_rows(Style::Overlap, false),
            by_rows(Style::Rows, false),
            by_rows(Style::Rows, true),
        ];
        for options in plans {
            let program = match &options {
                Some(options) => program_by_rows(name, options),
                None => program_for(name, Packing::Dsp),
            };
            let Some(program) = program else { return };
            let golden = |file: &str| array(&format!("golden/{name}/{file}.npy"));
            let (Some(inputs), Some(outputs)) = (golden("input20"), golden("output20.tflm")) else { return };
            let model = program.model().unwrap();
            println!("{name} {options:?}: {} bytes, {} calls", model.arena_bytes(), model.n_calls());
            assert!(
                options.is_none_or(|options| {
                    options.style == Style::Overlap
                        || model.arena_bytes() <= most[options.fed as usize] + SCRATCH_BYTES
                }),
                "{name} {options:?}"
            );
            let pairs = samples(&inputs, 20).into_iter().zip(samples(&outputs, 20)).take(N_SAMPLES);
            for (seed, (input, expected)) in pairs.enumerate() {
                let Data::I8(_) = &input else { panic!("{name}: goldens of int8") };
                let output = run_poisoned(&model, &[&input.bytes()], seed as u64);
                assert!(output == expected.bytes(), "{name} {options:?}: sample {seed}");
            }
        }
    }
}

#[test]
fn expanded_weights_give_the_bytes_of_the_goldens_in_poisoned_arenas() {
    let name = "mlperf_ic_int8";
    let by_rows =
        |style, fed| program_by_rows_as(name, Rewrite::EXPANDED, &Options { style, fed, effort: 1 });
    let programs = [
        program_as(name, Rewrite::EXPANDED),
        by_rows(Style::Overlap, false),
        by_rows(Style::Rows, false),
        by_rows(Style::Rows, true),
    ];
    let golden = |file: &str| array(&format!("golden/{name}/{file}.npy"));
    let (Some(inputs), Some(outputs)) = (golden("input20"), golden("output20.tflm")) else { return };
    for program in programs.into_iter().flatten() {
        assert!(program.graph.nodes().iter().any(|node| node.op.name() == "conv_winograd"));
        let model = program.model().unwrap();
        let input = samples(&inputs, 20).swap_remove(0).bytes();
        let output = run_poisoned(&model, &[&input], 0);
        assert!(output == samples(&outputs, 20).swap_remove(0).bytes(), "{} bytes", model.arena_bytes());
    }
}

/// Changed plans of each network.
const N_DAMAGED: u64 = 20_000;

#[test]
fn a_changed_plan_is_refused_or_right() {
    let input = inputs(1);
    let expected = run(&convnet().unwrap(), &input).unwrap();
    for fed in [false, true] {
        let program = convnet_by_rows(fed).unwrap();
        let (mut rng, mut n_accepted) = (fastrand::Rng::with_seed(fed as u64), 0);
        for i in 0..N_DAMAGED {
            let file = with_damaged_plan(program.bytes(), &mut rng);
            let bytes = AlignedBytes::from(&file[..]);
            let Ok(model) = Model::check(&bytes, dunlin::ops::ALL) else { continue };
            // What lies elsewhere, or is called in another order, may be right as well.
            n_accepted += 1;
            if model.fed_input().is_some() == fed {
                let output = run_poisoned(&model, &[&input], i);
                assert!(output == expected, "fed {fed}, number {i}: another output");
            }
        }
        println!("fed {fed}: {n_accepted} of {N_DAMAGED} accepted");
        assert!(n_accepted > N_DAMAGED / 1000, "the changes are all too coarse");
        assert!(n_accepted < N_DAMAGED / 2, "hardly anything is refused");
    }
}
