//! Changes of sounds: 16-bit samples, one behind the other.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::{Augment, at_least_0};
use crate::Result;

/// Below it noise is less than half a bit.
const QUIETEST_DB: f64 = -96.0;

/// Earlier or later, louder or quieter, and with noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variation {
    /// They begin up to so many samples earlier or later.
    pub shift_samples: usize,
    /// They are up to so many decibels louder or quieter.
    pub gain_db: f64,
    /// White noise of up to this many decibels relative to full scale is added; none below -96.
    pub noise_db: f64,
}

impl Augment<i16> for Variation {
    fn check(&self, _dims: &[usize]) -> Result<()> {
        at_least_0("the gain of sounds in decibels", self.gain_db)
    }

    fn apply(&self, _dims: &[usize], pcm: &mut [i16], rng: &mut ChaCha8Rng) {
        let most = self.shift_samples as i64;
        let later = rng.random_range(-most..=most);
        let between = |low: f64, high: f64, x: f64| low + (high - low).max(0.0) * x;
        let gain = amplitude(between(-self.gain_db, self.gain_db, rng.random()));
        let loudness_db = between(QUIETEST_DB, self.noise_db, rng.random());
        let noise = if self.noise_db < QUIETEST_DB { 0.0 } else { 32768.0 * amplitude(loudness_db) };
        let before = pcm.to_vec();
        for (i, sample) in (0..).zip(pcm) {
            let moved = usize::try_from(i - later).ok().and_then(|i| before.get(i)).copied().unwrap_or(0);
            let hiss: f64 = rng.sample(StandardNormal);
            *sample = (gain * f64::from(moved) + noise * hiss).round() as i16;
        }
    }
}

/// `10^(db / 20)`, the same bits on every machine.
fn amplitude(db: f64) -> f64 {
    libm::pow(10.0, db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Examples, with_copies};

    #[test]
    fn variations_are_seeded() {
        let pcm = (0..2000).map(|i| (8000.0 * libm::sin(f64::from(i * i) * 1e-4)) as i16).collect();
        let sounds = Examples::new(&[1000], pcm, vec![0, 1]).unwrap();
        let how = Variation { shift_samples: 100, gain_db: 6.0, noise_db: -40.0 };
        let copies = |seed: u64| with_copies(&sounds, &[&how], 2, seed).unwrap();
        let more = copies(3);
        assert_eq!(
            (more.len(), &more.labels[..], &more.x[..2000]),
            (6, &[0, 1, 0, 1, 0, 1][..], &sounds.x[..])
        );
        assert!(more == copies(3) && more != copies(4));
        let none = Variation { shift_samples: 0, gain_db: 0.0, noise_db: -200.0 };
        assert!(with_copies(&sounds, &[&none], 1, 3).unwrap().sample(2) == sounds.sample(0));
    }
}
