//! Rows of a call that may be computed in any order.

use core::ops::Range;

use crate::mem::{Rows, RowsMut};
use crate::ops::window::Geometry;

/// Cuts `rows` into blocks in which no row writes what another one reads, and computes one after the other.
///
/// A plan may let an output's row stand on rows of the image that no later one reads: rows of a call are computed in
/// their order, unless there is no such row among them.
pub fn in_blocks(
    geometry: &Geometry,
    x: &Rows<i8>,
    out: &RowsMut<i8>,
    rows: Range<usize>,
    mut compute: impl FnMut(Range<usize>),
) {
    let mut n = rows.len();
    let mut start = rows.start;
    while start < rows.end {
        let block = |n: usize| start..start.wrapping_add(n).min(rows.end);
        while n > 1 && !are_independent(geometry, x, out, block(n)) {
            n /= 2;
        }
        let block = block(n);
        start = block.end;
        compute(block);
    }
}

/// Whether `rows` write nothing that they read.
#[inline(never)]
fn are_independent(geometry: &Geometry, x: &Rows<i8>, out: &RowsMut<i8>, rows: Range<usize>) -> bool {
    // Rows from the first tap to the last, the padding's cut off.
    let reads = |y: usize| {
        let (image, taps) = geometry.row_taps(y);
        let inside = |y: i32| image.wrapping_add((y.max(0) as usize).min(geometry.input[0]));
        let span = (geometry.kernel[0] as i32).wrapping_sub(1).wrapping_mul(taps.dilation);
        inside(taps.start)..inside(taps.start.wrapping_add(span).wrapping_add(1))
    };
    let read = reads(rows.start).start..reads(rows.end.wrapping_sub(1)).end;
    match (x.joined(read), out.joined(rows)) {
        (Some(read), Some(written)) => {
            let (read, written) = (read.as_ptr_range(), written.view().as_ptr_range());
            read.end <= written.start || written.end <= read.start
        }
        _ => false,
    }
}
