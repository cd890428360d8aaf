//! Training from end to end on small problems.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use dunlin_converter::nn::*;
use dunlin_converter::{Kind, Result};

/// `y = 2 a - 3 b + 0.5` at 21 points.
fn line() -> Dataset {
    let points = (0..21).map(|i| [(i % 5) as f32 - 2.0, (i / 5) as f32 - 2.0]);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for [a, b] in points {
        x.extend([a, b]);
        y.push(2.0 * a - 3.0 * b + 0.5);
    }
    Dataset::new(&[2], x, &[1], y).unwrap()
}

/// Blobs of 8×6 pixels in one of two corners.
fn blobs(n: usize) -> Dataset {
    let (mut x, mut labels) = (Vec::new(), Vec::new());
    for i in 0..n {
        let label = i % 2;
        let noise = |p: usize| ((i * 31 + p * 17) % 13) as f32 / 26.0;
        let lit = |p: usize| (p / 6 < 4) == (label == 0);
        x.extend((0..48).map(|p| noise(p) + if lit(p) { 0.6 } else { 0.0 }));
        labels.push(label);
    }
    Dataset::classification(&[8, 6, 1], x, &labels, 2).unwrap()
}

fn every_layer() -> Sequential {
    let inner = Sequential::new().then(Conv2d::new(4, [3, 3]).same().dilation(2)).then(BatchNorm::new());
    Sequential::new()
        .then(Conv2d::new(4, [3, 3]).same().stride(2).without_bias())
        .then(BatchNorm::new().momentum(0.8).epsilon(1e-2))
        .then(Relu6)
        .then(Residual::new(inner))
        .then(DepthwiseConv2d::new([3, 2]).multiplier(2).initializer(Initializer::GlorotNormal))
        .then(Relu)
        .then(MaxPool2d::new([2, 2]).stride(1).same())
        .then(AveragePool2d::new([2, 1]).stride(1))
        .then(GlobalAveragePool)
        .then(Flatten)
        .then(Dense::new(2))
        .then(Softmax)
}

fn bytes(network: &Network) -> Vec<u32> {
    network.parameters().iter().flat_map(|p| &p.values).map(|v| v.to_bits()).collect()
}

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
    let last = history.epochs[59];
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

/// The blobs in 40 epochs, from the checkpoint if there is one.
fn train_blobs(checkpoint: Option<&Path>, seed: u64) -> Result<(Vec<u32>, History)> {
    let mut network = Network::new("blobs", &[8, 6, 1], every_layer(), seed)?;
    let options = FitOptions {
        epochs: 40,
        batch_size: 8, // leaves 6 of 22
        optimizer: Optimizer::adam(0.02).weight_decay(1e-3),
        seed,
        checkpoint: checkpoint.map(Path::to_owned),
        ..FitOptions::default()
    };
    let history = network.fit(&blobs(22), &options)?;
    Ok((bytes(&network), history))
}

const KILLED: &str = "DUNLIN_TEST_KILLED_CHECKPOINT";

/// What the test below starts as a process of its own, and kills; alone it does nothing.
#[test]
fn a_training_to_kill() {
    if let Some(path) = std::env::var_os(KILLED) {
        train_blobs(Some(Path::new(&path)), 3).unwrap();
    }
}

#[test]
fn a_training_killed_at_any_moment_ends_in_the_same_bytes() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole.safetensors", "killed.safetensors"].map(|name| dir.path().join(name));
    let expected = train_blobs(None, 3)?;
    assert_eq!(train_blobs(Some(&whole), 3)?, expected);
    let (mut n_killed, mut n_resumed) = (0, 0);
    for milliseconds in (1..).map(|i| 4 * i) {
        n_resumed += usize::from(killed.exists());
        let mut training = Command::new(std::env::current_exe().unwrap());
        training.args(["--exact", "a_training_to_kill"]).env(KILLED, &killed).stdout(Stdio::null());
        let mut training = training.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        if training.try_wait().unwrap().is_some_and(|status| status.success()) {
            break;
        }
        let _ = training.kill();
        training.wait().unwrap();
        n_killed += 1;
    }
    assert!(n_killed > 0 && n_resumed > 0, "{n_killed} killed, {n_resumed} resumed");
    assert_eq!(std::fs::read(&killed).unwrap(), std::fs::read(&whole).unwrap());
    assert_eq!(train_blobs(Some(&killed), 3)?, expected);
    Ok(())
}

/// A limit on the size of files stands in for a disk that is full.
#[cfg(unix)]
#[test]
fn a_full_disk_is_named_and_the_last_checkpoint_survives() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blobs.safetensors");
    let expected = train_blobs(None, 3)?;
    let start = |script: &str| {
        let mut training = Command::new("sh");
        training.args(["-c", script]).arg(std::env::current_exe().unwrap()).env(KILLED, &path);
        training.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut training = start("exec \"$0\" --exact a_training_to_kill");
    while !path.exists() && training.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = training.kill();
    training.wait().unwrap();
    let before = std::fs::read(&path).unwrap();
    let n_files = || std::fs::read_dir(dir.path()).unwrap().count();
    let n_before = n_files(); // the kill may have left a file half written, under another name
    let full = start("trap '' XFSZ; ulimit -f 1; exec \"$0\" --exact a_training_to_kill --nocapture");
    let full = full.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&full.stderr);
    assert!(!full.status.success(), "{} bytes were written", before.len());
    assert!(said.contains("blobs.safetensors") && said.contains("File too large"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(n_files(), n_before);
    assert_eq!(train_blobs(Some(&path), 3)?, expected);
    Ok(())
}

#[test]
fn a_damaged_checkpoint_is_named_and_left() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blobs.safetensors");
    train_blobs(Some(&path), 3)?;
    let whole = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8], seed: u64, expected: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = train_blobs(Some(&path), seed).unwrap_err().to_string();
        assert!(error.contains("blobs.safetensors: ") && error.contains(expected), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    };
    for len in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..len], 3, "a damaged checkpoint");
    }
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    refused(&changed, 3, "its checksum differs");
    refused(&whole, 4, "a checkpoint of another training");
    Ok(())
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing/blobs.safetensors");
    let error = train_blobs(Some(&path), 3).unwrap_err().to_string();
    assert!(error.contains("blobs.safetensors: "), "{error}");
}
