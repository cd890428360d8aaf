//! Changes of windows `[t, channels]` of an accelerometer or the like. They are like those that Um et al. 2017 compare
//! ("Data augmentation of wearable sensor data").

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::{Augment, at_least_0, signed};
use crate::{Error, Result};

/// Each channel is stronger or weaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// By up to this part, below 1.
    pub part: f64,
}

/// The sensor is turned: each three channels (x, y, z) go around a random axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotation {
    /// By up to so many degrees.
    pub degrees: f64,
}

/// Time goes faster in one half and slower in the other; the ends stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeWarp {
    /// By up to this part, below 1.
    pub part: f64,
}

/// Earlier or later; at the end, what is there stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeShift {
    /// By up to so many rows.
    pub steps: usize,
}

fn check_window(dims: &[usize]) -> Result<()> {
    if dims.len() == 2 {
        return Ok(());
    }
    Err(Error::Invalid(format!("only windows [t, channels] can be changed like this, not samples {dims:?}")))
}

fn check_part(what: &str, part: f64) -> Result<()> {
    at_least_0(what, part)?;
    if part < 1.0 {
        return Ok(());
    }
    Err(Error::Invalid(format!("{what} is {part}; it must be below 1")))
}

impl Augment<f32> for Scale {
    fn check(&self, dims: &[usize]) -> Result<()> {
        check_part("the part by which channels are scaled", self.part)?;
        check_window(dims)
    }

    fn apply(&self, dims: &[usize], sample: &mut [f32], rng: &mut ChaCha8Rng) {
        let factors: Vec<f32> = (0..dims[1]).map(|_| (1.0 + self.part * signed(rng)) as f32).collect();
        for row in sample.chunks_exact_mut(dims[1]) {
            row.iter_mut().zip(&factors).for_each(|(x, factor)| *x *= factor);
        }
    }
}

impl Augment<f32> for Rotation {
    fn check(&self, dims: &[usize]) -> Result<()> {
        at_least_0("the angle by which windows are turned", self.degrees)?;
        check_window(dims)?;
        if dims[1].is_multiple_of(3) {
            return Ok(());
        }
        Err(Error::Invalid(format!("{} channels are not x, y and z: only threes can be turned", dims[1])))
    }

    fn apply(&self, _dims: &[usize], sample: &mut [f32], rng: &mut ChaCha8Rng) {
        let axis: [f64; 3] = std::array::from_fn(|_| rng.sample(StandardNormal));
        let norm = axis.iter().map(|a| a * a).sum::<f64>().sqrt();
        let [x, y, z] = axis.map(|a| a / norm);
        let radians = self.degrees.to_radians() * signed(rng);
        let (sin, cos) = (libm::sin(radians), libm::cos(radians));
        let rest = 1.0 - cos;
        // Rodrigues' formula.
        let matrix = [
            [cos + x * x * rest, x * y * rest - z * sin, x * z * rest + y * sin],
            [y * x * rest + z * sin, cos + y * y * rest, y * z * rest - x * sin],
            [z * x * rest - y * sin, z * y * rest + x * sin, cos + z * z * rest],
        ];
        for vector in sample.chunks_exact_mut(3) {
            let before = [vector[0], vector[1], vector[2]].map(f64::from);
            for (value, row) in vector.iter_mut().zip(&matrix) {
                *value = row.iter().zip(before).map(|(m, b)| m * b).sum::<f64>() as f32;
            }
        }
    }
}

impl Augment<f32> for TimeWarp {
    fn check(&self, dims: &[usize]) -> Result<()> {
        check_part("the part by which time is warped", self.part)?;
        check_window(dims)
    }

    fn apply(&self, dims: &[usize], sample: &mut [f32], rng: &mut ChaCha8Rng) {
        let (part, before, c) = (self.part * signed(rng), sample.to_vec(), dims[1]);
        let last = dims[0].saturating_sub(1);
        let around = std::f64::consts::TAU / last.max(1) as f64;
        for (t, row) in sample.chunks_exact_mut(c).enumerate() {
            // Its slope is between 1 - part and 1 + part: time never goes back.
            let source = t as f64 + part / around * libm::sin(around * t as f64);
            let at = (libm::floor(source.max(0.0)) as usize).min(last);
            let (next, fraction) = ((at + 1).min(last), (source - at as f64).clamp(0.0, 1.0) as f32);
            for (channel, value) in row.iter_mut().enumerate() {
                let (now, then) = (before[at * c + channel], before[next * c + channel]);
                *value = now + fraction * (then - now);
            }
        }
    }
}

impl Augment<f32> for TimeShift {
    fn check(&self, dims: &[usize]) -> Result<()> {
        check_window(dims)
    }

    fn apply(&self, dims: &[usize], sample: &mut [f32], rng: &mut ChaCha8Rng) {
        let (most, before, c) = (self.steps as i32, sample.to_vec(), dims[1]);
        let later = rng.random_range(-most..=most) as isize;
        for (t, row) in sample.chunks_exact_mut(c).enumerate() {
            let source = (t as isize - later).clamp(0, dims[0] as isize - 1) as usize;
            row.copy_from_slice(&before[source * c..][..c]);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn changed(change: &dyn Augment<f32>, dims: [usize; 2], sample: &[f32], seed: u64) -> Vec<f32> {
        change.check(&dims).unwrap();
        let mut sample = sample.to_vec();
        change.apply(&dims, &mut sample, &mut ChaCha8Rng::seed_from_u64(seed));
        sample
    }

    #[test]
    fn a_rotation_keeps_lengths_and_angles() {
        let sample = [1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, -3.0];
        let dot = |v: &[f32], i: usize, j: usize| (0..3).map(|k| v[3 * i + k] * v[3 * j + k]).sum::<f32>();
        for seed in 0..20 {
            let turned = changed(&Rotation { degrees: 90.0 }, [2, 6], &sample, seed);
            assert_ne!(turned, sample);
            for (i, j) in (0..4).flat_map(|i| (0..4).map(move |j| (i, j))) {
                assert!((dot(&turned, i, j) - dot(&sample, i, j)).abs() < 1e-5, "{turned:?}");
            }
        }
        let error = Rotation { degrees: 5.0 }.check(&[10, 4]).unwrap_err().to_string();
        assert!(error.contains("4 channels are not x, y and z"), "{error}");
    }

    #[test]
    fn time_is_warped_between_its_ends() {
        let ramp: Vec<f32> = (0..50).map(|t| t as f32).collect();
        for seed in 0..20 {
            let warped = changed(&TimeWarp { part: 0.9 }, [50, 1], &ramp, seed);
            assert_eq!((warped[0], warped[49]), (0.0, 49.0));
            assert!(warped.windows(2).all(|pair| pair[0] <= pair[1]), "{warped:?}");
            assert_ne!(warped, ramp);
        }
        assert!(TimeWarp { part: 1.0 }.check(&[10, 1]).unwrap_err().to_string().contains("must be below 1"));
        assert_eq!(changed(&TimeWarp { part: 0.5 }, [1, 2], &[3.0, 4.0], 1), [3.0, 4.0]);
    }

    #[test]
    fn shifts_and_scales_are_by_channel() {
        let sample = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
        let shifted: Vec<Vec<f32>> =
            (0..50).map(|seed| changed(&TimeShift { steps: 1 }, [3, 2], &sample, seed)).collect();
        for expected in [[1.0, 10.0, 1.0, 10.0, 2.0, 20.0], sample, [2.0, 20.0, 3.0, 30.0, 3.0, 30.0]] {
            assert!(shifted.iter().any(|shifted| shifted == &expected));
        }
        let scaled = changed(&Scale { part: 0.5 }, [3, 2], &sample, 1);
        let factors: Vec<f32> = scaled.iter().zip(sample).map(|(a, b)| a / b).collect();
        assert!((factors[0] - factors[2]).abs() < 1e-6 && (factors[1] - factors[5]).abs() < 1e-6);
        assert!(factors[0] != factors[1] && factors.iter().all(|f| (0.5..1.5).contains(f)), "{factors:?}");
    }
}
