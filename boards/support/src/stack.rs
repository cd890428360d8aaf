//! The RAM between the statics and the top of the stack: how much of it the stack used, and what is free.

use core::ptr;

unsafe extern "C" {
    /// The first byte behind the statics (from the linker script of cortex-m-rt and riscv-rt).
    static mut __sheap: u8;
    /// The first byte above the stack, which grows downwards.
    static _stack_start: u8;
}

/// What the firmware keeps for its stack, and so the most that `used_bytes` can see.
const STACK_BYTES: usize = if cfg!(feature = "usb") { 8192 } else { 4096 };

/// A byte that is unlikely on a stack.
const PAINT: u8 = 0xa5;

/// Bytes that `paint` leaves alone below its caller's stack pointer, for its own frame.
const FRAME_BYTES: usize = 128;

/// Fills the unused part of the stack with a pattern, for `used_bytes`.
pub fn paint() {
    let (bottom, top) = (bottom(), pointer() - FRAME_BYTES);
    // SAFETY: from the stack's end up to below its pointer: RAM that nothing uses.
    unsafe { ptr::write_bytes(bottom, PAINT, top.saturating_sub(bottom as usize)) };
}

/// The most stack in use at any time since `paint`, in bytes.
pub fn used_bytes() -> usize {
    let (mut lowest, top) = (bottom(), &raw const _stack_start as usize);
    // SAFETY: reads RAM of the stack only; volatile, since the compiler does not know who wrote it.
    while (lowest as usize) < top && unsafe { lowest.read_volatile() } == PAINT {
        lowest = lowest.wrapping_add(1);
    }
    top - lowest as usize
}

/// All RAM that neither the statics nor the stack's `STACK_BYTES` need.
///
/// # Safety
/// To be called once: each call gives the same memory.
pub unsafe fn free_ram() -> &'static mut [u8] {
    // SAFETY: the linker put nothing there; the caller asks only once.
    unsafe { free_ram_from(&raw mut __sheap) }
}

/// All RAM from `start` up to the stack's last `STACK_BYTES`.
///
/// # Safety
/// To be called once; nothing else may use the RAM from `start` on but the stack.
pub unsafe fn free_ram_from(start: *mut u8) -> &'static mut [u8] {
    let n_bytes = lowest_address().saturating_sub(start as usize);
    // SAFETY: nothing lies there, as the caller promises, and the stack does not reach it. Whatever the bytes hold, they
    // were written by hardware or by the boot code, never left undefined by Rust.
    unsafe { core::slice::from_raw_parts_mut(start, n_bytes) }
}

/// The address down to which the stack may grow.
fn lowest_address() -> usize {
    (&raw const _stack_start as usize).saturating_sub(STACK_BYTES)
}

/// The lowest byte of the stack.
fn bottom() -> *mut u8 {
    (&raw mut __sheap).with_addr(lowest_address().max(&raw const __sheap as usize))
}

/// The stack pointer.
#[inline(always)]
fn pointer() -> usize {
    let address;
    // SAFETY: copies a register.
    #[cfg(target_arch = "arm")]
    unsafe {
        core::arch::asm!("mov {}, sp", out(reg) address, options(nomem, nostack, preserves_flags))
    };
    // SAFETY: copies a register.
    #[cfg(target_arch = "riscv32")]
    unsafe {
        core::arch::asm!("mv {}, sp", out(reg) address, options(nomem, nostack))
    };
    address
}
