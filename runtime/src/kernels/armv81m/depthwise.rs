//! Output rows of an int8 depthwise convolution with a 3x3 window, eight channels at a time.
//!
//! Columns of three rows become words, one plane of words for each channel. Four words are a vector, so that one
//! instruction multiplies the three columns of an output with a channel's weights, which are in the same form: their
//! fourth bytes and words are 0.

use core::arch::naked_asm;
use core::ops::Range;

use super::requantize::clamp_row;
use crate::kernels::generic::arithmetic::{Arithmetic, I8};
use crate::kernels::generic::depthwise::{Strip, depthwise_part};
use crate::kernels::generic::depthwise_fours::depthwise_row_by_fours;
use crate::mem::{Rows, RowsMut, View, ViewMut};
use crate::ops::window::Geometry;

pub use crate::kernels::generic::depthwise::{depthwise_rows_f32, depthwise_scratch_bytes};

/// Channels that are computed at a time.
const CHANNELS: usize = 8;
/// Bytes of a column of all planes.
const COLUMN_BYTES: usize = 4 * CHANNELS;

/// [`depthwise_row`](crate::kernels::generic::depthwise::depthwise_row) of int8 for several rows.
// Inlined, its variables would lie beside those of what calls it.
#[inline(never)]
pub fn depthwise_rows_i8(
    arithmetic: &I8,
    geometry: &Geometry,
    x: &Rows<i8>,
    w: View<i8>,
    rows: Range<usize>,
    out: &RowsMut<i8>,
    scratch: ViewMut<i32>,
) {
    let channels = geometry.output[2];
    let strip = Strip::of(geometry).filter(|_| channels >= CHANNELS);
    for y in rows {
        let out = out.row(y);
        match strip {
            Some(strip) => octets(arithmetic, geometry, strip, x, w, y, out, scratch),
            None => by_fours(arithmetic, geometry, x, w, y, out),
        }
        clamp_row(out, arithmetic.requantize.bounds);
    }
}

/// A row with any window.
#[inline(never)]
fn by_fours(arithmetic: &I8, geometry: &Geometry, x: &Rows<i8>, w: View<i8>, y: usize, out: ViewMut<i8>) {
    let finish = |c: usize, sum: i32| arithmetic.finish(sum, c);
    depthwise_row_by_fours(arithmetic, geometry, x, w, y, out, finish);
}

/// Outputs of a strip, for which the planes have room: so many that the strips of a row are about equal.
fn strip_outputs(stride: usize, out_w: usize, room_bytes: usize) -> usize {
    // The last vector ends a word behind the last column, and that of an output that only fills a pair another stride.
    let bytes = |n: usize| {
        let beyond = if n.is_multiple_of(2) { 1 } else { 1usize.wrapping_add(stride) };
        Strip::columns(stride, n).wrapping_mul(COLUMN_BYTES).wrapping_add(beyond.wrapping_mul(4))
    };
    let (mut n, mut strips) = (out_w, 1usize);
    while n > 2 && bytes(n) > room_bytes {
        strips = strips.wrapping_add(1);
        n = out_w.wrapping_add(strips).wrapping_sub(1).checked_div(strips).unwrap_or(0).next_multiple_of(2);
    }
    if bytes(n) > room_bytes { 1 } else { n }
}

/// Computes a row, eight channels at a time, clamped to int8 alone.
#[allow(clippy::too_many_arguments)]
fn octets(
    arithmetic: &I8,
    geometry: &Geometry,
    Strip { stride, .. }: Strip,
    x: &Rows<i8>,
    w: View<i8>,
    y: usize,
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) {
    let ([_, width, channels], out_w) = (geometry.input, geometry.output[1]);
    let at_once = strip_outputs(stride, out_w, scratch.len().wrapping_mul(4));
    let (image, taps) = geometry.row_taps(y);
    let padding = (arithmetic.x_offset.wrapping_neg() & 0xFF).wrapping_mul(0x0101_0101);
    let padding_row = [padding; CHANNELS / 4];
    // Rows and their columns' distance: a row of padding is the same everywhere.
    let rows = [0, 1, 2].map(|ky| match taps.valid.contains(&ky) {
        true => (x.row(image.wrapping_add(taps.index(ky))).as_ptr(), channels),
        false => (padding_row.as_ptr().cast(), 0),
    });
    let mut weights = [0; 4 * CHANNELS];
    let line = channels.wrapping_mul(3);
    let mut job = first_job(arithmetic, stride, channels, rows, &mut weights, out, scratch);
    let mut ox = 0usize;
    while ox < out_w {
        let n = at_once.min(out_w.wrapping_sub(ox));
        // Column 0 of the planes stands for the image's column `first`, which may lie in the padding.
        let first = ox.wrapping_mul(stride) as isize - geometry.window.pads[1] as isize;
        let n_columns = Strip::columns(stride, n);
        let left = (first.wrapping_neg().max(0) as usize).min(n_columns);
        let end = ((width as isize - first).max(0) as usize).min(n_columns).max(left);
        let column = (first.max(0) as usize).min(width);
        (job.image.pitch, job.sweep.pitch) = (n_columns.wrapping_mul(4), n_columns.wrapping_mul(4));
        (job.image.left, job.image.inside) = (left, end.wrapping_sub(left));
        job.image.right = n_columns.wrapping_sub(end);
        job.sweep.outputs = n;
        let mut c = 0usize;
        while c < channels {
            // The last ones may be computed twice, so that there are eight.
            c = c.min(channels.wrapping_sub(CHANNELS));
            job.left = channels.wrapping_sub(c) / CHANNELS;
            for (ky, (row, step)) in rows.into_iter().enumerate() {
                job.weights.rows[ky] = w.as_ptr().wrapping_add(line.wrapping_mul(ky)).wrapping_add(c);
                let behind = if step == 0 { 0 } else { column.wrapping_mul(step).wrapping_add(c) };
                job.image.rows[ky] = row.wrapping_add(behind);
            }
            job.sweep.table = arithmetic.requantize.channels.0.as_ptr().wrapping_add(c.wrapping_mul(3));
            job.sweep.out = out.as_ptr().wrapping_add(ox.wrapping_mul(channels)).wrapping_add(c);
            // SAFETY: eight channels at a time of the weights' three lines, of the table, of columns inside the three rows,
            // and of `n` outputs; the planes have room.
            let left = unsafe { octets_of_strip(&mut job) };
            c = c.wrapping_add(
                (channels.wrapping_sub(c) / CHANNELS).wrapping_sub(left).wrapping_mul(CHANNELS),
            );
            if left != 0 {
                let part = [ox..ox.wrapping_add(n), c..c.wrapping_add(CHANNELS)];
                depthwise_part(arithmetic, geometry, x, w, y, part, out);
                c = c.wrapping_add(CHANNELS);
            }
        }
        ox = ox.wrapping_add(n);
    }
}

/// What all strips of a row have in common: [`octets`] sets the rest.
fn first_job(
    arithmetic: &I8,
    stride: usize,
    channels: usize,
    rows: [(*const i8, usize); 3],
    weights: &mut [i32; 4 * CHANNELS],
    out: ViewMut<i8>,
    scratch: ViewMut<i32>,
) -> Octets {
    let requantize = &arithmetic.requantize;
    let padding = (arithmetic.x_offset.wrapping_neg() & 0xFF).wrapping_mul(0x0101_0101);
    Octets {
        weights: Planes {
            rows: [core::ptr::null(); 3],
            steps: [channels; 3],
            to: weights.as_mut_ptr(),
            pitch: 16,
            padding: 0,
            left: 0,
            inside: 3,
            right: 1,
        },
        image: Planes {
            rows: rows.map(|(row, _)| row),
            steps: rows.map(|(_, step)| step),
            to: scratch.as_ptr(),
            pitch: 0,
            padding,
            left: 0,
            inside: 0,
            right: 0,
        },
        sweep: Sweep {
            planes: scratch.as_ptr(),
            pitch: 0,
            weights: weights.as_ptr(),
            table: requantize.channels.0.as_ptr(),
            outputs: 0,
            out: out.as_ptr(),
            stride: channels,
            zero_point: requantize.zero_point,
            minus_one: -(((requantize.bounds.0 as i32) < requantize.zero_point) as i32),
            columns: stride.wrapping_mul(4),
            x_offset: arithmetic.x_offset,
        },
        next: rows.map(|(_, step)| if step == 0 { 0 } else { CHANNELS }),
        left: 0,
    }
}

/// What [`octets_of_strip`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Octets {
    weights: Planes,
    image: Planes,
    sweep: Sweep,
    /// From the first channel of eight to that of the next ones in each row of the image.
    next: [usize; 3],
    /// How many times eight channels.
    left: usize,
}

/// Computes the outputs of a strip. Returns how many times eight channels are left: it stops at a factor that does not
/// shift to the right.
#[unsafe(naked)]
unsafe extern "C" fn octets_of_strip(job: &mut Octets) -> usize {
    naked_asm!(
        mve_core!(),
        "push {{r4-r8, lr}}",
        "mov r4, r0",
        "10:",
        "mov r0, r4",
        "bl {make_planes}",
        "add.w r0, r4, #48",
        "bl {make_planes}",
        "add.w r0, r4, #96",
        "bl {sweep_planes}",
        "cbz r0, 11f",
        "ldm r4, {{r1-r3}}",
        "adds r1, #8",
        "adds r2, #8",
        "adds r3, #8",
        "stm r4!, {{r1-r3}}",
        "ldrd r1, r2, [r4, #36]",
        "ldr r3, [r4, #44]",
        "ldrd r5, r6, [r4, #128]",
        "ldr.w r7, [r4, #136]",
        "add r1, r5",
        "add r2, r6",
        "add r3, r7",
        "strd r1, r2, [r4, #36]",
        "str r3, [r4, #44]",
        "ldr r1, [r4, #96]",
        "ldr r2, [r4, #104]",
        "adds r1, #96",
        "adds r2, #8",
        "str r1, [r4, #96]",
        "str r2, [r4, #104]",
        "ldr.w r0, [r4, #140]",
        "subs r0, #1",
        "str.w r0, [r4, #140]",
        "sub.w r4, r4, #12",
        "bne 10b",
        "pop {{r4-r8, pc}}",
        "11:",
        "ldr.w r0, [r4, #152]",
        "pop {{r4-r8, pc}}",
        make_planes = sym make_planes,
        sweep_planes = sym sweep_planes,
    )
}

/// What [`make_planes`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Planes {
    /// The first column inside the image of three rows, and from column to column.
    rows: [*const i8; 3],
    steps: [usize; 3],
    /// Planes, `pitch` bytes apart.
    to: *mut i32,
    pitch: usize,
    /// A word of a column outside of the image, and numbers of columns.
    padding: i32,
    left: usize,
    inside: usize,
    right: usize,
}

/// Makes words of the columns of eight channels: three rows, then 0.
#[unsafe(naked)]
unsafe extern "C" fn make_planes(job: &Planes) {
    naked_asm!(
        mve_core!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d9}}",
        "ldm.w r0!, {{r1-r8}}",
        // Addresses of the planes of channels 0, 2, 4, 6 and of 1, 3, 5, 7, less a word.
        "mov.w r10, #0",
        "vidup.u32 q3, r10, #2",
        "subs r7, #4",
        "vmul.i32 q3, q3, r8",
        "vadd.i32 q3, q3, r7",
        "vadd.i32 q4, q3, r8",
        "ldm.w r0, {{r7-r10}}",
        "vdup.32 q0, r7",
        "wls lr, r8, 21f",
        "20:",
        "vstrw.32 q0, [q3, #4]!",
        "vstrw.32 q0, [q4, #4]!",
        "le lr, 20b",
        "21:",
        "wls lr, r9, 23f",
        "22:",
        "vldrb.u16 q0, [r1]",
        "add r1, r4",
        "vldrb.u16 q1, [r2]",
        "add r2, r5",
        "vldrb.u16 q2, [r3]",
        "vsli.16 q0, q1, #8",
        "add r3, r6",
        "vmov q1, q0",
        "vsli.32 q1, q2, #16",
        "vsri.32 q2, q0, #16",
        "vstrw.32 q1, [q3, #4]!",
        "vstrw.32 q2, [q4, #4]!",
        "le lr, 22b",
        "23:",
        "vdup.32 q0, r7",
        "wls lr, r10, 25f",
        "24:",
        "vstrw.32 q0, [q3, #4]!",
        "vstrw.32 q0, [q4, #4]!",
        "le lr, 24b",
        "25:",
        "vpop {{d8-d9}}",
        "pop {{r4-r11, pc}}",
    )
}

/// What [`sweep_planes`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Sweep {
    planes: *const i32,
    /// Bytes from plane to plane.
    pitch: usize,
    weights: *const i32,
    /// The channel table from the first channel on.
    table: *const i32,
    /// Outputs of a channel, at least one.
    outputs: usize,
    out: *mut i8,
    /// From output to output.
    stride: usize,
    zero_point: i32,
    /// -1 if negative sums must be rounded rightly: they are less than the least output otherwise. See [`super::sums`].
    minus_one: i32,
    /// Bytes from output to output in the planes: a word, or two.
    columns: usize,
    /// Minus the zero point of the activations.
    x_offset: i32,
}

/// The outputs of four channels, two positions at a time; `$step` is bytes from position to position in the planes.
macro_rules! pairs {
    ($step:literal, $next:literal) => {
        concat!(
            "30:\n",
            "add r0, sp, #32\n",
            "ldm.w r0, {{r0, r2, r4, r6, r8, r10, r12, lr}}\n",
            "vldrw.u32 q7, [r5], #",
            $step,
            "\n",
            "vmladava.s8 r0, q0, q7\n",
            "vldrw.u32 q4, [r7], #",
            $step,
            "\n",
            "vmladava.s8 r2, q1, q4\n",
            "vldrw.u32 q7, [r9], #",
            $step,
            "\n",
            "vmladava.s8 r4, q2, q7\n",
            "vldrw.u32 q4, [r11], #",
            $step,
            "\n",
            "vmladava.s8 r6, q3, q4\n",
            "vldrw.u32 q7, [r5], #",
            $step,
            "\n",
            "vmladava.s8 r8, q0, q7\n",
            "vldrw.u32 q4, [r7], #",
            $step,
            "\n",
            "vmladava.s8 r10, q1, q4\n",
            "vldrw.u32 q7, [r9], #",
            $step,
            "\n",
            "vmladava.s8 r12, q2, q7\n",
            "vldrw.u32 q4, [r11], #",
            $step,
            "\n",
            "vmladava.s8 lr, q3, q4\n",
            "stm.w sp, {{r0, r2, r4, r6, r8, r10, r12, lr}}\n",
            "ldrd r0, r2, [sp, #64]\n",
            "ldr r4, [sp, #72]\n",
            "vldrw.u32 q7, [sp]\n",
            "vldrw.u32 q4, [sp, #16]\n",
            "vqrdmulh.s32 q7, q7, q5\n",
            "vqrdmulh.s32 q4, q4, q5\n",
            "cbz r4, 31f\n",
            "vpt.s32 lt, q7, zr\n",
            "vaddt.i32 q7, q7, r4\n",
            "vpt.s32 lt, q4, zr\n",
            "vaddt.i32 q4, q4, r4\n",
            "31:\n",
            "vrshl.s32 q7, q7, q6\n",
            "vrshl.s32 q4, q4, q6\n",
            // Both positions side by side, in 16 and in 8 bits.
            "vqmovnb.s32 q7, q7\n",
            "vqmovnt.s32 q7, q4\n",
            "vqadd.s16 q7, q7, r2\n",
            "vqmovnb.s16 q7, q7\n",
            "subs r3, #2\n",
            "vstrb.32 q7, [r1]\n",
            "add r1, r0\n",
            "blo ",
            $next,
            "f\n",
            "vshr.u32 q7, q7, #16\n",
            "vstrb.32 q7, [r1]\n",
            "add r1, r0\n",
            "bne 30b\n",
        )
    };
}

/// The job onto the stack, and the bytes between the factors of four channels.
macro_rules! enter_sweep {
    () => {
        concat!(
            "str r0, [sp, #100]\n",
            "ldm.w r0, {{r1-r9}}\n",
            "add.w r10, sp, #64\n",
            "stm.w r10, {{r7-r9}}\n",
            "add.w r10, sp, #76\n",
            "stm.w r10, {{r1-r6}}\n",
            "mov.w r8, #0\n",
            "vidup.u32 q7, r8, #4\n",
            "movs r7, #3\n",
            "vmul.i32 q7, q7, r7\n",
            "vstrw.32 q7, [sp, #108]\n",
        )
    };
}

/// The weights of four channels into q0 to q3, and their biases, of which the sums' part of the zero point is taken, onto
/// the stack, twice.
macro_rules! load_weights {
    () => {
        concat!(
            "vldrw.u32 q0, [r3], #16\n",
            "vldrw.u32 q1, [r3], #16\n",
            "vldrw.u32 q2, [r3], #16\n",
            "vldrw.u32 q3, [r3], #16\n",
            "vaddv.s8 r0, q0\n",
            "vaddv.s8 r8, q1\n",
            "vaddv.s8 r10, q2\n",
            "vaddv.s8 r12, q3\n",
            "ldr r7, [r4]\n",
            "ldr.w r9, [r4, #12]\n",
            "ldr.w r11, [r4, #24]\n",
            "mla r0, r0, lr, r7\n",
            "ldr r7, [r4, #36]\n",
            "mla r8, r8, lr, r9\n",
            "mla r10, r10, lr, r11\n",
            "mla r12, r12, lr, r7\n",
            "add r7, sp, #32\n",
            "stm.w r7!, {{r0, r8, r10, r12}}\n",
            "stm.w r7, {{r0, r8, r10, r12}}\n",
        )
    };
}

/// Their multipliers into q5 and shifts into q6; r7 is not 0 if one does not shift to the right.
macro_rules! load_factors {
    () => {
        concat!(
            "vldrw.u32 q7, [sp, #108]\n",
            "adds r4, #4\n",
            "vldrw.u32 q5, [r4, q7]\n",
            "adds r4, #4\n",
            "vldrw.u32 q6, [r4, q7]\n",
            "adds r4, #40\n",
            "vcmp.s32 ge, q6, zr\n",
            "vmrs r7, p0\n",
        )
    };
}

/// Planes in odd registers; what comes after these channels onto the stack.
macro_rules! place_planes {
    () => {
        concat!(
            // Planes in odd registers.
            "mov r5, r1\n",
            "adds r7, r5, r2\n",
            "add.w r9, r7, r2\n",
            "add.w r11, r9, r2\n",
            "add.w r1, r11, r2\n",
            "adds r2, r6, #4\n",
            "str r1, [sp, #76]\n",
            "strd r3, r4, [sp, #84]\n",
            "str r2, [sp, #96]\n",
            "mov r1, r6\n",
            "mov r3, r0\n",
        )
    };
}

/// Computes the outputs of eight channels. Returns whether it has: it stops at a factor that does not shift to the right.
#[unsafe(naked)]
unsafe extern "C" fn sweep_planes(job: &Sweep) -> bool {
    naked_asm!(
        mve_core!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        // On the stack: eight sums; eight biases; stride, zero point, -1 or 0 (64); planes, pitch, weights, table, outputs,
        // output (76), the job (100), fours of channels left (104), bytes between the factors of channels (108).
        "sub sp, #132",
        enter_sweep!(),
        "movs r7, #2",
        "10:",
        "ldr.w lr, [sp, #100]",
        "str r7, [sp, #104]",
        "ldr.w lr, [lr, #40]",
        load_weights!(),
        load_factors!(),
        "mov r0, r5",
        "cmp r7, #0",
        "bne.w 14f",
        place_planes!(),
        "ldr r0, [sp, #100]",
        "ldr r0, [r0, #36]",
        "cmp r0, #4",
        "bne.w 12f",
        pairs!("4", "11"),
        "11:",
        "ldr r7, [sp, #104]",
        "add r1, sp, #76",
        "subs r7, #1",
        "ldm.w r1, {{r1-r6}}",
        "bne.w 10b",
        "movs r0, #1",
        "13:",
        "add sp, #132",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
        "14:",
        "movs r0, #0",
        "b 13b",
        "12:",
        pairs!("8", "15"),
        "15:",
        "b 11b",
    )
}
