//! The Fourier transform of real samples, in place.

use super::number::Number;
use super::sine::{cosine_q31, sine_q31};
use crate::mem::ViewMut;

/// Turns `n` real samples (a power of two, 4 or more) into bins 0 to n/2 of their transform. Bin `k` is in elements `2k`
/// (real) and `2k + 1` (imaginary); the first and the last have no imaginary part, and the last takes the place of the
/// first one's.
///
/// The samples are taken for half as many complex ones, whose transform is separated into those of the samples at even
/// and at odd places (Cooley and Tukey 1965; Sorensen et al. 1987, "Real-valued fast Fourier transform algorithms").
pub(super) fn real_fft<N: Number>(x: ViewMut<N>) {
    complex_fft(x);
    let n = x.len();
    let turn = turn_of(n);
    let [first, last] = [x.at(0) + x.at(1), x.at(0) - x.at(1)];
    set(x, 0, [first, last]);
    for k in 1..=n / 4 {
        let other = n / 2 - k;
        let ([a_re, a_im], [b_re, b_im]) = (get(x, k), get(x, other));
        // The transforms of the samples at even places, and at odd places times 2i.
        let [even_re, even_im] = [(a_re + b_re).half(), (a_im - b_im).half()];
        let [odd_re, odd_im] = [(a_re - b_re).half(), (a_im + b_im).half()];
        // Times -i, and e^(-2πik/n).
        let phase = (k as u32).wrapping_mul(turn);
        let [re, im] = N::rotated(odd_im, odd_re.negated(), cosine_q31(phase), sine_q31(phase));
        set(x, k, [even_re + re, even_im + im]);
        set(x, other, [even_re - re, im - even_im]);
    }
}

/// The power of bin `k` of [`real_fft`].
pub(super) fn bin_power<N: Number>(x: ViewMut<N>, k: usize) -> N::Power {
    let [re, im] = match k {
        0 => [x.at(0), N::default()],
        k if 2 * k == x.len() => [x.at(1), N::default()],
        k => get(x, k),
    };
    N::power(re, im)
}

/// The phase of 1/n of a turn.
fn turn_of(n: usize) -> u32 {
    (1u64 << (32 - n.trailing_zeros())) as u32
}

/// Complex number `i`.
fn get<N: Number>(x: ViewMut<N>, i: usize) -> [N; 2] {
    [x.at(2 * i), x.at(2 * i + 1)]
}

fn set<N: Number>(x: ViewMut<N>, i: usize, [re, im]: [N; 2]) {
    x.set(2 * i, re);
    x.set(2 * i + 1, im);
}

/// Complex samples, real and imaginary parts by turns.
fn complex_fft<N: Number>(x: ViewMut<N>) {
    reverse_bits(x);
    let n = x.len() / 2;
    let mut half = 1;
    while half < n {
        let turn = turn_of(2 * half);
        for j in 0..half {
            let phase = (j as u32).wrapping_mul(turn);
            let (cosine, sine) = (cosine_q31(phase), sine_q31(phase));
            for a in (j..n).step_by(2 * half) {
                let b = a + half;
                let ([a_re, a_im], [b_re, b_im]) = (get(x, a), get(x, b));
                let [re, im] = N::rotated(b_re, b_im, cosine, sine);
                set(x, a, [a_re + re, a_im + im]);
                set(x, b, [a_re - re, a_im - im]);
            }
        }
        half *= 2;
    }
}

/// Sample `i` to the place of `i` with its bits in reverse order.
fn reverse_bits<N: Number>(x: ViewMut<N>) {
    let n = x.len() / 2;
    let unused_bits = usize::BITS - n.trailing_zeros();
    for i in 1..n {
        let j = i.reverse_bits() >> unused_bits;
        if i < j {
            let [a, b] = [get(x, i), get(x, j)];
            set(x, i, b);
            set(x, j, a);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    /// By the definition.
    fn transform(x: &[f64]) -> Vec<[f64; 2]> {
        let bin = |k: usize| {
            let angle = |i: usize| -core::f64::consts::TAU * (i * k % x.len()) as f64 / x.len() as f64;
            [
                x.iter().enumerate().map(|(i, v)| v * angle(i).cos()).sum(),
                x.iter().enumerate().map(|(i, v)| v * angle(i).sin()).sum(),
            ]
        };
        (0..=x.len() / 2).map(bin).collect()
    }

    fn samples(n: usize, greatest: i64) -> Vec<i32> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) as i64 % (2 * greatest + 1) - greatest) as i32
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "transforms by their definition: minutes in an interpreter")]
    fn transforms_are_those_of_the_definition() {
        for n in [4, 8, 64, 512, 1024] {
            let greatest = (1 << 30) / n as i64;
            // Noise, and the two that sum up to the most.
            let loud = std::vec![greatest as i32; n];
            let alternating = (0..n).map(|i| if i % 2 == 0 { greatest } else { -greatest } as i32).collect();
            for mut x in [samples(n, greatest), loud, alternating] {
                let want = transform(&x.iter().map(|&v| v as f64).collect::<Vec<_>>());
                let mut real: Vec<f32> = x.iter().map(|&v| v as f32).collect();
                let x = ViewMut::from(&mut x[..]);
                real_fft(x);
                let real = ViewMut::from(&mut real[..]);
                real_fft(real);
                for (k, [re, im]) in want.into_iter().enumerate() {
                    let power = re.powi(2) + im.powi(2);
                    let close = |power_: f64, most: f64| (power_.sqrt() - power.sqrt()).abs() < most;
                    assert!(close(bin_power(x, k) as f64, 40.0), "{n} {k}: {} {power}", bin_power(x, k));
                    assert!(close(bin_power(real, k) as f64, 1e-5 * (1 << 30) as f64), "{n} {k}");
                }
            }
        }
    }
}
