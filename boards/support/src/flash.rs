//! Flash for models that the host stores: the two slots of `boards/link` over a driver of `embedded-storage`.

use core::cell::RefCell;

use dunlin_link::slots::{Failed, RECORD_BYTES, Slot};
use embedded_storage::nor_flash::NorFlash;

unsafe extern "C" {
    /// The first byte of the region MODELS of the board's `memory.x`.
    static mut _models: u8;
    /// Its length, as an address.
    static _models_bytes: u8;
}

/// Half of the region MODELS.
pub struct FlashSlot<'f, F> {
    driver: &'f RefCell<F>,
    /// Where it begins for the driver.
    offset: u32,
    /// Where it is read.
    address: *const u8,
    n_bytes: usize,
    /// Makes the core see what was written.
    settle: fn(),
}

/// The two halves of the region MODELS, for a driver whose offset 0 is read at the address `base`.
///
/// `settle` is called after each change: for cores whose cache must be told.
pub fn slots<F: NorFlash>(driver: &RefCell<F>, base: usize, settle: fn()) -> [FlashSlot<'_, F>; 2] {
    let (start, n_bytes) = (&raw const _models, &raw const _models_bytes as usize);
    slots_at(driver, start, (start as usize).wrapping_sub(base) as u32, n_bytes, settle)
}

/// The two halves of `n_bytes` that are read at `address` and for the driver are at `offset`.
pub fn slots_at<F: NorFlash>(
    driver: &RefCell<F>,
    address: *const u8,
    offset: u32,
    n_bytes: usize,
    settle: fn(),
) -> [FlashSlot<'_, F>; 2] {
    // A sector belongs to one of them.
    let half = n_bytes / 2 / F::ERASE_SIZE * F::ERASE_SIZE;
    [0, half].map(|start| FlashSlot {
        driver,
        offset: offset.wrapping_add(start as u32),
        address: address.wrapping_add(start),
        n_bytes: half,
        settle,
    })
}

impl<F: NorFlash> Slot for FlashSlot<'_, F> {
    fn bytes(&self) -> &[u8] {
        // SAFETY: flash of the board's that only the driver changes, and that only through the methods below, which
        // borrow this slot mutably.
        unsafe { core::slice::from_raw_parts(self.address, self.n_bytes) }
    }

    fn sector_bytes(&self) -> usize {
        F::ERASE_SIZE
    }

    fn erase(&mut self, offset: usize) -> Result<(), Failed> {
        let from = self.offset.checked_add(offset as u32).ok_or(Failed)?;
        let to = from.checked_add(F::ERASE_SIZE as u32).ok_or(Failed)?;
        self.change(|driver| driver.erase(from, to))
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Failed> {
        const { assert!(RECORD_BYTES.is_multiple_of(F::WRITE_SIZE)) };
        let offset = self.offset.checked_add(offset as u32).ok_or(Failed)?;
        self.change(|driver| driver.write(offset, bytes))
    }
}

impl<F: NorFlash> FlashSlot<'_, F> {
    fn change(&mut self, how: impl FnOnce(&mut F) -> Result<(), F::Error>) -> Result<(), Failed> {
        let mut driver = self.driver.try_borrow_mut().map_err(|_| Failed)?;
        let result = how(&mut driver);
        (self.settle)();
        result.map_err(|_| Failed)
    }
}

/// No cache needs to be told.
pub fn nothing() {}

/// Memory that behaves as flash does, for boards that are emulated: it is erased by sectors, and writing only clears
/// bits.
#[cfg(feature = "emulated")]
pub mod emulated {
    use core::convert::Infallible;

    use embedded_storage::nor_flash::{ErrorType, ReadNorFlash};

    use super::*;

    /// The region MODELS, at the offsets of its addresses.
    pub struct Memory;

    impl ErrorType for Memory {
        type Error = Infallible;
    }

    impl ReadNorFlash for Memory {
        const READ_SIZE: usize = 1;

        fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
            for (from, to) in (offset as usize..).zip(bytes) {
                // SAFETY: an address within MODELS, as the slots promise.
                *to = unsafe { (from as *const u8).read_volatile() };
            }
            Ok(())
        }

        fn capacity(&self) -> usize {
            &raw const _models_bytes as usize
        }
    }

    impl NorFlash for Memory {
        const WRITE_SIZE: usize = 4;
        const ERASE_SIZE: usize = 4096;

        fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
            for address in from..to {
                // SAFETY: as in `read`; nothing borrows the slot while it changes.
                unsafe { (address as usize as *mut u8).write_volatile(0xff) };
            }
            Ok(())
        }

        fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
            for (to, byte) in (offset as usize..).zip(bytes) {
                let to = to as *mut u8;
                // SAFETY: as in `erase`.
                unsafe { to.write_volatile(to.read_volatile() & byte) };
            }
            Ok(())
        }
    }

    /// The slots of an emulated board.
    pub fn slots(driver: &RefCell<Memory>) -> [FlashSlot<'_, Memory>; 2] {
        super::slots(driver, 0, nothing)
    }
}
