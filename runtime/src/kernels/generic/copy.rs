//! Moving parts of a row.

use crate::Element;
use crate::mem::{View, ViewMut};

/// Where the parts of a row go in a wider one.
#[derive(Clone, Copy, Debug)]
pub struct Chunks {
    /// Number of chunks.
    pub count: usize,
    /// Elements of a chunk.
    pub len: usize,
    /// Where the first one goes.
    pub start: usize,
    /// From one to the next.
    pub stride: usize,
}

/// Copies `x`, cut into chunks, to their places in `out`.
pub fn copy_chunks<T: Element>(x: View<T>, chunks: Chunks, out: ViewMut<T>) {
    let (mut from, mut to) = (0usize, chunks.start);
    for _ in 0..chunks.count {
        out.slice(to, chunks.len).copy_from(x.slice(from, chunks.len));
        from = from.wrapping_add(chunks.len);
        to = to.wrapping_add(chunks.stride);
    }
}
