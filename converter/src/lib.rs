//! Dunlin's host side: from a network to a `.dunlin` file.
//!
//! ```text
//! training, importers → Graph → passes → quantize → lower → dead_channels → pack → plan → write
//!                              └→ exporters
//! ```
//!
//! A [`Graph`] in real numbers is what training makes and passes rewrite. [`lower`](lower::lower) turns it
//! into device form, [`dead_channels`] removes what no output depends on, [`pack`](pack::pack) arranges
//! constants for a core, [`plan`](plan::plan) places tensors, [`write`](write::write) serializes. Nothing
//! here computes an operator: shapes and arithmetic are the runtime's, and [`Program`] runs graphs through it. Only
//! training has kernels of its own beside the runtime's (`host`), for wide vectors and threads.

pub mod autograd;
mod compose;
pub mod data;
pub mod dead_channels;
pub mod device;
#[cfg(test)]
mod differences;
pub mod error;
pub mod export;
pub mod file;
pub mod function;
pub mod graph;
mod host;
pub mod import;
pub mod lives;
pub mod lower;
pub mod nn;
pub mod npy;
pub mod ops;
pub mod pack;
pub mod padding;
pub mod passes;
pub mod plan;
pub mod post_training;
pub mod program;
pub mod quantize;
pub mod report;
pub mod samples;
mod shapes;
pub mod tables;
pub mod timing;
pub mod write;

pub use error::{Error, Result};
pub use graph::{Data, Graph, Kind, Node, NodeId, Quant, Tensor, TensorId};
pub use program::Program;
