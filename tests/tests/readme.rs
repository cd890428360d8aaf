//! What the README shows is what the repository holds.

use std::path::{Path, PathBuf};

use dunlin::{Model, Session, ops};
use dunlin_converter::program::AlignedBytes;
use dunlin_converter::quantize::to_i8;
use dunlin_models::digits::Digits;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn the_firmware_example_is_the_one_that_compiles() {
    let source = read("models/digits/classify.rs");
    let example = source.split("// ---- README\n").nth(1).expect("the part between the marks");
    assert!(example.lines().count() <= 15, "{} lines", example.lines().count());
    assert!(
        read("README.md").contains(example),
        "the README's example is not that of models/digits/classify.rs"
    );
}

#[test]
fn every_operator_is_listed_as_supported() {
    let readme = read("README.md");
    let listed = |name: &str| [',', ':', ' '].iter().any(|end| readme.contains(&format!(" {name}{end}")));
    let missing: Vec<_> = ops::OpCode::ALL
        .iter()
        .filter(|&&op| (op as u8) < 64 && !listed(op.name()))
        .map(|op| op.name())
        .collect();
    assert!(missing.is_empty(), "the README's table of what is supported lacks {missing:?}");
}

/// The network in `models/digits` still reads as many of the held-out digits as when it was committed.
/// To make it anew, with weights for any core: `cargo run --release -- demo --tflite digits.tflite`, then
/// `cargo run --release -- convert digits.tflite -o models/digits/digits.dunlin`.
#[test]
fn the_committed_digits_network_reads_the_held_out_digits() {
    let path = root().join("models/digits/digits.dunlin");
    let bytes = AlignedBytes::from(&std::fs::read(path).unwrap()[..]);
    let model = Model::check(&bytes, ops::ALL).unwrap();
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(&model, &mut arena).unwrap();
    let input = model.input(0).unwrap();
    let held_out = Digits::load().unwrap().held_out;
    let right = (0..held_out.len()).filter(|&i| {
        let pixels = to_i8(held_out.sample(i), input.scale, input.zero_point);
        session.input(0).unwrap().copy_from(&pixels).unwrap();
        let scores = session.run().output::<i8>(0).unwrap();
        // Of equal scores the first, as the demo counts.
        let read = (0..scores.len()).rev().max_by_key(|&digit| scores[digit]);
        read == Some(held_out.label(i))
    });
    assert_eq!((right.count(), held_out.len()), (441, 445));
}
