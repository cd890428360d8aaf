//! The arena's borrow, and the one module of unchecked accessors.
//!
//! A step reads some tensors of the arena and writes others; in place, it does both on the same bytes.
//! Slices cannot say that, so kernels work on `View` (read) and `ViewMut` (write): a pointer and a
//! length whose accessors check their index in debug builds only. That is sound because
//! [`Model::check`](crate::Model::check) has verified every tensor's range and alignment, and every
//! operator's shapes, before a view can exist; the suites and the fuzzer run with the checks on.
//! Views alias freely: no reference into the arena lives while a step runs.

use core::marker::PhantomData;
use core::ops::Range;

use crate::Element;
#[cfg(feature = "memories")]
use crate::format::MAX_MEMORIES;
use crate::format::ROW_UNIT_BYTES;

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

/// `len` elements to read.
pub(crate) struct View<'a, T> {
    ptr: *const T,
    len: usize,
    borrow: PhantomData<&'a T>,
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for View<'_, T> {}

impl<'a, T: Copy> View<'a, T> {
    /// No elements.
    pub(crate) const EMPTY: View<'a, T> =
        View { ptr: core::ptr::NonNull::dangling().as_ptr(), len: 0, borrow: PhantomData };

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first element, for a CPU's kernels.
    #[cfg(any(dunlin_mve, dunlin_dsp, dunlin_armv7m, dunlin_armv6m, dunlin_rv32im, dunlin_host))]
    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *const T {
        self.ptr
    }

    /// From the first element to behind the last.
    #[cfg(dunlin_mve)]
    pub(crate) fn as_ptr_range(&self) -> Range<*const T> {
        self.ptr..self.ptr.wrapping_add(self.len)
    }

    /// Element `i`.
    #[inline(always)]
    pub(crate) fn at(&self, i: usize) -> T {
        debug_assert!(i < self.len, "read of element {i} of {}", self.len);
        // SAFETY: i < len, and `Memory` or `from` made the view on `len` aligned, initialized elements.
        unsafe { self.ptr.add(i).read() }
    }

    /// `len` elements from `start` on.
    #[inline(always)]
    pub(crate) fn slice(&self, start: usize, len: usize) -> View<'a, T> {
        debug_assert!(start + len <= self.len, "view of {start}+{len} in {}", self.len);
        View { ptr: self.ptr.wrapping_add(start), len, borrow: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn iter(self) -> impl Iterator<Item = T> {
        (0..self.len).map(move |i| self.at(i))
    }
}

#[cfg(test)]
impl<'a> View<'a, i32> {
    /// The bytes of words.
    pub(crate) fn bytes(&self) -> View<'a, i8> {
        View { ptr: self.ptr.cast(), len: 4 * self.len, borrow: PhantomData }
    }
}

#[cfg(any(all(target_os = "none", not(any(dunlin_dsp, dunlin_mve))), test))]
impl<'a> View<'a, i8> {
    /// The same bytes as words, of which they are a multiple: they begin at a multiple of 4.
    pub(crate) fn words(&self) -> View<'a, i32> {
        debug_assert!((self.ptr as usize).is_multiple_of(4) && self.len.is_multiple_of(4));
        View { ptr: self.ptr.cast(), len: self.len / 4, borrow: PhantomData }
    }
}

impl<'a, T: Copy> From<&'a [T]> for View<'a, T> {
    fn from(slice: &'a [T]) -> Self {
        View { ptr: slice.as_ptr(), len: slice.len(), borrow: PhantomData }
    }
}

/// `len` elements to read and write. Copies of it write to the same elements.
pub(crate) struct ViewMut<'a, T> {
    ptr: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut T>,
}

impl<T> Clone for ViewMut<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for ViewMut<'_, T> {}

impl<'a, T: Element> ViewMut<'a, T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first element, for a CPU's kernels.
    #[cfg(any(dunlin_mve, dunlin_dsp, dunlin_armv7m, dunlin_armv6m, dunlin_rv32im, dunlin_host))]
    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.ptr
    }

    /// Element `i`.
    #[inline(always)]
    pub(crate) fn at(&self, i: usize) -> T {
        self.view().at(i)
    }

    /// Writes element `i`.
    #[inline(always)]
    pub(crate) fn set(&self, i: usize, value: T) {
        debug_assert!(i < self.len, "write of element {i} of {}", self.len);
        // SAFETY: i < len, and the view stands on `len` aligned elements of the arena or a `&mut` slice.
        unsafe { self.ptr.add(i).write(value) }
    }

    /// `len` elements from `start` on.
    #[inline(always)]
    pub(crate) fn slice(&self, start: usize, len: usize) -> ViewMut<'a, T> {
        debug_assert!(start + len <= self.len, "view of {start}+{len} in {}", self.len);
        ViewMut { ptr: self.ptr.wrapping_add(start), len, borrow: PhantomData }
    }

    /// The same elements, to read.
    #[inline(always)]
    pub(crate) fn view(&self) -> View<'a, T> {
        View { ptr: self.ptr, len: self.len, borrow: PhantomData }
    }

    pub(crate) fn fill(&self, value: T) {
        for i in 0..self.len {
            self.set(i, value);
        }
    }

    /// Copies `from`, of the same length: what stands elsewhere, or on the very same bytes.
    pub(crate) fn copy_from(&self, from: View<T>) {
        debug_assert_eq!(self.len, from.len);
        if core::ptr::eq(self.ptr, from.ptr) {
            return;
        }
        // A copy that may overlap costs 1,600 bytes of flash more on a Cortex-M.
        // SAFETY: both hold `len` elements. They have none in common: what a step reads and what it writes are apart,
        // as the check has verified, unless a row stands on the very row that it is made of.
        unsafe { core::ptr::copy_nonoverlapping(from.ptr, self.ptr, self.len) }
    }
}

impl<'a, T: Element> From<&'a mut [T]> for ViewMut<'a, T> {
    fn from(slice: &'a mut [T]) -> Self {
        ViewMut { ptr: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }
}

/// The rows of an activation. Row `y` is `len` elements; which bytes hold it is the plan's business, so
/// operators ask for rows and never compute addresses.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T>(RowsMut<'a, T>);

impl<'a, T: Element> Rows<'a, T> {
    /// Rows of `len` elements, one behind the other.
    pub(crate) fn new(data: View<'a, T>, len: usize) -> Rows<'a, T> {
        // Only ever read.
        let data = ViewMut { ptr: data.ptr.cast_mut(), len: data.len, borrow: PhantomData };
        Rows(RowsMut::new(data, len))
    }

    #[inline(always)]
    pub(crate) fn row(&self, y: usize) -> View<'a, T> {
        self.0.row(y).view()
    }

    /// [`RowsMut::joined`].
    #[cfg(any(dunlin_mve, dunlin_dsp_fpu, dunlin_host))]
    pub(crate) fn joined(&self, rows: Range<usize>) -> Option<View<'a, T>> {
        self.0.joined(rows).map(|rows| rows.view())
    }
}

/// The rows of an activation to write; see [`Rows`].
#[derive(Clone, Copy)]
pub(crate) struct RowsMut<'a, T> {
    /// From the first byte of the lowest row on.
    data: ViewMut<'a, T>,
    len: usize,
    /// Where the rows are, if they do not follow each other: row `y` at entry `y % table.len()`, in units.
    table: View<'a, u16>,
}

impl<'a, T: Element> RowsMut<'a, T> {
    /// Rows of `len` elements, one behind the other.
    pub(crate) fn new(data: ViewMut<'a, T>, len: usize) -> RowsMut<'a, T> {
        RowsMut { data, len, table: View::from(&[][..]) }
    }

    /// Rows of `len` elements, placed by a table in units of [`ROW_UNIT_BYTES`] behind the start of `data`.
    pub(crate) fn placed(data: ViewMut<'a, T>, len: usize, table: View<'a, u16>) -> RowsMut<'a, T> {
        RowsMut { data, len, table }
    }

    /// The same rows, to read.
    pub(crate) fn read_only(self) -> Rows<'a, T> {
        Rows(self)
    }

    #[inline(always)]
    pub(crate) fn row(&self, y: usize) -> ViewMut<'a, T> {
        let start = match self.table.len() {
            0 => y.wrapping_mul(self.len),
            period => {
                // A division only where the table comes round.
                let i = if y < period { y } else { y.checked_rem(period).unwrap_or(0) };
                // An element has at most the bytes of a unit.
                (self.table.at(i) as usize).wrapping_mul(const { ROW_UNIT_BYTES / size_of::<T>() })
            }
        };
        self.data.slice(start, self.len)
    }

    /// These rows as one, if they follow each other.
    #[cfg(any(dunlin_mve, dunlin_dsp_fpu, dunlin_host))]
    pub(crate) fn joined(&self, rows: Range<usize>) -> Option<ViewMut<'a, T>> {
        let (start, len) = (rows.start.wrapping_mul(self.len), rows.len().wrapping_mul(self.len));
        if self.table.len() == 0 { Some(self.data.slice(start, len)) } else { None }
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

    #[test]
    #[should_panic(expected = "read of element 3 of 3")]
    fn debug_builds_check_every_index() {
        View::from(&[1i8, 2, 3][..]).at(3);
    }

    #[test]
    fn views_alias() {
        let mut data = [1i16, 2, 3, 4];
        let view = ViewMut::from(&mut data[..]);
        view.slice(2, 2).copy_from(view.slice(0, 2).view());
        view.copy_from(view.view());
        view.set(0, view.at(3) + 7);
        assert_eq!(data, [9, 2, 1, 2]);
    }
}
