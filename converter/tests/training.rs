//! Training from end to end on small problems.

use std::path::Path;

use dunlin_converter::nn::*;
use dunlin_converter::{Error, Kind, Result};

mod shared;

use shared::{blobs, bytes, every_layer, line};

#[test]
fn a_line_is_found() -> Result<()> {
    let mut network = Network::new("line", &[2], Sequential::new().then(Dense::new(1)), 5)?;
    let options = FitOptions {
        epochs: 60,
        batch_size: 8, // leaves 5 of 21
        loss: Loss::MeanSquaredError,
        optimizer: Optimizer::momentum(0.05, 0.5),
        ..FitOptions::default()
    };
    let history = network.fit(&line(), &options)?;
    let last = &history.epochs[59];
    assert!(last.loss < 1e-8 && last.accuracy.is_none(), "{last}");
    let values: Vec<f32> = network.parameters().iter().flat_map(|p| p.values.clone()).collect();
    for (value, expected) in values.iter().zip([2.0, -3.0, 0.5]) {
        assert!((value - expected).abs() < 1e-4, "{values:?}");
    }
    Ok(())
}

#[test]
fn every_layer_trains_and_the_seed_decides_every_byte() -> Result<()> {
    let data = blobs(22);
    let train = |seed: u64| -> Result<(Network, History)> {
        let mut network = Network::new("blobs", &[8, 6, 1], every_layer(), seed)?;
        let options = FitOptions {
            epochs: 12,
            batch_size: 8, // leaves 6 of 22
            optimizer: Optimizer::adam(0.02).weight_decay(1e-3),
            schedule: Schedule::Cosine { warmup: 1.0 },
            seed,
            ..FitOptions::default()
        };
        let history = network.fit(&data, &options)?;
        Ok((network, history))
    };
    let (network, history) = train(3)?;
    assert!(history.epochs[11].loss < 0.3 * history.epochs[0].loss, "{history:?}");
    let metrics = network.evaluate(&data, Loss::CrossEntropy)?;
    assert_eq!(metrics.accuracy, Some(1.0), "{metrics}");
    let again = train(3)?;
    assert_eq!((bytes(&network), history), (bytes(&again.0), again.1));
    assert_ne!(bytes(&network), bytes(&train(4)?.0));
    Ok(())
}

#[test]
fn the_number_of_threads_changes_no_byte() -> Result<()> {
    let train = |n_threads: usize| -> Result<Vec<u32>> {
        let mut network = Network::new("blobs", &[8, 6, 1], every_layer(), 1)?;
        let threads = Some(n_threads);
        network.fit(&blobs(22), &FitOptions { batch_size: 8, threads, ..FitOptions::default() })?;
        Ok(bytes(&network))
    };
    let expected = train(1)?;
    for n_threads in [2, 3, 7] {
        assert_eq!(train(n_threads)?, expected);
    }
    Ok(())
}

#[test]
fn dropout_trains_the_same_each_time_and_is_gone_in_inference() -> Result<()> {
    let layers = || {
        let layers = Sequential::new().then(Conv2d::new(8, [3, 3])).then(Relu).then(Dropout::new(0.4));
        layers.then(Dense::new(2)).then(Softmax)
    };
    let train = |seed: u64| -> Result<Network> {
        let mut network = Network::new("blobs", &[8, 6, 1], layers(), 1)?;
        network.fit(&blobs(22), &FitOptions { batch_size: 8, epochs: 20, seed, ..FitOptions::default() })?;
        Ok(network)
    };
    let network = train(3)?;
    assert_eq!(bytes(&network), bytes(&train(3)?));
    assert_ne!(bytes(&network), bytes(&train(4)?));
    assert_eq!(network.evaluate(&blobs(22), Loss::CrossEntropy)?.accuracy, Some(1.0));
    assert!(network.inference_graph(1)?.nodes().iter().all(|node| !node.name.contains("dropout")));
    let all = Sequential::new().then(Dropout::new(1.0));
    let error = Network::new("n", &[2], all, 0).err().unwrap().to_string();
    assert_eq!(error, "dropout: drops 1 of the elements; the part must be in [0, 1)");
    Ok(())
}

#[test]
fn questions_of_their_own_are_learned_with_binary_cross_entropy() -> Result<()> {
    // Whether the first number is above 0, whether the second is, whether both are.
    let points: Vec<[f32; 2]> = (0..64).map(|i| [(i % 8) as f32 - 3.5, (i / 8) as f32 - 3.5]).collect();
    let answers = |&[a, b]: &[f32; 2]| [a > 0.0, b > 0.0, a > 0.0 && b > 0.0].map(|yes| yes as u8 as f32);
    let targets: Vec<f32> = points.iter().flat_map(answers).collect();
    let data = Dataset::new(&[2], points.concat(), &[3], targets)?;
    let layers = Sequential::new().then(Dense::new(16)).then(Tanh).then(Dense::new(3)).then(Sigmoid);
    let mut network = Network::new("questions", &[2], layers, 1)?;
    let loss = Loss::BinaryCrossEntropy;
    let options =
        FitOptions { epochs: 150, loss, optimizer: Optimizer::rms_prop(0.01), ..Default::default() };
    let history = network.fit(&data, &options)?;
    assert!((history.epochs[0].loss - 0.693).abs() < 0.5, "{}", history.epochs[0]);
    let metrics = network.evaluate(&data, loss)?;
    assert!(metrics.accuracy > Some(0.97) && metrics.loss < 0.1, "{metrics}");
    Ok(())
}

#[test]
fn training_stops_early_and_resumes_there() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("early.safetensors");
    let train = |checkpoint: Option<&Path>| -> Result<(Vec<u32>, History)> {
        let mut network = Network::new("line", &[2], Sequential::new().then(Dense::new(1)), 5)?;
        let options = FitOptions {
            epochs: 500,
            batch_size: 8,
            loss: Loss::MeanSquaredError,
            optimizer: Optimizer::momentum(0.05, 0.5),
            checkpoint: checkpoint.map(Path::to_owned),
            early_stopping: Some(EarlyStopping { patience: 3, min_improvement: 1e-6 }),
            ..FitOptions::default()
        };
        let history = network.fit_validated(&line(), &line().subset(&[1, 5, 9])?, &options)?;
        assert_eq!(
            network.evaluate(&line().subset(&[1, 5, 9])?, options.loss)?,
            *history.validation.last().unwrap()
        );
        Ok((bytes(&network), history))
    };
    let expected = train(None)?;
    let n = expected.1.epochs.len();
    assert!(n < 200 && expected.1.validation.len() == n, "{n} epochs");
    let (before, after) = expected.1.validation.split_at(n - 3);
    let least = before.iter().map(|m| m.loss).fold(f64::INFINITY, f64::min);
    assert!(after.iter().all(|m| m.loss >= least - 1e-6));
    assert_eq!(train(Some(&path))?, expected);
    assert_eq!(train(Some(&path))?, expected, "there is nothing left to do");
    Ok(())
}

#[test]
fn samples_left_over_count_like_others() -> Result<()> {
    // All samples are the same, so the third step must be what it is when the batch is full.
    let train = |n: usize| -> Result<(Vec<u32>, f64)> {
        let data = Dataset::new(&[2], [1.0, 0.5].repeat(n), &[1], vec![2.0; n])?;
        let mut network = Network::new("same", &[2], Sequential::new().then(Dense::new(1)), 1)?;
        let options = FitOptions {
            epochs: 1,
            batch_size: 2,
            loss: Loss::MeanSquaredError,
            optimizer: Optimizer::momentum(0.1, 0.9),
            ..FitOptions::default()
        };
        let history = network.fit(&data, &options)?;
        assert_eq!(history.epochs.len(), 1);
        Ok((bytes(&network), network.evaluate(&data, Loss::MeanSquaredError)?.loss))
    };
    assert_eq!(train(5)?, train(6)?);
    Ok(())
}

#[test]
fn inference_has_constants_and_normalizes_with_running_statistics() -> Result<()> {
    let network = Network::new("blobs", &[8, 6, 1], every_layer(), 0)?.labels(&["top", "bottom"]);
    let graph = network.inference_graph(3)?;
    graph.verify()?;
    assert!(graph.tensors().all(|(_, tensor)| !matches!(tensor.kind, Kind::State(_))));
    assert_eq!(graph.dims(graph.outputs()[0]), [3, 2]);
    assert_eq!(graph.labels, ["top", "bottom"]);
    let names: Vec<&str> = graph.nodes().iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names[..4], ["conv2d", "batch_norm", "relu6", "residual/conv2d"]);
    let statistics: Vec<_> = network.parameters().iter().filter(|p| !p.trainable).map(|p| &p.name).collect();
    let expected = [
        "batch_norm/mean",
        "batch_norm/variance",
        "residual/batch_norm/mean",
        "residual/batch_norm/variance",
    ];
    assert_eq!(statistics, expected);
    Ok(())
}

#[test]
fn divergence_is_named_and_leaves_the_network_as_it_was() {
    let mut network = Network::new("line", &[2], Sequential::new().then(Dense::new(1)), 5).unwrap();
    let before = bytes(&network);
    let optimizer = Optimizer::sgd(1e10);
    let options = FitOptions { loss: Loss::MeanSquaredError, batch_size: 8, optimizer, ..Default::default() };
    let error = network.fit(&line(), &options).unwrap_err().to_string();
    assert!(error.starts_with("epoch 1, batch 3: the loss is"), "{error}");
    assert!(error.ends_with("lower the learning rate (10000000000) or scale the data"), "{error}");
    assert_eq!(bytes(&network), before);
}

#[test]
fn what_does_not_fit_is_named() {
    let dense = || Sequential::new().then(Dense::new(2));
    let error = Network::new("n", &[2], dense().then(MaxPool2d::new([2, 2])), 0).err().unwrap().to_string();
    assert_eq!(error, "max_pool2d: takes images [n, h, w, c], not [1, 2]");
    let conv = Sequential::new().then(Conv2d::new(1, [9, 1]));
    let error = Network::new("n", &[8, 6, 1], conv, 0).err().unwrap().to_string();
    assert!(error.starts_with("conv2d: conv2d does not take inputs f32[1×8×6×1], f32[1×9×1×1]"), "{error}");
    let pool = Residual::new(Sequential::new().then(MaxPool2d::new([2, 2])));
    let error = Network::new("n", &[8, 6, 1], Sequential::new().then(pool), 0).err().unwrap().to_string();
    let shapes = "turn [1, 8, 6, 1] into [1, 4, 3, 1]";
    assert_eq!(error, format!("residual: its layers {shapes}; they must keep the shape"));

    let mut network = Network::new("n", &[2], dense(), 0).unwrap();
    let fit = |network: &mut Network, data: &Dataset, options: FitOptions| {
        network.fit(data, &options).unwrap_err().to_string()
    };
    let pairs = Dataset::classification(&[2], vec![0.0; 4], &[0, 1], 2).unwrap();
    let error = fit(&mut network, &pairs, FitOptions::default());
    assert_eq!(error, "loss: cross-entropy needs a network that ends in a Softmax layer: add one");
    let error = fit(&mut network, &blobs(4), FitOptions::default());
    assert_eq!(error, "the samples have shape [8, 6, 1], the network takes [2]");
    let squares = FitOptions { loss: Loss::MeanSquaredError, ..FitOptions::default() };
    let error = fit(&mut network, &line(), squares.clone());
    assert_eq!(error, "loss: the network makes [21, 2], the targets are [21, 1]");
    let error = fit(&mut network, &pairs, FitOptions { epochs: 0, ..squares });
    assert_eq!(error, "training takes at least one epoch, and one sample a batch");
}

/// Writes down what it is told, and ends training where it is asked to.
#[derive(Default)]
struct Diary {
    entries: Vec<String>,
    stop_at: Option<(usize, usize)>,
    fail_at: Option<usize>,
}

impl Callback for Diary {
    fn epoch_begins(&mut self, epoch: usize) -> Result<()> {
        self.entries.push(format!("{epoch}"));
        Ok(())
    }

    fn batch_ends(&mut self, end: &BatchEnd) -> Result<Next> {
        self.entries.push(format!("{}.{}/{}", end.epoch, end.batch, end.n_batches));
        Ok(if self.stop_at == Some((end.epoch, end.batch)) { Next::Stop } else { Next::GoOn })
    }

    fn epoch_ends(&mut self, end: &EpochEnd) -> Result<Next> {
        assert_eq!(end.network.evaluate(&line(), Loss::MeanSquaredError)?.loss, end.validation.unwrap().loss);
        self.entries.push(format!("{}!", end.epoch));
        match self.fail_at {
            Some(epoch) if epoch == end.epoch => Err(Error::Invalid("the diary is full".to_string())),
            _ => Ok(Next::GoOn),
        }
    }
}

#[test]
fn callbacks_are_told_everything_and_may_end_training() -> Result<()> {
    let train = |diary: &mut Diary| {
        let mut network = Network::new("line", &[2], Sequential::new().then(Dense::new(1)), 5)?;
        let before = bytes(&network);
        let optimizer = Optimizer::sgd(0.01);
        let options = FitOptions {
            epochs: 3,
            batch_size: 16,
            optimizer,
            loss: Loss::MeanSquaredError,
            ..Default::default()
        };
        let history = network.fit_with(&line(), Some(&line()), &options, &mut [diary]);
        Ok::<_, Error>((history, bytes(&network) != before))
    };
    let mut whole = Diary::default();
    assert_eq!(train(&mut whole)?.0?.epochs.len(), 3);
    let each = |epoch: usize| {
        [format!("{epoch}"), format!("{epoch}.0/2"), format!("{epoch}.1/2"), format!("{epoch}!")]
    };
    assert_eq!(whole.entries, [each(0), each(1), each(2)].concat());
    let mut stopped = Diary { stop_at: Some((1, 0)), ..Diary::default() };
    let (history, changed) = train(&mut stopped)?;
    assert_eq!((history?.epochs.len(), changed), (2, true));
    assert_eq!(stopped.entries[4..], ["1", "1.0/2", "1!"]);
    let (history, changed) = train(&mut Diary { fail_at: Some(1), ..Diary::default() })?;
    assert_eq!((history.unwrap_err().to_string(), changed), ("the diary is full".to_string(), false));
    Ok(())
}

#[test]
fn penalties_draw_weights_to_zero_and_metrics_are_those_asked_for() -> Result<()> {
    let train = |penalty: Penalty| {
        let dense = Dense::new(2).initializer(Initializer::Orthogonal).penalized(penalty);
        let mut network = Network::new("blobs", &[8, 6, 1], Sequential::new().then(dense).then(Softmax), 1)?;
        let metrics = vec![Metric::TopK(1), Metric::Auc, Metric::F1];
        let options = FitOptions {
            epochs: 30,
            batch_size: 8,
            optimizer: Optimizer::sgd(0.1),
            metrics,
            ..Default::default()
        };
        let history = network.fit_validated(&blobs(32), &blobs(20), &options)?;
        let sum: f32 = network.parameters()[0].values.iter().map(|w| w.abs()).sum();
        Ok::<_, Error>((sum, history))
    };
    let (free, history) = train(Penalty::NONE)?;
    let last = history.validation.last().unwrap();
    assert_eq!(last.more, [(Metric::TopK(1), 1.0), (Metric::Auc, 1.0), (Metric::F1, 1.0)]);
    assert!(
        history.epochs[0].more[1].1 < 1.0 && last.to_string().ends_with("auc 1.0000, f1 1.0000"),
        "{last}"
    );
    let [l1, l2] = [train(Penalty::l1(0.02))?.0, train(Penalty::l2(0.1))?.0];
    assert!(l1 < 0.6 * free && l2 < 0.6 * free, "{free}, with penalties {l1} and {l2}");
    let metrics = vec![Metric::Recall];
    let options = FitOptions { loss: Loss::MeanSquaredError, metrics, ..Default::default() };
    let mut network = Network::new("line", &[2], Sequential::new().then(Dense::new(1)), 5)?;
    let error = network.fit(&line(), &options).unwrap_err().to_string();
    assert!(error.starts_with("recall is a metric of networks that name classes"), "{error}");
    Ok(())
}
