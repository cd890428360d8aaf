//! Adding one row to the accumulators of a reduction.

use crate::Element;
use crate::mem::{View, ViewMut};

/// Takes the elements of `x`, a row of `[w, c]`, into accumulators: element `[i, j]` into number
/// `i * strides[0] + j * strides[1]`, where a stride of 0 reduces.
pub fn reduce_row<T: Element, Acc: Element>(
    acc: ViewMut<Acc>,
    x: View<T>,
    channels: usize,
    strides: [usize; 2],
    add: impl Fn(Acc, T) -> Acc,
) {
    let (mut i, mut pixel) = (0usize, 0usize);
    while i < x.len() {
        let mut slot = pixel;
        for xs in x.slice(i, channels).iter() {
            acc.set(slot, add(acc.at(slot), xs));
            slot = slot.wrapping_add(strides[1]);
        }
        i = i.wrapping_add(channels);
        pixel = pixel.wrapping_add(strides[0]);
    }
}
