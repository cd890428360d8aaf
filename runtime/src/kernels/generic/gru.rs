//! One step of a gated recurrent unit. Gates stand in the order r (reset), z (update), n (new).

use super::dot::dot_f32;
use super::gates::{Projection, logistic_q15, mul_q15, saturate_i16, tanh_q15, to_q7};
use crate::math;
use crate::mem::{View, ViewMut};

/// Weights `[3h, c]` and `[3h, h]` with the biases `[3h]` of both.
pub struct GruF32<'a> {
    pub w: View<'a, f32>,
    pub u: View<'a, f32>,
    pub b: View<'a, f32>,
    pub c: View<'a, f32>,
}

/// What unit `j` computes on the way.
pub struct Gates {
    pub r: f32,
    pub z: f32,
    pub n: f32,
    /// What the hidden state adds to the argument of `n` before `r` takes its part.
    pub from_hidden: f32,
}

impl GruF32<'_> {
    /// The gates of unit `j` for input `x` and the hidden state `h` before it.
    pub fn gates(&self, x: View<f32>, h: View<f32>, j: usize) -> Gates {
        let units = h.len();
        let project = |gate: usize| {
            let row = gate.wrapping_mul(units).wrapping_add(j);
            let from_input = dot_f32(self.b.at(row), x, self.w.slice(row.wrapping_mul(x.len()), x.len()));
            (from_input, dot_f32(self.c.at(row), h, self.u.slice(row.wrapping_mul(units), units)))
        };
        let ((rx, rh), (zx, zh), (nx, from_hidden)) = (project(0), project(1), project(2));
        let (r, z) = (math::logistic(rx + rh), math::logistic(zx + zh));
        Gates { r, z, n: math::tanh(nx + r * from_hidden), from_hidden }
    }

    /// The hidden state `next` after input `x` on `h`.
    pub fn step(&self, x: View<f32>, h: View<f32>, next: ViewMut<f32>) {
        for j in 0..h.len() {
            let Gates { z, n, .. } = self.gates(x, h, j);
            next.set(j, n + z * (h.at(j) - n));
        }
    }
}

/// int8 weights of both projections.
pub struct GruI8<'a> {
    pub input: Projection<'a>,
    pub recurrent: Projection<'a>,
}

impl GruI8<'_> {
    /// One step on input `x`: `state` is the hidden state in Q0.15, `h` the same in Q0.7.
    pub fn step(&self, x: View<i8>, state: ViewMut<i16>, h: ViewMut<i8>) {
        let units = h.len();
        for j in 0..units {
            let project = |gate: usize| {
                let row = gate.wrapping_mul(units).wrapping_add(j);
                (self.input.apply(x, row), self.recurrent.apply(h.view(), row))
            };
            let gate =
                |(from_input, from_hidden): (i32, i32)| logistic_q15(from_input.saturating_add(from_hidden));
            let (r, z) = (gate(project(0)), gate(project(1)));
            let (from_input, from_hidden) = project(2);
            let n = tanh_q15(from_input.saturating_add(mul_q15(r, saturate_i16(from_hidden))));
            let before = state.at(j) as i32;
            state.set(j, n.wrapping_add(mul_q15(z, before.wrapping_sub(n))) as i16);
        }
        for j in 0..units {
            h.set(j, to_q7(state.at(j) as i32));
        }
    }
}

/// Goes back one step: `dh` is the gradient of the hidden state after it, and becomes that of the hidden state `h` before
/// it. `from_input` and `from_hidden` `[3h]` take the gradients of the arguments as input and hidden state make them.
pub fn gru_step_back(
    gru: &GruF32,
    (x, h): (View<f32>, View<f32>),
    dh: ViewMut<f32>,
    from_input: ViewMut<f32>,
    from_hidden: ViewMut<f32>,
) {
    let units = h.len();
    for j in 0..units {
        let Gates { r, z, n, from_hidden: hidden } = gru.gates(x, h, j);
        let d = dh.at(j);
        let dn = d * (1.0 - z) * (1.0 - n * n);
        let dr = dn * hidden * r * (1.0 - r);
        let dz = d * (h.at(j) - n) * z * (1.0 - z);
        let at = |gate: usize| gate.wrapping_mul(units).wrapping_add(j);
        for (gate, [in_x, in_h]) in [[dr, dr], [dz, dz], [dn, dn * r]].into_iter().enumerate() {
            from_input.set(at(gate), in_x);
            from_hidden.set(at(gate), in_h);
        }
        dh.set(j, d * z);
    }
    for row in 0..from_hidden.len() {
        super::conv_grad::add_scaled(dh, from_hidden.at(row), gru.u.slice(row.wrapping_mul(units), units));
    }
}
