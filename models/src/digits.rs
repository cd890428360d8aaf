//! Handwritten digits: 1,797 scans of 8×8 pixels (UCI, optical recognition of handwritten digits), which the
//! crate `smartcore` carries, and a small convolutional network that reads them.

use dunlin_converter::data::{Examples, Split};
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
    /// What it never sees: 445 images, a quarter of each class.
    pub held_out: Dataset,
}

impl Digits {
    /// Reads and splits the images. The split is the same each time: of each class, in the order of the
    /// data, every fourth image is held out.
    ///
    /// # Errors
    /// If the data are not what they should be.
    pub fn load() -> Result<Digits> {
        let [training, held_out] = examples()?.split(&Split::Every(HELD_OUT_EVERY))?;
        Ok(Digits { training: training.classification()?, held_out: held_out.classification()? })
    }
}

/// All images, not split, with pixels in [0, 1].
///
/// # Errors
/// If the data are not what they should be.
pub fn examples() -> Result<Examples<f32>> {
    let data = smartcore::dataset::digits::load_dataset();
    if let Some(pixel) = data.data.iter().find(|pixel| !(0.0..=DARKEST).contains(*pixel)) {
        return Err(Error::Invalid(format!("digits: pixel {pixel} is not in 0..={DARKEST}")));
    }
    let pixels = data.data.iter().map(|pixel| pixel / DARKEST).collect();
    Examples::new(&DIMS, pixels, data.target.iter().map(|&label| label as usize).collect())
}

/// A convolution and two depthwise-separable blocks, each with batch normalization and ReLU: 3,658 weights and
/// 42,000 multiply-accumulates. Pooling comes early, so that no two large images are alive at once.
///
/// # Errors
/// None that a caller could cause.
pub fn network(seed: u64) -> Result<Network> {
    let block = Sequential::new;
    let normalized = |layers: Sequential| layers.then(BatchNorm::new()).then(Relu);
    let separable = || {
        let depthwise = block().then(DepthwiseConv2d::new([3, 3]).same().without_bias());
        normalized(normalized(depthwise).then(Conv2d::new(32, [1, 1]).without_bias()))
    };
    let layers = normalized(block().then(Conv2d::new(16, [3, 3]).same().without_bias()))
        .then(MaxPool2d::new([2, 2]))
        .then(separable())
        .then(separable())
        .then(MaxPool2d::new([2, 2]))
        .then(Flatten)
        .then(Dense::new(LABELS.len()))
        .then(Softmax);
    Ok(Network::new("digits", &DIMS, layers, seed)?.labels(&LABELS))
}

/// How [`train`] trains.
pub fn options(seed: u64, progress: Progress) -> FitOptions {
    FitOptions {
        epochs: 20,
        batch_size: 32,
        loss: Loss::CrossEntropy,
        optimizer: Optimizer::adam(5e-3).weight_decay(0.3),
        schedule: Schedule::Cosine { warmup: 1.0 },
        seed,
        progress,
        ..FitOptions::default()
    }
}

/// A trained network with its data.
pub struct Trained {
    /// The network.
    pub network: Network,
    /// Its data.
    pub digits: Digits,
    /// Loss and accuracy on the training images and their shifted copies, an entry an epoch.
    pub history: History,
}

/// Trains the network on the training images and copies of them shifted by a pixel. `seed` decides the first
/// parameters and the order of the images: the same seed gives the same network.
///
/// # Errors
/// None that a caller could cause.
pub fn train(seed: u64, progress: Progress) -> Result<Trained> {
    let digits = Digits::load()?;
    let mut network = network(seed)?;
    let history = network.fit(&with_shifts(&digits.training)?, &options(seed, progress))?;
    Ok(Trained { network, digits, history })
}

/// `data` with copies of each image moved by one pixel in the four directions, the border filled with 0: a
/// digit is the same one pixel to the side, and the network learns more from that than from more epochs.
///
/// # Errors
/// As [`Dataset::new`].
pub fn with_shifts(data: &Dataset) -> Result<Dataset> {
    const SHIFTS: [[isize; 2]; 5] = [[0, 0], [0, 1], [0, -1], [1, 0], [-1, 0]];
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for i in 0..data.len() {
        for shift in SHIFTS {
            pixels.extend(shifted(data.sample(i), shift));
            labels.push(data.label(i));
        }
    }
    Dataset::classification(&DIMS, pixels, &labels, LABELS.len())
}

/// An image moved down and right.
fn shifted(image: &[f32], [down, right]: [isize; 2]) -> impl Iterator<Item = f32> {
    let [h, w, _] = DIMS.map(|len| len as isize);
    (0..h * w).map(move |i| {
        let (y, x) = (i / w - down, i % w - right);
        let inside = (0..h).contains(&y) && (0..w).contains(&x);
        if inside { image[(y * w + x) as usize] } else { 0.0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_each_class_is_held_out() {
        let digits = Digits::load().unwrap();
        assert_eq!((digits.training.len(), digits.held_out.len()), (1352, 445));
        for class in 0..LABELS.len() {
            let count = |data: &Dataset| (0..data.len()).filter(|&i| data.label(i) == class).count();
            let (training, held_out) = (count(&digits.training), count(&digits.held_out));
            assert!((174..=183).contains(&(training + held_out)), "{class}: {}", training + held_out);
            assert_eq!(held_out, (training + held_out) / 4, "{class}");
        }
    }

    #[test]
    fn shifts_move_by_a_pixel() {
        let mut image = [0.0; 64];
        (image[9], image[7]) = (1.0, 0.5);
        let to_the_right: Vec<f32> = shifted(&image, [0, 1]).collect();
        assert_eq!((to_the_right[10], to_the_right.iter().sum::<f32>()), (1.0, 1.0));
        let up: Vec<f32> = shifted(&image, [-1, 0]).collect();
        assert_eq!((up[1], up.iter().sum::<f32>()), (1.0, 1.0));
    }

    #[test]
    fn a_few_epochs_read_most_digits() {
        let digits = Digits::load().unwrap();
        let mut network = network(1).unwrap();
        let n_weights: usize =
            network.parameters().iter().filter(|p| p.trainable).map(|p| p.values.len()).sum();
        assert_eq!(n_weights, 3_658);
        let options = FitOptions { epochs: 3, ..options(1, Progress::Quiet) };
        network.fit(&digits.training, &options).unwrap();
        let accuracy = network.evaluate(&digits.held_out, Loss::CrossEntropy).unwrap().accuracy.unwrap();
        assert!(accuracy > 0.93, "{accuracy}");
    }
}
