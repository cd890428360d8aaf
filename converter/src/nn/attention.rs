//! Attention and what networks of it are made of: normalization by vectors, tables of tokens.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::{self, FullyConnected, MatMul, Transpose};

use super::{Initializer, Layer, Trace};
use crate::{Result, TensorId};

/// Multi-head self-attention on sequences `[n, t, c]` (Vaswani et al. 2017): `softmax(q kᵀ / sqrt(c / heads)) v` of each
/// head's share of the channels, then a projection of all. Every step looks at all steps.
///
/// Parameters: `query`, `key`, `value` and `output`, each `/weights` `[c, c]` and `/bias` `[c]`, the channels of a head
/// side by side: PyTorch's `MultiheadAttention` has the first three one below the other in `in_proj_weight`. It is made of
/// products, transpositions and a softmax, and is quantized as those are.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    heads: usize,
}

impl Attention {
    /// `heads` heads, of which the channels are a multiple.
    pub fn new(heads: usize) -> Attention {
        Attention { heads }
    }
}

impl Layer for Attention {
    fn kind(&self) -> &'static str {
        "attention"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let dims = cx.dims(x);
        let [n, t, c] = sequence(cx, x)?;
        if self.heads == 0 || c % self.heads != 0 {
            let heads = self.heads;
            return Err(cx.error(format!("{c} channels of {dims:?} are no multiple of {heads} heads")));
        }
        let width = c / self.heads;
        let mut head = |what: &str| {
            let projected = steps(cx, what, x, c)?;
            let name = cx.name(what);
            let split = cx.graph.reshape(&name, projected, &[n, t, self.heads, width])?;
            cx.graph.apply(&name, Transpose { perm: [0, 2, 1, 3] }, &[split])
        };
        let [q, k, v] = [head("query")?, head("key")?, head("value")?];
        let scores = cx.apply(MatMul::TRANSPOSED_B, &[q, k])?;
        let beta = 1.0 / (width as f32).sqrt();
        let shares = cx.apply(ops::Softmax::F32 { beta }, &[scores])?;
        let mixed = cx.apply(MatMul::PLAIN, &[shares, v])?;
        let side_by_side = cx.apply(Transpose { perm: [0, 2, 1, 3] }, &[mixed])?;
        let name = cx.name("");
        let joined = cx.graph.reshape(&name, side_by_side, &[n, t, c])?;
        steps(cx, "output", joined, c)
    }
}

/// Fully connected layer on every vector of `[.., k]`, with bias: the same weights for each. Weights start as Glorot's
/// uniform. ([`Dense`](super::Dense) takes all vectors of a sample as one.)
#[derive(Clone, Copy, Debug)]
pub struct PointwiseDense {
    units: usize,
}

impl PointwiseDense {
    /// `units` outputs a vector.
    pub fn new(units: usize) -> PointwiseDense {
        PointwiseDense { units }
    }
}

impl Layer for PointwiseDense {
    fn kind(&self) -> &'static str {
        "pointwise_dense"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        steps(cx, "", x, self.units)
    }
}

/// A projection of every vector, with its parameters under `what`.
fn steps(cx: &mut Trace, what: &str, x: TensorId, units: usize) -> Result<TensorId> {
    let mut dims = cx.dims(x);
    let Some(k) = dims.pop() else { return Err(cx.error("takes vectors, not a single number")) };
    let own =
        |parameter: &str| if what.is_empty() { parameter.to_string() } else { format!("{what}/{parameter}") };
    let weights = cx.parameter(&own("weights"), &[units, k], Initializer::GlorotUniform, [k, units])?;
    let bias = cx.parameter(&own("bias"), &[units], Initializer::Zeros, [1, 1])?;
    let name = cx.name(what);
    let flat = cx.graph.reshape(&name, x, &[dims.iter().product(), k])?;
    let projected = cx.graph.apply(&name, FullyConnected::new(Bounds::None), &[flat, weights, bias])?;
    dims.push(units);
    cx.graph.reshape(&name, projected, &dims)
}

/// Dimensions of sequences.
pub(super) fn sequence(cx: &Trace, x: TensorId) -> Result<[usize; 3]> {
    let dims = cx.dims(x);
    dims[..].try_into().map_err(|_| cx.error(format!("takes sequences [n, t, c], not {dims:?}")))
}

/// Layer normalization over the innermost dimension, epsilon 0.001 unless given; gamma starts as 1, beta as 0.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm {
    epsilon: f32,
}

impl LayerNorm {
    /// With epsilon 0.001.
    pub fn new() -> LayerNorm {
        LayerNorm { epsilon: 1e-3 }
    }

    /// What is added to the variance.
    pub fn epsilon(self, epsilon: f32) -> LayerNorm {
        LayerNorm { epsilon }
    }
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl Layer for LayerNorm {
    fn kind(&self) -> &'static str {
        "layer_norm"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let c = cx.graph[x].ty.shape.channels();
        let gamma = cx.parameter("gamma", &[c], Initializer::Ones, [1, 1])?;
        let beta = cx.parameter("beta", &[c], Initializer::Zeros, [1, 1])?;
        cx.apply(ops::LayerNorm::F32 { epsilon: self.epsilon }, &[x, gamma, beta])
    }
}

/// Vectors `[n, t, c]` of whole numbers `[n, t]` below `tokens`: rows of a table that training fills. As the first layer of
/// a network: in int8 the numbers are i32. Rows start as uniform with variance 1 / c.
#[derive(Clone, Copy, Debug)]
pub struct Embedding {
    tokens: usize,
    channels: usize,
}

impl Embedding {
    /// A row of `channels` numbers for each of `tokens`.
    pub fn new(tokens: usize, channels: usize) -> Embedding {
        Embedding { tokens, channels }
    }
}

impl Layer for Embedding {
    fn kind(&self) -> &'static str {
        "embedding"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let (dims, fan) = ([self.tokens, self.channels], 2 * self.channels);
        let table = cx.parameter("table", &dims, Initializer::HeUniform, [fan, fan])?;
        cx.apply(ops::Embedding {}, &[table, x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{
        Dataset, Dense, FitOptions, Flatten, Loss, Network, Optimizer, Residual, Sequential, Softmax,
    };
    use crate::passes::simplify;
    use crate::quantize::{calibrate, quantize, to_f32};
    use crate::{Data, Program};

    /// Sequences of eight letters out of six, and how often the first of them comes again, at most twice.
    fn repetitions(n: usize) -> (Vec<f32>, Vec<usize>) {
        let mut state = 1u32;
        let mut letter = || {
            state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            ((state >> 16) % 6) as f32
        };
        let sequences: Vec<f32> = (0..n * 8).map(|_| letter()).collect();
        let count = |x: &[f32]| x[1..].iter().filter(|&&letter| letter == x[0]).count().min(2);
        let labels = sequences.chunks(8).map(count).collect();
        (sequences, labels)
    }

    /// The task is what attention is for, and every layer of this file takes part. int8 decides the same but rarely.
    #[test]
    fn a_small_transformer_learns_and_is_quantized() {
        let (x, labels) = repetitions(600);
        let data = Dataset::classification(&[8], x, &labels, 3).unwrap();
        let block = |layers: Sequential| Residual::new(layers);
        let layers = Sequential::new()
            .then(Embedding::new(6, 16))
            .then(block(Sequential::new().then(Attention::new(2))))
            .then(LayerNorm::new())
            .then(block(Sequential::new().then(PointwiseDense::new(16)).then(crate::nn::Tanh)))
            .then(Flatten)
            .then(Dense::new(3))
            .then(Softmax);
        let mut network = Network::new("letters", &[8], layers, 1).unwrap();
        let options = FitOptions {
            epochs: 40,
            batch_size: 32,
            optimizer: Optimizer::adam(0.01),
            ..FitOptions::default()
        };
        network.fit(&data, &options).unwrap();
        let accuracy = network.evaluate(&data, Loss::CrossEntropy).unwrap().accuracy.unwrap();
        assert!(accuracy > 0.95, "{accuracy}");
        let mut graph = network.inference_graph(1).unwrap();
        simplify(&mut graph).unwrap();
        let samples: Vec<Vec<Data>> = (0..200).map(|i| vec![Data::F32(data.sample(i).to_vec())]).collect();
        let int8 = quantize(&graph, &calibrate(&graph, &samples).unwrap()).unwrap();
        let (real, int8) = (Program::compile(&graph).unwrap(), Program::compile(&int8).unwrap());
        let best = |y: &[f32]| (0..3).max_by(|&a, &b| y[a].total_cmp(&y[b])).unwrap();
        let same = samples.iter().filter(|sample| {
            let Data::F32(tokens) = &sample[0] else { panic!() };
            let tokens = Data::I32(tokens.iter().map(|&token| token as i32).collect());
            let (real, stored) = (real.run(sample).unwrap(), int8.run(&[tokens]).unwrap());
            let stored = to_f32(stored[0].as_i8().unwrap(), 1.0 / 256.0, -128);
            best(real[0].as_f32().unwrap()) == best(&stored)
        });
        let same = same.count();
        assert!(same >= 192, "{same} of 200");
    }

    #[test]
    fn heads_share_the_channels() {
        let error = Network::new("n", &[4, 6], Sequential::new().then(Attention::new(4)), 1).err().unwrap();
        assert!(
            error.to_string().contains("attention: 6 channels of [1, 4, 6] are no multiple of 4 heads"),
            "{error}"
        );
        let error = Network::new("n", &[6], Sequential::new().then(Attention::new(2)), 1).err().unwrap();
        assert!(error.to_string().contains("takes sequences [n, t, c], not [1, 6]"), "{error}");
    }
}
