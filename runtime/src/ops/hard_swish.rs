//! Hard swish: `x * clamp(x + 3, 0, 6) / 6` (Howard et al., Searching for MobileNetV3, 2019, section 5.2).
//!
//! Input: x of f32 and any shape. Output: the shape of x. In int8 it is the [`Table`](super::Table) that
//! [`HardSwish::table`] makes, for any scale and zero point of its output.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use super::elementwise::{Elementwise, map, unary_f32};
use super::{Factor, OpCode, Run};
use crate::fixed::{Q15, Q31};
use crate::kernels::arithmetic::clamp_f32;
use crate::kernels::requantize::{round_shift, saturate};
use crate::kernels::table::TABLE_LEN;
use crate::mem::Memory;
use crate::model::Node;
use crate::{Error, TensorType};

/// A hard swish has no parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HardSwish {}

impl HardSwish {
    /// The int8 outputs of `(scale, zero point)` `out` for the inputs -128 to 127 of `x`, computed as TensorFlow
    /// Lite Micro does.
    ///
    /// `None` if a zero point is not an int8, or the 16-bit arithmetic does not reach: the input's scale must
    /// be from 1.8e-7 to 384, and from 1/512 to 128 times the output's.
    pub fn table(x: (f32, i32), out: (f32, i32)) -> Option<[i8; TABLE_LEN]> {
        let ((scale, zero_point), (out_scale, out_zero_point)) = (x, out);
        if i8::try_from(zero_point).is_err() || i8::try_from(out_zero_point).is_err() {
            return None;
        }
        // One step of the input is 128 of the 16-bit numbers.
        let fine_scale = scale as f64 / 128.0;
        let to_output =
            Factor16::from_real(fine_scale / out_scale as f64).filter(|factor| factor.shift <= 0)?;
        let to_gate = Factor16::from_real(fine_scale / GATE_SCALE)?;
        Some(core::array::from_fn(|i| {
            let fine = Q15::from_bits(((i as i32 - 128 - zero_point) << 7) as i16);
            let product = high_mul_truncated(gate_q15(fine, to_gate), fine * to_output.multiplier);
            let output = round_shift(product, -to_output.shift as u32);
            saturate(output, out_zero_point, (i8::MIN, i8::MAX))
        }))
    }
}

/// The step in which x fills 16 bits between -3 and 3.
const GATE_SCALE: f64 = 3.0 / 32768.0;

/// A real factor in 16 bits: `multiplier * 2^shift`.
#[derive(Clone, Copy)]
struct Factor16 {
    multiplier: Q15,
    /// In [-15, 15]; positive shifts left.
    shift: i32,
}

impl Factor16 {
    /// The 31-bit factor with its multiplier rounded to 15 bits, saturated. `None` for what 16-bit numbers cannot
    /// be shifted by.
    fn from_real(real: f64) -> Option<Factor16> {
        let factor = Factor::from_real(real)?;
        let shift = factor.shift as i32;
        let fits = factor.multiplier > 0 && (-15..=15).contains(&shift);
        fits.then_some(Factor16 { multiplier: Q31::from_bits(factor.multiplier).to_q15(), shift })
    }
}

/// `clamp(x / 6 + 1 / 2, 0, 1)` in [0, 32767].
///
/// A left shift saturates, all but its last bit before the product, so that saturation means x beyond ±3.
fn gate_q15(fine: Q15, to_gate: Factor16) -> i32 {
    let Factor16 { multiplier, shift } = to_gate;
    let scaled = match shift {
        1.. => shift_left(shift_left(fine, shift - 1) * multiplier, 1).to_bits() as i32,
        _ => round_shift((fine * multiplier).to_bits() as i32, -shift as u32),
    };
    (scaled + (1 << 15)) >> 1
}

fn shift_left(x: Q15, shift: i32) -> Q15 {
    let shifted = (x.to_bits() as i32).wrapping_shl(shift as u32);
    Q15::from_bits(shifted.clamp(i16::MIN as i32, i16::MAX as i32) as i16)
}

/// `a * b / 2^15` rounded toward zero, unlike the other products: it takes back some of their bias.
fn high_mul_truncated(a: i32, b: Q15) -> i32 {
    a * b.to_bits() as i32 / (1 << 15)
}

impl Elementwise for HardSwish {
    const CODE: OpCode = OpCode::HardSwish;
    const OPERANDS: usize = 1;

    fn output(&self, inputs: &[TensorType]) -> Result<TensorType, Error> {
        unary_f32(inputs)
    }
}

impl Run<f32> for HardSwish {
    fn run(&self, node: &Node, mem: &Memory, rows: Range<usize>) {
        // The gate first: x * 6 may overflow.
        map(node, mem, rows, |x: f32| x * (clamp_f32(x + 3.0, (0.0, 6.0)) / 6.0));
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use crate::ops::testing::{Case, Tensor};

    #[test]
    fn the_table_is_near_f32() {
        let (scale, zero_point, out_scale, out_zero_point) = (0.05, 11, 0.027, -114);
        let table = HardSwish::table((scale, zero_point), (out_scale, out_zero_point)).unwrap();
        let real: Vec<f32> = (-128..128).map(|q| scale * (q - zero_point) as f32).collect();
        let f32 = Case::new(HardSwish {}, [Tensor::new(&[4, 64], &real)]);
        f32.assert_contract();
        for (stored, real) in table.into_iter().zip(f32.run::<f32>().unwrap()) {
            let want = (real / out_scale + out_zero_point as f32).clamp(-128.0, 127.0);
            assert!((stored as f32 - want).abs() < 1.0, "{stored} {want}");
        }
    }

    #[test]
    fn what_16_bits_do_not_reach_has_no_table() {
        let has = |scale, out_scale| HardSwish::table((scale, 0), (out_scale, 0)).is_some();
        assert!(has(0.05, 0.05) && has(1e-6, 1e-6) && has(250.0, 250.0) && has(1.0, 500.0));
        assert!(!has(1.0, 1.0 / 128.0) && !has(1.0, 600.0), "output");
        assert!(!has(400.0, 400.0) && !has(1e-7, 1e-7), "gate");
        assert!([0.0, -1.0, f32::NAN, f32::INFINITY].iter().all(|&s| !has(s, 0.05) && !has(0.05, s)));
        assert!(HardSwish::table((0.05, 128), (0.05, 0)).is_none());
        assert!(HardSwish::table((0.05, 0), (0.05, -129)).is_none());
    }
}
