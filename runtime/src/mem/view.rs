//! Views of elements and of rows: the one module of unchecked accessors. See [`mem`](super).

use core::marker::PhantomData;

use crate::Element;
use crate::format::ROW_UNIT_BYTES;

/// `len` elements to read.
pub(crate) struct View<'a, T> {
    pub(super) ptr: *const T,
    pub(super) len: usize,
    pub(super) borrow: PhantomData<&'a T>,
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
    #[cfg(any(target_os = "none", dunlin_host, test))]
    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *const T {
        self.ptr
    }

    /// From the first element to behind the last.
    #[cfg(dunlin_mve)]
    pub(crate) fn as_ptr_range(&self) -> core::ops::Range<*const T> {
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
    pub(super) ptr: *mut T,
    pub(super) len: usize,
    pub(super) borrow: PhantomData<&'a mut T>,
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
    pub(crate) fn joined(&self, rows: core::ops::Range<usize>) -> Option<View<'a, T>> {
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
    pub(crate) fn joined(&self, rows: core::ops::Range<usize>) -> Option<ViewMut<'a, T>> {
        let (start, len) = (rows.start.wrapping_mul(self.len), rows.len().wrapping_mul(self.len));
        if self.table.len() == 0 { Some(self.data.slice(start, len)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
