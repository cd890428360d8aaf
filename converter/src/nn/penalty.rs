//! What the size of weights adds to the loss: regularization.

use dunlin::ops::Clamp;
use dunlin::ops::bounds::Bounds;

use super::{Layer, Trace};
use crate::{Graph, Result, TensorId};

/// What the weights of a layer add to the loss that training makes small: `l1 * sum(|w|) + l2 * sum(w * w)`, as in Keras.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Penalty {
    /// Of the magnitudes: draws small weights to 0.
    pub l1: f32,
    /// Of the squares: keeps weights small.
    pub l2: f32,
}

impl Penalty {
    /// Nothing.
    pub const NONE: Penalty = Penalty { l1: 0.0, l2: 0.0 };

    /// Of the magnitudes.
    pub fn l1(l1: f32) -> Penalty {
        Penalty { l1, ..Penalty::NONE }
    }

    /// Of the squares.
    pub fn l2(l2: f32) -> Penalty {
        Penalty { l2, ..Penalty::NONE }
    }

    /// Adds the penalty of `weights` to `loss`; `loss` itself if there is none.
    pub(super) fn trace(self, graph: &mut Graph, loss: TensorId, weights: TensorId) -> Result<TensorId> {
        let (name, dims) = (format!("{}/penalty", graph[weights].name), graph.dims(loss));
        let mut total = loss;
        if self.l2 != 0.0 {
            let squares = graph.mul(&name, weights, weights)?;
            let sum = graph.sum_to(&name, squares, &dims)?;
            let l2 = graph.scale(&name, sum, self.l2)?;
            total = graph.add(&name, total, l2)?;
        }
        if self.l1 != 0.0 {
            let relu = Clamp { bounds: Bounds::RELU };
            let negative = graph.scale(&name, weights, -1.0)?;
            let [above, below] = [weights, negative].map(|x| graph.apply(&name, relu, &[x]));
            let magnitudes = graph.add(&name, above?, below?)?;
            let sum = graph.sum_to(&name, magnitudes, &dims)?;
            let l1 = graph.scale(&name, sum, self.l1)?;
            total = graph.add(&name, total, l1)?;
        }
        Ok(total)
    }
}

/// A layer whose weights add a penalty to the loss; see [`Layer::penalized`].
#[derive(Clone, Debug)]
pub struct Penalized<L> {
    pub(super) layer: L,
    pub(super) penalty: Penalty,
}

impl<L: Layer> Layer for Penalized<L> {
    fn kind(&self) -> &'static str {
        self.layer.kind()
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let Penalty { l1, l2 } = self.penalty;
        if ![l1, l2].iter().all(|part| part.is_finite() && *part >= 0.0) {
            return Err(cx.error(format!("its penalty is l1 = {l1}, l2 = {l2}; both must be at least 0")));
        }
        let before = cx.penalize(self.penalty);
        let y = self.layer.forward(cx, x);
        cx.penalize(before);
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::gradients;
    use crate::nn::{Conv2d, Dense, Network, Relu, Sequential};
    use crate::{Data, Program};

    #[test]
    fn weights_are_penalized_and_biases_are_not() {
        let inner = Sequential::new().then(Conv2d::new(2, [1, 1])).then(Relu);
        let layers = Sequential::new().then(inner.penalized(Penalty::l2(0.5))).then(Dense::new(1));
        let network = Network::new("n", &[1, 1, 1], layers, 1).unwrap();
        let of = |name: &str| network.parameters().iter().find(|p| p.name == name).unwrap().penalty;
        assert_eq!(of("block/conv2d/weights"), Penalty::l2(0.5));
        assert_eq!((of("block/conv2d/bias"), of("dense/weights")), (Penalty::NONE, Penalty::NONE));
        let layers = Sequential::new().then(Dense::new(1).penalized(Penalty::l1(-1.0)));
        let error = Network::new("n", &[1], layers, 1).err().unwrap().to_string();
        assert_eq!(error, "dense: its penalty is l1 = -1, l2 = 0; both must be at least 0");
    }

    #[test]
    fn the_gradient_is_that_of_the_sums() {
        let w = [0.5f32, -2.0, 3.0, -0.25];
        let mut graph = Graph::new("penalty");
        let weights = graph.state("w", &[2, 2], Data::F32(w.to_vec())).unwrap();
        let loss = graph.filled("loss", &[1], 1.0).unwrap();
        let total = Penalty { l1: 0.1, l2: 0.01 }.trace(&mut graph, loss, weights).unwrap();
        graph.mark_output(total);
        let gradient = gradients(&mut graph, total, &[weights]).unwrap()[0];
        graph.mark_output(gradient);
        let outputs = Program::compile(&graph).unwrap().run(&[]).unwrap();
        let expected = 1.0 + 0.1 * 5.75 + 0.01 * (0.25 + 4.0 + 9.0 + 0.0625);
        assert!((outputs[0].as_f32().unwrap()[0] - expected).abs() < 1e-6);
        for (g, w) in outputs[1].as_f32().unwrap().iter().zip(w) {
            assert!((g - (0.1 * w.signum() + 0.02 * w)).abs() < 1e-6, "{g} at {w}");
        }
    }
}
