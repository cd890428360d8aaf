//! What the positions of an output row read, one position behind the other: the taps of its window as whole vectors.

use core::arch::naked_asm;
use core::ops::Range;
use core::ptr::null;

use crate::mem::Rows;
use crate::ops::window::{Geometry, Taps};

/// The most lines of taps that are filled at a time.
const MAX_LINES: usize = 12;

/// What the windows of an output row read: the first row of its image, their rows, and the first ones of these.
pub struct PatchRow {
    pub image: usize,
    pub taps: Taps,
    lines: [*const i8; MAX_LINES],
}

/// The patches of a layer.
pub struct Patches<'a> {
    pub geometry: &'a Geometry,
    pub x: &'a Rows<'a, i8>,
    /// Bytes from line to line of a window's taps, at least those of a line; where dilation tears it apart, no more.
    pub line_bytes: usize,
    /// The stored number that stands for 0.
    pub padding: i32,
    /// Where the patches are put, each so many bytes behind the one before, and the first line so many behind the start.
    pub to: *mut i8,
    pub bytes: usize,
    pub before: usize,
}

impl Patches<'_> {
    /// Whether neighbouring taps of a row of the window are no neighbours in memory.
    fn is_torn(&self) -> bool {
        self.geometry.window.dilation[1] != 1 && self.geometry.kernel[1] != 1
    }

    /// What the windows of output row `y` read.
    pub fn row(&self, y: usize) -> PatchRow {
        let (image, taps) = self.geometry.row_taps(y);
        let lines = self.lines(image, &taps, 0);
        PatchRow { image, taps, lines }
    }

    /// Fills the patches of columns `columns` of an output row. What stands before and behind the lines is left as it is.
    pub fn fill(&self, PatchRow { image, taps, lines }: &PatchRow, columns: Range<usize>) {
        if self.is_torn() {
            return self.fill_torn(*image, taps, columns);
        }
        self.fill_lines(lines, 0, columns.clone());
        let mut first = MAX_LINES;
        while first < self.geometry.kernel[0] {
            self.fill_lines(&self.lines(*image, taps, first), first, columns.clone());
            first = first.wrapping_add(MAX_LINES);
        }
    }

    /// Rows `first..` of the windows, at most [`MAX_LINES`].
    fn lines(&self, image: usize, taps: &Taps, first: usize) -> [*const i8; MAX_LINES] {
        let mut lines = [null(); MAX_LINES];
        for (i, line) in lines.iter_mut().enumerate().take(self.geometry.kernel[0].wrapping_sub(first)) {
            *line = self.line(image, taps, first.wrapping_add(i));
        }
        lines
    }

    /// The row of tap `ky`; null in the padding.
    #[inline(always)]
    fn line(&self, image: usize, rows: &Taps, ky: usize) -> *const i8 {
        let inside = rows.valid.contains(&ky);
        if inside { self.x.row(image.wrapping_add(rows.index(ky))).as_ptr() } else { null() }
    }

    /// Rows `first..` of the windows, as many as [`Fill`] takes.
    fn fill_lines(&self, lines: &[*const i8; MAX_LINES], first: usize, columns: Range<usize>) {
        let ([kh, kw], [_, width, c_in]) = (self.geometry.kernel, self.geometry.input);
        let n_lines = kh.wrapping_sub(first).min(MAX_LINES);
        let stride = self.geometry.window.stride[1] as usize;
        let before = self.before.wrapping_add(first.wrapping_mul(self.line_bytes));
        let mut fill = Fill {
            lines: lines.as_ptr(),
            n_lines,
            line_len: self.line_bytes,
            to: self.to.wrapping_add(before),
            positions: 0,
            at: 0,
            from: 0,
            len: 0,
            padding: self.padding,
            step: stride.wrapping_mul(c_in),
            distance: self.bytes,
        };
        let mut ox = columns.start;
        while ox < columns.end {
            let start = ox.wrapping_mul(stride) as isize - self.geometry.window.pads[1] as isize;
            // Taps from `from` on and before `to` are in the image.
            let from = (start.wrapping_neg().max(0) as usize).min(kw);
            let to = ((width as isize - start).max(0) as usize).min(kw).max(from);
            let positions = if to.wrapping_sub(from) < kw {
                1
            } else {
                // All windows from here on that end within the row.
                let last = (width as isize - start) as usize - kw;
                columns.end.wrapping_sub(ox).min(last.checked_div(stride).unwrap_or(0).wrapping_add(1))
            };
            fill.positions = positions;
            fill.at = (start + from as isize).max(0) as usize * c_in;
            fill.from = from.wrapping_mul(c_in);
            fill.len = to.wrapping_sub(from).wrapping_mul(c_in);
            // SAFETY: the lines are rows, of which `len` bytes from `at` on are in the image; the patches have room.
            unsafe { fill_patches(&fill) };
            fill.to = fill.to.wrapping_add(positions.wrapping_mul(fill.distance));
            ox = ox.wrapping_add(positions);
        }
    }

    /// The same where dilation tears the rows of a window apart: pixel by pixel.
    fn fill_torn(&self, image: usize, rows: &Taps, columns: Range<usize>) {
        let ([kh, kw], [_, _, c_in]) = (self.geometry.kernel, self.geometry.input);
        let mut to = self.to.wrapping_add(self.before);
        for ox in columns.clone() {
            let taps = self.geometry.column_taps(ox);
            let mut at = to;
            for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                let row = if taps.valid.contains(&kx) { self.line(image, rows, ky) } else { null() };
                let fill = Fill {
                    lines: &row,
                    n_lines: 1,
                    line_len: c_in,
                    to: at,
                    positions: 1,
                    at: taps.index(kx).wrapping_mul(c_in),
                    from: 0,
                    len: c_in,
                    padding: self.padding,
                    step: 0,
                    distance: 0,
                };
                // SAFETY: one pixel of a row of the image, or none; the patch has room.
                unsafe { fill_patches(&fill) };
                at = at.wrapping_add(c_in);
            }
            to = to.wrapping_add(self.bytes);
        }
    }
}

/// What [`fill_patches`] works on. The assembly knows the order of the fields.
#[repr(C)]
struct Fill {
    /// Rows of the image; null in the padding.
    lines: *const *const i8,
    n_lines: usize,
    /// Bytes of a line of taps.
    line_len: usize,
    to: *mut i8,
    /// Neighbouring positions, at least one; one unless `len` is `line_len`.
    positions: usize,
    /// The first byte of a row, where a position begins; so many bytes of padding before it, and so many of the row.
    at: usize,
    from: usize,
    len: usize,
    padding: i32,
    /// From position to position in the rows, and in the patches.
    step: usize,
    distance: usize,
}

/// Label 40: a line of r5 bytes of padding, to r3, before what it has in the row; none at all if there is no row.
macro_rules! pad_line {
    () => {
        concat!(
            "40:\n",
            "mov r11, r3\n",
            "dlstp.8 lr, r5\n",
            "41:\n",
            "vstrb.8 q1, [r11], #16\n",
            "letp lr, 41b\n",
            "cmp r4, #0\n",
            "beq 32b\n",
            "cmp.w r8, #0\n",
            "beq 32b\n",
            "b 30b\n",
        )
    };
}

/// Label 50: lines of a vector or less, r2 of them, to r3; the bytes that they have in the row, and of the line.
macro_rules! short_lines {
    () => {
        concat!(
            "50:\n",
            "movs r4, #1\n",
            "lsl.w r11, r4, r8\n",
            "lsl.w lr, r4, r5\n",
            "sub.w r11, r11, #1\n",
            "sub.w lr, lr, #1\n",
            "lsl.w r11, r11, r7\n",
            "51:\n",
            "ldr r4, [r1], #4\n",
            "cbz r4, 53f\n",
            "add r4, r6\n",
            "vmsr p0, r11\n",
            "subs r4, r4, r7\n",
            "vpst\n",
            "vldrbt.u8 q0, [r4]\n",
            "vpsel q0, q0, q1\n",
            "52:\n",
            "vmsr p0, lr\n",
            "subs r2, #1\n",
            "vpst\n",
            "vstrbt.8 q0, [r3]\n",
            "add r3, r5\n",
            "bne 51b\n",
            "b 33b\n",
            "53:\n",
            "vmov q0, q1\n",
            "b 52b\n",
        )
    };
}

/// Copies lines of taps.
#[unsafe(naked)]
unsafe extern "C" fn fill_patches(job: &Fill) {
    naked_asm!(
        mve_core!(),
        "push {{r0, r4-r11, lr}}",
        "ldr r1, [r0, #32]",
        "vdup.8 q1, r1",
        "ldr.w r12, [r0]",
        "ldr r5, [r0, #8]",
        "ldrd r9, r10, [r0, #12]",
        "ldrd r6, r7, [r0, #20]",
        "ldr.w r8, [r0, #28]",
        "10:",
        "ldr r0, [sp]",
        "mov r1, r12",
        "ldr r2, [r0, #4]",
        "mov r3, r9",
        "cmp r5, #16",
        "bls 50f",
        "20:",
        "ldr r4, [r1], #4",
        "cbz r4, 40f",
        "cmp r8, r5",
        "bne 40f",
        "30:",
        "add r4, r6",
        "add.w r11, r3, r7",
        "dlstp.8 lr, r8",
        "31:",
        "vldrb.u8 q0, [r4], #16",
        "vstrb.8 q0, [r11], #16",
        "letp lr, 31b",
        "32:",
        "add r3, r5",
        "subs r2, #1",
        "bne 20b",
        "33:",
        "ldrd r2, r3, [r0, #36]",
        "add r6, r2",
        "add r9, r3",
        "subs.w r10, r10, #1",
        "bne 10b",
        "pop {{r0, r4-r11, pc}}",
        pad_line!(),
        short_lines!(),
    )
}
