//! Markers around code whose instructions the host counts (`boards/icount` finds them).
//!
//! A marker is an instruction that the architecture defines to do nothing and that no compiler emits: hints 14 and 15
//! on Arm, `slti x0, x0, 14` and `15` on RISC-V. Markers themselves are not counted.

/// Runs `region` between two markers.
pub fn counted<R>(region: impl FnOnce() -> R) -> R {
    begin();
    let result = region();
    end();
    result
}

// Without `options(nomem)` an `asm!` is a barrier: no memory access moves over a marker.

#[inline(always)]
fn begin() {
    // SAFETY: does nothing (see above).
    #[cfg(target_arch = "arm")]
    unsafe {
        core::arch::asm!(".hword 0xbfe0", options(nostack, preserves_flags))
    };
    // SAFETY: does nothing (see above).
    #[cfg(target_arch = "riscv32")]
    unsafe {
        core::arch::asm!("slti x0, x0, 14", options(nostack))
    };
}

#[inline(always)]
fn end() {
    // SAFETY: does nothing (see above).
    #[cfg(target_arch = "arm")]
    unsafe {
        core::arch::asm!(".hword 0xbff0", options(nostack, preserves_flags))
    };
    // SAFETY: does nothing (see above).
    #[cfg(target_arch = "riscv32")]
    unsafe {
        core::arch::asm!("slti x0, x0, 15", options(nostack))
    };
}
