//! What operators answer that are composed of others.

use prost::Message;

use super::schema::{Attribute, Model, Node, Tensor, attribute};
use super::tests::{assert_refused, model, node, reals, weights, wholes, with_int, with_ints};
use crate::import::read;
use crate::{Data, Program};

fn answer(model: &Model, x: &[f32]) -> Vec<f32> {
    let graph = read(&model.encode_to_vec(), "test").unwrap();
    match Program::compile(&graph).unwrap().run(&[Data::F32(x.to_vec())]).unwrap().swap_remove(0) {
        Data::F32(numbers) => numbers,
        Data::I32(numbers) => numbers.into_iter().map(|number| number as f32).collect(),
        other => panic!("{other:?}"),
    }
}

fn assert_near(have: &[f32], want: &[f32]) {
    let near = |(have, want): (&f32, &f32)| (have - want).abs() < 1e-5 * want.abs().max(1.0);
    assert!(have.len() == want.len() && have.iter().zip(want).all(near), "{have:?}, {want:?}");
}

const X: [f32; 4] = [-2.0, 0.0, 0.5, 3.0];

fn of_x(nodes: Vec<Node>, constants: Vec<Tensor>) -> Vec<f32> {
    answer(&model(&[1, 4], nodes, constants), &X)
}

#[test]
fn comparisons_are_truth_values() {
    let compared = |kind: &str| of_x(vec![node(kind, &["x", "half"], "y")], vec![reals("half", &[0.5])]);
    assert_eq!(compared("Greater"), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(compared("GreaterOrEqual"), [0.0, 0.0, 1.0, 1.0]);
    assert_eq!(compared("Less"), [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(compared("LessOrEqual"), [1.0, 1.0, 1.0, 0.0]);
    assert_eq!(compared("Equal"), [0.0, 0.0, 1.0, 0.0]);
    let both = |kind: &str| {
        let nodes = vec![
            node("Greater", &["x", "zero"], "a"),
            node("Less", &["x", "half"], "b"),
            node("Not", &["b"], "c"),
            node(kind, &["a", "c"], "y"),
        ];
        of_x(nodes, vec![reals("zero", &[0.0]), reals("half", &[0.5])])
    };
    assert_eq!(both("And"), [0.0, 0.0, 1.0, 1.0]);
    assert_eq!(both("Or"), [0.0, 0.0, 1.0, 1.0]);
}

/// Thresholds and masks.
#[test]
fn choices_follow_what_is_computed() {
    let above = node("Greater", &["x", "zero"], "a");
    let zero = reals("zero", &[0.0]);
    let leaky = vec![above.clone(), node("Mul", &["x", "small"], "b"), node("Where", &["a", "x", "b"], "y")];
    assert_eq!(of_x(leaky, vec![zero.clone(), reals("small", &[0.25])]), [-0.5, 0.0, 0.5, 3.0]);
    let masked = |mask: f32| {
        let nodes = vec![above.clone(), node("Where", &["a", "x", "mask"], "y")];
        model(&[1, 4], nodes, vec![zero.clone(), reals("mask", &[mask])])
    };
    assert_eq!(answer(&masked(-9.0), &X), [-9.0, -9.0, 0.5, 3.0]);
    assert_refused(&masked(f32::NEG_INFINITY), &["Where", "such as -1e4"]);
}

#[test]
fn sums_run_along_an_axis() {
    let run = |axis: i64, node: Node| {
        let node = Node { input: vec!["x".into(), "axis".into()], ..node };
        answer(&model(&[2, 3], vec![node], vec![wholes("axis", &[axis])]), &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0])
    };
    let plain = node("CumSum", &[], "y");
    assert_eq!(run(1, plain.clone()), [1.0, 3.0, 6.0, 10.0, 30.0, 60.0]);
    assert_eq!(run(0, plain.clone()), [1.0, 2.0, 3.0, 11.0, 22.0, 33.0]);
    let back = with_int("reverse", 1, plain.clone());
    assert_eq!(run(-1, back.clone()), [6.0, 5.0, 3.0, 60.0, 50.0, 30.0]);
    assert_eq!(run(1, with_int("exclusive", 1, back)), [5.0, 3.0, 0.0, 50.0, 30.0, 0.0]);
    let long = model(&[1, 300], vec![node("CumSum", &["x", "axis"], "y")], vec![wholes("axis", &[1])]);
    assert_refused(&long, &["at most 256"]);
}

#[test]
fn reductions_and_powers_are_composed() {
    let along = |kind: &str| {
        let reduced = with_ints("axes", &[1], node(kind, &["x"], "y"));
        of_x(vec![with_int("keepdims", 0, reduced)], vec![])
    };
    assert_eq!(along("ReduceL1"), [5.5]);
    let sum = X.iter().map(|x| x.exp()).sum::<f32>().ln();
    assert_near(&along("ReduceLogSumExp"), &[sum]);
    let base = vec![node("Pow", &["two", "x"], "y")];
    assert_near(&of_x(base, vec![reals("two", &[2.0])]), &X.map(f32::exp2));
    let none = model(&[1, 4], vec![node("Pow", &["none", "x"], "y")], vec![weights("none", &[0, 1])]);
    assert_refused(&none, &["Pow: has a base that is not one"]);
    let least = with_int("keepdims", 0, with_int("axis", 1, node("ArgMin", &["x"], "y")));
    assert_eq!(of_x(vec![least], vec![]), [0.0]);
    let power = vec![node("Abs", &["x"], "a"), node("Pow", &["a", "e"], "y")];
    let want = X.map(|x| x.abs().powf(1.7));
    assert_near(&of_x(power, vec![reals("e", &[1.7])]), &want);
    let square = vec![node("Reshape", &["x", "dims"], "a"), node("Trilu", &["a"], "y")];
    let lower: Vec<Node> = square.iter().map(|node| with_int("upper", 0, node.clone())).collect();
    let dims = wholes("dims", &[1, 2, 2]);
    assert_eq!(of_x(square, vec![dims.clone()]), [-2.0, 0.0, 0.0, 3.0]);
    assert_eq!(of_x(lower, vec![dims]), [-2.0, 0.0, 0.5, 3.0]);
    let vector = model(&[3], vec![node("MatMul", &["x", "w"], "y")], vec![weights("w", &[3, 2])]);
    assert_near(&answer(&vector, &[1.0, 10.0, 100.0]), &[70.0, 531.0 / 6.0]);
}

#[test]
fn products_in_einsteins_notation_are_those_of_matrices() {
    let model_of = |text: &str, other: &str| {
        let equation = Attribute {
            name: "equation".into(),
            r#type: attribute::STRING,
            s: text.as_bytes().to_vec(),
            ..Attribute::default()
        };
        let product = Node { attribute: vec![equation], ..node("Einsum", &["a", other], "y") };
        let nodes = vec![node("Reshape", &["x", "dims"], "a"), product];
        model(&[1, 4], nodes, vec![wholes("dims", &[2, 2]), weights("w", &[2, 3, 2])])
    };
    let square = |equation: &str| answer(&model_of(equation, "a"), &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(square("ij,jk->ik"), [7.0, 10.0, 15.0, 22.0]);
    assert_eq!(square("ij, jk -> ki"), [7.0, 15.0, 10.0, 22.0]);
    assert_eq!(square("ij,kj->ik"), [5.0, 11.0, 11.0, 25.0]);
    assert_eq!(square("ij,ij->i"), [5.0, 25.0]);
    assert_eq!(square("ij,ij->"), [30.0]);
    assert_eq!(square("ij,ij->ji"), [1.0, 9.0, 4.0, 16.0]);
    assert_eq!(square("ij,kl->ljik")[..4], [1.0, 3.0, 3.0, 9.0]);
    // Weights [i, h, k] are (6 i + 2 h + k) / 12.
    let of_weights = answer(&model_of("ji,ihk->hjk", "w"), &[12.0, 24.0, 0.0, 12.0]);
    assert_near(&of_weights, &[12.0, 15.0, 6.0, 7.0, 18.0, 21.0, 8.0, 9.0, 24.0, 27.0, 10.0, 11.0]);
    for equation in ["ij->ji", "ii,ij->j", "ij,jk->i", "...i,ij->...j", "ij,jk"] {
        assert_refused(&model_of(equation, "a"), &["Einsum", "two tensors"]);
    }
}

/// `h = tanh(W x + R h + b + c)`, in both directions.
#[test]
fn plain_recurrent_layers_are_gated_ones() {
    let direction = Attribute {
        name: "direction".into(),
        r#type: attribute::STRING,
        s: b"bidirectional".to_vec(),
        ..Default::default()
    };
    let layer = Node { attribute: vec![direction], ..node("RNN", &["x", "w", "r", "b"], "y") };
    let constants = vec![weights("w", &[2, 2, 3]), weights("r", &[2, 2, 2]), weights("b", &[2, 4])];
    let x: Vec<f32> = (0..12).map(|i| (i as f32 * 0.7).sin()).collect();
    let (w, r, b) = (&constants[0].float_data, &constants[1].float_data, &constants[2].float_data);
    let mut want = vec![0.0; 4 * 2 * 2];
    for direction in 0..2 {
        let mut h = [0.0; 2];
        for step in 0..4 {
            let t = if direction == 0 { step } else { 3 - step };
            let row = |i: usize| {
                let own: f32 = (0..3).map(|c| w[direction * 6 + i * 3 + c] * x[t * 3 + c]).sum();
                let before: f32 = (0..2).map(|c| r[direction * 4 + i * 2 + c] * h[c]).sum();
                (own + before + b[direction * 4 + i] + b[direction * 4 + 2 + i]).tanh()
            };
            h = [row(0), row(1)];
            want[t * 4 + direction * 2..][..2].copy_from_slice(&h);
        }
    }
    assert_near(&answer(&model(&[4, 1, 3], vec![layer], constants.clone()), &x), &want);
    let bent = Attribute {
        name: "activations".into(),
        r#type: attribute::STRINGS,
        strings: vec![b"Relu".to_vec()],
        ..Default::default()
    };
    let layer = Node { attribute: vec![bent], ..node("RNN", &["x", "w", "r", "b"], "y") };
    assert_refused(&model(&[4, 1, 3], vec![layer], constants), &["other activations"]);
}

/// Queries, keys and values of windows: an axis of five, of which another one lies in two pieces.
#[test]
fn parts_are_taken_of_more_axes_than_the_device_has() {
    let nodes = vec![
        node("Reshape", &["x", "first"], "a"),
        with_ints("perm", &[0, 2, 1, 3, 4], node("Transpose", &["a"], "b")),
        node("Reshape", &["b", "second"], "c"),
        with_int("axis", 1, node("Gather", &["c", "one"], "y")),
    ];
    let one = Tensor { dims: vec![], ..wholes("one", &[1]) };
    let constants = vec![wholes("first", &[2, 2, 3, 2, 4]), wholes("second", &[6, 2, 2, 2, 2]), one];
    let x: Vec<f32> = (0..96).map(|i| i as f32).collect();
    let have = answer(&model(&[1, 96], nodes, constants), &x);
    let place = |a: usize, c: usize, inner: usize| (a * 48 + 24 + c * 8 + inner) as f32;
    let want: Vec<f32> = (0..6).flat_map(|i| (0..8).map(move |inner| place(i / 3, i % 3, inner))).collect();
    assert_eq!(have, want);
}
