//! The audio front end on an emulated board. What is sent and answered is described in `boards/support/src/sound.rs`.

use std::path::Path;

use dunlin::frontend::{Config, Features};
use dunlin_timing::Tally;

use super::boards::Board;
use super::emulator::{self, Options};
use super::firmware::Firmware;
use super::{Error, Result};

/// Instead of a model's length: sound follows.
const SOUND: u32 = u32::MAX - 2;

/// What a board made of a sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// All rows of features in fixed point, one behind the other.
    pub features: Vec<i16>,
    /// Instructions of the initialization.
    pub init_instructions: u64,
    /// Instructions of the row that took most.
    pub row_instructions: u64,
}

/// The features of `pcm` on a board with the suite's firmware.
///
/// # Errors
/// If the emulator fails, or the board has no such front end.
pub fn run(home: &Path, board: &Board, firmware: &Firmware, config: &Config, pcm: &[i16]) -> Result<Heard> {
    let n_coefficients = match config.features {
        Features::LogMel => 0,
        Features::Mfcc { n_coefficients } => n_coefficients,
    };
    let numbers = [
        SOUND,
        config.sample_rate_hz,
        config.window_samples.into(),
        config.hop_samples.into(),
        config.fft_samples.into(),
        config.n_filters.into(),
        config.low_hz.into(),
        config.high_hz.into(),
        config.floor_bits.into(),
        n_coefficients.into(),
        pcm.len() as u32,
    ];
    let input: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .chain(pcm.iter().flat_map(|sample| sample.to_le_bytes()))
        .collect();
    let emulation = emulator::run(home, board, firmware, &input, Options::default())?;
    let malformed = |problem: &str| Error::Content { path: board.dir.clone(), problem: problem.to_string() };
    let (head, features) = emulation
        .output
        .split_first_chunk::<8>()
        .ok_or_else(|| malformed("the suite's firmware gave no answer"))?;
    let [status, n_bytes] =
        [0, 4].map(|at| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
    if status != 0 || n_bytes as usize != features.len() {
        return Err(malformed(&format!(
            "the front end answered {status} and {} of {n_bytes} bytes",
            features.len()
        )));
    }
    let features = features.chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect();
    let regions = emulation.counts.map(|counts| counts.regions).unwrap_or_default();
    let (init, rows) = regions.split_first().ok_or_else(|| malformed("no instructions were counted"))?;
    let row_instructions = rows.iter().map(Tally::instructions).max().unwrap_or(0);
    Ok(Heard { features, init_instructions: init.instructions(), row_instructions })
}
