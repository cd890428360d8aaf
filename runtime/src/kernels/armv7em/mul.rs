//! Product of two int8 rows, four elements at a time.

use core::arch::naked_asm;

use super::requantize::clamp_row;
use crate::kernels::generic;
use crate::kernels::generic::elementwise::{Strided, behind};
use crate::mem::ViewMut;

pub use crate::kernels::generic::mul::{MulI8, PRODUCT_MAX};

/// [`generic::mul::mul_row`].
pub fn mul_row(mul: &MulI8, a: Strided<i8>, b: Strided<i8>, out: ViewMut<i8>) {
    // Of one number for all, which a product may have first or second, four copies are read again and again.
    let (x, y, offsets) = match (a.1, b.1) {
        (0, 1) => (b, a, [1, 0].map(|i: usize| offset(mul, i))),
        _ => (a, b, [0, 1].map(|i| offset(mul, i))),
    };
    let is_made_for = mul.output.multiplier >= 1 << 30 && mul.output.shift < 0 && x.1 == 1 && y.1 <= 1;
    let whole = if is_made_for { out.len() & !3 } else { 0 };
    if whole != 0 {
        let job = Job {
            a: x.0.as_ptr(),
            b: y.0.as_ptr(),
            out: out.as_ptr(),
            end: out.as_ptr().wrapping_add(whole),
            offsets,
            multiplier: mul.output.multiplier << 1,
            shift: -(mul.output.shift as i32),
            zero_point: mul.zero_point,
        };
        // SAFETY: both operands have as many elements as the output, or the second one.
        unsafe {
            if y.1 == 0 {
                let copies = [y.0.at(0); 4];
                multiply_by_one(&Job { b: copies.as_ptr(), ..job });
            } else {
                multiply(&job);
            }
        }
        clamp_row(out.slice(0, whole), mul.bounds);
    }
    if whole != out.len() {
        let rest = out.slice(whole, out.len().wrapping_sub(whole));
        generic::mul::mul_row(mul, behind(a, whole), behind(b, whole), rest);
    }
}

/// What is added to each number of operand `i`, in both halves.
fn offset(mul: &MulI8, i: usize) -> u32 {
    (mul.zero_points[i].wrapping_neg() as u16 as u32) * 0x1_0001
}

/// What the assembly works with; it knows the order of the fields.
#[repr(C)]
struct Job {
    a: *const i8,
    b: *const i8,
    out: *mut i8,
    /// Where the outputs end.
    end: *const i8,
    /// What is added to each operand, in both halves.
    offsets: [u32; 2],
    /// Twice the multiplier, and the shift to the right.
    multiplier: i32,
    shift: i32,
    zero_point: i32,
}

/// The output of a product of halves; [`super::sums`] describes how factors are applied.
macro_rules! one {
    ($halves:literal $a:literal $b:literal $at:literal) => {
        concat!(
            "smul",
            $halves,
            " r4, ",
            $a,
            ", ",
            $b,
            "\n",
            round!("r4": "r11" "r12" "lr"),
            "strb r4, [r7, #",
            $at,
            "]\n",
        )
    };
}

/// Multiplies elements as [`MulI8::apply`] does, clamped to int8 alone: at least four, and a multiple of 4. `$next` is how
/// far the second operand goes on.
macro_rules! multiply {
    ($name:ident, $next:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: &Job) {
            naked_asm!(
                dsp_core!(),
                "push {{r4-r11, lr}}",
                "ldm.w r0, {{r5-r12, lr}}",
                "20:",
                "ldr r1, [r5], #4",
                concat!("ldr r3, [r6], #", $next),
                "sxtab16 r0, r9, r1",
                "sxtab16 r1, r9, r1, ror #8",
                "sxtab16 r2, r10, r3",
                "sxtab16 r3, r10, r3, ror #8",
                one!("bb" "r0" "r2" "0"),
                one!("tt" "r0" "r2" "2"),
                one!("bb" "r1" "r3" "1"),
                one!("tt" "r1" "r3" "3"),
                "adds r7, #4",
                "cmp r7, r8",
                "bne 20b",
                "pop {{r4-r11, pc}}",
            )
        }
    };
}

multiply!(multiply, 4);
multiply!(multiply_by_one, 0);
