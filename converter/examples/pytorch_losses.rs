//! A training run of PyTorch again, from its data and first weights: the losses are the same.
//! `cargo run --release -p dunlin-converter --example pytorch_losses -- tests/pytorch`

use std::path::Path;

use dunlin_converter::nn::*;
use dunlin_converter::{Error, Result, npy};

/// Losses of 50 steps, each before its update.
pub fn losses(folder: &Path, optimizer: Optimizer, clip_norm: Option<f32>) -> Result<Vec<f64>> {
    let layers = Sequential::new()
        .then(Conv2d::new(8, [3, 3]).same())
        .then(BatchNorm::new())
        .then(Relu)
        .then(DepthwiseConv2d::new([3, 3]).same())
        .then(Relu)
        .then(MaxPool2d::new([2, 2]))
        .then(Dense::new(10))
        .then(Softmax);
    let mut network = Network::new("digits", &[8, 8, 1], layers, 0)?;
    network.load(&folder.join("weights.safetensors"))?;
    let (x, labels) = (npy::read(&folder.join("x.npy"))?.data, npy::read(&folder.join("labels.npy"))?.data);
    let numbers = || Error::Invalid("x.npy must hold f32, labels.npy i32".to_string());
    let (x, labels) = x.as_f32().zip(labels.as_i32()).ok_or_else(numbers)?;
    let labels: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
    let data = Dataset::classification(&[8, 8, 1], x.to_vec(), &labels, 10)?;
    let options =
        FitOptions { epochs: 50, batch_size: data.len(), optimizer, clip_norm, ..FitOptions::default() };
    Ok(network.fit(&data, &options)?.epochs.iter().map(|epoch| epoch.loss).collect())
}

#[allow(dead_code)] // a test takes the function above
fn main() -> Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "tests/pytorch".to_string());
    for (step, loss) in losses(Path::new(&folder), Optimizer::adam(0.01), None)?.iter().enumerate() {
        println!("step {step:2}: loss {loss:.6}");
    }
    Ok(())
}
