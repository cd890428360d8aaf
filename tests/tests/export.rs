//! Networks exported for TensorFlow Lite: read back, they compute the same bytes.

use std::path::Path;

use dunlin::{Model, Session};
use dunlin_converter::file::ModelFile;
use dunlin_converter::program::AlignedBytes;
use dunlin_converter::quantize::to_i8;
use dunlin_converter::{Data, Graph, Program, export, import, passes};
use dunlin_models::digits;
use dunlin_models::digits::Digits;
use dunlin_tests::cases::{cases, operators};
use dunlin_tests::random_networks::{Networks, network};

/// The outputs of a graph after it was exported and imported again.
fn round_trip(graph: &Graph, inputs: &[Data]) -> Result<Vec<Data>, String> {
    let file = export::tflite(graph).map_err(|e| e.to_string())?;
    let back = import::read(&file, &graph.name).map_err(|e| e.to_string())?;
    let program = Program::compile(&back).map_err(|e| e.to_string())?;
    program.run(inputs).map_err(|e| e.to_string())
}

/// What the errors must say of operators that a `.tflite` cannot hold.
const NOT_EXPORTED: [(&str, &str); 4] = [
    ("gru/", "TensorFlow Lite has no GRU"),
    ("lstm/", "an LSTM is not exported"),
    ("layer_norm/", "TensorFlow Lite has no layer normalization"),
    ("pointwise/", "that gives these bits"),
];

#[test]
fn every_operator_survives_the_round_trip() {
    let mut failures = Vec::new();
    for operator in operators() {
        for case in cases(&operator) {
            let here = Program::compile(&case.graph).and_then(|program| program.run(&case.inputs));
            let here = here.map_err(|e| e.to_string());
            let there = round_trip(&case.graph, &case.inputs);
            let refused = NOT_EXPORTED.iter().find(|(operator, _)| case.name.starts_with(operator));
            if let (Some((_, why)), Err(error), true) = (refused, &there, here.is_ok())
                && error.contains(why)
            {
                continue;
            }
            if here != there || here.is_err() {
                failures.push(format!("{}: {here:?}, and after the round trip {there:?}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_network_of_dunlin_survives_the_round_trip() {
    let (network, data) = (digits::network(1).unwrap(), Digits::load().unwrap());
    let real = network.simplified().unwrap();
    let quantized = network.quantized(&data.training).unwrap();
    let x = data.held_out.sample(0).to_vec();
    let here = Program::compile(&real).unwrap().run(&[Data::F32(x.clone())]).unwrap();
    assert_eq!(round_trip(&real, &[Data::F32(x.clone())]).unwrap(), here);
    let x = Data::I8(x.iter().map(|pixel| (pixel * 255.0 - 128.0) as i8).collect());
    let here = Program::compile(&quantized).unwrap().run(std::slice::from_ref(&x)).unwrap();
    assert_eq!(round_trip(&quantized, &[x]).unwrap(), here);
    let back = import::read(&export::tflite(&quantized).unwrap(), "digits").unwrap();
    assert_eq!((&back.labels, &back[back.inputs()[0]].name[..]), (&quantized.labels, "x"));
}

/// Whether int8 is equal; f32 may be rounded otherwise where a padding has become an operator.
fn alike(a: &Data, b: &Data) -> bool {
    match (a, b) {
        (Data::F32(a), Data::F32(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs().max(1.0))
        }
        _ => a == b,
    }
}

#[test]
fn random_networks_survive_the_round_trip() {
    let mut n_networks = 0;
    for seed in 0..300 {
        let Ok(Networks { real, quantized }) = network(seed) else { continue };
        n_networks += 1;
        let n: usize = real.dims(real.inputs()[0]).iter().product();
        let x = Data::F32((0..n).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect());
        let q = Data::I8((0..n).map(|i| (i * 37 % 256) as u8 as i8).collect());
        for (graph, x) in [(&real, x), (&quantized, q)] {
            let here = Program::compile(graph).unwrap().run(std::slice::from_ref(&x)).unwrap();
            match round_trip(graph, &[x]) {
                Ok(there) => assert!(alike(&here[0], &there[0]), "seed {seed}: {here:?}, {there:?}"),
                Err(error) => assert!(error.contains("without dimensions"), "seed {seed}: {error}"),
            }
        }
    }
    assert!(n_networks > 250, "only {n_networks} networks");
}

#[test]
fn what_only_training_needs_is_refused_by_name() {
    let network = digits::network(1).unwrap();
    let unfolded = network.inference_graph(1).unwrap();
    let error = export::tflite(&unfolded).unwrap_err().to_string();
    assert!(error.contains("batch normalization") && error.contains("fold"), "{error}");
    let mut simplified = unfolded;
    passes::simplify(&mut simplified).unwrap();
    let device = Program::compile(&simplified).unwrap().graph;
    let error = export::tflite(&device).unwrap_err().to_string();
    assert!(error.contains("digits: is in device form"), "{error}");
}

/// The committed files are the network that the demo trains, as exported; `models/digits/golden.py` ran them.
#[test]
fn exported_digits_give_what_other_runtimes_give() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/digits");
    let golden = std::fs::read(folder.join("golden.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_slice(&golden).unwrap();
    let held_out = Digits::load().unwrap().held_out;
    for name in ["f32", "int8"] {
        let program = import::compile(&folder.join(format!("digits_{name}.tflite"))).unwrap();
        assert_eq!(program.graph.labels, digits::LABELS);
        let (model, mut outputs) = (program.model().unwrap(), Vec::new());
        let input = model.input(0).unwrap();
        for i in 0..golden["n_samples"].as_u64().unwrap() as usize {
            let x = held_out.sample(i);
            let x = match name {
                "f32" => Data::F32(x.to_vec()),
                _ => Data::I8(to_i8(x, input.scale, input.zero_point)),
            };
            match &program.run(&[x]).unwrap()[0] {
                Data::F32(scores) => outputs.extend(scores.iter().map(|&score| score as f64)),
                Data::I8(scores) => outputs.extend(scores.iter().map(|&score| score as f64)),
                other => panic!("{name} gives {other:?}"),
            }
        }
        assert!(outputs.len() >= 200);
        for oracle in ["tflm", "litert"] {
            let expected: Vec<f64> = serde_json::from_value(golden[name][oracle].clone()).unwrap();
            assert_eq!(outputs.len(), expected.len());
            let far =
                outputs.iter().zip(&expected).map(|(have, want)| (have - want).abs()).fold(0., f64::max);
            let allowed = if name == "f32" { 1e-5 } else { 0.0 };
            assert!(far <= allowed, "{name} is {far} away from {oracle}");
            println!("{name}: at most {far} from {oracle}");
        }
    }
}

/// The networks of recipes that ship, as `.dunlin` and `.tflite`; `models/golden.py` ran the latter on these bytes.
#[test]
fn recipes_give_what_other_runtimes_give() {
    for name in ["anomaly", "fashion"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name);
        let golden = std::fs::read(folder.join("golden.json")).unwrap();
        let golden: serde_json::Value = serde_json::from_slice(&golden).unwrap();
        let n_samples = golden["n_samples"].as_u64().unwrap() as usize;
        for file in [format!("{name}.dunlin"), format!("{name}.tflite")] {
            let file = ModelFile::read(&folder.join(file)).unwrap();
            let model = file.model().unwrap();
            let count = model.input(0).unwrap().ty.shape.count();
            let inputs: Vec<i8> =
                (0..n_samples * count).map(|i| (((i * i / 7 + 37 * i) % 256) as i32 - 128) as i8).collect();
            let outputs: Vec<i8> = inputs.chunks(count).flat_map(|x| run(&model, x)).collect();
            assert!(outputs.len() >= 10 * n_samples && outputs.iter().any(|&y| y != outputs[0]));
            let of = |oracle: &str| -> Vec<i8> { serde_json::from_value(golden[oracle].clone()).unwrap() };
            assert_eq!(outputs, of("tflm"), "{name}");
            // LiteRT's reference kernels round some sums to the other side.
            let off: Vec<u8> = outputs.iter().zip(of("litert")).map(|(own, y)| own.abs_diff(y)).collect();
            assert!(off.iter().all(|&off| off <= 1), "{name}: {off:?}");
            assert!(off.iter().filter(|&&off| off > 0).count() * 50 < off.len(), "{name}: {off:?}");
        }
    }
}

/// The first output of a run.
fn run(model: &Model, x: &[i8]) -> Vec<i8> {
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(model, &mut arena).unwrap();
    session.input(0).unwrap().copy_from(x).unwrap();
    session.run().output::<i8>(0).unwrap().to_vec()
}
