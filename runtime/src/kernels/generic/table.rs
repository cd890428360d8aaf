//! Functions of one int8 as a table of all their values.

use crate::mem::{View, ViewMut};

/// Entries of a table: one for each int8, from -128 to 127.
pub const TABLE_LEN: usize = 256;

/// `out[i] = table[x[i] + 128]`; `out` may stand on `x`.
#[inline(always)]
pub fn look_up_row(x: View<i8>, table: View<i8>, out: ViewMut<i8>) {
    for i in 0..out.len() {
        out.set(i, table.at((x.at(i) as u8 ^ 128) as usize));
    }
}
