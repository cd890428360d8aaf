//! The audio front end against NumPy and SciPy (`tests/frontend/make.py`), and its bits against those of other machines.

use std::path::Path;

use dunlin::Arena;
use dunlin::frontend::{Config, FEATURE_SCALE, Features, FrontEnd, Number};
use dunlin_converter::device::{self, firmware, sound};
use dunlin_converter::npy;
use dunlin_tests::boards::runnable_boards;

/// The greatest difference from f64 in f32; measured 0.0023.
const REAL_TOLERANCE: f32 = 0.004;

/// A configuration, the greatest difference from f64 in fixed point, and the CRC-32 of its features. A feature is rounded
/// to 1/256; where the sound is hardly louder than the floor, the rounding of samples and of the FFT adds to it.
const CONFIGS: [(&str, Config, f32, u32); 4] = [
    ("mfcc_8k", Config::SPEECH_8_KHZ, 0.01, 0x74df8565),
    ("mfcc_16k", MFCC_16_KHZ, 0.04, 0x8e32eb92),
    ("log_mel_16k", LOG_MEL_16_KHZ, 0.08, 0x47b71a6c),
    ("log_mel_short", LOG_MEL_SHORT, 0.003, 0xe3c00c55),
];
const MFCC_16_KHZ: Config =
    config(16000, [480, 320, 512], 40, [125, 7500], 24, Features::Mfcc { n_coefficients: 13 });
const LOG_MEL_16_KHZ: Config = config(16000, [1000, 250, 1024], 64, [20, 8000], 24, Features::LogMel);
const LOG_MEL_SHORT: Config = config(16000, [64, 64, 64], 8, [200, 8000], 0, Features::LogMel);

const fn config(
    rate: u32,
    lens: [u16; 3],
    n_filters: u8,
    hz: [u16; 2],
    floor_bits: u8,
    features: Features,
) -> Config {
    let [window_samples, hop_samples, fft_samples] = lens;
    let [low_hz, high_hz] = hz;
    Config {
        sample_rate_hz: rate,
        window_samples,
        hop_samples,
        fft_samples,
        n_filters,
        low_hz,
        high_hz,
        floor_bits,
        features,
    }
}

fn golden(name: &str) -> npy::Array {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("frontend/{name}.npy"));
    npy::read(&path).unwrap_or_else(|e| panic!("{e}"))
}

fn rows<N: Number>(config: Config, pcm: &[i16]) -> Vec<Vec<N::Feature>> {
    let mut memory = Arena::<8192>::new();
    let mut front_end = FrontEnd::<N>::new(config, &mut memory).unwrap();
    let mut pcm = pcm;
    std::iter::from_fn(|| front_end.next_row(&mut pcm).map(<[_]>::to_vec)).collect()
}

fn sound() -> Vec<i16> {
    match golden("pcm").data {
        dunlin_converter::Data::I16(pcm) => pcm,
        other => panic!("{:?}", other.dtype()),
    }
}

/// The greatest difference.
fn compare(name: &str, rows: &[Vec<f32>]) -> f32 {
    let want = golden(name);
    assert_eq!(want.dims, [rows.len(), rows[0].len()], "{name}");
    let pairs = rows.iter().flatten().zip(want.data.as_f32().unwrap());
    pairs.map(|(have, want)| (have - want).abs()).fold(0.0, f32::max)
}

#[test]
fn features_are_scipys() {
    let pcm = sound();
    for (name, config, tolerance, _) in CONFIGS {
        let fixed: Vec<Vec<f32>> = rows::<i32>(config, &pcm)
            .iter()
            .map(|row| row.iter().map(|&feature| f32::from(feature) * FEATURE_SCALE).collect())
            .collect();
        let (fixed, real) = (compare(name, &fixed), compare(name, &rows::<f32>(config, &pcm)));
        println!("{name}: fixed point {fixed}, f32 {real}");
        assert!(fixed < tolerance, "{name}: {fixed}");
        assert!(real < REAL_TOLERANCE, "{name}: {real}");
    }
}

/// Every machine must compute these: the device's features are the host's.
#[test]
fn fixed_point_has_these_bits() {
    let pcm = sound();
    let mut wrong = Vec::new();
    for (name, config, _, crc) in CONFIGS {
        let bytes: Vec<u8> =
            rows::<i32>(config, &pcm).iter().flatten().flat_map(|feature| feature.to_le_bytes()).collect();
        let have = crc32fast::hash(&bytes);
        if have != crc {
            wrong.push(format!("{name}: {have:#010x}, not {crc:#010x}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// A longer FFT than this needs more RAM than the smallest board has beside the suite's firmware.
const SMALL_RAM_BYTES: u64 = 1 << 15;

#[test]
fn every_core_computes_the_hosts_features() {
    let (home, pcm) = (device::home().unwrap(), sound());
    for board in runnable_boards() {
        let firmware = firmware::build(&home, &board, firmware::Program::Suite, true).unwrap();
        for (name, config, ..) in CONFIGS {
            let has_room = board.memory().unwrap().ram_bytes > SMALL_RAM_BYTES;
            if !has_room && config.memory_bytes() > Config::SPEECH_8_KHZ.memory_bytes() {
                continue;
            }
            let host = rows::<i32>(config, &pcm).concat();
            let heard = sound::run(&home, &board, &firmware, &config, &pcm).unwrap_or_else(|e| panic!("{e}"));
            assert!(heard.features == host, "{name} on {}: other features than the host's", board.name);
            let sound::Heard { init_instructions, row_instructions, .. } = heard;
            println!(
                "{name} on {}: {init_instructions} instructions, then {row_instructions} a row",
                board.name
            );
        }
    }
}
