//! Sound to features, and sounds that are a little different.

use dunlin::Arena;
use dunlin::frontend::{Config, FEATURE_SCALE, FrontEnd};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::Examples;
use crate::{Error, Result};

/// More memory than any front end needs.
const MEMORY_BYTES: usize = 16 << 10;

/// How copies of sounds differ from them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variation {
    /// They begin up to so many samples earlier or later.
    pub shift_samples: usize,
    /// They are up to so many decibels louder or quieter.
    pub gain_db: f64,
    /// White noise of up to this many decibels relative to full scale is added; none below -96.
    pub noise_db: f64,
}

/// `examples`, sounds, with `copies` changed copies of each.
pub fn with_variations(examples: &Examples<i16>, how: &Variation, copies: usize, seed: u64) -> Examples<i16> {
    let mut all = examples.clone();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for copy in 0..copies {
        for i in 0..examples.len() {
            rng.set_stream((copy * examples.len() + i) as u64);
            rng.set_word_pos(0);
            all.x.extend(varied(examples.sample(i), how, &mut rng));
        }
        all.labels.extend(&examples.labels);
        all.fields.extend(examples.fields.iter().cloned());
    }
    all
}

fn varied(pcm: &[i16], how: &Variation, rng: &mut ChaCha8Rng) -> Vec<i16> {
    const QUIETEST_DB: f64 = -96.0;
    let most = how.shift_samples as i64;
    let later = rng.random_range(-most..=most);
    let between = |low: f64, high: f64, x: f64| low + (high - low).max(0.0) * x;
    let gain = amplitude(between(-how.gain_db, how.gain_db, rng.random()));
    let loudness_db = between(QUIETEST_DB, how.noise_db, rng.random());
    let noise = if how.noise_db < QUIETEST_DB { 0.0 } else { 32768.0 * amplitude(loudness_db) };
    (0..pcm.len() as i64)
        .map(|i| {
            let sample = usize::try_from(i - later).ok().and_then(|i| pcm.get(i)).copied().unwrap_or(0);
            let hiss: f64 = rng.sample(StandardNormal);
            (gain * f64::from(sample) + noise * hiss).round() as i16
        })
        .collect()
}

/// `10^(db / 20)`, the same bits on every machine.
fn amplitude(db: f64) -> f64 {
    libm::pow(10.0, db / 20.0)
}

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

    #[test]
    fn variations_are_seeded() {
        let how = Variation { shift_samples: 100, gain_db: 6.0, noise_db: -40.0 };
        let more = with_variations(&sounds(), &how, 2, 3);
        assert_eq!(
            (more.len(), &more.labels[..], &more.x[..2000]),
            (6, &[0, 1, 0, 1, 0, 1][..], &sounds().x[..])
        );
        assert!(
            more == with_variations(&sounds(), &how, 2, 3) && more != with_variations(&sounds(), &how, 2, 4)
        );
        let none = Variation { shift_samples: 0, gain_db: 0.0, noise_db: -200.0 };
        assert!(with_variations(&sounds(), &none, 1, 3).sample(2) == sounds().sample(0));
    }
}
