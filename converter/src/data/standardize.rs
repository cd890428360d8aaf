//! Numbers of any unit to numbers around 0.

use serde::Serialize;

use super::Examples;
use crate::{Error, Result};

/// For each channel (the innermost dimension) what is taken away, and what the rest is divided by: afterwards the samples
/// it was fitted on have mean 0 and deviation 1. Fit it on the training samples only, and give the device the same numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standardization {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, of all numbers (not of a sample of them).
    pub deviation: Vec<f32>,
}

impl Standardization {
    /// Of these samples.
    ///
    /// # Errors
    /// If a channel is the same everywhere: it says nothing, and cannot be scaled.
    pub fn fit(examples: &Examples<f32>) -> Result<Standardization> {
        let n_channels = examples.dims.last().copied().unwrap_or(1);
        let mut standardization = Standardization { mean: Vec::new(), deviation: Vec::new() };
        for channel in 0..n_channels {
            let values = || examples.x.iter().skip(channel).step_by(n_channels).map(|&x| f64::from(x));
            let n = values().count() as f64;
            let mean = values().sum::<f64>() / n;
            let variance = values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            let deviation = variance.sqrt() as f32;
            let first = values().next().unwrap_or_default();
            if deviation == 0.0 || values().all(|x| x == first) {
                return Err(Error::Invalid(format!(
                    "channel {channel} is {first} in all training samples: leave its column out"
                )));
            }
            standardization.mean.push(mean as f32);
            standardization.deviation.push(deviation);
        }
        Ok(standardization)
    }

    /// Standardizes samples of as many channels.
    pub fn apply(&self, examples: &mut Examples<f32>) {
        for pixel in examples.x.chunks_mut(self.mean.len()) {
            for ((x, mean), deviation) in pixel.iter_mut().zip(&self.mean).zip(&self.deviation) {
                *x = (*x - mean) / deviation;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_get_mean_0_and_deviation_1() {
        let x = vec![1.0, 10.0, 3.0, 10.0, 5.0, 30.0, 7.0, 30.0];
        let mut examples = Examples::new(&[2, 2], x, vec![0, 1]).unwrap();
        let fitted = Standardization::fit(&examples).unwrap();
        assert_eq!((&fitted.mean[..], fitted.deviation[1]), (&[4.0, 20.0][..], 10.0));
        assert!((fitted.deviation[0] - 5f32.sqrt()).abs() < 1e-6);
        fitted.apply(&mut examples);
        assert_eq!(examples.x[1..].iter().step_by(2).copied().collect::<Vec<_>>(), [-1.0, -1.0, 1.0, 1.0]);
        let flat = Examples::new(&[2], vec![1.0, 3.0, 2.0, 3.0], vec![0, 1]).unwrap();
        let error = Standardization::fit(&flat).unwrap_err().to_string();
        assert_eq!(error, "channel 1 is 3 in all training samples: leave its column out");
    }
}
