//! Product of two int8 rows.

use super::requantize::{clamp_row, doubling_high_mul, is_usual, round_shift};
use crate::kernels::generic;
use crate::kernels::generic::elementwise::{Strided, zip_row};
use crate::mem::ViewMut;

pub use crate::kernels::generic::mul::{MulI8, PRODUCT_MAX};

/// [`generic::mul::mul_row`].
pub fn mul_row(mul: &MulI8, a: Strided<i8>, b: Strided<i8>, out: ViewMut<i8>) {
    let MulI8 { zero_points: [a_zero_point, b_zero_point], output, zero_point, bounds } = *mul;
    if !is_usual(output) {
        return generic::mul::mul_row(mul, a, b, out);
    }
    zip_row(a, b, out, |a, b| {
        let product = (a as i32 - a_zero_point).wrapping_mul(b as i32 - b_zero_point);
        let q = round_shift(doubling_high_mul(product, output.multiplier), output.shift, zero_point);
        q.clamp(i8::MIN as i32, i8::MAX as i32) as i8
    });
    clamp_row(out, bounds);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::kernels::generic::requantize::Factor;
    use crate::mem::View;

    proptest! {
        #[test]
        fn multiplies_as_the_generic_kernel(
            multiplier in prop_oneof![1 << 30..=i32::MAX, 0..=i32::MAX],
            shift in -31i8..=14,
            zero_points in [-128i32..128, -128i32..128],
            zero_point in -128i32..128,
            least in -128i8..0,
            is_one in any::<bool>(),
            pairs in prop::collection::vec((any::<i8>(), any::<i8>()), 1..40),
        ) {
            let output = Factor { multiplier, shift };
            let mul = MulI8 { zero_points, output, zero_point, bounds: (least, 120) };
            let (mut expected, mut found) = ([0i8; 40], [0i8; 40]);
            let (a, b): (Vec<i8>, Vec<i8>) = pairs.iter().copied().unzip();
            let (a, b) = ((View::from(&a[..]), 1), (View::from(&b[..]), !is_one as usize));
            generic::mul::mul_row(&mul, a, b, (&mut expected[..pairs.len()]).into());
            mul_row(&mul, a, b, (&mut found[..pairs.len()]).into());
            prop_assert_eq!(found, expected);
        }
    }
}
