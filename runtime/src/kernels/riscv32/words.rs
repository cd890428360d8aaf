//! [`crate::kernels::scalar::words`] for eight channels at a time: 47 instructions for 16 products, where the compiler, if
//! it unrolls the loop, runs out of registers.

use core::arch::naked_asm;

use crate::kernels::scalar::words as scalar;
use crate::mem::{View, ViewMut};

pub use scalar::{LOW, PAIR_WORDS, spread};

/// As the scalar function of this name. Pairs of taps are an even number.
pub fn add_words(sums: ViewMut<i32>, x: View<i32>, w: View<i32>, stride: usize) {
    let pairs = x.len() / PAIR_WORDS;
    let in_eights = if pairs == 0 { 0 } else { sums.len() & !7 };
    if in_eights != 0 {
        let job = Eights {
            x: x.as_ptr(),
            x_end: x.as_ptr().wrapping_add(x.len()),
            odd_half: pairs & 2,
            sums_end: sums.as_ptr().wrapping_add(in_eights),
            four_bytes: stride.wrapping_mul(4),
            bytes: scalar::BYTES,
        };
        // SAFETY: every four channels have words for all taps, and there are some of both.
        unsafe { eights(sums.as_ptr(), &job, w.as_ptr()) };
    }
    let rest = sums.len().wrapping_sub(in_eights);
    let done = (in_eights / 4).wrapping_mul(stride);
    if rest >= 4 {
        scalar::add_words(sums.slice(in_eights, rest), x, w.slice(done, w.len().wrapping_sub(done)), stride);
    }
}

/// What [`eights`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Eights {
    /// Pairs of taps.
    x: *const i32,
    x_end: *const i32,
    /// Whether the first round of the loop has two pairs, not four.
    odd_half: usize,
    sums_end: *const i32,
    /// Bytes of the weights of four channels.
    four_bytes: usize,
    bytes: i32,
}

/// A pair of taps, in t0 to t2, times four channels: the sums of channels 0 and 2 are in `$both0`, of both, and `$upper0`,
/// the upper one; those of channels 1 and 3 in `$both1` and `$upper1`.
macro_rules! four {
    ($w0:literal, $w1:literal, $at:literal, $both0:literal, $upper0:literal, $both1:literal, $upper1:literal) => {
        concat!(
            "lw t3, ",
            $w0,
            $at,
            "\nlw t5, ",
            $w1,
            $at,
            "\nand t4, t3, a6
            srli t3, t3, 8
            and t3, t3, a6
            and t6, t5, a6
            srli t5, t5, 8
            and t5, t5, a6
            mul t4, t4, t0
            mul t3, t3, t0
            mul t6, t6, t1
            mul t5, t5, t1
            add t4, t4, t2
            add t3, t3, t2
            add t4, t4, t6
            add t3, t3, t5
            add ",
            $both0,
            ", t4, ",
            $both0,
            "\nsrli t4, t4, 16\nadd ",
            $upper0,
            ", t4, ",
            $upper0,
            "\nadd ",
            $both1,
            ", t3, ",
            $both1,
            "\nsrli t3, t3, 16\nadd ",
            $upper1,
            ", t3, ",
            $upper1,
            "\n",
        )
    };
}

/// A pair of taps times eight channels.
macro_rules! pair {
    ($x0:literal, $x1:literal, $offset:literal, $w0:literal, $w1:literal) => {
        concat!(
            "lw t0, ",
            $x0,
            "(a4)\nlw t1, ",
            $x1,
            "(a4)\nlw t2, ",
            $offset,
            "(a4)\n",
            four!($w0, $w1, "(a2)", "s0", "s1", "s2", "s3"),
            four!($w0, $w1, "(a3)", "s4", "s5", "s6", "s7"),
        )
    };
}

/// Keeps (`sw`) or brings back (`lw`) the registers that belong to the caller.
macro_rules! kept_registers {
    ($op:literal) => {
        concat!(
            $op,
            " s0, 0(sp)\n",
            $op,
            " s1, 4(sp)\n",
            $op,
            " s2, 8(sp)\n",
            $op,
            " s3, 12(sp)\n",
            $op,
            " s4, 16(sp)\n",
            $op,
            " s5, 20(sp)\n",
            $op,
            " s6, 24(sp)\n",
            $op,
            " s7, 28(sp)\n",
            $op,
            " s8, 32(sp)\n",
        )
    };
}

/// Loads (`lw`) or stores (`sw`) the sums of eight channels.
macro_rules! eight_sums {
    ($op:literal) => {
        concat!(
            $op,
            " s0, 0(a0)\n",
            $op,
            " s2, 4(a0)\n",
            $op,
            " s1, 8(a0)\n",
            $op,
            " s3, 12(a0)\n",
            $op,
            " s4, 16(a0)\n",
            $op,
            " s6, 20(a0)\n",
            $op,
            " s5, 24(a0)\n",
            $op,
            " s7, 28(a0)\n",
        )
    };
}

/// Adds (`add`) 2^16 times each upper sum to the sum of both, or takes it away (`sub`).
macro_rules! upper_sums {
    ($op:literal) => {
        concat!(
            "slli t0, s1, 16\n",
            $op,
            " s0, s0, t0\nslli t0, s3, 16\n",
            $op,
            " s2, s2, t0\nslli t0, s5, 16\n",
            $op,
            " s4, s4, t0\nslli t0, s7, 16\n",
            $op,
            " s6, s6, t0\n",
        )
    };
}

/// Adds to the sums of eights of channels.
///
/// # Safety
/// The job's pointers must stand on what the fields describe, with two pairs of taps and eight channels at least.
#[unsafe(naked)]
unsafe extern "C" fn eights(sums: *mut i32, job: &Eights, w: *const i32) {
    naked_asm!(
        // To the assembler of naked functions the core has no multiplication.
        ".option push",
        ".option arch, +m",
        "addi sp, sp, -48",
        kept_registers!("sw"),
        "mv s8, a2",
        "lw a5, 4(a1)",
        "lw a6, 20(a1)",
        "10:",
        eight_sums!("lw"),
        upper_sums!("add"),
        "lw a4, 0(a1)",
        "lw t0, 16(a1)",
        "lw t1, 8(a1)",
        "mv a2, s8",
        "add a3, s8, t0",
        "add s8, a3, t0",
        "beqz t1, 20f",
        "addi a4, a4, -24",
        "addi a2, a2, -16",
        "addi a3, a3, -16",
        "j 21f",
        "20:",
        pair!("0", "4", "8", "0", "4"),
        pair!("12", "16", "20", "8", "12"),
        "21:",
        pair!("24", "28", "32", "16", "20"),
        pair!("36", "40", "44", "24", "28"),
        "addi a4, a4, 48",
        "addi a2, a2, 32",
        "addi a3, a3, 32",
        "bne a4, a5, 20b",
        upper_sums!("sub"),
        eight_sums!("sw"),
        "addi a0, a0, 32",
        "lw t0, 12(a1)",
        "bne a0, t0, 10b",
        kept_registers!("lw"),
        "addi sp, sp, 48",
        "ret",
        ".option pop",
    )
}
