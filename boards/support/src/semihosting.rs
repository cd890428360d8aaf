//! The link to the host: the few semihosting calls that the firmware needs.
//!
//! Source: Arm, "Semihosting for AArch32 and AArch64", and RISC-V International, "RISC-V Semihosting" (the same
//! calls behind another trap). Files are opened relative to the folder in which the host started the emulator.

use core::ffi::CStr;

const SYS_OPEN: usize = 0x01;
const SYS_WRITE: usize = 0x05;
const SYS_READ: usize = 0x06;
const SYS_EXIT: usize = 0x18;

/// `ADP_Stopped_ApplicationExit`: the emulator exits with status 0.
const EXIT_SUCCESS: usize = 0x2_0026;
/// `ADP_Stopped_RunTimeErrorUnknown`: the emulator exits with status 1.
const EXIT_FAILURE: usize = 0x2_0023;

/// What a file is opened for: the index of the mode in C's `fopen` as the specification numbers them.
#[derive(Clone, Copy)]
#[repr(usize)]
pub enum Mode {
    /// `"rb"`
    Read = 1,
    /// `"wb"`: created or truncated.
    Write = 5,
}

/// A file of the host. It stays open until the firmware exits.
pub struct File {
    handle: usize,
}

impl File {
    /// Opens a file of the host, or the console with the name `:tt`; `None` when the host refuses.
    pub fn open(name: &CStr, mode: Mode) -> Option<File> {
        let block = [name.as_ptr() as usize, mode as usize, name.count_bytes()];
        // SAFETY: SYS_OPEN reads a block of name, mode and length, all alive during the call.
        let handle = unsafe { call(SYS_OPEN, block.as_ptr() as usize) };
        (handle != usize::MAX).then_some(File { handle })
    }

    /// Reads until `bytes` is full or the file ends; returns the number of bytes read.
    pub fn read(&mut self, bytes: &mut [u8]) -> usize {
        let block = [self.handle, bytes.as_mut_ptr() as usize, bytes.len()];
        // SAFETY: SYS_READ writes at most `bytes.len()` bytes at `bytes`, which is borrowed mutably.
        let n_missing = unsafe { call(SYS_READ, block.as_ptr() as usize) };
        bytes.len().saturating_sub(n_missing)
    }

    /// Writes all of `bytes`; false when the host could not take them.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        let block = [self.handle, bytes.as_ptr() as usize, bytes.len()];
        // SAFETY: SYS_WRITE reads `bytes.len()` bytes at `bytes`.
        let n_missing = unsafe { call(SYS_WRITE, block.as_ptr() as usize) };
        n_missing == 0
    }
}

/// Ends the emulation with exit status 0.
pub fn exit() -> ! {
    stop(EXIT_SUCCESS)
}

/// Ends the emulation with exit status 1.
pub fn exit_failure() -> ! {
    stop(EXIT_FAILURE)
}

fn stop(reason: usize) -> ! {
    loop {
        // SAFETY: on 32-bit cores SYS_EXIT takes the reason itself and touches no memory.
        unsafe { call(SYS_EXIT, reason) };
    }
}

/// One semihosting call: the operation's number and its argument, a value or the address of its parameter block.
///
/// # Safety
/// `argument` must be what the specification asks of `operation`.
#[cfg(target_arch = "arm")]
unsafe fn call(operation: usize, argument: usize) -> usize {
    let result;
    // SAFETY: the trap changes r0 only; memory is as the caller promised.
    unsafe {
        core::arch::asm!("bkpt 0xab", inout("r0") operation => result, in("r1") argument, options(nostack));
    }
    result
}

/// One semihosting call: the operation's number and its argument, a value or the address of its parameter block.
///
/// # Safety
/// `argument` must be what the specification asks of `operation`.
#[cfg(target_arch = "riscv32")]
unsafe fn call(operation: usize, argument: usize) -> usize {
    let result;
    // SAFETY: the trap changes a0 only; memory is as the caller promised. The host knows the trap by the two shifts
    // around it, all three uncompressed and within one page, hence the alignment.
    unsafe {
        core::arch::asm!(
            ".balign 16",
            ".option push",
            ".option norvc",
            "slli x0, x0, 0x1f",
            "ebreak",
            "srai x0, x0, 7",
            ".option pop",
            inout("a0") operation => result,
            in("a1") argument,
            options(nostack),
        );
    }
    result
}
