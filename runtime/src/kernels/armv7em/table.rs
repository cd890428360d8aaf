//! Functions of one int8 by table, four elements at a time.

use core::arch::asm;

use crate::kernels::generic;
use crate::mem::{View, ViewMut};

pub use crate::kernels::generic::table::TABLE_LEN;

/// [`generic::table::look_up_row`].
pub fn look_up_row(x: View<i8>, table: View<i8>, out: ViewMut<i8>) {
    let whole = out.len() & !3;
    if whole != 0 {
        look_up_fours(x.slice(0, whole), table, out.slice(0, whole));
    }
    let rest = out.len().wrapping_sub(whole);
    generic::table::look_up_row(x.slice(whole, rest), table, out.slice(whole, rest));
}

fn look_up_fours(x: View<i8>, table: View<i8>, out: ViewMut<i8>) {
    // SAFETY: reads the elements of `x`, at least four and a multiple of 4, then writes as many of `out`; a table has an
    // entry for every byte.
    unsafe {
        asm!(
            "20:",
            "ldr {x4}, [{x}], #4",
            "eor {x4}, {x4}, #0x80808080",
            "uxtb {a}, {x4}",
            "uxtb {b}, {x4}, ror #8",
            "uxtb {c}, {x4}, ror #16",
            "lsrs {x4}, {x4}, #24",
            "ldrb {a}, [{table}, {a}]",
            "ldrb {b}, [{table}, {b}]",
            "ldrb {c}, [{table}, {c}]",
            "ldrb {x4}, [{table}, {x4}]",
            "strb {a}, [{out}], #4",
            "strb {b}, [{out}, #-3]",
            "strb {c}, [{out}, #-2]",
            "strb {x4}, [{out}, #-1]",
            "cmp {out}, {end}",
            "bne 20b",
            x = inout(reg) x.as_ptr() => _,
            out = inout(reg) out.as_ptr() => _,
            end = in(reg) out.as_ptr().wrapping_add(out.len()),
            table = in(reg) table.as_ptr(),
            x4 = out(reg) _,
            a = out(reg) _,
            b = out(reg) _,
            c = out(reg) _,
            options(nostack),
        );
    }
}
