//! Taking pixels together, each channel on its own.

use crate::Element;
use crate::mem::{View, ViewMut};

/// Pixels: `count` of them, each `distance` elements behind the one before.
#[derive(Clone, Copy)]
pub struct Pixels<'a, T> {
    /// From the first element of the first pixel on.
    pub x: View<'a, T>,
    /// Elements from a pixel to the next.
    pub distance: usize,
    /// Number of pixels.
    pub count: usize,
}

/// Takes pixels into an accumulator for each of their channels.
#[inline(always)]
pub fn add_pixels<T: Element, Acc: Element>(
    acc: ViewMut<Acc>,
    pixels: Pixels<T>,
    add: impl Fn(Acc, T) -> Acc,
) {
    for c in 0..acc.len() {
        let (mut sum, mut i) = (acc.at(c), c);
        for _ in 0..pixels.count {
            sum = add(sum, pixels.x.at(i));
            i = i.wrapping_add(pixels.distance);
        }
        acc.set(c, sum);
    }
}
