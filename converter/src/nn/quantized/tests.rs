use super::*;
use dunlin::DType;

use crate::nn::*;
use crate::ops::OutputQuant;
use crate::quantize::{constant_reals, to_f32, to_i8};

fn layers() -> Sequential {
    Sequential::new()
        .then(Conv2d::new(4, [3, 3]))
        .then(Relu)
        .then(MaxPool2d::new([2, 2]))
        .then(Flatten)
        .then(Dense::new(3))
}

fn samples(n: usize) -> Vec<f32> {
    (0..n * 36).map(wave).collect()
}

/// What the loss sees in the last step of a training with rounding is what the exported network computes: not nearly, but
/// to the bit. Checked of the first 16 samples; the step's scales before and after are handed to `look`. An output that is
/// a softmax or sigmoid is not compared: the loss takes what is not rounded yet.
fn assert_simulated_is_exported(
    network: &Network,
    data: &Dataset,
    (weight_max, learn_scales): (i32, bool),
    look: impl FnOnce(&Graph, &Quants, &Quants),
) {
    let ranges = network.ranges(data).unwrap();
    let rounding = Rounding { ranges: &ranges, weight_max, learn_scales };
    let options = FitOptions {
        epochs: 2,
        batch_size: 16,
        loss: Loss::MeanSquaredError,
        optimizer: Optimizer::adam(0.01),
        clip_norm: Some(1.0),
        ..FitOptions::default()
    };
    let real = network.simplified_for(options.batch_size).unwrap();
    let simulation = Simulation::new(&real, network.parameters(), &rounding, data, &options).unwrap();
    let program = Program::compile(&simulation.graph).unwrap();
    let (model, mut arena) = (program.model().unwrap(), program.arena());
    let mut steps = Steps {
        network: &real,
        weight_max,
        simulation: &simulation,
        program: &program,
        session: program.session(&model, &mut arena).unwrap(),
        executor: Executor::new(&program),
        threads: Threads::new(Some(1)).unwrap(),
    };
    let before = steps.quants().unwrap();
    steps.train(data, &options).unwrap();
    look(&real, &before, &steps.quants().unwrap());

    let exported = steps.exported(&network.simplified().unwrap()).unwrap().into_graph();
    let batch: Vec<f32> = (0..16).flat_map(|i| data.sample(i)).copied().collect();
    let targets = (0..16).flat_map(|i| data.target(i)).copied().collect();
    steps.step(&batch, targets, options.optimizer.rates(0.0, 1)).unwrap();
    let simulated = steps.session.output::<f32>(1).unwrap();
    assert!(
        simulated.iter().any(|y| *y != simulated[0]),
        "{} gives different numbers: {simulated:?}",
        network.simplified().unwrap().name
    );

    let int8 = Program::compile(&exported).unwrap();
    for (i, simulated) in simulated.chunks(data.target(0).len()).enumerate() {
        let stored: Vec<Data> = network
            .inputs_of(data.sample(i))
            .iter()
            .zip(exported.inputs())
            .map(|(x, &id)| stored(&exported, id, x.as_f32().unwrap()))
            .collect();
        let (mut left, mut n_compared) = (simulated, 0);
        for (y, &id) in int8.run(&stored).unwrap().iter().zip(exported.outputs()) {
            let quant = exported[id].quant.as_ref().unwrap();
            let have = to_f32(y.as_i8().unwrap(), quant.scale(), quant.zero_point);
            let (simulated, others) = left.split_at(have.len());
            left = others;
            let producer = exported.nodes().iter().find(|node| node.outputs.contains(&id)).unwrap();
            if !matches!(producer.op.output_quant(), OutputQuant::Fixed { .. }) {
                n_compared += 1;
                assert_eq!(have, simulated, "{}, sample {i}, {weight_max} {learn_scales}", exported.name);
            }
        }
        assert!(n_compared > 0, "{} has no output to compare", exported.name);
    }
}

fn stored(graph: &Graph, id: TensorId, x: &[f32]) -> Data {
    let quant = graph[id].quant.as_ref().unwrap();
    match quant.dtype {
        DType::I32 => Data::I32(x.iter().map(|x| *x as i32).collect()),
        _ => Data::I8(to_i8(x, quant.scale(), quant.zero_point)),
    }
}

/// Samples of `dims` with targets of `n` numbers.
fn regression(dims: &[usize], n: usize, x: impl Fn(usize) -> f32) -> Dataset {
    let len: usize = dims.iter().product();
    let targets = (0..64 * n).map(|i| (i % 7) as f32 / 3.5 - 1.0).collect();
    Dataset::new(dims, (0..64 * len).map(x).collect(), &[n], targets).unwrap()
}

fn wave(i: usize) -> f32 {
    ((i * 37 + i / 36 * 11) % 101) as f32 / 50.0 - 1.0
}

#[test]
fn what_is_simulated_is_what_is_exported() {
    let network = Network::new("small", &[6, 6, 1], layers(), 1).unwrap();
    let data = regression(&[6, 6, 1], 3, wave);
    for (weight_max, learn_scales) in [(7, false), (127, false), (7, true), (127, true)] {
        assert_simulated_is_exported(&network, &data, (weight_max, learn_scales), |real, before, after| {
            let conv = real.nodes()[0].outputs[0];
            assert_eq!(before[&conv] != after[&conv], learn_scales);
        });
    }
}

#[test]
fn every_kind_of_layer_is_exported_as_it_is_simulated() {
    let sequences: [(&str, Sequential); 6] = [
        ("gru", Sequential::new().then(Gru::new(5))),
        ("lstm", Sequential::new().then(Lstm::new(5))),
        ("both", Sequential::new().then(Gru::new(4).sequences()).then(Lstm::new(4))),
        ("attention", Sequential::new().then(Attention::new(2)).then(PointwiseDense::new(3))),
        ("layer_norm", Sequential::new().then(LayerNorm::new()).then(PointwiseDense::new(4)).then(Tanh)),
        ("conv1d", Sequential::new().then(Conv1d::new(3, 3)).then(BatchNorm::new()).then(Sigmoid)),
    ];
    let check = |network: &Network, data: &Dataset| {
        for how in [(127, false), (127, true)] {
            assert_simulated_is_exported(network, data, how, |_, _, _| {});
        }
    };
    for (name, layers) in sequences {
        let network = Network::new(name, &[6, 4], layers.then(Flatten).then(Dense::new(3)), 1).unwrap();
        check(&network, &regression(&[6, 4], 3, wave));
    }
    let up = Sequential::new().then(Conv2dTranspose::new(3, [2, 2]).stride(2)).then(Relu6).then(Flatten);
    let network = Network::new("transposed", &[3, 3, 2], up.then(Dense::new(3)), 1).unwrap();
    check(&network, &regression(&[3, 3, 2], 3, wave));
    let tokens = Sequential::new().then(Embedding::new(7, 4)).then(Attention::new(1)).then(Dense::new(3));
    let network = Network::new("embedding", &[5], tokens, 1).unwrap();
    check(&network, &regression(&[5], 3, |i| ((i * 5 + i / 7) % 7) as f32));
}

/// Two inputs, a layer that both share, a sigmoid that is an output and gates another: each is exported as it is simulated.
#[test]
fn functional_networks_are_exported_as_they_are_simulated() {
    let (a, b) = (Symbol::input("a", &[6]), Symbol::input("b", &[3, 2]));
    let encoder = Shared::new(Dense::new(4));
    let (from_a, from_b) = (a.then(encoder.clone()).then(Relu), b.then(encoder).then(Tanh));
    let gate = (&from_a - &from_b).then(Dense::new(4)).then(Sigmoid);
    let joined = Symbol::concat(&[&(&gate * &from_a), &from_b.maximum(&from_a)]).then(Dense::new(2));
    let network = Network::functional("gated", &[&a, &b], &[&joined, &gate], 1).unwrap();
    let data = regression(&[12], 6, wave);
    // The gate is an output, which the loss takes as it is, and gates the other one rounded; or it has a layer behind it.
    let last = gate.then(Dense::new(4));
    let rounded = Network::functional("gated", &[&a, &b], &[&joined, &last], 1).unwrap();
    for (network, how) in [(&network, (127, false)), (&rounded, (127, false)), (&rounded, (7, true))] {
        assert_simulated_is_exported(network, &data, how, |_, _, _| {});
    }
    let options = FitOptions { epochs: 1, loss: Loss::MeanSquaredError, ..FitOptions::default() };
    let rounding = Rounding { ranges: &network.ranges(&data).unwrap(), weight_max: 127, learn_scales: false };
    let exported = network.fit_quantized(&rounding, &data, &options).unwrap();
    assert_eq!((exported.inputs().len(), exported.outputs().len()), (2, 2));
}

/// Weights of a layer with a penalty become smaller, batch normalization behind it or not; clipped gradients change them less.
#[test]
fn penalties_and_clipping_hold_with_rounding() {
    let data = regression(&[6, 6, 1], 3, wave);
    let size_after = |penalty: Penalty, norm: bool, clip_norm: Option<f32>, optimizer| {
        let conv = Sequential::new().then(Conv2d::new(4, [3, 3]).penalized(penalty));
        let conv = if norm { conv.then(BatchNorm::new()) } else { conv };
        let network = Network::new("n", &[6, 6, 1], conv.then(Relu).then(Dense::new(3)), 1).unwrap();
        let ranges = network.ranges(&data).unwrap();
        let rounding = Rounding { ranges: &ranges, weight_max: 127, learn_scales: false };
        let options = FitOptions {
            epochs: 8,
            batch_size: 16,
            loss: Loss::MeanSquaredError,
            optimizer,
            clip_norm,
            ..FitOptions::default()
        };
        let exported = network.fit_quantized(&rounding, &data, &options).unwrap();
        let weights = constant_reals(&exported, exported.nodes()[0].inputs[1]).unwrap();
        let simple = network.simplified().unwrap();
        let before = simple.constant_data(simple.nodes()[0].inputs[1]).unwrap().as_f32().unwrap().to_vec();
        let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
        let change = norm(&mut weights.iter().zip(&before).map(|(a, b)| a - b));
        (norm(&mut weights.iter().copied()), change)
    };
    for batch_norm in [false, true] {
        let size = |penalty| size_after(penalty, batch_norm, None, Optimizer::adam(0.01)).0;
        let (plain, penalized) = (size(Penalty::NONE), size(Penalty::l2(1.0)));
        assert!(penalized < 0.8 * plain, "{batch_norm}: {penalized} {plain}");
    }
    let change = |clip| size_after(Penalty::NONE, false, clip, Optimizer::sgd(0.05)).1;
    let (free, clipped) = (change(None), change(Some(1e-3)));
    assert!(clipped < 0.3 * free, "{clipped} {free}");
}

#[test]
fn training_with_rounding_makes_the_loss_of_int8_smaller() {
    let network = Network::new("small", &[6, 6, 1], layers().then(Softmax), 1).unwrap();
    let labels: Vec<usize> = (0..64).map(|i| i % 3).collect();
    let data = Dataset::classification(&[6, 6, 1], samples(64), &labels, 3).unwrap();
    let ranges = network.ranges(&data).unwrap();
    let loss_after = |epochs, learn_scales| {
        let rounding = Rounding { ranges: &ranges, weight_max: 3, learn_scales };
        let options =
            FitOptions { epochs, batch_size: 16, optimizer: Optimizer::adam(0.01), ..FitOptions::default() };
        let exported = network.fit_quantized(&rounding, &data, &options).unwrap();
        let (program, x) = (Program::compile(&exported).unwrap(), exported.inputs()[0]);
        let quant = exported[x].quant.clone().unwrap();
        let loss = |i: usize| {
            let stored = to_i8(data.sample(i), quant.scale(), quant.zero_point);
            let Data::I8(y) = program.run(&[Data::I8(stored)]).unwrap().swap_remove(0) else { panic!() };
            -((y[data.label(i)] as f32 + 128.5) / 256.0).ln()
        };
        (0..data.len()).map(loss).sum::<f32>() / data.len() as f32
    };
    for learn_scales in [false, true] {
        let [before, after] = [0, 30].map(|epochs| loss_after(epochs, learn_scales));
        assert!(after < 0.8 * before, "{learn_scales}: {before} {after}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let network =
        Network::new("small", &[2], Sequential::new().then(Dense::new(2)).then(Softmax), 1).unwrap();
    let data = Dataset::classification(&[2], vec![0.0; 4], &[0, 1], 2).unwrap();
    let error = |batch_size| {
        let options = FitOptions { batch_size, ..FitOptions::default() };
        let rounding = Rounding { ranges: &Ranges::new(), weight_max: 127, learn_scales: false };
        network.fit_quantized(&rounding, &data, &options).unwrap_err().to_string()
    };
    assert!(error(3).contains("2 samples of shape [2] fill no batch"));
    assert!(error(2).contains("x: was not calibrated"));
}
