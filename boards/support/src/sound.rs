//! The suite's cases of the audio front end.
//!
//! Behind [`SOUND`] come, all numbers 4 bytes and little-endian: sample rate, window, hop, FFT, filters, lowest and highest
//! frequency, bits of the floor, coefficients (0 for none: log-mel features), number of samples; then the samples, 2 bytes
//! each. The answer is a status (0, [`super::suite::NO_ROOM`], or [`REFUSED`] where there is no such front end), a length in
//! bytes, and all rows of features in fixed point. Counted regions: the initialization, then every call for a row,
//! which are as many as rows and blocks of [`BLOCK_SAMPLES`].

use dunlin::frontend::{Config, Features, FrontEnd};

use crate::{counter::counted, fault, link::Link};

/// Instead of a model's length: sound follows.
pub const SOUND: u32 = u32::MAX - 2;
/// Status: the configuration is impossible, or the board's RAM does not hold its memory.
pub const REFUSED: u32 = 1;
/// Samples that are handed over at a time.
const BLOCK_SAMPLES: usize = 100;

/// Reads a sound, and answers with its features.
pub fn run_case(link: &mut Link, ram: &mut [u8]) {
    let config = read_config(link);
    let n_samples = read_number(link) as usize;
    match counted(|| FrontEnd::<i32>::new(config, ram)) {
        Ok(front_end) => answer(link, front_end, n_samples),
        Err(_) => {
            link.skip(2 * n_samples);
            link.write_u32(REFUSED);
            link.write_u32(0);
        }
    }
}

fn answer(link: &mut Link, mut front_end: FrontEnd<i32>, n_samples: usize) {
    let config = *front_end.config();
    link.write_u32(0);
    link.write_u32((2 * config.n_rows(n_samples) * config.n_features()) as u32);
    let mut n_left = n_samples;
    while n_left > 0 {
        let mut block = [0i16; BLOCK_SAMPLES];
        let block = block.get_mut(..n_left.min(BLOCK_SAMPLES)).unwrap_or_default();
        for sample in block.iter_mut() {
            let mut bytes = [0; 2];
            link.read_all(&mut bytes);
            *sample = i16::from_le_bytes(bytes);
        }
        n_left -= block.len();
        let mut pcm = &*block;
        while let Some(row) = counted(|| front_end.next_row(&mut pcm)) {
            row.iter().for_each(|feature| link.write(&feature.to_le_bytes()));
        }
    }
}

fn read_config(link: &mut Link) -> Config {
    Config {
        sample_rate_hz: read_number(link),
        window_samples: read_number(link) as u16,
        hop_samples: read_number(link) as u16,
        fft_samples: read_number(link) as u16,
        n_filters: read_number(link) as u8,
        low_hz: read_number(link) as u16,
        high_hz: read_number(link) as u16,
        floor_bits: read_number(link) as u8,
        features: match read_number(link) as u8 {
            0 => Features::LogMel,
            n_coefficients => Features::Mfcc { n_coefficients },
        },
    }
}

fn read_number(link: &mut Link) -> u32 {
    link.read_u32().unwrap_or_else(|| fault::fail("the input ends too early"))
}
