//! Kernels for CPUs with wide vectors and large caches: hosts. Each is written once, over the vectors of a [`Cpu`]; a CPU's
//! folder says what its vectors do, and which of them the machine has. A file here has the name of the generic file whose
//! functions it replaces; the others hold what several of them share.
//!
//! A layer's weights are laid out for the vectors at each call, on the stack: a file made for any core runs, the
//! caller's memory is what the plan says, and a call computes many rows as a rule.

/// The entries of a layer whose window slides over an image, in int8 and f32: those of `generic`, if the function behind `by`
/// finds that the machine or the layer is not one for it.
macro_rules! layer_entries {
    ($generic:ident: $int8:ident, $float32:ident by $rows:ident) => {
        #[doc = concat!("[`generic::", stringify!($generic), "::", stringify!($int8), "`].")]
        pub fn $int8(
            arithmetic: &I8,
            geometry: &Geometry,
            x: &Rows<i8>,
            w: View<i8>,
            rows: Range<usize>,
            out: &RowsMut<i8>,
            scratch: ViewMut<i32>,
        ) {
            if !$rows(Int8::new(arithmetic), geometry, x, w, rows.clone(), out) {
                generic::$generic::$int8(arithmetic, geometry, x, w, rows, out, scratch);
            }
        }

        #[doc = concat!("[`generic::", stringify!($generic), "::", stringify!($float32), "`].")]
        pub fn $float32(
            arithmetic: &F32,
            geometry: &Geometry,
            x: &Rows<f32>,
            w: View<f32>,
            rows: Range<usize>,
            out: &RowsMut<f32>,
        ) {
            if !is_f32_fast() || !$rows(Float32(arithmetic), geometry, x, w, rows.clone(), out) {
                generic::$generic::$float32(arithmetic, geometry, x, w, rows, out);
            }
        }
    };
}

pub(crate) mod add;
pub(crate) mod conv;
pub(crate) mod depthwise;
pub(crate) mod fully_connected;
pub(crate) mod pool;

pub(crate) mod cpu;
mod float32;
mod int8;
mod numbers;
mod planes;
mod room;
mod tile;
pub(crate) mod vectors;

#[cfg(test)]
mod tests;
