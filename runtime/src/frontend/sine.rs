//! Sines from one table: windows, twiddle factors and cosine transforms.

/// Steps of a quarter turn in the table.
const N_STEPS: usize = 256;
/// Bits of the phase behind the table's index: a quarter turn has 30 bits.
const FRACTION_BITS: u32 = 22;
const QUARTER_TURN: u32 = 1 << 30;

/// sin(i / 256 of a quarter turn), rounded to nearest in Q31; 1.0 is stored as its neighbour.
static QUARTER_Q31: [i32; N_STEPS + 1] = {
    let mut table = [0; N_STEPS + 1];
    let mut i = 0;
    while i <= N_STEPS {
        let scaled =
            taylor_sine(core::f64::consts::FRAC_PI_2 * i as f64 / N_STEPS as f64) * (1u64 << 31) as f64;
        let rounded = (scaled + 0.5) as i64;
        table[i] = if rounded > i32::MAX as i64 { i32::MAX } else { rounded as i32 };
        i += 1;
    }
    table
};

/// Exact to the last bits of f64 between 0 and π/2.
const fn taylor_sine(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    let mut n = 1;
    while n < 12 {
        term *= -x * x / ((2 * n) * (2 * n + 1)) as f64;
        sum += term;
        n += 1;
    }
    sum
}

/// The sine of `phase / 2^32` of a turn, in Q31. Multiples of 1/1024 turn come from the table; between them it is
/// interpolated linearly, at most 4.8e-6 too small.
pub(super) fn sine_q31(phase: u32) -> i32 {
    let within = phase & (QUARTER_TURN - 1);
    let rising = phase & QUARTER_TURN == 0;
    let within = if rising { within } else { QUARTER_TURN - within };
    let i = (within >> FRACTION_BITS) as usize;
    let fraction = (within & ((1 << FRACTION_BITS) - 1)) as i64;
    // `within` is at most a quarter turn: the last index has no fraction.
    let low = QUARTER_Q31.get(i).copied().unwrap_or(i32::MAX);
    let high = QUARTER_Q31.get(i + 1).copied().unwrap_or(low);
    let sine = low + ((i64::from(high - low) * fraction) >> FRACTION_BITS) as i32;
    if phase < 2 * QUARTER_TURN { sine } else { -sine }
}

/// The cosine, as [`sine_q31`].
pub(super) fn cosine_q31(phase: u32) -> i32 {
    sine_q31(phase.wrapping_add(QUARTER_TURN))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "400,000 sines: minutes in an interpreter")]
    fn sines_are_near_the_librarys() {
        let mut greatest = 0f64;
        for i in 0..200_000u64 {
            let phase = ((i << 32) / 200_000) as u32;
            let angle = phase as f64 / (1u64 << 32) as f64 * core::f64::consts::TAU;
            let [sine, cosine] = [sine_q31(phase), cosine_q31(phase)].map(|q| q as f64 / (1u64 << 31) as f64);
            greatest = greatest.max((sine - angle.sin()).abs()).max((cosine - angle.cos()).abs());
        }
        assert!(greatest < 4.8e-6, "{greatest}");
        for i in 0..1024u32 {
            let exact = (i as f64 / 1024.0 * core::f64::consts::TAU).sin();
            let stored = sine_q31(i << 22) as f64 / (1u64 << 31) as f64;
            assert!((stored - exact).abs() < 5e-10, "{i}");
        }
    }
}
