//! The reference models against TensorFlow Lite Micro: int8 byte for byte, on the host.

use dunlin_converter::program::set_input;
use dunlin_converter::{Data, Program};
use dunlin_tests::assets::{array, folder, program, samples};
use serde_json::Value;

/// The MLPerf Tiny models, and the most bytes that their arenas may take.
const MLPERF: [(&str, usize); 4] = [
    ("mlperf_kws_int8", 16_384),
    ("mlperf_vww_int8", 65_536),
    ("mlperf_ic_int8", 50_176),
    ("mlperf_ad_int8", 1024),
];

/// Greatest difference of f32 outputs, relative to the larger magnitude (absolute below 1).
const F32_TOLERANCE: f32 = 1e-5;

/// Runs `program` on every sample of `inputs` and compares with the samples of `outputs`.
fn assert_bytes(name: &str, program: &Program, inputs: &str, outputs: &str) {
    let (Some(inputs), Some(outputs)) = (array(inputs), array(outputs)) else { return };
    let n = inputs.dims[0];
    for (i, (x, expected)) in samples(&inputs, n).iter().zip(samples(&outputs, n)).enumerate() {
        let outputs = program.run(std::slice::from_ref(x)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(outputs[0], expected, "{name}, sample {i}");
    }
}

#[test]
fn mlperf_models_give_the_bytes_of_the_goldens() {
    for (name, arena_limit_bytes) in MLPERF {
        let Some(program) = program(name) else { return };
        let golden =
            |file: &str| format!("golden/{name}/{file}20{}.npy", ["", ".tflm"][(file != "input") as usize]);
        assert_bytes(name, &program, &golden("input"), &golden("output"));
        let arena_bytes = program.plan.arena_bytes;
        assert!(arena_bytes <= arena_limit_bytes, "{name}: an arena of {arena_bytes} bytes");
    }
}

#[test]
fn keyword_spotting_gives_the_bytes_of_500_samples() {
    let Some(program) = program("mlperf_kws_int8") else { return };
    assert_bytes("kws01", &program, "data/kws01/mfcc500.npy", "data/kws01/output500.tflm.npy");
}

#[test]
fn hello_world_gives_the_bytes_of_all_inputs() {
    let Some(program) = program("tflm_hello_world_int8") else { return };
    let golden = |file: &str| format!("golden/tflm_hello_world_int8/all256_{file}.npy");
    assert_bytes("hello_world", &program, &golden("input"), &golden("output.tflm"));
}

#[test]
fn hello_world_in_f32_is_near() {
    let Some(program) = program("tflm_hello_world_float") else { return };
    let array = |file: &str| array(&format!("golden/tflm_hello_world_float/sweep256_{file}.npy"));
    let (Some(inputs), Some(outputs)) = (array("input"), array("output.tflm")) else { return };
    for (x, expected) in samples(&inputs, 256).iter().zip(samples(&outputs, 256)) {
        let outputs = program.run(std::slice::from_ref(x)).unwrap();
        let (Data::F32(have), Data::F32(want)) = (&outputs[0], &expected) else { panic!("not f32") };
        let far = |(h, w): (&f32, &f32)| (h - w).abs() > F32_TOLERANCE * w.abs().max(1.0) || h.is_nan();
        assert!(!have.iter().zip(want).any(far), "{x:?}: {have:?}, expected {want:?}");
    }
}

/// `int8 x[i] = ((7*i+3) mod 256) - 128`.
fn ramp(len: usize) -> Vec<i8> {
    (0..len).map(|i| ((7 * i + 3) % 256) as u8 as i16 - 128).map(|x| x as i8).collect()
}

/// `u32 s=1; per byte: s=s*1664525+1013904223 (mod 2^32); int8 x[i]=(s>>24)-128`.
fn noise(len: usize) -> Vec<i8> {
    let mut s = 1u32;
    let mut next = || {
        s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((s >> 24) as i16 - 128) as i8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn every_operator_gives_the_bytes_of_the_goldens() {
    let Some(folder) = folder() else { return };
    for (name, _) in MLPERF {
        let Some(program) = program(name) else { return };
        let path = folder.join("golden").join(name).join("layers.tflm.json");
        let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let model = program.model().unwrap();
        let len = model.input(0).unwrap().ty.shape.count();
        for (case, input) in golden["cases"].as_array().unwrap().iter().zip([ramp(len), noise(len)]) {
            let input_crc = crc32fast::hash(&input.iter().map(|&x| x as u8).collect::<Vec<_>>());
            assert_eq!(case["input_crc32"], input_crc, "{name}: the rule of the input");
            let mut arena = program.arena();
            let mut session = program.session(&model, &mut arena).unwrap();
            set_input(&mut session, 0, &Data::I8(input)).unwrap();
            let mut crcs = Vec::new();
            session.run_each(|step| {
                step.run();
                crcs.push(crc32fast::hash(step.output_bytes(0)));
            });
            let expected: Vec<&Value> =
                case["ops"].as_array().unwrap().iter().map(|op| &op["crc32"]).collect();
            assert_eq!(crcs.len(), expected.len(), "{name}: number of operators");
            for (i, (crc, expected)) in crcs.iter().zip(expected).enumerate() {
                assert_eq!(expected, crc, "{name}: operator {i}, {}", program.graph.nodes()[i].name);
            }
        }
    }
}
