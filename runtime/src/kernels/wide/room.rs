//! Memory on the stack, as much as a layer needs.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// Where every part begins: at a cache line, as wide as the widest vector.
const ALIGN: usize = 64;
/// The most that there is.
pub const MAX_BYTES: usize = 768 << 10;

/// Memory whose contents are undefined.
pub struct Room<'a> {
    at: *mut u8,
    bytes: usize,
    borrow: PhantomData<&'a mut u8>,
}

impl Room<'_> {
    /// The next `len` elements, if there are so many. Parts do not overlap.
    #[inline(always)]
    pub fn take<T: Copy>(&mut self, len: usize) -> Option<*mut T> {
        let bytes = len.checked_mul(size_of::<T>())?.checked_next_multiple_of(ALIGN)?;
        self.bytes = self.bytes.checked_sub(bytes)?;
        let part = self.at;
        self.at = self.at.wrapping_add(bytes);
        Some(part.cast())
    }

    /// How many bytes are left.
    #[inline(always)]
    pub fn left(&self) -> usize {
        self.bytes
    }
}

#[repr(align(64))]
struct Bytes<const N: usize>(MaybeUninit<[u8; N]>);

/// Calls `then` with `bytes` of memory, or with [`MAX_BYTES`] if that is less. Every page of a frame is touched when it is
/// entered: there are frames of several sizes.
pub fn with_room(bytes: usize, then: &mut dyn FnMut(Room)) {
    match bytes {
        0..=0x1000 => in_frame::<0x1000>(then),
        0x1001..=0x4000 => in_frame::<0x4000>(then),
        0x4001..=0x10000 => in_frame::<0x10000>(then),
        0x10001..=0x30000 => in_frame::<0x30000>(then),
        _ => in_frame::<MAX_BYTES>(then),
    }
}

#[inline(never)]
fn in_frame<const N: usize>(then: &mut dyn FnMut(Room)) {
    let mut memory = Bytes::<N>(MaybeUninit::uninit());
    then(Room { at: memory.0.as_mut_ptr().cast(), bytes: N, borrow: PhantomData });
}
