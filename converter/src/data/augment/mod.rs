//! Samples that are a little different: copies beforehand ([`with_copies`]), or others in each epoch ([`Augmented`]).
//!
//! Every sample has a random generator of its own, of the seed and its number: the same bytes whatever the number of
//! threads.

mod image;
mod motion;
mod sound;

use std::fmt::Debug;
use std::sync::Arc;

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use super::Examples;
use crate::nn::{Dataset, Source};
use crate::{Error, Result};

pub use image::{Cutout, Flip, Shift, Turn};
pub use motion::{Rotation, Scale, TimeShift, TimeWarp};
pub use sound::Variation;

/// A random change of a sample.
pub trait Augment<T>: Debug + Send + Sync {
    /// Whether it can change samples of `dims`.
    ///
    /// # Errors
    /// If not; says why.
    fn check(&self, dims: &[usize]) -> Result<()>;

    /// Changes a sample of `dims`, which [`Augment::check`] has seen, by what `rng` says and nothing else.
    fn apply(&self, dims: &[usize], sample: &mut [T], rng: &mut ChaCha8Rng);
}

/// Normal noise on every number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Its standard deviation.
    pub deviation: f64,
}

impl Augment<f32> for Noise {
    fn check(&self, _dims: &[usize]) -> Result<()> {
        at_least_0("the deviation of noise", self.deviation)
    }

    fn apply(&self, _dims: &[usize], sample: &mut [f32], rng: &mut ChaCha8Rng) {
        for x in sample {
            *x += (self.deviation * rng.sample::<f64, _>(StandardNormal)) as f32;
        }
    }
}

/// `examples` with `copies` copies of each behind them, which `changes` have changed one after the other.
///
/// # Errors
/// If a change does not take these samples.
pub fn with_copies<T: Copy + Send + Sync>(
    examples: &Examples<T>,
    changes: &[&dyn Augment<T>],
    copies: usize,
    seed: u64,
) -> Result<Examples<T>> {
    changes.iter().try_for_each(|change| change.check(&examples.dims))?;
    let len: usize = examples.dims.iter().product();
    let mut all = examples.clone();
    all.x.extend(examples.x.iter().cycle().take(copies * examples.x.len()));
    all.x[examples.x.len()..].par_chunks_mut(len).enumerate().for_each(|(i, sample)| {
        apply(changes.iter().copied(), &examples.dims, sample, seed, i as u64);
    });
    for _ in 0..copies {
        all.labels.extend(&examples.labels);
        all.fields.extend(examples.fields.iter().cloned());
        all.targets.extend(&examples.targets);
    }
    Ok(all)
}

/// Changes a sample by the generator of its number.
fn apply<'a, T: 'a>(
    changes: impl Iterator<Item = &'a dyn Augment<T>>,
    dims: &[usize],
    sample: &mut [T],
    seed: u64,
    stream: u64,
) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    changes.for_each(|change| change.apply(dims, sample, &mut rng));
}

/// Samples that are different in each epoch; a thread changes them ahead of the training.
pub struct Augmented {
    data: Dataset,
    changes: Vec<Arc<dyn Augment<f32>>>,
    seed: u64,
    reconstructs: bool,
}

impl Augmented {
    /// `data`, changed by `changes` one after the other. Targets stay as they are.
    ///
    /// # Errors
    /// If a change does not take these samples.
    pub fn new(data: Dataset, changes: Vec<Arc<dyn Augment<f32>>>, seed: u64) -> Result<Augmented> {
        changes.iter().try_for_each(|change| change.check(data.dims()))?;
        Ok(Augmented { data, changes, seed, reconstructs: false })
    }

    /// The targets are the samples as they are changed: for a network that makes its input again.
    ///
    /// # Errors
    /// If samples and targets are of different shapes.
    pub fn reconstructing(self) -> Result<Augmented> {
        if self.data.dims() != self.data.target_dims() {
            let (dims, targets) = (self.data.dims(), self.data.target_dims());
            return Err(Error::Invalid(format!("targets {targets:?} are no samples {dims:?} made again")));
        }
        Ok(Augmented { reconstructs: true, ..self })
    }
}

impl Source for Augmented {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn dims(&self) -> &[usize] {
        self.data.dims()
    }

    fn target_dims(&self) -> &[usize] {
        self.data.target_dims()
    }

    fn read(&self, i: usize, epoch: usize, x: &mut [f32], target: &mut [f32]) -> Result<()> {
        self.data.read(i, epoch, x, target)?;
        let stream = (epoch * self.data.len() + i) as u64;
        apply(self.changes.iter().map(AsRef::as_ref), self.data.dims(), x, self.seed, stream);
        if self.reconstructs {
            target.copy_from_slice(x);
        }
        Ok(())
    }
}

/// A number in `[-1, 1)`.
fn signed(rng: &mut ChaCha8Rng) -> f64 {
    2.0 * rng.random::<f64>() - 1.0
}

fn at_least_0(what: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::Invalid(format!("{what} is {value}; it must be at least 0")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Examples<f32> {
        Examples::new(&[4, 4, 2], (0..64).map(|i| i as f32).collect(), vec![1, 0]).unwrap()
    }

    /// Everything at once, in place.
    fn all() -> Vec<Arc<dyn Augment<f32>>> {
        vec![
            Arc::new(Shift { pixels: 1, fill: 0.0 }),
            Arc::new(Flip { upside_down: true, left_right: true }),
            Arc::new(Turn { degrees: 10.0, scale: 0.1, fill: 0.0 }),
            Arc::new(Noise { deviation: 0.1 }),
            Arc::new(Cutout { pixels: 2, fill: 0.0 }),
        ]
    }

    #[test]
    fn copies_follow_the_originals_and_are_the_same_for_any_number_of_threads() {
        let (examples, all) = (examples(), all());
        let changes: Vec<&dyn Augment<f32>> = all.iter().map(AsRef::as_ref).collect();
        let copies = |seed: u64, n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| with_copies(&examples, &changes, 3, seed)).unwrap()
        };
        let more = copies(7, 1);
        assert_eq!((more.len(), &more.labels[..4], &more.x[..64]), (8, &[1, 0, 1, 0][..], &examples.x[..]));
        assert_eq!(more, copies(7, 3));
        assert_ne!(more, copies(8, 1));
        assert_ne!(more.sample(2), more.sample(4), "each copy is another");
    }

    #[test]
    fn each_epoch_has_others_and_always_the_same() {
        let data = examples().reconstruction().unwrap();
        let augmented = Augmented::new(data.clone(), all(), 7).unwrap();
        let read = |source: &Augmented, i, epoch| {
            let (mut x, mut target) = (vec![0.0; 32], vec![0.0; 32]);
            source.read(i, epoch, &mut x, &mut target).unwrap();
            (x, target)
        };
        let first = read(&augmented, 1, 0);
        assert_eq!((first.clone(), &first.1[..]), (read(&augmented, 1, 0), data.target(1)));
        assert_ne!(first.0, read(&augmented, 1, 1).0);
        let reconstructing = augmented.reconstructing().unwrap();
        assert_eq!(read(&reconstructing, 1, 0), (first.0.clone(), first.0));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let rows = Examples::new(&[6], vec![0f32; 6], vec![0]).unwrap();
        let error = |change: &dyn Augment<f32>| with_copies(&rows, &[change], 1, 0).unwrap_err().to_string();
        assert!(error(&Shift { pixels: 1, fill: 0.0 }).contains("only images [h, w, c]"));
        assert!(error(&TimeShift { steps: 1 }).contains("only windows [t, channels]"));
        assert!(error(&Noise { deviation: -1.0 }).contains("the deviation of noise is -1"));
    }
}
