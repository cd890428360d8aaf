//! Sum of two int8 rows of different quantization.

use super::requantize::{clamp_row, doubling_high_mul, is_usual, round_shift};
use crate::kernels::generic;
use crate::kernels::generic::elementwise::{Strided, zip_row};
use crate::kernels::generic::requantize::Factor;
use crate::mem::ViewMut;

pub use crate::kernels::generic::add::{LEFT_SHIFT, SumI8};

/// The factor of the operand of the greater scale, of which the common scale is twice.
const HALF: Factor = Factor { multiplier: 1 << 30, shift: 0 };

/// [`generic::add::add_row`].
pub fn add_row(sum: &SumI8, a: Strided<i8>, b: Strided<i8>, out: ViewMut<i8>) {
    let [a_zero_point, b_zero_point] = sum.zero_points;
    let (half, other, half_zero_point, other_zero_point, factor) = match sum.operands {
        [HALF, factor] => (a, b, a_zero_point, b_zero_point, factor),
        [factor, _] => (b, a, b_zero_point, a_zero_point, factor),
    };
    let is_made_for = sum.operands.contains(&HALF) && is_usual(factor) && is_usual(sum.output);
    if !is_made_for || half.1 != 1 || other.1 != 1 {
        return generic::add::add_row(sum, a, b, out);
    }
    let half_offset = -(half_zero_point << (LEFT_SHIFT - 1));
    zip_row(half, other, out, |half, other| {
        let other = (other as i32 - other_zero_point) << LEFT_SHIFT;
        let other = round_shift(doubling_high_mul(other, factor.multiplier), factor.shift, half_offset);
        let both = other.wrapping_add((half as i32) << (LEFT_SHIFT - 1));
        let q = round_shift(doubling_high_mul(both, sum.output.multiplier), sum.output.shift, sum.zero_point);
        q.clamp(i8::MIN as i32, i8::MAX as i32) as i8
    });
    clamp_row(out, sum.bounds);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mem::View;

    fn factor() -> impl Strategy<Value = Factor> {
        let shift = prop_oneof![-3i8..=0, -31i8..=2];
        prop_oneof![
            Just(HALF),
            (1 << 30..=i32::MAX, shift).prop_map(|(multiplier, shift)| Factor { multiplier, shift })
        ]
    }

    proptest! {
        #[test]
        fn adds_as_the_generic_kernel(
            operands in [factor(), factor()],
            output in factor(),
            zero_points in [-128i32..128, -128i32..128],
            zero_point in -128i32..128,
            least in -128i8..0,
            x in prop::collection::vec((any::<i8>(), any::<i8>()), 1..40),
        ) {
            let sum = SumI8 { zero_points, operands, output, zero_point, bounds: (least, 120) };
            let (mut expected, mut found) = ([0i8; 40], [0i8; 40]);
            let (mut a, mut b) = ([0i8; 40], [0i8; 40]);
            for (i, (x, y)) in x.iter().enumerate() {
                (a[i], b[i]) = (*x, *y);
            }
            let row = |values| (View::from(values), 1);
            generic::add::add_row(&sum, row(&a[..x.len()]), row(&b[..x.len()]), (&mut expected[..x.len()]).into());
            add_row(&sum, row(&a[..x.len()]), row(&b[..x.len()]), (&mut found[..x.len()]).into());
            prop_assert_eq!(found, expected);
        }
    }
}
