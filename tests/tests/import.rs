//! Small `.tflite` files of what imports turn into something else, made by `tests/import/make.py`: the numbers
//! of TensorFlow Lite Micro, and an error for what it refuses.

use std::path::{Path, PathBuf};

use dunlin::DType;
use dunlin_converter::{Data, Program, import};
use serde::Deserialize;

/// Greatest difference of f32 outputs, relative to the larger magnitude (absolute below 1).
const F32_TOLERANCE: f32 = 1e-5;

/// What the errors must say of files that TensorFlow Lite Micro refuses.
const REFUSED: [(&str, &str); 6] = [
    ("lstm_peephole_f32", "has peepholes"),
    ("strided_slice_ellipsis", "STRIDED_SLICE): has an ellipsis"),
    ("strided_slice_new_axis", "a new axis"),
    ("strided_slice_offset", "ends by offset"),
    ("arg_max_int64", "ARG_MAX): gives int64"),
    ("resize_bilinear_both", "resize_bilinear does not take"),
];

/// What the errors must say of files that are odd: what is wrong, and what to try. (TensorFlow Lite Micro computes some of
/// them, as if nothing was.)
const ODD: [(&str, [&str; 2]); 21] = [
    ("int16", ["is int16, as in networks with int16 activations", "quantize the network to int8"]),
    ("strings", ["holds string", "convert the model"]),
    ("resource", ["holds resource", "convert the model"]),
    ("unquantized", ["is int8 without a scale", "quantize the whole network"]),
    ("unquantized_weights", ["is int8 without a scale", "quantize the whole network"]),
    ("float_output", ["conv2d is in int8, but `t3` is not", "quantize the whole network"]),
    ("float_bias", ["its bias is not a constant of i32", "quantize the whole network"]),
    ("scale_zero", ["has the scale 0, which is not positive", "--samples"]),
    ("scale_nan", ["has the scale NaN", "--samples"]),
    ("scale_tiny", ["its scales give conv2d the factor", "--samples"]),
    ("zero_point_300", ["zero point 300, which int8 with one scale cannot have", "--samples"]),
    ("zero_points_differ", ["zero points 0 and 7", "--samples"]),
    ("weights_zero_point", ["its weights have zero point 5", "--samples"]),
    (
        "weights_other_axis",
        ["3 scales along dimension 3, and are to have one, or 2 along dimension 0", "--samples"],
    ),
    ("sparse", ["is sparse", "export its weights dense"]),
    ("variable", ["is a variable", "export the model frozen"]),
    ("tanh_fused", ["has the fused activation 4", "an activation of its own"]),
    ("no_outputs", ["has no outputs", "when exporting it"]),
    ("no_operators", ["nothing computes it before", "damaged"]),
    ("custom", ["1 × CUSTOM FlexErf (`t3`)", "TFLITE_BUILTINS"]),
    ("newer", ["has the number 999", "for an older TensorFlow Lite"]),
];

#[derive(Deserialize)]
struct Golden {
    models: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    name: String,
    inputs: Vec<Vec<f64>>,
    outputs: Option<Vec<Vec<f64>>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("import")
}

fn records(folder: &Path) -> Vec<Record> {
    let golden = std::fs::read(folder.join("golden.json")).unwrap();
    serde_json::from_slice::<Golden>(&golden).unwrap().models
}

fn data(dtype: DType, numbers: &[f64]) -> Data {
    match dtype {
        DType::F32 => Data::F32(numbers.iter().map(|&x| x as f32).collect()),
        DType::I8 => Data::I8(numbers.iter().map(|&x| x as i8).collect()),
        DType::I16 => Data::I16(numbers.iter().map(|&x| x as i16).collect()),
        DType::I32 => Data::I32(numbers.iter().map(|&x| x as i32).collect()),
    }
}

fn assert_near(name: &str, have: &Data, want: &Data) {
    match (have, want) {
        (Data::F32(have), Data::F32(want)) => {
            let near = |(h, w): (&f32, &f32)| (h - w).abs() <= F32_TOLERANCE * w.abs().max(1.0);
            assert!(
                have.len() == want.len() && have.iter().zip(want).all(near),
                "{name}: {have:?}, {want:?}"
            );
        }
        _ => assert_eq!(have, want, "{name}"),
    }
}

/// Runs what was imported, and compares.
fn check(name: &str, program: &Program, inputs: &[Vec<f64>], outputs: &[Vec<f64>]) {
    let model = program.model().unwrap();
    let dtype = |i| model.input(i).unwrap().ty.dtype;
    let inputs: Vec<Data> = inputs.iter().enumerate().map(|(i, x)| data(dtype(i), x)).collect();
    let made = program.run(&inputs).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(made.len(), outputs.len(), "{name}: number of outputs");
    for (have, want) in made.iter().zip(outputs) {
        assert_near(name, have, &data(have.dtype(), want));
    }
}

#[test]
fn imported_models_give_the_numbers_of_the_goldens() {
    let records = records(&folder());
    for Record { name, inputs, outputs } in &records {
        let path = folder().join(format!("{name}.tflite"));
        if let Some((_, part)) = REFUSED.iter().find(|(refused, _)| refused == name) {
            let error = import::compile(&path).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(name), "{error}");
            continue;
        }
        if ODD.iter().any(|(odd, _)| name.strip_prefix("odd_") == Some(odd)) {
            continue;
        }
        let outputs = outputs.as_ref().unwrap_or_else(|| panic!("{name} has no golden"));
        let plain = import::load(&path).and_then(|graph| Program::compile(&graph));
        check(name, &plain.unwrap_or_else(|e| panic!("{name}: {e}")), inputs, outputs);
        check(name, &import::compile(&path).unwrap(), inputs, outputs);
    }
    assert!(records.len() >= 48, "{} models", records.len());
}

#[test]
fn errors_say_what_is_odd_and_what_to_try() {
    for (name, parts) in ODD {
        let path = folder().join(format!("odd_{name}.tflite"));
        let error = import::compile(&path).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)) && error.contains(name), "{name}: {error}");
    }
}

/// What `tests/keras/make.py` lets Keras export, most for any batch.
#[test]
fn networks_of_keras_give_the_numbers_of_the_goldens() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("keras");
    let records = records(&folder);
    for Record { name, inputs, outputs } in &records {
        let path = folder.join(format!("{name}.tflite"));
        let outputs = outputs.as_ref().unwrap_or_else(|| panic!("{name} has no golden"));
        let program = import::compile(&path).unwrap_or_else(|error| panic!("{error}"));
        check(name, &program, inputs, outputs);
    }
    assert!(records.len() >= 40, "{} records", records.len());
}

/// A dilated convolution is one step, copies of pixels are made by one of resizing (for each direction, where the batch is
/// open), and from uint8 to int8 there is none.
#[test]
fn what_keras_writes_as_several_operators_is_one() {
    use dunlin::ops::OpCode::{Concat, Conv2d, DepthwiseConv2d, FullyConnected, Reshape, ResizeNearest};
    let codes = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("keras/{name}.tflite"));
        let program = import::compile(&path).unwrap();
        program.graph.nodes().iter().map(|node| node.op.code()).collect::<Vec<_>>()
    };
    assert_eq!(codes("dilated_image_f32"), [Conv2d, DepthwiseConv2d, Conv2d]);
    assert_eq!(codes("stored_uint8"), [Conv2d, Reshape, FullyConnected]);
    assert_eq!(codes("repeated_f32"), [ResizeNearest, ResizeNearest, DepthwiseConv2d, Conv2d]);
    let image_and_rows = [Reshape, ResizeNearest, Reshape, ResizeNearest, Conv2d, Reshape, Concat];
    assert_eq!(codes("repeated_fixed_f32"), image_and_rows);
}

/// A padding that a convolution can take over does not run by itself.
#[test]
fn paddings_are_fused_into_convolutions() {
    for (name, n_steps) in
        [("conv", 1), ("conv_same", 1), ("depthwise", 1), ("channels", 2), ("read_twice", 2)]
    {
        for kind in ["int8", "f32"] {
            let program = import::compile(&folder().join(format!("pad_{name}_{kind}.tflite"))).unwrap();
            assert_eq!(program.graph.nodes().len(), n_steps, "{name} in {kind}");
        }
    }
}

#[test]
fn names_and_labels_come_from_the_metadata() {
    let graph = import::load(&folder().join("labelled.tflite")).unwrap();
    let names = [graph.inputs()[0], graph.outputs()[0]].map(|id| &graph[id].name[..]);
    assert_eq!(names, ["pixels", "scores"]);
    assert_eq!(graph.labels, ["duck", "goose", "gull"]);
    // The archive may have been cut off.
    let bytes = std::fs::read(folder().join("labelled.tflite")).unwrap();
    let end = bytes.windows(4).position(|four| four == b"PK\x03\x04").unwrap();
    let graph = import::read(&bytes[..end], "cut").unwrap();
    assert_eq!((&graph[graph.inputs()[0]].name[..], graph.labels.len()), ("pixels", 0));
}
