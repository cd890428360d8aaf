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

/// A channel (label 10): the bias in r5, and the factor to the job, which is r9. Returns (label 90) if there is no channel
/// left or its factor is less common.
macro_rules! begin {
    () => {
        "10:
        ldrd r8, r0, [r9, #92]
        cmp r8, r0
        beq.w 90f
        ldm.w r8!, {{r5-r7}}
        lsls r6, r6, #1
        bpl.w 90f
        rsbs r7, r7, #0
        ble.w 90f
        str.w r8, [r9, #92]
        strd r6, r7, [r9, #40]"
    };
}

/// Copies the weights of the channel to the job, and goes on to those of the next. Their sum is r3.
macro_rules! fetch_weights {
    () => {
        "add.w r0, r9, #80
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
        stm.w r0, {{r10-r12}}"
    };
}

/// Clears the weights whose row is in the padding, if there are any. The sum of the others is r3.
macro_rules! mask_weights {
    () => {
        "ldr.w r0, [r9, #116]
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
        12:"
    };
}

/// Takes what the zero point adds to the sums from the bias, in r5 and in the job. Leaves the rows in r10-r12, c in lr.
macro_rules! fetch_rows {
    () => {
        "ldr.w r0, [r9, #100]
        mla r5, r3, r0, r5
        str.w r5, [r9, #36]
        add.w r0, r9, #64
        ldm.w r0, {{r0, r10-r12}}
        mov lr, r0"
    };
}

/// A column of weights in r0-r2; the bias follows the left one.
macro_rules! weights {
    (left) => {
        "add.w r0, r9, #24\nldm.w r0, {{r0-r2}}\n"
    };
    (left, bias in r6) => {
        "add.w r0, r9, #24\nldm.w r0, {{r0-r2, r6}}\n"
    };
    (middle) => {
        "add.w r0, r9, #12\nldm.w r0, {{r0-r2}}\n"
    };
    (right) => {
        "ldm.w r9, {{r0-r2}}\n"
    };
}

/// A column of the image in r3-r5.
macro_rules! column {
    () => {
        "ldrsb.w r3, [r10, lr]
        ldrsb.w r4, [r11, lr]
        ldrsb.w r5, [r12, lr]
        "
    };
}

/// On to the next column of the image; leaves the number of channels in a register.
macro_rules! next_column {
    ($channels:literal) => {
        concat!("ldr.w ", $channels, ", [r9, #52]\nadd lr, ", $channels, "\n")
    };
}

/// A sum with the products of the column and weights in r0-r2.
#[rustfmt::skip]
macro_rules! products {
    ($to:literal = $from:literal) => {
        concat!(
            "mla ", $to, ", r0, r3, ", $from, "\n",
            "mla ", $to, ", r1, r4, ", $to, "\n",
            "mla ", $to, ", r2, r5, ", $to, "\n",
        )
    };
}

/// A sum with the products of the padding and the weights in r0-r2.
macro_rules! padding {
    ($to:literal = $from:literal) => {
        concat!("add r0, r1\nadd r0, r2\nldr.w r1, [r9, #104]\nmla ", $to, ", r0, r1, ", $from, "\n")
    };
}

/// Twice the multiplier in r0, the shift in r1, the zero point in r2.
macro_rules! factor {
    () => {
        "ldrd r0, r1, [r9, #40]\nldr.w r2, [r9, #48]\n"
    };
}

/// The sum in r6 to int8 in r0, by what `factor!` fetches.
#[rustfmt::skip]
macro_rules! finish {
    ($temporary:literal) => {
        concat!(
            "smull ", $temporary, ", r0, r6, r0\n",
            "adds ", $temporary, ", ", $temporary, "\n",
            "adcs r0, r6\n",
            "add.w r0, r0, r0, asr #31\n",
            "asrs r0, r1\n",
            "adcs r0, r2\n",
            "ssat r0, #8, r0\n",
        )
    };
}

/// With stride 1, the first two columns, of which the first one may be padding. From here on the sums of two outputs are
/// under way: in r6 one that lacks the products of the right weights, in r7 the next, which has those of the left ones.
macro_rules! begin_ones {
    () => {
        concat!(
            "mov r8, r5\n",
            "ldr.w r3, [r9, #108]\n",
            weights!(left),
            "cbz r3, 13f\n",
            padding!("r7" = "r8"),
            "b 14f\n",
            "13:\n",
            column!(),
            products!("r7" = "r8"),
            next_column!("r0"),
            "14:\n",
            column!(),
            weights!(middle),
            products!("r6" = "r7"),
            weights!(left),
            products!("r7" = "r8"),
            "ldrd r0, r1, [r9, #52]\n",
            "add lr, r0\n",
            "ldr.w r1, [r9, #60]\n",
            "cmp lr, r1\n",
            "beq 30f\n",
        )
    };
}

/// With stride 1 (label 20): each column is the right one of an output, the middle one of the next, and the left one of
/// that behind, whose sum begins with the bias in r8. As r9 walks through the job, LDM fetches the weights, then what
/// `factor!` fetches, then channels, outputs and the end in r3-r5.
macro_rules! ones {
    () => {
        concat!(
            "20:\n",
            column!(),
            "ldm.w r9!, {{r0-r2}}\n",
            products!("r6" = "r6"),
            "ldm.w r9!, {{r0-r2}}\n",
            products!("r7" = "r7"),
            "ldm.w r9!, {{r0-r2, r8}}\n",
            products!("r8" = "r8"),
            "ldm.w r9!, {{r0-r2}}\n",
            finish!("r3"),
            "ldm.w r9, {{r3-r5}}\n",
            "sub.w r9, r9, #52\n",
            "strb.w r0, [r4, lr]\n",
            "add lr, r3\n",
            "mov r6, r7\n",
            "mov r7, r8\n",
            "cmp lr, r5\n",
            "bne 20b\n",
        )
    };
}

/// With stride 1, behind the last column (label 30): if padding follows, the output that it completes.
macro_rules! end_ones {
    () => {
        concat!(
            "30:\n",
            "ldr.w r3, [r9, #112]\n",
            "cbz r3, 31f\n",
            weights!(right),
            padding!("r6" = "r6"),
            factor!(),
            finish!("r3"),
            "ldr.w r4, [r9, #56]\n",
            "strb.w r0, [r4, lr]\n",
        )
    };
}

/// On to the next channel (label 31): c and the end are one element further.
macro_rules! next_channel {
    () => {
        "31:
        ldrd r0, r1, [r9, #60]
        adds r0, #1
        adds r1, #1
        strd r0, r1, [r9, #60]
        b.w 10b"
    };
}

/// With stride 2 (label 40), the first output's left column in r3-r5, which may be padding. From here on r8 is at the
/// output.
macro_rules! begin_twos {
    () => {
        concat!(
            "40:\n",
            "ldr.w r8, [r9, #56]\n",
            "add r8, lr\n",
            "ldrd r3, r0, [r9, #104]\n",
            "mov r4, r3\n",
            "mov r5, r3\n",
            "cbnz r0, 44f\n",
            column!(),
            next_column!("r0"),
            "44:\n",
            "ldr.w r0, [r9, #60]\n",
            "cmp lr, r0\n",
            "beq 60f\n",
        )
    };
}

/// The sum of an output of stride 2 in r6, but for the products of its right column. The middle one is left in r3-r5.
macro_rules! two_columns {
    () => {
        concat!(
            weights!(left, bias in r6),
            products!("r6" = "r6"),
            column!(),
            weights!(middle),
            products!("r6" = "r6"),
        )
    };
}

/// With stride 2 (label 50): the right column of an output, in r3-r5, is the left one of the next.
macro_rules! twos {
    () => {
        concat!(
            "50:\n",
            two_columns!(),
            next_column!("r7"),
            column!(),
            "add lr, r7\n",
            weights!(right),
            products!("r6" = "r6"),
            factor!(),
            finish!("r7"),
            "strb.w r0, [r8]\n",
            "ldr.w r7, [r9, #52]\n",
            "add r8, r7\n",
            "ldr.w r0, [r9, #60]\n",
            "cmp lr, r0\n",
            "bne 50b\n",
        )
    };
}

/// With stride 2, behind the last whole output (label 60): if padding follows, the output whose right column it is.
macro_rules! end_twos {
    () => {
        concat!(
            "60:\n",
            "ldr.w r0, [r9, #112]\n",
            "cmp r0, #0\n",
            "beq.w 31b\n",
            two_columns!(),
            weights!(right),
            padding!("r6" = "r6"),
            factor!(),
            finish!("r7"),
            "strb.w r0, [r8]\n",
            "b.w 31b\n",
        )
    };
}

/// Sweeps channel after channel, until there is none or one has a less common factor.
///
/// # Safety
/// The job's pointers must stand on what the fields describe.
#[unsafe(naked)]
unsafe extern "C" fn sweep_channels(job: &mut Job) {
    naked_asm!(
        "push {{r4-r11, lr}}",
        "mov r9, r0",
        begin!(),
        fetch_weights!(),
        mask_weights!(),
        fetch_rows!(),
        "ldr.w r0, [r9, #132]",
        "cmp r0, #1",
        "bne.w 40f",
        begin_ones!(),
        ones!(),
        end_ones!(),
        next_channel!(),
        begin_twos!(),
        twos!(),
        end_twos!(),
        "90:",
        "pop {{r4-r11, pc}}",
    )
}
