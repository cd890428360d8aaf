//! How operators of ONNX become nodes, by what they do.

pub mod broadcast;
pub mod conv;
pub mod dense;
pub mod einsum;
pub mod elementwise;
pub mod logic;
pub mod movement;
pub mod norm;
pub mod pad;
pub mod parts;
pub mod pool;
pub mod recurrent;
pub mod reduce;
pub mod resize;
