//! One step of a long short-term memory. Gates stand in the order i (input), f (forget), g (new), o (output).

use super::arithmetic::clamp_f32;
use super::conv_grad::add_scaled;
use super::dot::dot_f32;
use super::gates::{Projection, saturate_i16};
use super::requantize::{Factor, saturate};
use crate::math;
use crate::mem::{View, ViewMut};

/// Gates of a unit.
pub const GATES: usize = 4;

/// Weights `[4h, c]` and `[4h, h]` with the bias `[4h]`.
pub struct LstmF32<'a> {
    pub w: View<'a, f32>,
    pub u: View<'a, f32>,
    pub b: View<'a, f32>,
    /// Cells are clamped to it, of both signs.
    pub clip: f32,
}

impl LstmF32<'_> {
    /// The gates i, f, g, o of unit `j` for input `x` and the hidden state `h` before it.
    pub fn gates(&self, x: View<f32>, h: View<f32>, j: usize) -> [f32; GATES] {
        let units = h.len();
        let mut arguments = [0.0; GATES];
        for (gate, argument) in arguments.iter_mut().enumerate() {
            let row = gate.wrapping_mul(units).wrapping_add(j);
            let from_input = dot_f32(self.b.at(row), x, self.w.slice(row.wrapping_mul(x.len()), x.len()));
            *argument = dot_f32(from_input, h, self.u.slice(row.wrapping_mul(units), units));
        }
        let [i, f, g, o] = arguments;
        [math::logistic(i), math::logistic(f), math::tanh(g), math::logistic(o)]
    }

    /// The hidden state `next` and the cells after input `x` on `h`.
    pub fn step(&self, x: View<f32>, h: View<f32>, cells: ViewMut<f32>, next: ViewMut<f32>) {
        for j in 0..h.len() {
            let [i, f, g, o] = self.gates(x, h, j);
            let cell = clamp_f32(f * cells.at(j) + i * g, (-self.clip, self.clip));
            cells.set(j, cell);
            next.set(j, o * math::tanh(cell));
        }
    }
}

/// Goes back one step. `gates` `[4h]` holds those of the step and takes the gradients of their arguments; `cells` are
/// those before it and after it. `dh` and `dcells`, the gradients of what the step makes, become those of what it takes.
pub fn lstm_step_back(
    u: View<f32>,
    gates: ViewMut<f32>,
    [before, after]: [View<f32>; 2],
    dh: ViewMut<f32>,
    dcells: ViewMut<f32>,
) {
    let units = dh.len();
    for j in 0..units {
        let at = |gate: usize| gate.wrapping_mul(units).wrapping_add(j);
        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates.at(at(gate)));
        let tanh = math::tanh(after.at(j));
        let dcell = dcells.at(j) + dh.at(j) * o * (1.0 - tanh * tanh);
        gates.set(at(0), dcell * g * i * (1.0 - i));
        gates.set(at(1), dcell * before.at(j) * f * (1.0 - f));
        gates.set(at(2), dcell * i * (1.0 - g * g));
        gates.set(at(3), dh.at(j) * tanh * o * (1.0 - o));
        dcells.set(j, dcell * f);
    }
    dh.fill(0.0);
    for row in 0..gates.len() {
        add_scaled(dh, gates.at(row), u.slice(row.wrapping_mul(units), units));
    }
}

/// The logistic function at multiples of 1/24, in 65536ths, as 16 bits hold them.
#[derive(Clone, Copy)]
pub struct Curve<'a>(pub View<'a, i16>);

impl Curve<'_> {
    /// Entries of the table.
    pub const LEN: usize = 256;

    /// `65536 * logistic(x / (24 << bits))` with `bits` more fraction bits, between two entries in a line; `end` beyond.
    fn at(&self, x: u32, bits: u32, end: u32) -> u32 {
        let index = x.wrapping_shr(bits) as usize;
        if index >= Self::LEN - 1 {
            return end.wrapping_shl(bits);
        }
        let entry = |i: usize| self.0.at(i) as u16 as u32;
        let slope = entry(index.wrapping_add(1)).wrapping_sub(entry(index));
        let part = x & 1u32.wrapping_shl(bits).wrapping_sub(1);
        entry(index).wrapping_shl(bits).wrapping_add(part.wrapping_mul(slope))
    }

    /// The logistic function in Q0.15 of a Q3.12.
    pub fn logistic_q15(&self, x_q12: i32) -> i32 {
        let x = x_q12.wrapping_mul(3);
        let y = self.at(x.unsigned_abs(), 9, 0x7fff << 1) as i32;
        let y = if x >= 0 {
            y.wrapping_add(1 << 9)
        } else {
            (1i32 << 25).wrapping_sub(y).wrapping_add((1 << 9) - 1)
        };
        y.wrapping_shr(10)
    }

    /// The hyperbolic tangent in Q0.15 of a number of 16 bits with `12 - shift` fraction bits: twice the logistic function
    /// of the double, less 1.
    pub fn tanh_q15(&self, x: i32, shift: i32) -> i32 {
        let scaled = if shift < 0 {
            let down = shift.wrapping_neg() as u32;
            x.wrapping_mul(3).wrapping_add(1i32.wrapping_shl(down.wrapping_sub(1))).wrapping_shr(down)
        } else {
            x.wrapping_mul(3i32.wrapping_shl(shift as u32))
        };
        let y = self.at(scaled.unsigned_abs(), 8, 0xffff) as i32;
        let y = if scaled >= 0 {
            y.wrapping_sub(1 << 23).wrapping_add(1 << 7)
        } else {
            (1i32 << 23).wrapping_sub(y).wrapping_add((1 << 7) - 1)
        };
        y.wrapping_shr(8)
    }
}

/// int8 weights of both projections, and how cells become hidden states.
pub struct LstmI8<'a> {
    pub input: Projection<'a>,
    pub recurrent: Projection<'a>,
    pub curve: Curve<'a>,
    /// Fraction bits of a cell.
    pub cell_bits: i32,
    /// Cells are clamped to it, of both signs, unless it is 0.
    pub clip: i32,
    /// 2^-30 by the scale of the hidden state.
    pub hidden: Factor,
    /// Zero point of the hidden state.
    pub zero_point: i32,
}

impl LstmI8<'_> {
    /// One step on input `x`: `cells` and `h` become those after it; `next` is memory for as many as `h`.
    pub fn step(&self, x: View<i8>, cells: ViewMut<i16>, h: ViewMut<i8>, next: ViewMut<i8>) {
        let units = h.len();
        let kept = Factor { multiplier: 1 << 30, shift: -14 };
        // 2^-30 by the scale of a cell.
        let fresh = Factor { multiplier: 1 << 30, shift: self.cell_bits.wrapping_sub(29) as i8 };
        for j in 0..units {
            let argument = |gate: usize| {
                let row = gate.wrapping_mul(units).wrapping_add(j);
                let from_input = saturate_i16(self.input.apply(x, row));
                saturate_i16(from_input.wrapping_add(saturate_i16(self.recurrent.apply(h.view(), row))))
            };
            let [i, f] = [0, 1].map(|gate| self.curve.logistic_q15(argument(gate)));
            let (g, o) = (self.curve.tanh_q15(argument(2), 0), self.curve.logistic_q15(argument(3)));
            let kept = saturate_i16(kept.apply(f.wrapping_mul(cells.at(j) as i32)));
            let mut cell = saturate_i16(kept.wrapping_add(saturate_i16(fresh.apply(i.wrapping_mul(g)))));
            if self.clip > 0 {
                cell = cell.max(-self.clip).min(self.clip);
            }
            cells.set(j, cell as i16);
            let tanh = self.curve.tanh_q15(cell, 12i32.wrapping_sub(self.cell_bits));
            let hidden = self.hidden.apply(o.wrapping_mul(tanh));
            next.set(j, saturate(hidden, self.zero_point, (i8::MIN, i8::MAX)));
        }
        h.copy_from(next.view());
    }
}
