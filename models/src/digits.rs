//! Handwritten digits: 1,797 scans of 8×8 pixels (UCI, optical recognition of handwritten digits), which the
//! crate `smartcore` carries, and a small convolutional network that reads them.

use dunlin_converter::nn::{
    BatchNorm, Conv2d, Dataset, Dense, DepthwiseConv2d, FitOptions, Flatten, History, Loss, MaxPool2d,
    Network, Optimizer, Progress, Relu, Schedule, Sequential, Softmax, Windowed,
};
use dunlin_converter::{Error, Result};

/// Dimensions of an image, `[h, w, c]`.
pub const DIMS: [usize; 3] = [8, 8, 1];
/// Names of the classes.
pub const LABELS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
/// Of each class, every so many-th image is held out.
const HELD_OUT_EVERY: usize = 4;
/// A pixel's darkest value in the data; the network's inputs are divided by it.
const DARKEST: f32 = 16.0;

/// The images, with pixels in [0, 1].
#[derive(Clone, Debug)]
pub struct Digits {
    /// What the network is trained (and the quantization calibrated) on.
    pub training: Dataset,
    /// What it never sees: 444 images, a quarter of each class.
    pub held_out: Dataset,
}

impl Digits {
    /// Reads and splits the images. The split is the same each time: of each class, in the order of the
    /// data, every fourth image is held out.
    ///
    /// # Errors
    /// If the data are not what they should be.
    pub fn load() -> Result<Digits> {
        let data = smartcore::dataset::digits::load_dataset();
        if let Some(pixel) = data.data.iter().find(|pixel| !(0.0..=DARKEST).contains(*pixel)) {
            return Err(Error::Invalid(format!("digits: pixel {pixel} is not in 0..={DARKEST}")));
        }
        let pixels = data.data.iter().map(|pixel| pixel / DARKEST).collect();
        let labels: Vec<usize> = data.target.iter().map(|&label| label as usize).collect();
        let all = Dataset::classification(&DIMS, pixels, &labels, LABELS.len())?;
        let mut seen = [0; LABELS.len()];
        let (mut training, mut held_out) = (Vec::new(), Vec::new());
        for (i, &label) in labels.iter().enumerate() {
            seen[label] += 1;
            let side = if seen[label] % HELD_OUT_EVERY == 0 { &mut held_out } else { &mut training };
            side.push(i);
        }
        Ok(Digits { training: all.subset(&training)?, held_out: all.subset(&held_out)? })
    }
}

/// A convolution, then two depthwise-separable blocks, each with batch normalization and ReLU.
///
/// # Errors
/// None that a caller could cause.
pub fn network(seed: u64) -> Result<Network> {
    let normalized = |layers: Sequential| layers.then(BatchNorm::new()).then(Relu);
    let mut layers = Sequential::new().then(Conv2d::new(16, [3, 3]).same().without_bias());
    layers = normalized(layers);
    layers = layers.then(DepthwiseConv2d::new([3, 3]).same().without_bias());
    layers = normalized(layers).then(Conv2d::new(32, [1, 1]).without_bias());
    layers = normalized(layers).then(MaxPool2d::new([2, 2]));
    layers = layers.then(DepthwiseConv2d::new([3, 3]).same().without_bias());
    layers = normalized(layers).then(Conv2d::new(32, [1, 1]).without_bias());
    layers = normalized(layers).then(MaxPool2d::new([2, 2]));
    layers = layers.then(Flatten).then(Dense::new(LABELS.len())).then(Softmax);
    Ok(Network::new("digits", &DIMS, layers, seed)?.labels(&LABELS))
}

/// How [`train`] trains.
pub fn options(seed: u64, progress: Progress) -> FitOptions {
    FitOptions {
        epochs: 30,
        batch_size: 32,
        loss: Loss::CrossEntropy,
        optimizer: Optimizer::adam(5e-3).weight_decay(1e-2),
        schedule: Schedule::Cosine { warmup: 1.0 },
        seed,
        progress,
    }
}

/// A trained network with its data.
pub struct Trained {
    /// The network.
    pub network: Network,
    /// Its data.
    pub digits: Digits,
    /// Loss and accuracy on the training data, an entry an epoch.
    pub history: History,
}

/// Trains the network from the first parameters and in the order that `seed` gives.
///
/// # Errors
/// None that a caller could cause.
pub fn train(seed: u64, progress: Progress) -> Result<Trained> {
    let digits = Digits::load()?;
    let mut network = network(seed)?;
    let history = network.fit(&digits.training, &options(seed, progress))?;
    Ok(Trained { network, digits, history })
}
