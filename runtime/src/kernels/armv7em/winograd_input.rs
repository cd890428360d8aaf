//! The input of Winograd's tiles, four of them at a time: pixels with padding, and their transformation. See
//! [`ConvWinograd`](crate::ops::ConvWinograd).
//!
//! A word holds two input channels. In the scratch memory a place of the transformed tile has `[c_in / 2, 4]` words, of all
//! four tiles, and places come as in the file: by columns and rows in the order 1, 2, 0, 3.

use core::arch::naked_asm;

/// What [`transform`] works on. The assembly knows the order of the fields.
#[repr(C)]
pub struct Pixels {
    /// Ten pixels of four lines, or three of which the last one stands twice.
    pub rows: [*const i8; 4],
    /// Bytes of a pixel.
    pub step: usize,
    /// Room for the columns of four channels, transformed, `[lines, 2, 10]`, and its end.
    pub columns: *mut i32,
    pub columns_end: *const i32,
    /// Where the transformed tiles go.
    pub to: *mut i32,
    /// Bytes from a column of places to the next one, and from a place to the next one.
    pub column_distance: usize,
    pub line_distance: usize,
}

/// Four channels of a pixel in each of the lines, at offset r4: two words, each transformed down the column, to the words
/// from `$at` behind r5 on, which are those of a column of ten. Lines that are not there are written behind the others.
macro_rules! column {
    ($at:literal) => {
        concat!(
            "ldr.w r6, [r0, r4]\n",
            "ldr.w r7, [r1, r4]\n",
            "ldr.w r8, [r2, r4]\n",
            "ldr.w r9, [r3, r4]\n",
            "sxtb16 r10, r6\n",
            "sxtb16 r11, r7\n",
            "sxtb16 r12, r8\n",
            "sxtb16 lr, r9\n",
            column!($at, "0", "r10" "r11" "r12" "lr"),
            "sxtb16 r6, r6, ror #8\n",
            "sxtb16 r7, r7, ror #8\n",
            "sxtb16 r8, r8, ror #8\n",
            "sxtb16 r9, r9, ror #8\n",
            column!($at, "40", "r6" "r7" "r8" "r9"),
        )
    };
    ($at:literal, $word:literal, $d0:literal $d1:literal $d2:literal $d3:literal) => {
        concat!(
            "ssub16 ", $d0, ", ", $d0, ", ", $d2, "\n",
            "ssub16 ", $d3, ", ", $d3, ", ", $d1, "\n",
            "str.w ", $d0, ", [r5, #160 + ", $word, " + ", $at, "]\n",
            "str.w ", $d3, ", [r5, #240 + ", $word, " + ", $at, "]\n",
            "sadd16 ", $d0, ", ", $d1, ", ", $d2, "\n",
            "ssub16 ", $d2, ", ", $d2, ", ", $d1, "\n",
            "str.w ", $d0, ", [r5, #", $word, " + ", $at, "]\n",
            "str.w ", $d2, ", [r5, #80 + ", $word, " + ", $at, "]\n",
        )
    };
}

/// Ten words of a line, `$from` behind the address at [sp, #8], transformed along the line: to the address at [sp, #12]
/// after `$forth`, and places as far from each other as the number behind it says.
macro_rules! line {
    ($from:literal, $forth:literal) => {
        concat!(
            "ldr r0, [sp, #8]\n",
            "ldrd r12, lr, [sp, #12]\n",
            "adds r0, #4 + ",
            $from,
            "\n",
            "ldm.w r0, {{r0-r7}}\n",
            $forth,
            "\n",
            "sadd16 r8, r0, r1\n",
            "sadd16 r9, r2, r3\n",
            "sadd16 r10, r4, r5\n",
            "sadd16 r11, r6, r7\n",
            "stm.w r12, {{r8-r11}}\n",
            "add r12, lr\n",
            "ssub16 r8, r1, r0\n",
            "ssub16 r9, r3, r2\n",
            "ssub16 r10, r5, r4\n",
            "ssub16 r11, r7, r6\n",
            "stm.w r12, {{r8-r11}}\n",
            "add r12, lr\n",
            "ldr.w r11, [sp, #8]\n",
            "ldr.w r8, [r11, #",
            $from,
            "]\n",
            "ssub16 r9, r1, r3\n",
            "ssub16 r8, r8, r1\n",
            "ldr.w r1, [r11, #36 + ",
            $from,
            "]\n",
            "ssub16 r10, r3, r5\n",
            "ssub16 r11, r5, r7\n",
            "stm.w r12, {{r8-r11}}\n",
            "add r12, lr\n",
            "ssub16 r8, r2, r0\n",
            "ssub16 r9, r4, r2\n",
            "ssub16 r10, r6, r4\n",
            "ssub16 r11, r1, r6\n",
            "stm.w r12, {{r8-r11}}\n",
        )
    };
}

/// Writes words of padding, then words from elsewhere, then padding again.
///
/// # Safety
/// There must be as many words to read and to write.
#[unsafe(naked)]
pub unsafe extern "C" fn pad(
    to: *mut i32,
    before: usize,
    from: *const i32,
    inside: usize,
    behind: usize,
    padding: i32,
) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r6, lr}}",
        "ldrd r5, r4, [sp, #16]",
        "b 11f",
        "10:",
        "str r4, [r0], #4",
        "11:",
        "subs r1, #1",
        "bge 10b",
        "b 13f",
        "12:",
        "ldm.w r2!, {{r1, r6, r12, lr}}",
        "stm.w r0!, {{r1, r6, r12, lr}}",
        "13:",
        "subs r3, #4",
        "bge 12b",
        "adds r3, #4",
        "b 15f",
        "14:",
        "ldr r1, [r2], #4",
        "str r1, [r0], #4",
        "15:",
        "subs r3, #1",
        "bge 14b",
        "b 17f",
        "16:",
        "str r4, [r0], #4",
        "17:",
        "subs r5, #1",
        "bge 16b",
        "pop {{r4-r6, pc}}",
    )
}

/// Transforms four tiles.
///
/// # Safety
/// The pointers must stand on what the fields describe; a pixel has at least four bytes, and a multiple of that.
#[unsafe(naked)]
pub unsafe extern "C" fn transform(pixels: &Pixels) {
    naked_asm!(
        dsp_core!(),
        "push {{r4-r11, lr}}",
        // On the stack: the argument, the offset of the channels, where a line begins (at first where the columns of the
        // first word end), where it goes and the distance of columns, where the channels go, the bytes of a pixel.
        "sub sp, #28",
        "movs r1, #0",
        "ldr r2, [r0, #28]",
        "ldr r3, [r0, #32]",
        "ldr r4, [r0, #16]",
        "strd r0, r1, [sp]",
        "str r3, [sp, #16]",
        "strd r2, r4, [sp, #20]",
        "10:",
        "ldrd r12, r4, [sp]",
        "ldr.w r5, [r12, #20]",
        "ldm.w r12, {{r0-r3}}",
        "add.w r6, r5, #40",
        "str r6, [sp, #8]",
        "20:",
        column!("0"),
        "ldr r6, [sp, #24]",
        "add r4, r6",
        column!("4"),
        "ldr r6, [sp, #24]",
        "ldr r7, [sp, #8]",
        "adds r5, #8",
        "add r4, r6",
        "cmp r5, r7",
        "bne.w 20b",
        "ldr r6, [sp, #20]",
        "subs r5, #40",
        "strd r5, r6, [sp, #8]",
        "30:",
        line!("0", ""),
        line!("40", "add.w r12, r12, #16"),
        "ldr r2, [sp]",
        "ldrd r0, r1, [sp, #8]",
        "ldr r3, [r2, #36]",
        "ldr r2, [r2, #24]",
        "adds r0, #80",
        "add r1, r3",
        "strd r0, r1, [sp, #8]",
        "cmp r0, r2",
        "bne.w 30b",
        "ldr r0, [sp, #4]",
        "ldrd r1, r2, [sp, #20]",
        "adds r0, #4",
        "adds r1, #32",
        "str r0, [sp, #4]",
        "str r1, [sp, #20]",
        "cmp r0, r2",
        "bne.w 10b",
        "add sp, #28",
        "pop {{r4-r11, pc}}",
    )
}
