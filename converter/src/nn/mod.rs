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
//! [`Symbol`]s make networks of any other shape: branches and skips, several inputs and outputs, layers that share weights.
//!
//! Nothing here computes: a layer adds nodes to a [`Graph`](crate::Graph), and training steps and
//! evaluations are graphs that the runtime runs.

mod attention;
mod batch_norm;
mod callback;
mod checkpoint;
mod confusion;
mod container;
mod conv1d;
mod curve;
mod dataset;
mod evaluate;
mod fit;
mod functional;
mod initializer;
mod loss;
mod metrics;
mod network;
mod optimizer;
mod penalty;
mod post_training;
mod predictions;
mod quantized;
mod recurrent;
mod schedule;
mod simple;
mod simulation;
mod source;
mod step;
mod summary;
mod tensorboard;
mod trace;
mod transposed;
mod weighted;
mod weights;

pub use attention::{Attention, Embedding, LayerNorm, PointwiseDense};
pub use batch_norm::BatchNorm;
pub use callback::{BatchEnd, Callback, EpochEnd, Next};
pub use confusion::ConfusionMatrix;
pub use container::{Residual, Sequential, Shared};
pub use conv1d::Conv1d;
pub use dataset::Dataset;
pub use fit::{Epoch, FitOptions, History, Progress};
pub use functional::Symbol;
pub use initializer::Initializer;
pub use loss::Loss;
pub use metrics::{Metric, Metrics, auc};
pub use network::Network;
pub use optimizer::Optimizer;
pub use penalty::{Penalized, Penalty};
pub use predictions::Predictions;
pub use quantized::Rounding;
pub use recurrent::{Gru, Lstm};
pub use schedule::{EarlyStopping, Schedule};
pub use simple::{
    AveragePool2d, Dropout, Flatten, GlobalAveragePool, MaxPool2d, Relu, Relu6, Reshape, Sigmoid, Softmax,
    Tanh,
};
pub use source::Source;
pub use summary::{LayerSummary, Summary};
pub use tensorboard::TensorBoard;
pub use trace::{Mode, Parameter, Trace};
pub use transposed::Conv2dTranspose;
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

    /// The layer, whose weights (parameters of two or more dimensions, those of layers within included) add a penalty to
    /// the loss that training makes small.
    fn penalized(self, penalty: Penalty) -> Penalized<Self>
    where
        Self: Sized,
    {
        Penalized { layer: self, penalty }
    }
}
