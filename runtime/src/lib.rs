//! Dunlin's runtime: runs neural networks on microcontrollers from a planned arena.
//!
//! No heap, no panic after [`Model::check`], integer results bit-equal on every machine.
//!
//! ```
//! # fn classify(net: &[u8], ops: &[dunlin::Entry], pixels: &[i8]) -> Result<i8, dunlin::Error> {
//! let model = dunlin::Model::check(net, ops)?; // the one trust boundary
//! let mut arena = dunlin::Arena::<1024>::new();
//! let mut session = dunlin::Session::new(&model, &mut arena)?;
//! session.input(0)?.copy_from(pixels)?;
//! let scores = session.run().output::<i8>(0)?;
//! # Ok(scores[0]) }
//! ```
//!
//! The layers, each of which knows only those before it: [`shape`] and [`mem`] (what a tensor is and
//! where it lies), `kernels` (arithmetic on rows), [`ops`] (operators: shape rules and loops over
//! rows), [`model`] (reading and checking a `.dunlin` file), [`session`] (running it).
#![no_std]

#[cfg(target_endian = "big")]
compile_error!("constants are read in place from a little-endian file");

mod check;
pub mod error;
pub mod fixed;
pub mod format;
pub mod frontend;
mod kernels;
mod life;
pub mod math;
pub mod mem;
pub mod model;
pub mod ops;
pub mod session;
pub mod shape;
mod span;

pub use error::Error;
#[cfg(not(target_os = "none"))]
pub use kernels::{fast_f32, host_vectors, limit_host_vectors};
pub use mem::Arena;
pub use model::Model;
pub use ops::Entry;
pub use session::Session;
pub use shape::{DType, Element, Shape, TensorType};

/// Bytes aligned to 16, as a model must be: the constant section is read in place.
#[repr(C, align(16))]
pub struct Aligned<T: ?Sized>(pub T);

/// Embeds a `.dunlin` file as a `&'static [u8]` aligned for [`Model::check`]; it stays in flash.
#[macro_export]
macro_rules! include_model {
    ($path:expr) => {{
        static MODEL: &$crate::Aligned<[u8]> = &$crate::Aligned(*include_bytes!($path));
        &MODEL.0
    }};
}
