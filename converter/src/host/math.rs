//! Functions of vectors. Errors are below 3e-7 of the result, or absolutely where it is below 1.

use pulp::Simd;

/// e^x, of x clamped to [-87, 88]: 2^k times a polynomial on the rest, which is at most half a ln 2.
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const COEFFICIENTS: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    // A sum with it rounds to an integer, which then stands in the lowest bits.
    const WHOLE: f32 = 12_582_912.0;
    // ln 2 in two parts, the first so short that its products with k are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let of = |value: f32| simd.splat_f32s(value);
    let x = simd.min_f32s(of(88.0), simd.max_f32s(of(-87.0), x));
    let shifted = simd.mul_add_f32s(x, of(std::f32::consts::LOG2_E), of(WHOLE));
    let k = simd.sub_f32s(shifted, of(WHOLE));
    let rest = simd.mul_add_f32s(k, of(-LN_2[0]), x);
    let rest = simd.mul_add_f32s(k, of(-LN_2[1]), rest);
    let mut power = of(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        power = simd.mul_add_f32s(power, rest, of(*coefficient));
    }
    let exponent = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let bits = simd.wrapping_dyn_shl_u32s(exponent, simd.splat_u32s(23));
    simd.mul_f32s(power, simd.transmute_f32s_u32s(bits))
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(super) fn logistic<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

/// Hyperbolic tangent: its series near 0, where the quotient would lose digits.
#[inline(always)]
pub(super) fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const SERIES: [f32; 5] = [62.0 / 2835.0, -17.0 / 315.0, 2.0 / 15.0, -1.0 / 3.0, 1.0];
    let of = |value: f32| simd.splat_f32s(value);
    let (one, size) = (of(1.0), simd.abs_f32s(x));
    let e = exp(simd, simd.mul_f32s(of(-2.0), size));
    let quotient = simd.div_f32s(simd.sub_f32s(one, e), simd.add_f32s(one, e));
    let square = simd.mul_f32s(x, x);
    let mut series = of(SERIES[0]);
    for coefficient in &SERIES[1..] {
        series = simd.mul_add_f32s(series, square, of(*coefficient));
    }
    let near = simd.mul_f32s(x, series);
    let far = simd.select_f32s(simd.less_than_f32s(x, of(0.0)), simd.neg_f32s(quotient), quotient);
    simd.select_f32s(simd.less_than_f32s(size, of(0.3)), near, far)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::simd::{load, store, vectorized};

    vectorized! {
        fn all[simd: S](x: &[f32], exps: &mut [f32], logistics: &mut [f32], tanhs: &mut [f32]) {
            let n = S::F32_LANES;
            let outputs = exps.chunks_mut(n).zip(logistics.chunks_mut(n)).zip(tanhs.chunks_mut(n));
            for (x, ((e, l), t)) in x.chunks(n).zip(outputs) {
                let x = load(simd, x);
                store(simd, e, exp(simd, x));
                store(simd, l, logistic(simd, x));
                store(simd, t, tanh(simd, x));
            }
        }
    }

    #[test]
    fn functions_are_as_good_as_documented() {
        let x: Vec<f32> = (-87_000..88_000).map(|i| i as f32 / 1000.0).chain([1e-20, -1e-6, 0.0]).collect();
        let [mut exps, mut logistics, mut tanhs] = [0; 3].map(|_| vec![0.0; x.len()]);
        all(&x, &mut exps, &mut logistics, &mut tanhs);
        for (i, &x) in x.iter().enumerate() {
            let x = f64::from(x);
            let near = |have: f32, want: f64| (f64::from(have) - want).abs() < 3e-7 * want.abs();
            assert!(near(exps[i], x.exp()), "exp({x}) is {}", exps[i]);
            assert!((f64::from(logistics[i]) - 1.0 / (1.0 + (-x).exp())).abs() < 3e-7, "logistic({x})");
            assert!(near(tanhs[i], x.tanh()) || x == 0.0, "tanh({x}) is {}", tanhs[i]);
        }
        all(&[1e9, -1e9], &mut exps[..2], &mut logistics[..2], &mut tanhs[..2]);
        assert_eq!((tanhs[0], tanhs[1], logistics[0]), (1.0, -1.0, 1.0));
    }
}
