//! The arena's borrow, and the views that kernels work on.
//!
//! A step reads some tensors of the arena and writes others; in place, it does both on the same bytes.
//! Slices cannot say that, so kernels work on `View` (read) and `ViewMut` (write): a pointer and a
//! length whose accessors check their index in debug builds only. That is sound because
//! [`Model::check`](crate::Model::check) has verified every tensor's range and alignment, and every
//! operator's shapes, before a view can exist; the suites and the fuzzer run with the checks on.
//! Views alias freely: no reference into the arena lives while a step runs, and all of a step's views come from one
//! pointer to each memory, which may reach all of it.

mod view;

use core::marker::PhantomData;
use core::ops::Range;

pub(crate) use view::{Rows, RowsMut, View, ViewMut};

use crate::Element;
#[cfg(feature = "memories")]
use crate::format::MAX_MEMORIES;

/// `N` bytes of working memory for a [`Session`](crate::Session), aligned to 16. Put it in a `static` or on
/// the stack.
#[repr(C, align(16))]
pub struct Arena<const N: usize>([u8; N]);

impl<const N: usize> Arena<N> {
    /// An arena of zeros.
    pub const fn new() -> Self {
        Arena([0; N])
    }
}

impl<const N: usize> Default for Arena<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> core::ops::Deref for Arena<N> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> core::ops::DerefMut for Arena<N> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// The working memory of a session: the arena in one piece, or a slice for each memory of the plan.
pub(crate) struct Parts<'a> {
    first: &'a mut [u8],
    /// The others, and where in the arena each begins.
    #[cfg(feature = "memories")]
    others: [(usize, &'a mut [u8]); MAX_MEMORIES - 1],
}

impl<'a> Parts<'a> {
    pub(crate) fn one(arena: &'a mut [u8]) -> Parts<'a> {
        Parts {
            first: arena,
            #[cfg(feature = "memories")]
            others: [0; MAX_MEMORIES - 1].map(|_| (usize::MAX, &mut [][..])),
        }
    }

    /// The first memory, and for the others where they begin (nowhere: [`usize::MAX`]) and their bytes.
    #[cfg(feature = "memories")]
    pub(crate) fn several(
        first: &'a mut [u8],
        others: [(usize, &'a mut [u8]); MAX_MEMORIES - 1],
    ) -> Parts<'a> {
        Parts { first, others }
    }

    /// The same for a shorter time.
    pub(crate) fn reborrow(&mut self) -> Parts<'_> {
        Parts {
            first: self.first,
            #[cfg(feature = "memories")]
            others: self.others.each_mut().map(|(start, bytes)| (*start, &mut **bytes)),
        }
    }

    /// The first memory, which is all there is if the arena is in one piece.
    pub(crate) fn first_mut(&mut self) -> &mut [u8] {
        self.first
    }

    pub(crate) fn get(&self, range: Range<usize>) -> Option<&[u8]> {
        #[cfg(feature = "memories")]
        if let Some((start, bytes)) = self.others.iter().rfind(|(start, _)| *start <= range.start) {
            return bytes.get(range.start - start..range.end.checked_sub(*start)?);
        }
        self.first.get(range)
    }

    pub(crate) fn get_mut(&mut self, range: Range<usize>) -> Option<&mut [u8]> {
        #[cfg(feature = "memories")]
        if let Some((start, bytes)) = self.others.iter_mut().rfind(|(start, _)| *start <= range.start) {
            return bytes.get_mut(range.start - *start..range.end.checked_sub(*start)?);
        }
        self.first.get_mut(range)
    }

    /// All bytes to zero.
    pub(crate) fn clear(&mut self) {
        self.first.fill(0);
        #[cfg(feature = "memories")]
        self.others.iter_mut().for_each(|(_, bytes)| bytes.fill(0));
    }

    /// What a step can reach.
    pub(crate) fn memory<'s>(&'s mut self, constants: &'s [u8]) -> Memory<'s> {
        Memory {
            #[cfg(feature = "memories")]
            others: self.others.each_mut().map(|(start, bytes)| (*start, bytes.as_mut_ptr(), bytes.len())),
            ..Memory::new(self.first, constants)
        }
    }
}

/// What a step can reach: the arena (read and write) and the model's constants (read).
#[derive(Clone, Copy)]
pub struct Memory<'a> {
    arena: *mut u8,
    arena_bytes: usize,
    /// Memories behind the first: where in the arena they begin, their first byte, and their length.
    #[cfg(feature = "memories")]
    others: [(usize, *mut u8, usize); MAX_MEMORIES - 1],
    constants: &'a [u8],
    borrow: PhantomData<&'a mut [u8]>,
}

impl<'a> Memory<'a> {
    pub(crate) fn new(arena: &'a mut [u8], constants: &'a [u8]) -> Memory<'a> {
        Memory {
            arena: arena.as_mut_ptr(),
            arena_bytes: arena.len(),
            #[cfg(feature = "memories")]
            others: [(usize::MAX, core::ptr::null_mut(), 0); MAX_MEMORIES - 1],
            constants,
            borrow: PhantomData,
        }
    }

    /// The memory in which byte `offset` of the arena is, from that byte on: its address and the bytes behind it.
    #[inline(always)]
    fn part(&self, offset: usize) -> (*mut u8, usize) {
        #[cfg(feature = "memories")]
        if let Some((start, ptr, len)) = self.others.iter().rfind(|(start, ..)| *start <= offset) {
            return (ptr.wrapping_add(offset - start), (start + len).saturating_sub(offset));
        }
        (self.arena.wrapping_add(offset), self.arena_bytes.saturating_sub(offset))
    }

    /// `count` elements at byte `offset` of the arena.
    #[inline(always)]
    pub(crate) fn arena<T: Element>(&self, offset: usize, count: usize) -> ViewMut<'a, T> {
        let (ptr, len) = self.part(offset);
        debug_assert!(offset.is_multiple_of(T::DTYPE.bytes()));
        debug_assert!(count * T::DTYPE.bytes() <= len);
        ViewMut { ptr: ptr.cast(), len: count, borrow: PhantomData }
    }

    /// Elements of the arena from byte `offset` on: rows of them are placed by a table.
    #[inline(always)]
    pub(crate) fn arena_from<T: Element>(&self, offset: usize) -> ViewMut<'a, T> {
        let (ptr, len) = self.part(offset);
        ViewMut { ptr: ptr.cast(), len: len / T::DTYPE.bytes(), borrow: PhantomData }
    }

    /// A row table of `period` entries at byte `offset` of the constant section.
    #[inline(always)]
    pub(crate) fn table(&self, offset: usize, period: usize) -> View<'a, u16> {
        debug_assert!(offset.is_multiple_of(2) && offset + 2 * period <= self.constants.len());
        View { ptr: self.constants.as_ptr().wrapping_add(offset).cast(), len: period, borrow: PhantomData }
    }

    /// `count` elements at byte `offset` of the constant section.
    #[inline(always)]
    pub(crate) fn constant<T: Element>(&self, offset: usize, count: usize) -> View<'a, T> {
        debug_assert!(offset.is_multiple_of(T::DTYPE.bytes()));
        debug_assert!(offset + count * T::DTYPE.bytes() <= self.constants.len());
        View { ptr: self.constants.as_ptr().wrapping_add(offset).cast(), len: count, borrow: PhantomData }
    }
}

/// The entries of a row table; `None` if the bytes do not start at an even address.
pub(crate) fn row_table(bytes: &[u8]) -> Option<View<'_, u16>> {
    // SAFETY: every bit pattern is a u16; only the middle part is aligned and used.
    match unsafe { bytes.align_to::<u16>() } {
        ([], entries, []) => Some(View::from(entries)),
        _ => None,
    }
}

/// An arena's bytes as elements.
///
/// Returns `None` if the bytes are misaligned for `T` or do not divide into whole elements.
pub fn cast<T: Element>(bytes: &[u8]) -> Option<&[T]> {
    // SAFETY: every bit pattern is a value of an `Element`; only the middle part is aligned and used.
    match unsafe { bytes.align_to::<T>() } {
        ([], elements, []) => Some(elements),
        _ => None,
    }
}

/// [`cast`] for writing.
pub fn cast_mut<T: Element>(bytes: &mut [u8]) -> Option<&mut [T]> {
    // SAFETY: as in `cast`, and the borrow is exclusive.
    match unsafe { bytes.align_to_mut::<T>() } {
        ([], elements, []) => Some(elements),
        _ => None,
    }
}

/// Elements as the bytes that hold them (in the machine's order, which is little-endian).
pub fn bytes_of<T: Element>(elements: &[T]) -> &[u8] {
    // SAFETY: an `Element` has no padding, and u8 no alignment.
    unsafe { core::slice::from_raw_parts(elements.as_ptr().cast(), core::mem::size_of_val(elements)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casting_wants_alignment_and_whole_elements() {
        let arena = Arena::<16>::new();
        assert_eq!(cast::<i32>(&arena).map(<[i32]>::len), Some(4));
        assert_eq!(cast::<i32>(&arena[1..9]), None);
        assert_eq!(cast::<i32>(&arena[..6]), None);
        assert_eq!(cast::<i8>(&arena[3..9]).map(<[i8]>::len), Some(6));
    }
}
