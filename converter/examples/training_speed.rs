//! Samples a second of forward, backward and update of three networks, as `tests/pytorch/speed.py` measures them
//! beside PyTorch: `cargo run --release -p dunlin-converter --example training_speed -- NETWORK THREADS SECONDS`.

use std::time::{Duration, Instant};

use dunlin_converter::nn::*;
use dunlin_converter::{Error, Result};

fn mnist_cnn() -> Result<(Network, Optimizer, usize)> {
    let layers = Sequential::new()
        .then(Conv2d::new(16, [3, 3]).same())
        .then(Relu)
        .then(MaxPool2d::new([2, 2]))
        .then(Conv2d::new(32, [3, 3]).same())
        .then(Relu)
        .then(MaxPool2d::new([2, 2]))
        .then(Dense::new(128))
        .then(Relu)
        .then(Dense::new(10))
        .then(Softmax);
    Ok((Network::new("mnist_cnn", &[28, 28, 1], layers, 1)?, Optimizer::momentum(0.01, 0.9), 64))
}

fn ds_cnn() -> Result<(Network, Optimizer, usize)> {
    let normalized = |layers: Sequential| layers.then(BatchNorm::new()).then(Relu);
    let mut layers =
        normalized(Sequential::new().then(Conv2d::new(64, [10, 4]).same().stride(2).without_bias()));
    for _ in 0..4 {
        layers = normalized(layers.then(DepthwiseConv2d::new([3, 3]).same().without_bias()));
        layers = normalized(layers.then(Conv2d::new(64, [1, 1]).without_bias()));
    }
    let layers = layers.then(GlobalAveragePool).then(Dense::new(12)).then(Softmax);
    Ok((Network::new("ds_cnn", &[49, 10, 1], layers, 1)?, Optimizer::adam(1e-3), 32))
}

/// Motion windows of 128 steps of 9 numbers.
fn gru() -> Result<(Network, Optimizer, usize)> {
    let layers = Sequential::new().then(Gru::new(32)).then(Dense::new(6)).then(Softmax);
    Ok((Network::new("gru", &[128, 9], layers, 1)?, Optimizer::adam(1e-3), 32))
}

/// Numbers in [0, 1) that look random.
fn noise(n: usize) -> Vec<f32> {
    (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32).collect()
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage = || Error::Invalid("training_speed mnist_cnn|ds_cnn|gru THREADS SECONDS".to_string());
    let [name, threads, seconds] = &args[..] else { return Err(usage()) };
    let (mut network, optimizer, batch) = match name.as_str() {
        "mnist_cnn" => mnist_cnn()?,
        "ds_cnn" => ds_cnn()?,
        "gru" => gru()?,
        _ => return Err(usage()),
    };
    let threads = Some(threads.parse().map_err(|_| usage())?);
    let seconds: f64 = seconds.parse().map_err(|_| usage())?;
    let classes = match name.as_str() {
        "ds_cnn" => 12,
        "gru" => 6,
        _ => 10,
    };
    let n_samples = 16 * batch;
    let labels: Vec<usize> = (0..n_samples).map(|i| i % classes).collect();
    let dims = network.dims().to_vec();
    let x = noise(n_samples * dims.iter().product::<usize>());
    let data = Dataset::classification(&dims, x, &labels, classes)?;
    let options = FitOptions { epochs: 2, batch_size: batch, optimizer, threads, ..FitOptions::default() };
    let (mut best, begin) = (Duration::MAX, Instant::now());
    while begin.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        network.fit(&data, &options)?;
        best = best.min(start.elapsed());
    }
    println!("{:.0}", 2.0 * n_samples as f64 / best.as_secs_f64());
    Ok(())
}
