//! First values of parameters.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// How a parameter starts. The fans are the numbers of inputs and outputs that a weight connects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initializer {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// All the same.
    Constant(f32),
    /// Normal with variance `2 / fan_in`, for layers before a ReLU (He et al. 2015).
    HeNormal,
    /// Uniform with that variance.
    HeUniform,
    /// Normal with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010).
    GlorotNormal,
    /// Uniform with that variance.
    GlorotUniform,
    /// Normal with variance `1 / fan_in`, for layers before a self-normalizing activation (LeCun et al. 1998).
    LecunNormal,
    /// Uniform with that variance.
    LecunUniform,
    /// A matrix of as many rows as the first dimension, whose rows (or columns, of which there are fewer) are orthogonal
    /// and of length 1 (Saxe et al. 2014), for weights that go round in a recurrent layer.
    Orthogonal,
}

impl Initializer {
    /// Values for a parameter of `dims`, the same for the same `seed` and `stream` on every machine.
    pub fn values(self, dims: &[usize], [fan_in, fan_out]: [usize; 2], seed: u64, stream: u64) -> Vec<f32> {
        let n = dims.iter().product();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let he = 2.0 / fan_in as f64;
        let glorot = 2.0 / (fan_in + fan_out) as f64;
        let lecun = 1.0 / fan_in as f64;
        match self {
            Initializer::Zeros => vec![0.0; n],
            Initializer::Ones => vec![1.0; n],
            Initializer::Constant(value) => vec![value; n],
            Initializer::HeNormal => normal(n, he, &mut rng),
            Initializer::HeUniform => uniform(n, he, &mut rng),
            Initializer::GlorotNormal => normal(n, glorot, &mut rng),
            Initializer::GlorotUniform => uniform(n, glorot, &mut rng),
            Initializer::LecunNormal => normal(n, lecun, &mut rng),
            Initializer::LecunUniform => uniform(n, lecun, &mut rng),
            Initializer::Orthogonal => orthogonal(n, dims.first().copied().unwrap_or(1), &mut rng),
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

/// A matrix of `n_rows` rows with `n` elements, made orthogonal by Gram and Schmidt's method. A normal matrix gives every
/// orthogonal one the same chance.
fn orthogonal(n: usize, n_rows: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let n_cols = n.checked_div(n_rows).unwrap_or(0);
    let (n_vectors, len) = (n_rows.min(n_cols), n_rows.max(n_cols));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut vectors: Vec<Vec<f64>> = Vec::new();
    for _ in 0..n_vectors {
        let mut vector: Vec<f64> = (0..len).map(|_| rng.sample(StandardNormal)).collect();
        // Twice: what rounding leaves of the others the first time is gone after the second.
        for other in vectors.iter().chain(&vectors) {
            let along = dot(&vector, other);
            vector.iter_mut().zip(other).for_each(|(v, o)| *v -= along * o);
        }
        let norm = dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|v| *v /= norm);
        vectors.push(vector);
    }
    let at = |row: usize, col: usize| if n_rows <= n_cols { vectors[row][col] } else { vectors[col][row] };
    (0..n).map(|i| at(i / n_cols, i % n_cols) as f32).collect()
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
            (Initializer::LecunNormal, 1.0 / 50.0),
            (Initializer::LecunUniform, 1.0 / 50.0),
        ];
        for (initializer, variance) in expected {
            let variance: f64 = variance;
            let values = initializer.values(&[20_000], [50, 150], 7, 3);
            let n = values.len() as f64;
            let mean = values.iter().map(|&v| v as f64).sum::<f64>() / n;
            let measured = values.iter().map(|&v| (v as f64 - mean).powi(2)).sum::<f64>() / n;
            assert!(mean.abs() < 0.05 * variance.sqrt(), "{initializer:?}: mean {mean}");
            assert!((measured / variance - 1.0).abs() < 0.05, "{initializer:?}: variance {measured}");
        }
    }

    #[test]
    fn the_generator_is_the_same_everywhere() {
        let values = |seed, stream| Initializer::HeNormal.values(&[3], [2, 2], seed, stream);
        assert_eq!(values(1, 0), [-0.23484705, -1.4108177, 0.33302864]);
        assert_ne!(values(1, 0), values(1, 1));
        assert_ne!(values(1, 0), values(2, 0));
    }

    #[test]
    fn rows_or_columns_are_orthogonal() {
        for dims in [&[5, 3][..], &[4, 4], &[2, 3, 3, 2], &[1, 7]] {
            let values = Initializer::Orthogonal.values(dims, [1, 1], 3, 0);
            let (n_rows, n_cols) = (dims[0], values.len() / dims[0]);
            let n = n_rows.min(n_cols);
            let vector = |i: usize| -> Vec<f64> {
                let at = |j: usize| if n_rows <= n_cols { i * n_cols + j } else { j * n_cols + i };
                (0..n_rows.max(n_cols)).map(|j| f64::from(values[at(j)])).collect()
            };
            for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let dot: f64 = vector(i).iter().zip(vector(j)).map(|(a, b)| a * b).sum();
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((dot - expected).abs() < 1e-6, "{dims:?}: {i} and {j} have {dot}");
            }
        }
    }
}
