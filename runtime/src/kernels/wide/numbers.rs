//! What the kernels ask of a dtype; `int8` and `float32` have the answers.

use super::cpu::{Cpu, TAPS_I8};
use crate::Element;

/// Weighted sums in vectors: activations are staged and weights laid out in words, `TAPS` of them in 32 bits.
pub trait Numbers: Copy {
    /// Element of activations and weights.
    type T: Element;
    /// A staged activation.
    type Staged: Copy;
    /// Activations or weights in a word.
    const TAPS: usize;
    /// Whether sums are the same in every order.
    const ANY_ORDER: bool;
    /// The constants of as many channels as a vector has lanes.
    type Channels<C: Cpu>: Copy;

    /// The activation that stands for 0, and the same staged.
    fn padding<C: Cpu>(&self) -> (Self::T, Self::Staged);
    /// What stages the activations of a word: the bits that are flipped.
    fn flip<C: Cpu>() -> i32;
    /// Whether the sums of the weights count.
    fn wants_weights<C: Cpu>(&self) -> bool;
    /// Stages `len` activations.
    ///
    /// # Safety
    /// They can be read and written.
    unsafe fn stage<C: Cpu>(&self, cpu: C, from: *const Self::T, to: *mut Self::Staged, len: usize);
    /// The words of `LANES` channels: element `i` of each of `ROWS` rows, in int8 three or four.
    ///
    /// # Safety
    /// `LANES` elements behind each of them can be read.
    unsafe fn interleave<C: Cpu, const ROWS: usize>(cpu: C, from: [*const Self::T; TAPS_I8]) -> C::V;
    /// Adds the products of a word of activations and one of weights.
    fn dot<C: Cpu>(cpu: C, acc: C::V, x: C::V, w: C::V) -> C::V;
    /// Adds weights, if their sum is wanted.
    fn add_weights<C: Cpu>(cpu: C, sum: C::V, w: C::V) -> C::V;
    /// Adds sums.
    fn add<C: Cpu>(cpu: C, a: C::V, b: C::V) -> C::V;
    /// See [`Cpu::sums_of_quarters`].
    fn sums_of_quarters<C: Cpu>(cpu: C, v: [C::V; 4]) -> C::V;
    /// See [`Cpu::add_quarters`].
    fn add_quarters<C: Cpu>(cpu: C, a: C::V, b: C::V) -> C::V;
    /// The constants of `n` channels from `c` on, whose weights have these sums. Lanes that are left repeat them.
    fn channels<C: Cpu>(&self, cpu: C, c: usize, n: usize, weights: C::V) -> Self::Channels<C>;
    /// The sums before the first product.
    fn begin<C: Cpu>(channels: &Self::Channels<C>) -> C::V;
    /// Writes outputs of these channels, given a vector after the other.
    ///
    /// # Safety
    /// They can be written, and the sums read, and there are the constants of so many vectors of channels.
    unsafe fn finish<C: Cpu>(
        &self,
        cpu: C,
        channels: *const Self::Channels<C>,
        sums: Sums<C>,
        to: *mut Self::T,
    );
}

/// Sums of some vectors of channels at some positions: those of a position follow each other.
pub struct Sums<C: Cpu> {
    pub first: *const C::V,
    /// 1, 2 or 4.
    pub vectors: usize,
    pub positions: usize,
    /// Channels that are there: all but some of the last vector.
    pub channels: usize,
    /// Outputs from position to position.
    pub out_step: usize,
}
