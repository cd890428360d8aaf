use crate::export::tflite;
use crate::nn::*;
use crate::pack::Packing;
use crate::quantize::to_i8;
use crate::{Data, Error, Graph, Program, import, plan};

/// A skip connection and a concatenation of two branches, on images `[8, 8, 1]`.
fn branches() -> Network {
    let image = Symbol::input("image", &[8, 8, 1]);
    let stem = image.then(Conv2d::new(6, [3, 3]).same().without_bias()).then(BatchNorm::new()).then(Relu);
    let skipped = (&stem + &stem.then(Conv2d::new(6, [3, 3]).same())).then(Relu);
    let both = [
        skipped.then(MaxPool2d::new([2, 2])),
        stem.then(DepthwiseConv2d::new([3, 3]).same().stride(2)).then(Relu6),
    ];
    let digit =
        Symbol::concat(&[&both[0], &both[1]]).then(GlobalAveragePool).then(Dense::new(3)).then(Softmax);
    Network::functional("branches", &[&image], &[&digit], 1).unwrap()
}

/// Images with a bright row, a bright column or a bright square.
fn shapes(n: usize) -> Dataset {
    let pixel = |i: usize, p: usize| {
        let (y, x, at) = (p / 8, p % 8, 1 + i / 3 % 5);
        let lit = [y == at, x == at, (at..at + 2).contains(&y) && (at..at + 2).contains(&x)][i % 3];
        ((i * 31 + p * 17) % 13) as f32 / 40.0 + if lit { 0.6 } else { 0.0 }
    };
    let x = (0..n).flat_map(|i| (0..64).map(move |p| pixel(i, p))).collect();
    Dataset::classification(&[8, 8, 1], x, &(0..n).map(|i| i % 3).collect::<Vec<_>>(), 3).unwrap()
}

fn stored(graph: &Graph, sample: Vec<Data>) -> Vec<Data> {
    let quants = graph.inputs().iter().map(|&id| graph[id].quant.clone().unwrap());
    let stored = |(x, quant): (Data, crate::Quant)| {
        Data::I8(to_i8(x.as_f32().unwrap(), quant.scale(), quant.zero_point))
    };
    sample.into_iter().zip(quants).map(stored).collect()
}

#[test]
fn branches_train_and_give_the_same_bytes_as_dunlin_and_as_tflite() {
    let (data, mut network) = (shapes(120), branches());
    let options = FitOptions { epochs: 30, optimizer: Optimizer::adam(0.01), ..FitOptions::default() };
    network.fit(&data, &options).unwrap();
    let metrics = network.evaluate(&data, Loss::CrossEntropy).unwrap();
    assert!(metrics.accuracy.unwrap() > 0.95, "{metrics}");
    let names: Vec<&str> = network.parameters().iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names[..2], ["conv2d/weights", "batch_norm/gamma"]);
    assert!(names.contains(&"conv2d_1/bias") && names.contains(&"depthwise_conv2d/bias"), "{names:?}");
    let summary = network.summary().unwrap();
    let kept: usize = network.parameters().iter().map(|p| p.values.len()).sum();
    assert_eq!(summary.parameters(), kept);
    assert!(summary.to_string().contains("concat") && summary.to_string().contains("1×4×4×12"), "{summary}");

    let quantized = network.quantized(&data).unwrap();
    let imported = import::read(&tflite(&quantized).unwrap(), "net.tflite").unwrap();
    let by_rows = plan::Request { choice: Some(plan::Choice::Rows), effort: 1, ..Default::default() };
    let programs = [
        Program::compile(&quantized).unwrap(),
        Program::compile(&imported).unwrap(),
        Program::compile_with(&quantized, Packing::Portable, |graph| by_rows.plan(graph)).unwrap(),
    ];
    for i in 0..data.len() {
        let x = stored(&quantized, network.inputs_of(data.sample(i)));
        let [own, imported, by_rows] = programs.each_ref().map(|program| program.run(&x).unwrap());
        assert_eq!((&own, &own), (&imported, &by_rows));
    }
}

/// Two inputs and two outputs: what one layer makes of each input, compared and copied.
#[test]
fn several_inputs_and_outputs_are_rows() {
    let (a, b) = (Symbol::input("a", &[2]), Symbol::input("b", &[2]));
    let encoder = Shared::new(Sequential::new().then(Dense::new(8)).then(Tanh));
    let (from_a, from_b) = (a.then(encoder.clone()), b.then(encoder));
    let joined = Symbol::concat(&[&from_a, &from_b]).then(Dense::new(8)).then(Tanh);
    let (sum, b_alone) = (joined.then(Dense::new(1)), from_b.then(Dense::new(2)));
    let mut network = Network::functional("pairs", &[&a, &b], &[&sum, &b_alone], 1).unwrap();
    let names: Vec<&str> = network.parameters().iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names[..2], ["block/dense/weights", "block/dense/bias"]);
    assert_eq!(network.parameters().len(), 2 * 4, "both inputs share a layer: {names:?}");

    let at = |i: usize| ((i * 37) % 21) as f32 / 10.0 - 1.0;
    let x: Vec<f32> = (0..4 * 90).map(at).collect();
    let targets = x.chunks(4).flat_map(|x| [x.iter().sum::<f32>() / 2.0, x[2], x[3]]).collect();
    let data = Dataset::new(&[4], x, &[3], targets).unwrap();
    let options = FitOptions {
        epochs: 200,
        batch_size: 16, // leaves 10
        loss: Loss::MeanSquaredError,
        optimizer: Optimizer::adam(0.02),
        ..FitOptions::default()
    };
    let history = network.fit(&data, &options).unwrap();
    let loss = network.evaluate(&data, options.loss).unwrap().loss;
    assert!(loss < 0.01 && history.epochs[0].loss > 0.1, "{loss}");
    // The loss is the sum of the outputs', each the mean of its own elements.
    let predictions = network.predict(&data, options.loss).unwrap();
    let own = |range: std::ops::Range<usize>| {
        let n = (predictions.len() * range.len()) as f64;
        let rows = predictions
            .rows()
            .map(|(y, t)| range.clone().map(|i| f64::from(y[i] - t[i]).powi(2)).sum::<f64>());
        rows.sum::<f64>() / n
    };
    assert!((loss - own(0..1) - own(1..3)).abs() < 1e-6, "{loss}");

    let quantized = network.quantized(&data).unwrap();
    let (program, imported) = (
        Program::compile(&quantized).unwrap(),
        Program::compile(&import::read(&tflite(&quantized).unwrap(), "net.tflite").unwrap()).unwrap(),
    );
    let quant = |i: usize| quantized[quantized.outputs()[i]].quant.clone().unwrap();
    for (i, (row, _)) in predictions.rows().enumerate() {
        let x = stored(&quantized, network.inputs_of(data.sample(i)));
        let y = program.run(&x).unwrap();
        assert_eq!(imported.run(&x).unwrap(), y);
        let reals = y.iter().enumerate().flat_map(|(i, y)| {
            crate::quantize::to_f32(y.as_i8().unwrap(), quant(i).scale(), quant(i).zero_point)
        });
        assert!(reals.zip(row).all(|(q, real)| (q - real).abs() < 0.1), "{row:?}");
    }
}

/// Classes of two outputs, both right or not; dropout between.
#[test]
fn two_outputs_name_classes() {
    let x = Symbol::input("x", &[2]);
    let hidden = x.then(Dense::new(16)).then(Relu).then(Dropout::new(0.1));
    let heads = [2, 3].map(|classes| hidden.then(Dense::new(classes)).then(Softmax));
    let mut network = Network::functional("heads", &[&x], &[&heads[0], &heads[1]], 1).unwrap();
    let points: Vec<f32> = (0..2 * 60).map(|i| ((i * 29) % 31) as f32 / 15.0 - 1.0).collect();
    let class = |x: &[f32]| {
        [
            usize::from(x[0] > 0.0),
            if x[1] < -0.3 {
                0
            } else if x[1] < 0.3 {
                1
            } else {
                2
            },
        ]
    };
    let one_hot = |x: &[f32]| {
        let [a, b] = class(x);
        (0..5).map(move |i| if i == a || i == 2 + b { 1.0 } else { 0.0 })
    };
    let targets = points.chunks(2).flat_map(one_hot).collect();
    let data = Dataset::new(&[2], points, &[5], targets).unwrap();
    let options = FitOptions { epochs: 200, optimizer: Optimizer::adam(0.02), ..FitOptions::default() };
    network.fit(&data, &options).unwrap();
    let metrics = network.evaluate(&data, Loss::CrossEntropy).unwrap();
    let predictions = network.predict(&data, Loss::CrossEntropy).unwrap();
    let greatest = |y: &[f32]| (0..y.len()).max_by(|&i, &j| y[i].total_cmp(&y[j]).then(j.cmp(&i)));
    let right = predictions
        .rows()
        .filter(|(y, t)| greatest(&y[..2]) == greatest(&t[..2]) && greatest(&y[2..]) == greatest(&t[2..]));
    assert_eq!(metrics.accuracy, Some(right.count() as f64 / 60.0));
    assert!(metrics.accuracy.unwrap() > 0.9, "{metrics}");
    let error = network.evaluate_with(&data, Loss::CrossEntropy, &[Metric::F1]).unwrap_err().to_string();
    assert!(error.starts_with("f1 is a metric of one output, the network has 2"), "{error}");
}

/// A layer used twice in a row, batch normalization included: one set of parameters, in int8 one set of weights.
#[test]
fn shared_layers_keep_one_set_of_weights() {
    let twice = |copy: bool| {
        let conv = || Sequential::new().then(Conv2d::new(8, [3, 3]).same()).then(BatchNorm::new()).then(Relu);
        let shared = Shared::new(conv());
        let image = Symbol::input("x", &[6, 6, 8]);
        let once = image.then(shared.clone());
        let y = if copy { once.then(conv()) } else { once.then(shared) };
        Network::functional("twice", &[&image], &[&y.then(Dense::new(2))], 1).unwrap()
    };
    let (mut shared, copied) = (twice(false), twice(true));
    assert_eq!((shared.parameters().len(), copied.parameters().len()), (6 + 2, 12 + 2));
    let x = (0..20 * 288).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
    let data = Dataset::new(&[6, 6, 8], x, &[2], (0..40).map(|i| (i % 5) as f32).collect()).unwrap();
    let options = FitOptions { epochs: 3, loss: Loss::MeanSquaredError, batch_size: 8, ..Default::default() };
    let history = shared.fit(&data, &options).unwrap();
    assert!(history.epochs[2].loss < history.epochs[0].loss, "{history:?}");
    let bytes =
        |network: &Network| Program::compile(&network.quantized(&data).unwrap()).unwrap().bytes().len();
    assert!(bytes(&shared) + 8 * 9 * 8 <= bytes(&copied), "{} {}", bytes(&shared), bytes(&copied));
}

#[test]
fn what_does_not_fit_is_named_with_its_shapes() {
    let error = |inputs: &[&Symbol], output: Symbol| -> String {
        Network::functional("n", inputs, &[&output], 1).err().map_or(String::new(), |e: Error| e.to_string())
    };
    let (a, b) = (Symbol::input("a", &[4, 4, 2]), Symbol::input("b", &[3]));
    let (flat, wide) = (a.then(Flatten), a.then(Conv2d::new(3, [1, 1])));
    let cases = [
        (error(&[&a, &b], &flat + &b), "add: add does not take inputs f32[1×32], f32[1×3]"),
        (error(&[&a, &b], &a * &b), "mul: takes values of as many dimensions, not [1, 4, 4, 2] and [1, 3]"),
        (
            error(&[&a], Symbol::concat(&[&a, &wide.then(MaxPool2d::new([2, 2]))])),
            "concat: concat does not take",
        ),
        (error(&[&a], Symbol::concat_along(0, &[&a, &wide])), "concat: has no dimension 0 of [1, 4, 4, 2]"),
        (
            error(&[&b], b.matmul(&b)),
            "matmul: multiplies a matrix [n, m, k] of each sample; [1, 3] are vectors",
        ),
        (error(&[&a], &flat + &b), "b: an output comes of this input [3], which the network does not list"),
        (error(&[&a, &b], flat.clone()), "b: no output comes of this input"),
        (error(&[&flat], flat.then(Relu)), "flatten: is listed as an input and made by a layer"),
        (error(&[&b], b.then(Conv2d::new(2, [3, 3]))), "conv2d: takes images [n, h, w, c], not [1, 3]"),
        (error(&[], b.clone()), "n: has no inputs or no outputs"),
        (error(&[&b], b.clone()), "b: is an input and an output"),
        (error(&[&b, &Symbol::input("b", &[3])], b.then(Relu)), "b: no output comes of this input"),
    ];
    for (have, want) in cases {
        assert!(have.starts_with(want), "`{have}` is not `{want}`");
    }
    let other = Symbol::input("b", &[3]);
    assert!(error(&[&b, &other], &b + &other).starts_with("b: two inputs have this name"));
    let twice = Network::functional("n", &[&a], &[&flat, &flat], 1).err().unwrap().to_string();
    assert_eq!(twice, "flatten: is listed as an output twice");
}
