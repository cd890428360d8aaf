//! The reference models on the host: int8 byte for byte as in TensorFlow Lite Micro, f32 near f64 and LiteRT.

use dunlin::ops::{Dequantize, Quantize};
use dunlin_converter::pack::Packing;
use dunlin_converter::plan::Request;
use dunlin_converter::program::{Rewrite, set_input};
use dunlin_converter::quantize::to_f32;
use dunlin_converter::{Data, Kind, Node, Program, export, import};
use dunlin_tests::assets::{arrangements, array, folder, program, program_as, samples};
use serde_json::Value;

/// The MLPerf Tiny models, and the most bytes that their arenas may take: plans of whole tensors, and the scratch memory
/// of the convolutions.
const MLPERF: [(&str, usize); 4] = [
    ("mlperf_kws_int8", 16_640),
    ("mlperf_vww_int8", 65_536),
    ("mlperf_ic_int8", 50_592),
    // Of 640 numbers, widened to 16 bits at once for cores with the DSP extension.
    ("mlperf_ad_int8", 2048),
];

/// Greatest difference of f32 outputs, relative to the larger magnitude (absolute below 1), or to the greatest
/// output.
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
        for rewrite in arrangements() {
            let Some(program) = program_as(name, rewrite) else { return };
            let golden = |file: &str| {
                format!("golden/{name}/{file}20{}.npy", ["", ".tflm"][(file != "input") as usize])
            };
            assert_bytes(name, &program, &golden("input"), &golden("output"));
            let arena_bytes = program.plan.arena_bytes;
            assert!(arena_bytes <= arena_limit_bytes, "{name}: an arena of {arena_bytes} bytes");
        }
    }
}

#[test]
fn flash_is_spent_where_it_saves_most() {
    let Some(folder) = folder() else { return };
    let real = import::load_simplified(&folder.join("models/mlperf_ic_int8.tflite")).unwrap();
    let compile = |flash_bytes| {
        Program::compile_for(&real, Packing::Dsp, &Request { flash_bytes, ..Request::default() })
    };
    let plain_bytes = compile(None).unwrap().bytes().len();
    let error = compile(Some(plain_bytes - 1)).unwrap_err().to_string();
    assert!(error.contains(&format!("the model file has {plain_bytes}")), "{error}");
    let taken = |flash_bytes| {
        let program = compile(Some(flash_bytes)).unwrap();
        assert!(program.bytes().len() <= flash_bytes, "{} of {flash_bytes}", program.bytes().len());
        let names = program.graph.nodes().iter().map(|node| node.op.name());
        let taken: Vec<bool> = program.expansions.iter().map(|each| each.taken).collect();
        assert_eq!(
            names.filter(|&name| name == "conv_winograd").count(),
            taken.iter().filter(|taken| **taken).count()
        );
        taken
    };
    // Weights of 16, 16, 32 and 64 channels, of which the first ones cost least and save no less.
    assert_eq!(taken(plain_bytes), [false; 4]);
    assert_eq!(taken(plain_bytes + 6_000), [true, false, false, false]);
    assert_eq!(taken(96 << 10), [true, true, false, false]);
    assert_eq!(taken(128 << 10), [true, true, true, false]);
    assert_eq!(taken(1 << 20), [true; 4]);
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
    // What dead channels were is in the goldens, too.
    for (name, _) in MLPERF {
        let Some(program) = program_as(name, Rewrite::NONE) else { return };
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

/// The real numbers that the inputs of an int8 model stand for.
fn real_inputs(int8_name: &str) -> Option<Vec<Data>> {
    let program = program(int8_name)?;
    let model = program.model().unwrap();
    let input = model.input(0).unwrap();
    let stored = array(&format!("golden/{int8_name}/input20.npy"))?;
    let real = |sample: &Data| Data::F32(to_f32(sample.as_i8().unwrap(), input.scale, input.zero_point));
    Some(samples(&stored, stored.dims[0]).iter().map(real).collect())
}

/// `tests/reference/make.py` computed the models in f64 and in LiteRT. Distances are relative to the greatest
/// output.
#[test]
fn f32_models_are_near_f64_and_litert() {
    let golden = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/reference/golden.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    for name in ["vww", "ic", "ad"] {
        let (f32_name, int8_name) = (format!("mlperf_{name}_float32"), format!("mlperf_{name}_int8"));
        let (Some(program), Some(inputs)) = (program(&f32_name), real_inputs(&int8_name)) else { return };
        let golden = &golden[&f32_name];
        let n_samples = golden["n_samples"].as_u64().unwrap() as usize;
        let run = |x: &Data| program.run(std::slice::from_ref(x)).unwrap();
        let outputs: Vec<f32> =
            inputs[..n_samples].iter().flat_map(|x| run(x)[0].as_f32().unwrap().to_vec()).collect();
        for oracle in ["f64", "litert"] {
            let expected: Vec<f64> = serde_json::from_value(golden[oracle].clone()).unwrap();
            assert_eq!(outputs.len(), expected.len());
            let greatest = expected.iter().fold(0f64, |most, y| most.max(y.abs()));
            let far = outputs.iter().zip(&expected).map(|(&y, e)| (y as f64 - e).abs()).fold(0., f64::max);
            println!("{f32_name}: {:.2e} of the greatest output from {oracle}", far / greatest);
            assert!(
                far <= F32_TOLERANCE as f64 * greatest,
                "{f32_name} is {far} of {greatest} away from {oracle}"
            );
        }
    }
}

/// Keyword spotting with f32 input and output around its int8 core, exported and imported again.
#[test]
fn keyword_spotting_in_real_numbers_gives_what_its_integers_stand_for() {
    let (Some(folder), Some(inputs)) = (folder(), real_inputs("mlperf_kws_int8")) else { return };
    let mut graph = import::load(&folder.join("models/mlperf_kws_int8.tflite")).unwrap();
    let (x, y) = (graph.inputs()[0], graph.outputs()[0]);
    let scale = graph[x].quant.as_ref().unwrap().scale();
    let real = graph.input("real", &graph.dims(x)).unwrap();
    graph[x].kind = Kind::Value;
    let quantize = Quantize::F32 { scale }.into();
    let node = Node { name: "quantize".to_string(), op: quantize, inputs: vec![real], outputs: vec![x] };
    graph.nodes_mut().insert(0, node);
    let quant = graph[y].quant.clone().unwrap();
    let scores = graph.apply("scores", Dequantize { scale: quant.scale() }, &[y]).unwrap();
    graph.set_ports(vec![real], vec![scores]);
    let file = export::tflite(&graph).unwrap();
    let program = import::read(&file, "kws").and_then(|graph| Program::compile(&graph)).unwrap();
    let expected = array("golden/mlperf_kws_int8/output20.tflm.npy").unwrap();
    for (x, stored) in inputs.iter().zip(samples(&expected, inputs.len())) {
        let stored = to_f32(stored.as_i8().unwrap(), quant.scale(), quant.zero_point);
        assert_eq!(program.run(std::slice::from_ref(x)).unwrap()[0], Data::F32(stored));
    }
}
