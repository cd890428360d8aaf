//! From sound to features, and from motion: see [`Windows`] for the latter.
//!
//! Sound: windows, FFT, power, mel filters, logarithm and cosine transform, block by block as samples
//! arrive.
//!
//! ```
//! use dunlin::{Arena, frontend::{Config, FrontEnd}};
//! const CONFIG: Config = Config::SPEECH_8_KHZ;
//! # fn listen(mut next_block: impl FnMut() -> Option<[i16; 100]>) -> Result<(), dunlin::frontend::Error> {
//! let mut memory = Arena::<{ CONFIG.memory_bytes() }>::new();
//! let mut front_end = FrontEnd::<i32>::new(CONFIG, &mut memory)?;
//! while let Some(block) = next_block() {
//!     let mut pcm = &block[..];
//!     while let Some(row) = front_end.next_row(&mut pcm) {
//!         // 10 features, which the host computes to the same bits when it trains
//! #       assert_eq!(row.len(), 10);
//!     }
//! }
//! # Ok(()) }
//! # let mut n = 0;
//! # listen(|| { n += 1; (n < 90).then_some([n; 100]) }).unwrap();
//! ```
//!
//! The front end exists once, for two arithmetics: [`FrontEnd<i32>`] is fixed point, whose features are the same bits on
//! every machine, and [`FrontEnd<f32>`] the same in f32. All tables but one of 257 sines are computed where they are
//! needed, so that a front end takes a kilobyte of flash for constants and the memory that [`Config::memory_bytes`] says.

mod fft;
mod mel;
mod motion;
mod number;
mod sine;
mod stream;

use core::fmt;

pub use motion::{Axis, MotionFeature, Windows};
pub use number::Number;
pub use stream::FrontEnd;

/// One unit of a feature in fixed point.
pub const FEATURE_SCALE: f32 = 1.0 / 256.0;

/// How sound becomes features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    /// Samples a second, up to 48,000.
    pub sample_rate_hz: u32,
    /// Samples under a window (Hann, periodic); the rest of the FFT is zeros.
    pub window_samples: u16,
    /// Samples from the start of a window to that of the next: a row of features for each.
    pub hop_samples: u16,
    /// Length of the FFT: a power of two from 64 to 1024.
    pub fft_samples: u16,
    /// Mel filters, 1 to 128.
    pub n_filters: u8,
    /// Where the first filter begins.
    pub low_hz: u16,
    /// Where the last one ends: at most half the sample rate.
    pub high_hz: u16,
    /// The least energy that is told from silence is 2^-`floor_bits`, relative to samples in [-1, 1): 0 to 24. It is
    /// added before the logarithm; the rounding of 16-bit samples alone makes 2^-26.
    pub floor_bits: u8,
    /// What a row consists of.
    pub features: Features,
}

/// What a row of features consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Features {
    /// Natural logarithms of the energies under the mel filters.
    LogMel,
    /// The first of their orthonormal cosine transform (DCT-II).
    Mfcc {
        /// How many: at most one a filter.
        n_coefficients: u8,
    },
}

/// Why there is no front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// The sample rate is not 1 to 48,000 Hz.
    SampleRate,
    /// The FFT's length is not a power of two from 64 to 1024.
    Fft,
    /// The window is longer than the FFT, empty, or no whole number of samples of all axes.
    Window,
    /// The hop is longer than the window or 0.
    Hop,
    /// The filters do not end above their start and at half the sample rate or below.
    Frequencies,
    /// There are no filters or too many: one lies between two bins of the FFT.
    Filters,
    /// The floor is above 24 bits.
    Floor,
    /// There are no coefficients, or more than filters.
    Coefficients,
    /// The memory is smaller than [`Config::memory_bytes`].
    MemoryTooSmall,
    /// The memory does not start at a multiple of 4.
    Alignment,
}

impl Error {
    /// One sentence: what is wrong and what to look at.
    pub const fn message(self) -> &'static str {
        match self {
            Error::SampleRate => "the sample rate must be 1 to 48000 Hz",
            Error::Fft => "the FFT's length must be a power of two from 64 to 1024",
            Error::Window => "the window must have whole samples, and of sound not more than the FFT",
            Error::Hop => "the hop must have samples, and not more than the window",
            Error::Frequencies => "the filters must end above their start, at half the sample rate or below",
            Error::Filters => {
                "a filter would lie between two bins of the FFT: take fewer filters or a longer FFT"
            }
            Error::Floor => "the floor has at most 24 bits",
            Error::Coefficients => "there must be coefficients, and not more than filters",
            Error::MemoryTooSmall => "the memory is smaller than Config::memory_bytes",
            Error::Alignment => "the memory must start at a multiple of 4: use Arena",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Error {}

impl Config {
    /// Ten MFCC of windows of 40 ms each 20 ms, for speech of 8,000 samples a second: 49 rows in a second.
    pub const SPEECH_8_KHZ: Config = Config {
        sample_rate_hz: 8000,
        window_samples: 320,
        hop_samples: 160,
        fft_samples: 512,
        n_filters: 20,
        low_hz: 20,
        high_hz: 4000,
        floor_bits: 20,
        features: Features::Mfcc { n_coefficients: 10 },
    };

    /// Features in a row.
    pub const fn n_features(&self) -> usize {
        match self.features {
            Features::LogMel => self.n_filters as usize,
            Features::Mfcc { n_coefficients } => n_coefficients as usize,
        }
    }

    /// Rows that so many samples make.
    pub const fn n_rows(&self, n_samples: usize) -> usize {
        let window = self.window_samples as usize;
        if n_samples < window { 0 } else { (n_samples - window) / self.hop_samples as usize + 1 }
    }

    /// Bytes of memory that a front end needs, in either arithmetic.
    pub const fn memory_bytes(&self) -> usize {
        let words = self.fft_samples as usize + 2 * self.n_filters as usize + 2 + self.n_features();
        4 * words + 2 * self.window_samples as usize
    }

    /// Bits by which samples in fixed point are scaled up, as far as the sums of the FFT leave room.
    pub(crate) fn headroom_bits(&self) -> u32 {
        15 - self.fft_samples.trailing_zeros()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let Config { window_samples, hop_samples, fft_samples, .. } = *self;
        if !(1..=48_000).contains(&self.sample_rate_hz) {
            return Err(Error::SampleRate);
        }
        if !fft_samples.is_power_of_two() || !(64..=1024).contains(&fft_samples) {
            return Err(Error::Fft);
        }
        if window_samples == 0 || window_samples > fft_samples {
            return Err(Error::Window);
        }
        if hop_samples == 0 || hop_samples > window_samples {
            return Err(Error::Hop);
        }
        if self.low_hz >= self.high_hz || 2 * u32::from(self.high_hz) > self.sample_rate_hz {
            return Err(Error::Frequencies);
        }
        if !(1..=128).contains(&self.n_filters) {
            return Err(Error::Filters);
        }
        if self.floor_bits > 24 {
            return Err(Error::Floor);
        }
        if !(1..=usize::from(self.n_filters)).contains(&self.n_features()) {
            return Err(Error::Coefficients);
        }
        Ok(())
    }
}

/// A feature in fixed point as the stored int8 of a network's input with this scale and zero point: rounded half to even
/// and saturated, the same bits that the converter makes of it.
pub fn to_i8(feature: i16, scale: f32, zero_point: i32) -> i8 {
    // Adding 1.5 * 2^23 leaves no bits behind the point: IEEE 754 rounds half to even.
    const WHOLE: f32 = 12_582_912.0;
    let units = (f32::from(feature) * FEATURE_SCALE / scale).clamp(-1024.0, 1024.0);
    let rounded = (units + WHOLE) - WHOLE;
    (rounded as i32).saturating_add(zero_point).clamp(i8::MIN.into(), i8::MAX.into()) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Config = Config::SPEECH_8_KHZ;

    #[test]
    fn bad_configurations_are_refused() {
        let cases = [
            (Config { sample_rate_hz: 0, ..GOOD }, Error::SampleRate),
            (Config { sample_rate_hz: 48_001, ..GOOD }, Error::SampleRate),
            (Config { fft_samples: 500, ..GOOD }, Error::Fft),
            (Config { fft_samples: 2048, ..GOOD }, Error::Fft),
            (Config { fft_samples: 256, ..GOOD }, Error::Window),
            (Config { window_samples: 0, ..GOOD }, Error::Window),
            (Config { hop_samples: 0, ..GOOD }, Error::Hop),
            (Config { hop_samples: 321, ..GOOD }, Error::Hop),
            (Config { low_hz: 4000, ..GOOD }, Error::Frequencies),
            (Config { high_hz: 4001, ..GOOD }, Error::Frequencies),
            (Config { n_filters: 0, ..GOOD }, Error::Filters),
            (Config { n_filters: 128, fft_samples: 256, window_samples: 200, ..GOOD }, Error::Filters),
            (Config { floor_bits: 25, ..GOOD }, Error::Floor),
            (Config { features: Features::Mfcc { n_coefficients: 21 }, ..GOOD }, Error::Coefficients),
            (Config { features: Features::Mfcc { n_coefficients: 0 }, ..GOOD }, Error::Coefficients),
        ];
        for (config, error) in cases {
            let mut memory = crate::Arena::<20_000>::new();
            assert_eq!(FrontEnd::<i32>::new(config, &mut memory).err(), Some(error), "{config:?}");
        }
        let mut memory = crate::Arena::<{ GOOD.memory_bytes() }>::new();
        assert!(FrontEnd::<f32>::new(GOOD, &mut memory).is_ok());
        let n_bytes = memory.len();
        assert_eq!(FrontEnd::<i32>::new(GOOD, &mut memory[..n_bytes - 1]).err(), Some(Error::MemoryTooSmall));
        let mut memory = crate::Arena::<{ GOOD.memory_bytes() + 1 }>::new();
        assert_eq!(FrontEnd::<i32>::new(GOOD, &mut memory[1..]).err(), Some(Error::Alignment));
    }

    #[test]
    fn int8_rounds_half_to_even() {
        let halves = [(128, 0), (384, 2), (-128, 0), (-384, -2), (129, 1), (i16::MAX, 127), (i16::MIN, -128)];
        for (feature, want) in halves {
            assert_eq!(to_i8(feature, 1.0, 0), want, "{feature}");
        }
        assert_eq!(
            (to_i8(256, 0.5, 10), to_i8(-1, 1e-6, 5), to_i8(1, f32::MIN_POSITIVE, i32::MAX)),
            (12, -128, 127)
        );
    }
}
