//! Random numbers that are the same on every machine: ChaCha8.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::{Array, Error, Float, Result};

/// A generator. The same seed gives the same numbers on every machine; they are not NumPy's.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// A generator that starts from `seed`.
    pub fn new(seed: u64) -> Random {
        Random(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Numbers in [low, high), all equally likely.
    pub fn uniform<T: Float>(&mut self, dims: &[usize], low: f64, high: f64) -> Array<T> {
        self.fill(dims, |rng| T::nearest(low + (high - low) * rng.random::<f64>()))
    }

    /// Normally distributed numbers.
    pub fn normal<T: Float>(&mut self, dims: &[usize], mean: f64, deviation: f64) -> Array<T> {
        self.fill(dims, |rng| T::nearest(mean + deviation * rng.sample::<f64, _>(StandardNormal)))
    }

    /// Integers from `low` to before `high`, all equally likely.
    ///
    /// # Errors
    /// If there are none.
    pub fn integers(&mut self, dims: &[usize], low: i64, high: i64) -> Result<Array<i64>> {
        if low >= high {
            return Error::invalid(format!("no integers from {low} to before {high}"));
        }
        Ok(self.fill(dims, |rng| rng.random_range(low..high)))
    }

    /// The numbers from 0 to before `n` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut self.0);
        order
    }

    fn fill<T: crate::Element>(
        &mut self,
        dims: &[usize],
        mut f: impl FnMut(&mut ChaCha8Rng) -> T,
    ) -> Array<T> {
        let n = dims.iter().product();
        let elements = ndarray::Array1::from_iter((0..n).map(|_| f(&mut self.0)));
        // There are as many as the shape says.
        Array::from_nd(elements.into_shape_with_order(dims).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_the_same_everywhere() {
        let mut random = Random::new(1);
        let uniform = random.uniform::<f64>(&[2], 0.0, 1.0);
        assert_eq!(uniform, Array::from([0.40248566366484806, 0.08038370892978197]));
        assert_eq!(random.normal::<f32>(&[2], 0.0, 1.0), Array::from([0.33302864, -1.1267663]));
        assert_eq!(random.integers(&[3], 0, 100).unwrap(), Array::from([28, 71, 46]));
        assert_eq!(random.permutation(5), [0, 3, 1, 4, 2]);
    }

    #[test]
    fn numbers_have_the_named_distribution() {
        let mut random = Random::new(3);
        let n = [100, 200];
        let mean_and_std = |a: &Array<f64>| [a.mean(..), a.std(.., 0)].map(|x| x.unwrap().item().unwrap());
        let [mean, std] = mean_and_std(&random.normal(&n, 2.0, 3.0));
        assert!((mean - 2.0).abs() < 0.1 && (std - 3.0).abs() < 0.1, "{mean} {std}");
        let uniform = random.uniform(&n, -1.0, 3.0);
        let [mean, std] = mean_and_std(&uniform);
        assert!((mean - 1.0).abs() < 0.05 && (std - 4.0 / 12f64.sqrt()).abs() < 0.05, "{mean} {std}");
        assert!(uniform.iter().all(|x| (-1.0..3.0).contains(&x)));
        let integers = random.integers(&n, -2, 3).unwrap();
        assert_eq!(integers.unique(), Array::from([-2, -1, 0, 1, 2]));
        assert!(random.integers(&n, 3, 3).is_err());
        let mut order = random.permutation(50);
        assert!(!order.is_sorted());
        order.sort_unstable();
        assert!(order.into_iter().eq(0..50));
    }
}
