//! Output rows of an int8 depthwise convolution from records of 16 channels.
//!
//! A vector holds 16 channels of a pixel. Products of the even and of the odd channels have 16 bits, and so have the sums
//! of two taps; these are widened to sums of 32 bits. A position needs nothing but nine pointers, which go through the
//! channels together: to the taps, or to a pixel of padding.

use core::arch::naked_asm;
use core::ops::Range;

use super::requantize::clamp_row;
use crate::mem::{Rows, RowsMut, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::depthwise_vectors::{
    CHANNELS, Field, RECORD_WORDS, Vectors, depthwise_vectors_scratch_bytes, place,
};

/// See the generic function of this name.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn depthwise_vector_rows(
    layer: &Vectors,
    geometry: &Geometry,
    x: &Rows<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i32>,
) {
    scratch.fill(layer.padding as u8 as i32 * 0x0101_0101);
    let Geometry { window, input: [_, width, channels], output: [_, out_w, _], .. } = *geometry;
    let [stride, dilation] = [window.stride, window.dilation].map(|pair| pair[1] as usize);
    let padding = scratch.as_ptr().cast_const().cast();
    let mut job = Job {
        records: layer.records.as_ptr(),
        n_records: channels / CHANNELS,
        out: core::ptr::null_mut(),
        zero_point: layer.zero_point,
        one: ((layer.bounds.0 as i32) < layer.zero_point) as i32,
        positions: out_w,
        first_column: 0usize.wrapping_sub(window.pads[1] as usize),
        stride,
        step: stride.wrapping_sub(1).wrapping_mul(channels),
        stepped: 0,
        lines: [Line { start: padding, mask: 0 }; 3],
        width,
        channels,
        dilation,
        padding,
    };
    for y in rows {
        let (image, taps) = geometry.row_taps(y);
        for (ky, line) in job.lines.iter_mut().enumerate() {
            *line = match taps.valid.contains(&ky) {
                true => {
                    let row = x.row(image.wrapping_add(taps.index(ky)));
                    Line { start: row.as_ptr(), mask: usize::MAX }
                }
                false => Line { start: padding, mask: 0 },
            };
        }
        let span = dilation.wrapping_mul(2).wrapping_add(stride);
        job.stepped = if taps.valid.len() == 3 { width.saturating_sub(span) } else { 0 };
        let out = out.row(y);
        job.out = out.as_ptr();
        if out_w != 0 {
            // SAFETY: three rows of the image, or the padding; records of all channels; and outputs of as many positions.
            unsafe { positions(&job) };
        }
        clamp_row(out, layer.bounds);
    }
}

/// A row of the image, or the padding.
#[derive(Clone, Copy)]
#[repr(C)]
struct Line {
    start: *const i8,
    /// The bits of an offset that count: all, or none.
    mask: usize,
}

/// What [`positions`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Job {
    records: *const i32,
    n_records: usize,
    out: *mut i8,
    zero_point: i32,
    /// 1 if negative sums must be rounded rightly, else 0. See [`super::sums`].
    one: i32,
    positions: usize,
    /// The column of the first position's first tap, which may lie in the padding.
    first_column: usize,
    stride: usize,
    /// Bytes between the pixels of neighbouring positions.
    step: usize,
    /// How many columns of a first tap, from 0 on, are those of positions that have all taps in the image, as the next
    /// position has.
    stepped: usize,
    /// Rows of the image, or the padding.
    lines: [Line; 3],
    width: usize,
    channels: usize,
    dilation: usize,
    /// A pixel.
    padding: *const i8,
}

/// A tap's activations and weights into q6 and q7.
macro_rules! load_tap {
    ($x:literal) => {
        concat!("vldrb.u8 q6, [", $x, "], #16\n", "vldrw.u32 q7, [r10], #16\n")
    };
}

/// The first two taps: of odd channels the first product alone, of even ones both, and the second one's odd product waits in
/// q4. There is one register too few for the same two taps of all channels.
macro_rules! first_taps {
    ($first:literal, $second:literal) => {
        concat!(
            load_tap!($first),
            "vmullb.s8 q4, q6, q7\n",
            "vmullt.s8 q5, q6, q7\n",
            load_tap!($second),
            "vmovlb.s16 q2, q5\n",
            "vmovlt.s16 q3, q5\n",
            "vmullb.s8 q5, q6, q7\n",
            "vadd.i16 q5, q5, q4\n",
            "vmullt.s8 q4, q6, q7\n",
            "vmovlb.s16 q0, q5\n",
            "vmovlt.s16 q1, q5\n",
        )
    };
}

/// Adds the 16-bit numbers of `$q` to sums.
macro_rules! widen {
    ($q:literal, $bottom:literal, $top:literal) => {
        concat!(
            "vmovlb.s16 q6, ",
            $q,
            "\nvadd.i32 ",
            $bottom,
            ", ",
            $bottom,
            ", q6\n",
            "vmovlt.s16 q7, ",
            $q,
            "\nvadd.i32 ",
            $top,
            ", ",
            $top,
            ", q7\n",
        )
    };
}

/// Adds a tap of odd channels and the one that waits; its product of even channels waits then.
macro_rules! odd_tap {
    ($x:literal) => {
        concat!(
            load_tap!($x),
            "vmullt.s8 q5, q6, q7\n",
            "vadd.i16 q5, q5, q4\n",
            "vmullb.s8 q4, q6, q7\n",
            widen!("q5", "q2", "q3"),
        )
    };
}

/// The same of even channels, whereupon an odd product waits.
macro_rules! even_tap {
    ($x:literal) => {
        concat!(
            load_tap!($x),
            "vmullb.s8 q5, q6, q7\n",
            "vadd.i16 q5, q5, q4\n",
            "vmullt.s8 q4, q6, q7\n",
            widen!("q5", "q0", "q1"),
        )
    };
}

/// Adds biases, multiplies: from sums to doubling high products.
macro_rules! multiply {
    () => {
        concat!(
            "vldrw.u32 q4, [r10], #16\n",
            "vadd.i32 q0, q0, q4\n",
            "vldrw.u32 q5, [r10], #16\n",
            "vadd.i32 q1, q1, q5\n",
            "vldrw.u32 q6, [r10], #16\n",
            "vadd.i32 q2, q2, q6\n",
            "vldrw.u32 q7, [r10], #16\n",
            "vadd.i32 q3, q3, q7\n",
            "vldrw.u32 q4, [r10], #16\n",
            "vqrdmulh.s32 q0, q0, q4\n",
            "vldrw.u32 q5, [r10], #16\n",
            "vqrdmulh.s32 q1, q1, q5\n",
            "vldrw.u32 q6, [r10], #16\n",
            "vqrdmulh.s32 q2, q2, q6\n",
            "vldrw.u32 q7, [r10], #16\n",
            "vqrdmulh.s32 q3, q3, q7\n",
        )
    };
}

/// Shifts, narrows and stores.
macro_rules! finish {
    () => {
        concat!(
            "vldrw.u32 q4, [r10], #16\n",
            "vrshl.s32 q0, q0, q4\n",
            "vldrw.u32 q5, [r10], #16\n",
            "vrshl.s32 q1, q1, q5\n",
            "vldrw.u32 q6, [r10], #16\n",
            "vrshl.s32 q2, q2, q6\n",
            "vldrw.u32 q7, [r10], #16\n",
            "vrshl.s32 q3, q3, q7\n",
            "vqmovnb.s32 q0, q0\n",
            "vqmovnb.s32 q2, q2\n",
            "vqmovnt.s32 q0, q1\n",
            "vqmovnt.s32 q2, q3\n",
            "vqadd.s16 q0, q0, r12\n",
            "vqadd.s16 q2, q2, r12\n",
            "vqmovnb.s16 q0, q0\n",
            "vqmovnt.s16 q0, q2\n",
            "vstrb.8 q0, [r11], #16\n",
        )
    };
}

/// From the taps behind a position to those of the next one.
macro_rules! step_taps {
    () => {
        concat!(
            "ldr r10, [r0, #32]\n",
            "cmp.w r10, #0\n",
            "beq.w 11b\n",
            "add r1, r10\n",
            "add r2, r10\n",
            "add r3, r10\n",
            "add r4, r10\n",
            "add r5, r10\n",
            "add r6, r10\n",
            "add r7, r10\n",
            "add r8, r10\n",
            "add r9, r10\n",
        )
    };
}

/// The taps of three rows in column lr, of the image or the padding.
macro_rules! place_taps {
    ($first:literal, $second:literal, $third:literal) => {
        concat!(
            "ldrd r10, r12, [r0, #64]\n",
            "ldr ",
            $first,
            ", [r0, #76]\n",
            "cmp lr, r10\n",
            "mov ",
            $second,
            ", ",
            $first,
            "\n",
            "mov ",
            $third,
            ", ",
            $first,
            "\n",
            "bhs 12f\n",
            "mul r10, lr, r12\n",
            "ldrd ",
            $first,
            ", r12, [r0, #40]\n",
            "and r12, r10\n",
            "add ",
            $first,
            ", r12\n",
            "ldrd ",
            $second,
            ", r12, [r0, #48]\n",
            "and r12, r10\n",
            "add ",
            $second,
            ", r12\n",
            "ldrd ",
            $third,
            ", r12, [r0, #56]\n",
            "and r12, r10\n",
            "add ",
            $third,
            ", r12\n",
            "12:\n",
        )
    };
}

/// Computes the outputs of all channels and positions of a row, clamped to int8 alone.
#[unsafe(naked)]
unsafe extern "C" fn positions(job: &Job) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // On the stack: the job, positions left; the column.
        "sub sp, #12",
        "ldrd r1, lr, [r0, #20]",
        "strd r0, r1, [sp]",
        "ldr.w r11, [r0, #8]",
        "str.w lr, [sp, #8]",
        "10:",
        place_taps!("r1", "r4", "r7"),
        "ldr r10, [r0, #72]",
        "add lr, r10",
        place_taps!("r2", "r5", "r8"),
        "ldr r10, [r0, #72]",
        "add lr, r10",
        place_taps!("r3", "r6", "r9"),
        "11:",
        "ldrd r10, lr, [r0]",
        "ldrd r12, r0, [r0, #12]",
        "dls lr, lr",
        "20:",
        first_taps!("r1", "r2"),
        odd_tap!("r3"),
        even_tap!("r4"),
        odd_tap!("r5"),
        even_tap!("r6"),
        odd_tap!("r7"),
        even_tap!("r8"),
        odd_tap!("r9"),
        widen!("q4", "q0", "q1"),
        multiply!(),
        "cbz r0, 21f",
        // With 1: takes 1 from negative numbers, twice which are less than 0 in the high half.
        "vqdmlah.s32 q0, q0, r0",
        "vqdmlah.s32 q1, q1, r0",
        "vqdmlah.s32 q2, q2, r0",
        "vqdmlah.s32 q3, q3, r0",
        "21:",
        finish!(),
        "le lr, 20b",
        "ldrd r0, r10, [sp]",
        "subs.w r10, r10, #1",
        "beq 30f",
        "ldr.w lr, [sp, #8]",
        "str.w r10, [sp, #4]",
        // The next position's column, less the stride, is that of this one.
        "ldr.w r12, [r0, #36]",
        "cmp lr, r12",
        "ldr r10, [r0, #28]",
        "add lr, r10",
        "str.w lr, [sp, #8]",
        "bhs.w 10b",
        step_taps!(),
        "b.w 11b",
        "30:",
        "add sp, #12",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    )
}

const _: () = assert!(CHANNELS == 16 && RECORD_WORDS == 84);
