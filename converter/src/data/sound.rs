//! Sound to features.

use dunlin::Arena;
use dunlin::frontend::{Config, FEATURE_SCALE, FrontEnd};

use super::Examples;
use crate::{Error, Result};

/// More memory than any front end needs.
const MEMORY_BYTES: usize = 16 << 10;

/// The features of sounds as the device computes them, in fixed point: samples `[rows, features, 1]`.
///
/// # Errors
/// If there is no such front end, or a sound is shorter than its window.
pub fn features(examples: &Examples<i16>, config: &Config) -> Result<Examples<f32>> {
    let mut memory = Box::new(Arena::<MEMORY_BYTES>::new());
    let mut front_end = FrontEnd::<i32>::new(*config, &mut memory[..])
        .map_err(|e| Error::Invalid(format!("front end: {e}")))?;
    let n_samples: usize = examples.dims.iter().product();
    let n_rows = config.n_rows(n_samples);
    if n_rows == 0 {
        let window = config.window_samples;
        return Err(Error::Invalid(format!(
            "front end: {n_samples} samples are less than a window of {window}"
        )));
    }
    let mut x = Vec::new();
    for i in 0..examples.len() {
        front_end.restart();
        let mut pcm = examples.sample(i);
        while let Some(row) = front_end.next_row(&mut pcm) {
            x.extend(row.iter().map(|&feature| f32::from(feature) * FEATURE_SCALE));
        }
    }
    Ok(Examples {
        dims: vec![n_rows, config.n_features(), 1],
        x,
        labels: examples.labels.clone(),
        classes: examples.classes.clone(),
        fields: examples.fields.clone(),
        targets: examples.targets.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sounds() -> Examples<i16> {
        let pcm = (0..2000).map(|i| (8000.0 * libm::sin(f64::from(i * i) * 1e-4)) as i16).collect();
        Examples::new(&[1000], pcm, vec![0, 1]).unwrap()
    }

    #[test]
    fn features_are_the_devices() {
        let features = features(&sounds(), &Config::SPEECH_8_KHZ).unwrap();
        assert_eq!((features.len(), &features.dims[..]), (2, &[5, 10, 1][..]));
        let mut memory = Arena::<{ Config::SPEECH_8_KHZ.memory_bytes() }>::new();
        let mut front_end = FrontEnd::<i32>::new(Config::SPEECH_8_KHZ, &mut memory).unwrap();
        let all = sounds();
        let mut pcm = all.sample(1);
        let row = front_end.next_row(&mut pcm).unwrap();
        // What the network is trained on is, as its int8 input, what the device makes of the integers.
        let (scale, zero_point) = (0.37, 11);
        let stored = crate::quantize::to_i8(&features.sample(1)[..10], scale, zero_point);
        let devices: Vec<i8> = row.iter().map(|&f| dunlin::frontend::to_i8(f, scale, zero_point)).collect();
        assert_eq!(stored, devices);
        let short = Config { window_samples: 512, ..Config::SPEECH_8_KHZ };
        let error = |n: usize| {
            let few = Examples::new(&[n], vec![0i16; n], vec![0]).unwrap();
            super::features(&few, &short).unwrap_err().to_string()
        };
        assert!(error(511).contains("511 samples are less than a window of 512"));
    }

    /// The device and the converter round alike, for every feature and odd scales.
    #[test]
    fn int8_is_the_same_on_both_ends() {
        for scale in [0.37f32, 1.0 / 3.0, 0.0039, 1.7, 0.5, 1e-4] {
            for feature in i16::MIN..=i16::MAX {
                let host = crate::quantize::to_i8(&[f32::from(feature) * FEATURE_SCALE], scale, -7)[0];
                assert_eq!(dunlin::frontend::to_i8(feature, scale, -7), host, "{feature} {scale}");
            }
        }
    }
}
