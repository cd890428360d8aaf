//! How parameters follow their gradients.

use dunlin::ops;

use crate::{Data, Graph, Result, TensorId};

/// An optimizer with its learning rate. Weight decay acts on weights (parameters of two or more dimensions),
/// not on biases and normalization.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// Learning rate.
        rate: f64,
        /// Part of the velocity that stays.
        momentum: f32,
        /// Whether the step looks one momentum ahead.
        nesterov: bool,
        /// L2 penalty, added to the gradient.
        weight_decay: f32,
    },
    /// Adam; with weight decay, AdamW.
    Adam {
        /// Learning rate.
        rate: f64,
        /// Parts of the moments that stay.
        betas: [f32; 2],
        /// Added to the root of the second moment.
        epsilon: f32,
        /// Part of the weights that a step takes away, times the rate.
        weight_decay: f32,
    },
    /// RMSprop: the gradient over the root of its running mean square (Tieleman and Hinton 2012).
    RmsProp {
        /// Learning rate.
        rate: f64,
        /// Part of the mean square that stays.
        decay: f32,
        /// Added to the root.
        epsilon: f32,
        /// Part of the weights that a step takes away, times the rate.
        weight_decay: f32,
    },
}

impl Optimizer {
    /// Plain gradient descent.
    pub fn sgd(rate: f64) -> Optimizer {
        Optimizer::Sgd { rate, momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }

    /// Gradient descent with Nesterov's momentum.
    pub fn momentum(rate: f64, momentum: f32) -> Optimizer {
        Optimizer::Sgd { rate, momentum, nesterov: true, weight_decay: 0.0 }
    }

    /// Adam with betas 0.9 and 0.999 and epsilon 1e-7.
    pub fn adam(rate: f64) -> Optimizer {
        Optimizer::Adam { rate, betas: [0.9, 0.999], epsilon: 1e-7, weight_decay: 0.0 }
    }

    /// RMSprop with decay 0.99 and epsilon 1e-8.
    pub fn rms_prop(rate: f64) -> Optimizer {
        Optimizer::RmsProp { rate, decay: 0.99, epsilon: 1e-8, weight_decay: 0.0 }
    }

    /// With another weight decay.
    pub fn weight_decay(mut self, decay: f32) -> Optimizer {
        match &mut self {
            Optimizer::Sgd { weight_decay, .. }
            | Optimizer::Adam { weight_decay, .. }
            | Optimizer::RmsProp { weight_decay, .. } => *weight_decay = decay,
        }
        self
    }

    /// The learning rate that the schedule scales.
    pub fn rate(&self) -> f64 {
        match *self {
            Optimizer::Sgd { rate, .. } | Optimizer::Adam { rate, .. } | Optimizer::RmsProp { rate, .. } => {
                rate
            }
        }
    }

    /// Adds the input that [`Optimizer::rates`] fills.
    pub(super) fn trace_rates(&self, graph: &mut Graph) -> Result<TensorId> {
        graph.input("rates", &[self.rates(1.0, 1).len()])
    }

    /// Numbers of step `step` (from 1 on), with `factor` times the learning rate.
    pub(super) fn rates(&self, factor: f64, step: u64) -> Vec<f32> {
        let rate = (self.rate() * factor) as f32;
        match *self {
            Optimizer::Sgd { .. } => vec![rate],
            Optimizer::Adam { betas, .. } => {
                let correct = |beta: f32| (1.0 / (1.0 - libm::pow(beta as f64, step as f64))) as f32;
                vec![rate, correct(betas[0]), correct(betas[1])]
            }
            // Its mean square starts from zero, and is taken as it is.
            Optimizer::RmsProp { .. } => vec![rate, 1.0, 1.0],
        }
    }

    /// Appends the update of `parameter`.
    pub(super) fn trace_update(
        &self,
        graph: &mut Graph,
        parameter: TensorId,
        gradient: TensorId,
        rates: TensorId,
    ) -> Result<()> {
        let (name, dims) = (format!("{}/update", graph[parameter].name), graph.dims(parameter));
        let mut slot = |what: &str| {
            let zeros = Data::F32(vec![0.0; dims.iter().product()]);
            graph.state(&format!("{name}/{what}"), &dims, zeros)
        };
        let decay = |weight_decay: f32| if dims.len() > 1 { weight_decay } else { 0.0 };
        match *self {
            Optimizer::Sgd { momentum, nesterov, weight_decay, .. } => {
                let velocity = slot("velocity")?;
                let op = ops::Sgd { momentum, nesterov, weight_decay: decay(weight_decay) };
                graph.update(&name, op, &[parameter, gradient, velocity, rates], &[parameter, velocity])
            }
            Optimizer::Adam { betas, epsilon, weight_decay, .. } => {
                let op = ops::Adam { betas, epsilon, weight_decay: decay(weight_decay) };
                let states = [parameter, slot("first")?, slot("second")?];
                graph.update(&name, op, &[parameter, gradient, states[1], states[2], rates], &states)
            }
            // Adam whose first moment is the gradient itself.
            Optimizer::RmsProp { decay: beta, epsilon, weight_decay, .. } => {
                let op = ops::Adam { betas: [0.0, beta], epsilon, weight_decay: decay(weight_decay) };
                let states = [parameter, slot("first")?, slot("second")?];
                graph.update(&name, op, &[parameter, gradient, states[1], states[2], rates], &states)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Program;
    use crate::program::set_input;

    /// Three updates of a parameter `[3, 1]` whose gradient is `c * p`.
    fn three_updates(optimizer: Optimizer) -> Vec<f32> {
        let mut graph = Graph::new("descent");
        let p = graph.state("p", &[3, 1], Data::F32(vec![1.0, -2.0, 0.5])).unwrap();
        let c = graph.constant("c", &[3, 1], Data::F32(vec![1.0, 0.5, 4.0])).unwrap();
        let gradient = graph.mul("gradient", c, p).unwrap();
        let rates = optimizer.trace_rates(&mut graph).unwrap();
        optimizer.trace_update(&mut graph, p, gradient, rates).unwrap();
        graph.mark_output(p);
        let program = Program::compile(&graph).unwrap();
        let (model, mut arena) = (program.model().unwrap(), program.arena());
        let mut session = program.session(&model, &mut arena).unwrap();
        for step in 1..=3 {
            set_input(&mut session, 0, &Data::F32(optimizer.rates(1.0, step))).unwrap();
            session.run();
        }
        session.output::<f32>(0).unwrap().to_vec()
    }

    /// The numbers are those of `optimizer.py`.
    #[test]
    fn updates_are_the_papers() {
        let momentum = Optimizer::Sgd { rate: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.01 };
        let expected = [
            (Optimizer::sgd(0.1), [0.729, -1.71475, 0.108]),
            (momentum, [0.4813245, -1.4524843, -0.2711232]),
            (Optimizer::momentum(0.1, 0.9), [0.327321, -1.2629252, -0.216648]),
            (Optimizer::adam(0.1), [0.7015863, -1.7006234, 0.2048713]),
            (Optimizer::adam(0.1).weight_decay(0.1), [0.6751013, -1.6443687, 0.1934156]),
        ];
        for (optimizer, expected) in expected {
            for (p, expected) in three_updates(optimizer).iter().zip(expected) {
                assert!((p - expected).abs() < 2e-6, "{optimizer:?}: {p} is not {expected}");
            }
        }
    }

    #[test]
    fn adams_corrections_undo_the_start_from_zero() {
        let rates = Optimizer::adam(0.5).rates(0.5, 2);
        assert_eq!(rates[0], 0.25);
        assert!(
            (rates[1] - 1.0 / 0.19).abs() < 1e-5 && (rates[2] - 1.0 / 0.001999).abs() < 1e-2,
            "{rates:?}"
        );
    }
}
