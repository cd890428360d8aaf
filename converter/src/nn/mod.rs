//! Networks: layers, losses, optimizers, training and evaluation, in the manner of Keras.
//!
//! ```
//! use dunlin_converter::nn::*;
//! # fn main() -> dunlin_converter::Result<()> {
//! let layers = Sequential::new()
//!     .then(Dense::new(16))
//!     .then(Relu)
//!     .then(Dense::new(2))
//!     .then(Softmax);
//! let mut network = Network::new("xor", &[2], layers, 1)?;
//! let x = vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
//! let data = Dataset::classification(&[2], x, &[0, 1, 1, 0], 2)?;
//! let options = FitOptions { epochs: 200, optimizer: Optimizer::adam(0.05), ..FitOptions::default() };
//! network.fit(&data, &options)?;
//! assert_eq!(network.evaluate(&data, Loss::CrossEntropy)?.accuracy, Some(1.0));
//! let graph = network.inference_graph(1)?;
//! # Ok(()) }
//! ```
//!
//! Nothing here computes: a layer adds nodes to a [`Graph`](crate::Graph), and training steps and
//! evaluations are graphs that the runtime runs.

mod batch_norm;
mod checkpoint;
mod container;
mod conv1d;
mod curve;
mod dataset;
mod fit;
mod initializer;
mod loss;
mod network;
mod optimizer;
mod quantized;
mod simple;
mod step;
mod summary;
mod trace;
mod weighted;
mod weights;

pub use batch_norm::BatchNorm;
pub use container::{Residual, Sequential};
pub use conv1d::Conv1d;
pub use dataset::Dataset;
pub use fit::{EarlyStopping, Epoch, FitOptions, History, Metrics, Progress};
pub use initializer::Initializer;
pub use loss::Loss;
pub use network::Network;
pub use optimizer::{Optimizer, Schedule};
pub use simple::{
    AveragePool2d, Dropout, Flatten, GlobalAveragePool, MaxPool2d, Relu, Relu6, Sigmoid, Softmax, Tanh,
};
pub use summary::{LayerSummary, Summary};
pub use trace::{Mode, Parameter, Trace};
pub use weighted::{Conv2d, Dense, DepthwiseConv2d, Windowed};

use crate::{Result, TensorId};

/// A part of a network: a function with parameters.
pub trait Layer {
    /// What kind of layer it is, in lower case: the stem of its name.
    fn kind(&self) -> &'static str;

    /// Adds the layer's nodes to the trace and returns its output. Shapes are checked here.
    ///
    /// # Errors
    /// If the layer does not take `x`; names the layer and the shapes.
    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId>;
}
