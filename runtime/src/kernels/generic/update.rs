//! Updates of parameters, element by element: every tensor may be written where it stands.

use crate::math;
use crate::mem::{View, ViewMut};

/// Stochastic gradient descent with momentum.
pub struct SgdRule {
    pub rate: f32,
    pub momentum: f32,
    pub weight_decay: f32,
    pub nesterov: bool,
}

impl SgdRule {
    /// Updates parameters and velocity.
    pub fn update(
        &self,
        [parameter, gradient, velocity]: [View<f32>; 3],
        [new_parameter, new_velocity]: [ViewMut<f32>; 2],
    ) {
        // Nesterov's step looks one momentum ahead.
        let ahead = if self.nesterov { (self.momentum, 1.0) } else { (1.0, 0.0) };
        for i in 0..parameter.len() {
            let p = parameter.at(i);
            let g = gradient.at(i) + self.weight_decay * p;
            let v = self.momentum * velocity.at(i) + g;
            new_velocity.set(i, v);
            new_parameter.set(i, p - self.rate * (ahead.0 * v + ahead.1 * g));
        }
    }
}

/// Adam with decoupled weight decay.
pub struct AdamRule {
    pub rate: f32,
    /// What makes the moments' estimates unbiased: `1 / (1 - beta^step)`.
    pub corrections: [f32; 2],
    pub betas: [f32; 2],
    pub epsilon: f32,
    pub weight_decay: f32,
}

impl AdamRule {
    /// Updates parameters and both moments.
    pub fn update(
        &self,
        [parameter, gradient, first, second]: [View<f32>; 4],
        [new_parameter, new_first, new_second]: [ViewMut<f32>; 3],
    ) {
        let [beta1, beta2] = self.betas;
        for i in 0..parameter.len() {
            let (p, g) = (parameter.at(i), gradient.at(i));
            let m = beta1 * first.at(i) + (1.0 - beta1) * g;
            let v = beta2 * second.at(i) + (1.0 - beta2) * (g * g);
            let step = m * self.corrections[0] / (math::sqrt(v * self.corrections[1]) + self.epsilon);
            new_first.set(i, m);
            new_second.set(i, v);
            new_parameter.set(i, p - self.rate * (step + self.weight_decay * p));
        }
    }
}
