//! Triangular filters on the mel scale.

use super::number::{Number, WEIGHT_BITS};
use super::{Config, Error};

/// Bits behind the point of a filter's edge, in bins of the FFT.
const EDGE_BITS: u32 = 16;
/// Bits behind the point of a ratio of frequencies.
const RATIO_BITS: u32 = 27;
/// 0 mel, 700 Hz, is where the scale turns from linear to logarithmic (O'Shaughnessy 1987).
const CORNER_HZ: u64 = 700;

/// Writes where the filters begin, peak and end, in bins (Q16): filter `m` rises from edge `m` to 1 at edge `m + 1` and
/// falls to 0 at edge `m + 2`. In mel, `2595 log10(1 + f / 700)`, all edges have the same distance; so `1 + f / 700` grows
/// by the same ratio from edge to edge. The integers are the same on every machine.
///
/// # Errors
/// [`Error::Filters`] if a filter lies between two bins.
pub(super) fn write_edges(config: &Config, edges_q16: &mut [i32]) -> Result<(), Error> {
    let [low, high] = [config.low_hz, config.high_hz].map(|hz| u64::from(hz) + CORNER_HZ);
    let whole = (high << RATIO_BITS) / low;
    let n_steps = edges_q16.len() - 1;
    // The greatest ratio whose power does not pass the whole.
    let mut step = 0u64;
    for bit in (0..=RATIO_BITS + 7).rev() {
        let more = step | 1 << bit;
        if power(more, n_steps, whole) <= whole {
            step = more;
        }
    }
    let mut ratio = 1u64 << RATIO_BITS;
    for edge in edges_q16.iter_mut() {
        let hz = low * ratio - (CORNER_HZ << RATIO_BITS);
        let bins = (hz >> (RATIO_BITS - EDGE_BITS)) * u64::from(config.fft_samples)
            / u64::from(config.sample_rate_hz);
        *edge = bins as i32;
        ratio = (ratio * step) >> RATIO_BITS;
    }
    let next_bin = |edge: i32| (edge >> EDGE_BITS) + 1;
    let empty = edges_q16
        .windows(3)
        .any(|three| matches!(three, &[start, _, end] if next_bin(start) << EDGE_BITS >= end));
    if empty { Err(Error::Filters) } else { Ok(()) }
}

/// `ratio^n`, or something above `limit` if that is more.
fn power(ratio: u64, n: usize, limit: u64) -> u64 {
    let mut product = 1u64 << RATIO_BITS;
    for _ in 0..n {
        // Below the limit of 2^32, a factor of 2^32: no overflow.
        product = (product * ratio.min(u64::from(u32::MAX))) >> RATIO_BITS;
        if product > limit {
            break;
        }
    }
    product
}

/// Logarithms of the energies under the filters. `power` gives that of a bin.
pub(super) fn write_logs<N: Number>(
    config: &Config,
    edges_q16: &[i32],
    power: impl Fn(usize) -> N::Power,
    logs: &mut [N],
) {
    let bin_from = |edge: i32| ((edge as u32 + ((1 << EDGE_BITS) - 1)) >> EDGE_BITS) as usize;
    let mut falling = N::Energy::default();
    // Between edges `i` and `i + 1` filter `i - 1` falls and filter `i` rises.
    for (i, between) in edges_q16.windows(2).enumerate() {
        let &[start, end] = between else { continue };
        let width = (end - start).max(1);
        let inverse = (1u64 << (32 + WEIGHT_BITS)) / width as u64;
        let mut rising = N::Energy::default();
        for k in bin_from(start)..bin_from(end) {
            let weight = ((((k << EDGE_BITS) as u64 - start as u64) * inverse) >> 32) as u32;
            let power = power(k);
            rising = N::accumulate(rising, weight, power);
            falling = N::accumulate(falling, (1 << WEIGHT_BITS) - weight, power);
        }
        if let Some(log) = i.checked_sub(1).and_then(|filter| logs.get_mut(filter)) {
            *log = N::log(falling, config);
        }
        falling = rising;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;

    use super::*;
    use crate::frontend::{Config, Features};

    #[test]
    fn edges_are_equally_far_in_mel() {
        for (sample_rate_hz, fft_samples, low_hz, high_hz, n) in
            [(8000, 512, 20, 4000, 20), (16000, 1024, 125, 7500, 40), (48000, 1024, 100, 24000, 40)]
        {
            let config = Config { sample_rate_hz, fft_samples, low_hz, high_hz, ..Config::SPEECH_8_KHZ };
            let config = Config { features: Features::LogMel, n_filters: n, ..config };
            let mut edges = vec![0; usize::from(n) + 2];
            write_edges(&config, &mut edges).unwrap();
            let mel = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
            let [low, high] = [low_hz, high_hz].map(|hz| mel(f64::from(hz)));
            for (i, &edge) in edges.iter().enumerate() {
                let want = low + (high - low) * i as f64 / (n as f64 + 1.0);
                let hz = edge as f64 / 65536.0 * sample_rate_hz as f64 / fft_samples as f64;
                assert!((mel(hz) - want).abs() < 0.01, "{i}: {} {want}", mel(hz));
            }
        }
    }

    #[test]
    fn filters_between_bins_are_refused() {
        let config = Config {
            n_filters: 60,
            fft_samples: 64,
            window_samples: 64,
            hop_samples: 32,
            ..Config::SPEECH_8_KHZ
        };
        assert_eq!(write_edges(&config, &mut [0; 62]), Err(Error::Filters));
    }
}
