//! First values of parameters.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// How a parameter starts. The fans are the numbers of inputs and outputs that a weight connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initializer {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// Normal with variance `2 / fan_in`, for layers before a ReLU (He et al. 2015).
    HeNormal,
    /// Uniform with that variance.
    HeUniform,
    /// Normal with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010).
    GlorotNormal,
    /// Uniform with that variance.
    GlorotUniform,
}

impl Initializer {
    /// `n` values, the same for the same `seed` and `stream` on every machine.
    pub fn values(self, n: usize, [fan_in, fan_out]: [usize; 2], seed: u64, stream: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let he = 2.0 / fan_in as f64;
        let glorot = 2.0 / (fan_in + fan_out) as f64;
        match self {
            Initializer::Zeros => vec![0.0; n],
            Initializer::Ones => vec![1.0; n],
            Initializer::HeNormal => normal(n, he, &mut rng),
            Initializer::HeUniform => uniform(n, he, &mut rng),
            Initializer::GlorotNormal => normal(n, glorot, &mut rng),
            Initializer::GlorotUniform => uniform(n, glorot, &mut rng),
        }
    }
}

fn normal(n: usize, variance: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let deviation = variance.sqrt();
    (0..n).map(|_| (deviation * rng.sample::<f64, _>(StandardNormal)) as f32).collect()
}

/// On `[-a, a)` with `a = sqrt(3 * variance)`.
fn uniform(n: usize, variance: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let limit = (3.0 * variance).sqrt();
    (0..n).map(|_| (limit * (2.0 * rng.random::<f64>() - 1.0)) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_are_as_named() {
        let expected = [
            (Initializer::HeNormal, 2.0 / 50.0),
            (Initializer::HeUniform, 2.0 / 50.0),
            (Initializer::GlorotNormal, 2.0 / 200.0),
            (Initializer::GlorotUniform, 2.0 / 200.0),
        ];
        for (initializer, variance) in expected {
            let variance: f64 = variance;
            let values = initializer.values(20_000, [50, 150], 7, 3);
            let n = values.len() as f64;
            let mean = values.iter().map(|&v| v as f64).sum::<f64>() / n;
            let measured = values.iter().map(|&v| (v as f64 - mean).powi(2)).sum::<f64>() / n;
            assert!(mean.abs() < 0.05 * variance.sqrt(), "{initializer:?}: mean {mean}");
            assert!((measured / variance - 1.0).abs() < 0.05, "{initializer:?}: variance {measured}");
        }
    }

    #[test]
    fn the_generator_is_the_same_everywhere() {
        let values = |seed, stream| Initializer::HeNormal.values(3, [2, 2], seed, stream);
        assert_eq!(values(1, 0), [-0.23484705, -1.4108177, 0.33302864]);
        assert_ne!(values(1, 0), values(1, 1));
        assert_ne!(values(1, 0), values(2, 0));
    }
}
