//! Samples in, rows of features out.

use super::fft::{bin_power, real_fft};
use super::mel;
use super::number::{FACTOR_BITS, Number};
use super::sine::{cosine_q31, sine_q31};
use super::{Config, Error, Features};
use crate::mem::{ViewMut, cast_mut};

/// A front end with its memory: hand it samples, and take a row of features for each hop.
pub struct FrontEnd<'m, N: Number> {
    config: Config,
    /// The last samples, and how many of a window have arrived.
    pcm: &'m mut [i16],
    n_arrived: usize,
    edges_q16: &'m mut [i32],
    spectrum: &'m mut [N],
    logs: &'m mut [N],
    row: &'m mut [N::Feature],
}

impl<'m, N: Number> FrontEnd<'m, N> {
    /// A front end in `memory`, whose contents are lost.
    ///
    /// # Errors
    /// What of the configuration is impossible; [`Error::MemoryTooSmall`] below [`Config::memory_bytes`], and
    /// [`Error::Alignment`] if it does not start at a multiple of 4.
    pub fn new(config: Config, memory: &'m mut [u8]) -> Result<FrontEnd<'m, N>, Error> {
        config.check()?;
        let n_filters = usize::from(config.n_filters);
        let mut rest = memory.get_mut(..config.memory_bytes()).ok_or(Error::MemoryTooSmall)?;
        let edges_q16 = take::<i32>(&mut rest, n_filters + 2)?;
        let spectrum = take::<N>(&mut rest, config.fft_samples.into())?;
        let logs = take::<N>(&mut rest, n_filters)?;
        let row = take::<N::Feature>(&mut rest, config.n_features())?;
        let pcm = take::<i16>(&mut rest, config.window_samples.into())?;
        mel::write_edges(&config, edges_q16)?;
        Ok(FrontEnd { config, pcm, n_arrived: 0, edges_q16, spectrum, logs, row })
    }

    /// How sound becomes features.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes samples from the start of `pcm` until a window is full, and computes its row. `None` when all samples are
    /// taken and more are needed.
    pub fn next_row(&mut self, pcm: &mut &[i16]) -> Option<&[N::Feature]> {
        let missing = self.pcm.get_mut(self.n_arrived..)?;
        let n_new = missing.len().min(pcm.len());
        let (new, rest) = pcm.split_at_checked(n_new)?;
        missing.get_mut(..n_new)?.copy_from_slice(new);
        *pcm = rest;
        self.n_arrived += n_new;
        if self.n_arrived < self.pcm.len() {
            return None;
        }
        self.compute();
        let hop = usize::from(self.config.hop_samples);
        self.pcm.copy_within(hop.min(self.n_arrived).., 0);
        self.n_arrived -= hop.min(self.n_arrived);
        Some(self.row)
    }

    /// Forgets the samples of a window that is not full: the next one is the first again.
    pub fn restart(&mut self) {
        self.n_arrived = 0;
    }

    fn compute(&mut self) {
        // Half a turn over the window: the square of its sine is Hann's.
        let step = (1u64 << 63) / self.pcm.len() as u64;
        let windowed = self.pcm.iter().enumerate().map(|(i, &pcm)| {
            let sine = i64::from(sine_q31(((i as u64 * step) >> 32) as u32));
            N::windowed(pcm, ((sine * sine) >> 31) as i32, &self.config)
        });
        for (x, sample) in self.spectrum.iter_mut().zip(windowed.chain(core::iter::repeat(N::default()))) {
            *x = sample;
        }
        let spectrum = ViewMut::from(&mut *self.spectrum);
        real_fft(spectrum);
        mel::write_logs(&self.config, self.edges_q16, |k| bin_power(spectrum, k), self.logs);
        match self.config.features {
            Features::LogMel => {
                self.row.iter_mut().zip(&*self.logs).for_each(|(to, &log)| *to = N::feature(log));
            }
            Features::Mfcc { .. } => {
                for (k, to) in self.row.iter_mut().enumerate() {
                    *to = coefficient(self.logs, k);
                }
            }
        }
    }
}

/// Coefficient `k` of the orthonormal DCT-II: `f Σ x[m] cos(π k (2m + 1) / 2n)` with f² = 2/n, or 1/n for k = 0.
fn coefficient<N: Number>(logs: &[N], k: usize) -> N::Feature {
    let n = logs.len() as u64;
    let twice = if k == 0 { 1 } else { 2 };
    let factor_q20 = ((twice << (2 * FACTOR_BITS)) / n).isqrt() as u32;
    let turn = (1u64 << 62) / n; // of 4n, with 32 bits more than a phase
    let cosine = |m: usize| cosine_q31(((k * (2 * m + 1)) as u64).wrapping_mul(turn).wrapping_shr(32) as u32);
    N::transformed(logs, cosine, factor_q20)
}

/// The next `n` elements of `bytes`.
fn take<'m, T: crate::Element>(bytes: &mut &'m mut [u8], n: usize) -> Result<&'m mut [T], Error> {
    let all = core::mem::take(bytes);
    let (head, rest) = all.split_at_mut_checked(n * T::DTYPE.bytes()).ok_or(Error::MemoryTooSmall)?;
    *bytes = rest;
    cast_mut(head).ok_or(Error::Alignment)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;
    use crate::Arena;

    const CONFIG: Config = Config::SPEECH_8_KHZ;

    fn tone(n: usize) -> Vec<i16> {
        (0..n).map(|i| ((i as f64 * 0.7).sin() * 9000.0 + (i as f64 * 0.013).cos() * 4000.0) as i16).collect()
    }

    fn rows(mut pcm: &[i16], block: usize) -> Vec<Vec<i16>> {
        let mut memory = Arena::<{ CONFIG.memory_bytes() }>::new();
        let mut front_end = FrontEnd::<i32>::new(CONFIG, &mut memory).unwrap();
        let mut rows = Vec::new();
        while !pcm.is_empty() {
            let (mut now, later) = pcm.split_at(block.min(pcm.len()));
            pcm = later;
            while let Some(row) = front_end.next_row(&mut now) {
                rows.push(row.to_vec());
            }
            assert!(now.is_empty());
        }
        rows
    }

    #[test]
    #[cfg_attr(miri, ignore = "six seconds of sound: minutes in an interpreter")]
    fn blocks_of_any_length_give_the_same_rows() {
        let pcm = tone(8000);
        let whole = rows(&pcm, pcm.len());
        assert_eq!((whole.len(), CONFIG.n_rows(8000)), (49, 49));
        for block in [1, 7, 160, 321, 1000] {
            assert_eq!(rows(&pcm, block), whole, "{block}");
        }
    }

    #[test]
    fn a_row_depends_on_its_window_alone() {
        let pcm = tone(2000);
        assert_eq!(rows(&pcm, 2000)[5], rows(&pcm[5 * 160..5 * 160 + 320], 320)[0]);
    }

    #[test]
    fn the_loudest_sound_and_silence_have_features() {
        let silence = rows(&[0; 320], 320);
        // sqrt(20) times the logarithm of the floor; all others 0.
        let floor = -(20f64.sqrt() * 20.0 * core::f64::consts::LN_2) * 256.0;
        assert!((silence[0][0] as f64 - floor).abs() < 2.0, "{silence:?} {floor}");
        assert!(silence[0][1..].iter().all(|&c| c.abs() <= 1), "{silence:?}");
        for loud in [[i16::MIN; 320], [i16::MAX; 320]] {
            assert!(rows(&loud, 320)[0][0] > silence[0][0]);
        }
    }
}
