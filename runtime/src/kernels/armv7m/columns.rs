//! [`crate::kernels::scalar::columns`] with the weights of a channel in memory, where LDM fetches three of them: 31
//! instructions an output of stride 1, 39 of stride 2.

use core::arch::naked_asm;

use crate::kernels::generic::arithmetic::Arithmetic;
use crate::kernels::scalar::columns::Layer;
use crate::kernels::scalar::requantize::finish_any;
use crate::mem::ViewMut;

/// Computes all channels of an output row, clamped to int8 alone.
pub fn sweep_row(layer: &Layer, out: ViewMut<i8>) {
    let Layer { arithmetic, sweep, .. } = layer;
    let channels = sweep.channels;
    let requantize = &arithmetic.requantize;
    let table = requantize.channels.0.as_ptr();
    let is_first_padded = sweep.is_padded[0] as usize;
    // Columns that whole outputs read, and how far behind the output its last column is with stride 1.
    let (columns, ahead) = match sweep.stride {
        1 => (sweep.whole().wrapping_add(2), 2usize.wrapping_sub(is_first_padded)),
        _ => (sweep.whole().wrapping_mul(2).wrapping_add(1), 0),
    };
    let columns = columns.wrapping_sub(is_first_padded);
    let mut c = 0;
    while c < channels {
        let mut job = Job {
            weights: [0; 9],
            bias: 0,
            factor: [0; 2],
            zero_point: requantize.zero_point,
            channels,
            out: out.as_ptr().wrapping_sub(ahead.wrapping_mul(channels)),
            end: columns.wrapping_mul(channels).wrapping_add(c),
            c,
            rows: layer.rows.map(|row| row.as_ptr()),
            lines: layer.lines.map(|line| line.as_ptr().wrapping_add(c)),
            table: table.wrapping_add(c.wrapping_mul(3)),
            table_end: table.wrapping_add(channels.wrapping_mul(3)),
            offset: arithmetic.x_offset,
            padding: arithmetic.x_offset.wrapping_neg(),
            is_padded: sweep.is_padded.map(|is_padded| is_padded as usize),
            is_masked: (layer.masks[0] & layer.masks[1] & layer.masks[2] == 0) as usize,
            masks: layer.masks,
            stride: sweep.stride,
        };
        // SAFETY: rows, weights and outputs are those of the layer, whose columns `Sweep` has found to be there.
        unsafe { sweep_channels(&mut job) };
        c = job.c;
        if c < channels {
            any_channel(layer, c, out);
            c += 1;
        }
    }
}

/// A channel with a less common factor.
#[cold]
fn any_channel(layer: &Layer, c: usize, out: ViewMut<i8>) {
    let Layer { arithmetic, sweep, rows, lines, masks } = layer;
    for ox in 0..sweep.outputs {
        let mut sum = arithmetic.begin(c);
        let first = ox.wrapping_mul(sweep.stride).wrapping_sub(sweep.is_padded[0] as usize);
        for kx in 0..3 {
            // Wraps in the padding.
            let column = first.wrapping_add(kx);
            for ((row, line), mask) in rows.iter().zip(lines).zip(masks) {
                if column.wrapping_mul(sweep.channels) < row.len() {
                    let at = |column: usize| column.wrapping_mul(sweep.channels).wrapping_add(c);
                    let w = line.at(at(kx)) as i32 & mask;
                    sum = sum.wrapping_add((row.at(at(column)) as i32 + arithmetic.x_offset).wrapping_mul(w));
                }
            }
        }
        let requantize = &arithmetic.requantize;
        let q = finish_any(requantize.channels.factor(c), requantize.zero_point, sum);
        out.set(ox.wrapping_mul(sweep.channels).wrapping_add(c), q);
    }
}

/// What the kernels work on. The assembly knows the order of the fields.
#[repr(C)]
struct Job {
    /// Columns of weights from right to left, each from top to bottom.
    weights: [i32; 9],
    /// Less what the zero point adds to the sums.
    bias: i32,
    /// Twice the multiplier, and the shift to the right.
    factor: [i32; 2],
    zero_point: i32,
    channels: usize,
    /// The outputs.
    out: *mut i8,
    /// Element at which the whole outputs of the channel end.
    end: usize,
    c: usize,
    rows: [*const i8; 3],
    lines: [*const i8; 3],
    table: *const i32,
    table_end: *const i32,
    offset: i32,
    padding: i32,
    is_padded: [usize; 2],
    is_masked: usize,
    masks: [i32; 3],
    stride: usize,
}

/// Fetches the constants of channel c and its weights, or goes to 90 if there is none or its factor is less common.
/// Leaves the rows in r10-r12, c in lr and the bias in r5.
macro_rules! begin {
    () => {
        "ldrd r8, r0, [r9, #92]
        cmp r8, r0
        beq.w 90f
        ldm.w r8!, {{r5-r7}}
        lsls r6, r6, #1
        bpl.w 90f
        rsbs r7, r7, #0
        ble.w 90f
        str.w r8, [r9, #92]
        strd r6, r7, [r9, #40]
        add.w r0, r9, #80
        ldm.w r0, {{r10-r12}}
        ldr.w r8, [r9, #52]
        mov r4, r9
        ldrsb.w r0, [r10, r8, lsl #1]
        ldrsb.w r1, [r11, r8, lsl #1]
        ldrsb.w r2, [r12, r8, lsl #1]
        stm r4!, {{r0-r2}}
        add r0, r1
        adds r3, r0, r2
        ldrsb.w r0, [r10, r8]
        ldrsb.w r1, [r11, r8]
        ldrsb.w r2, [r12, r8]
        stm r4!, {{r0-r2}}
        add r0, r1
        add r0, r2
        add r3, r0
        ldrsb.w r0, [r10], #1
        ldrsb.w r1, [r11], #1
        ldrsb.w r2, [r12], #1
        stm r4!, {{r0-r2}}
        add r0, r1
        add r0, r2
        add r3, r0
        add.w r0, r9, #80
        stm.w r0, {{r10-r12}}
        ldr.w r0, [r9, #116]
        cbz r0, 12f
        add.w r0, r9, #120
        ldm.w r0, {{r10-r12}}
        mov r4, r9
        movs r3, #0
        movs r6, #3
        11:
        ldm.w r4, {{r0-r2}}
        and.w r0, r0, r10
        and.w r1, r1, r11
        and.w r2, r2, r12
        stm r4!, {{r0-r2}}
        add r0, r1
        add r0, r2
        add r3, r0
        subs r6, #1
        bne 11b
        12:
        ldr.w r0, [r9, #100]
        mla r5, r3, r0, r5
        str.w r5, [r9, #36]
        add.w r0, r9, #64
        ldm.w r0, {{r0, r10-r12}}
        mov lr, r0"
    };
}

/// A column of the image in r3-r5.
macro_rules! column {
    () => {
        "ldrsb.w r3, [r10, lr]
        ldrsb.w r4, [r11, lr]
        ldrsb.w r5, [r12, lr]"
    };
}

/// Products of the column and weights in r0-r2.
macro_rules! products {
    ($from:literal, $to:literal) => {
        concat!(
            "mla ",
            $to,
            ", r0, r3, ",
            $from,
            "\n",
            "mla ",
            $to,
            ", r1, r4, ",
            $to,
            "\n",
            "mla ",
            $to,
            ", r2, r5, ",
            $to,
            "\n",
        )
    };
}

/// The sum in r6 to int8 in r0: twice the multiplier in r0, shift in r1, zero point in r2.
macro_rules! finish {
    ($temporary:literal) => {
        concat!(
            "smull ",
            $temporary,
            ", r0, r6, r0\n",
            "adds ",
            $temporary,
            ", ",
            $temporary,
            "\n",
            "adcs r0, r6\n",
            "add.w r0, r0, r0, asr #31\n",
            "asrs r0, r1\n",
            "adcs r0, r2\n",
            "ssat r0, #8, r0\n",
        )
    };
}

/// Adds the products of the padding and the weights in r0-r2 to the sum in r6.
macro_rules! padding {
    ($from:literal, $to:literal) => {
        concat!("add r0, r1\nadd r0, r2\nldr.w r1, [r9, #104]\nmla ", $to, ", r0, r1, ", $from, "\n",)
    };
}

/// Sweeps channel after channel. With stride 1 the sums of two outputs are under way, of the first one in r6; with stride
/// 2 the last column of an output, in r3-r5, is the first one of the next.
///
/// # Safety
/// The job's pointers must stand on what the fields describe.
#[unsafe(naked)]
unsafe extern "C" fn sweep_channels(job: &mut Job) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "mov r9, r0",
        "10:",
        begin!(),
        "ldr.w r0, [r9, #132]",
        "cmp r0, #1",
        "bne.w 40f",
        "mov r8, r5",
        "ldr.w r3, [r9, #108]",
        "add.w r0, r9, #24",
        "ldm.w r0, {{r0-r2}}",
        "cbz r3, 13f",
        padding!("r8", "r7"),
        "b 14f",
        "13:",
        column!(),
        products!("r8", "r7"),
        "ldr.w r0, [r9, #52]",
        "add lr, r0",
        "14:",
        column!(),
        "add.w r0, r9, #12",
        "ldm.w r0, {{r0-r2}}",
        products!("r7", "r6"),
        "add.w r0, r9, #24",
        "ldm.w r0, {{r0-r2}}",
        products!("r8", "r7"),
        "ldrd r0, r1, [r9, #52]",
        "add lr, r0",
        "ldr.w r1, [r9, #60]",
        "cmp lr, r1",
        "beq 30f",
        "20:",
        column!(),
        "ldm.w r9!, {{r0-r2}}",
        products!("r6", "r6"),
        "ldm.w r9!, {{r0-r2}}",
        products!("r7", "r7"),
        "ldm.w r9!, {{r0-r2, r8}}",
        products!("r8", "r8"),
        "ldm.w r9!, {{r0-r2}}",
        finish!("r3"),
        "ldm.w r9, {{r3-r5}}",
        "sub.w r9, r9, #52",
        "strb.w r0, [r4, lr]",
        "add lr, r3",
        "mov r6, r7",
        "mov r7, r8",
        "cmp lr, r5",
        "bne 20b",
        "30:",
        "ldr.w r3, [r9, #112]",
        "cbz r3, 31f",
        "ldm.w r9, {{r0-r2}}",
        padding!("r6", "r6"),
        "ldrd r0, r1, [r9, #40]",
        "ldr.w r2, [r9, #48]",
        finish!("r3"),
        "ldr.w r4, [r9, #56]",
        "strb.w r0, [r4, lr]",
        "31:",
        "ldrd r0, r1, [r9, #60]",
        "adds r0, #1",
        "adds r1, #1",
        "strd r0, r1, [r9, #60]",
        "b.w 10b",
        "40:",
        "ldr.w r8, [r9, #56]",
        "add r8, lr",
        "ldrd r3, r0, [r9, #104]",
        "mov r4, r3",
        "mov r5, r3",
        "cbnz r0, 44f",
        column!(),
        "ldr.w r0, [r9, #52]",
        "add lr, r0",
        "44:",
        "ldr.w r0, [r9, #60]",
        "cmp lr, r0",
        "beq 60f",
        "50:",
        "add.w r0, r9, #24",
        "ldm.w r0, {{r0-r2, r6}}",
        products!("r6", "r6"),
        column!(),
        "add.w r0, r9, #12",
        "ldm.w r0, {{r0-r2}}",
        products!("r6", "r6"),
        "ldr.w r7, [r9, #52]",
        "add lr, r7",
        column!(),
        "add lr, r7",
        "ldm.w r9, {{r0-r2}}",
        products!("r6", "r6"),
        "ldrd r0, r1, [r9, #40]",
        "ldr.w r2, [r9, #48]",
        finish!("r7"),
        "strb.w r0, [r8]",
        "ldr.w r7, [r9, #52]",
        "add r8, r7",
        "ldr.w r0, [r9, #60]",
        "cmp lr, r0",
        "bne 50b",
        "60:",
        "ldr.w r0, [r9, #112]",
        "cmp r0, #0",
        "beq.w 31b",
        "add.w r0, r9, #24",
        "ldm.w r0, {{r0-r2, r6}}",
        products!("r6", "r6"),
        column!(),
        "add.w r0, r9, #12",
        "ldm.w r0, {{r0-r2}}",
        products!("r6", "r6"),
        "ldm.w r9, {{r0-r2}}",
        padding!("r6", "r6"),
        "ldrd r0, r1, [r9, #40]",
        "ldr.w r2, [r9, #48]",
        finish!("r7"),
        "strb.w r0, [r8]",
        "b.w 31b",
        "90:",
        "pop {{r4-r11, pc}}",
    )
}
