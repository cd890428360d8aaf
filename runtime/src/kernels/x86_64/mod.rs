//! Vectors of x86-64: 32 bytes (AVX2, where there is, with AVX-VNNI), or 64 (AVX-512 with VNNI).

extern crate std;

use core::sync::atomic::{AtomicU8, Ordering};

use super::wide::cpu::Work;

mod avx2;
mod avx512;

pub(crate) use avx2::Avx2;
pub(crate) use avx512::Avx512;

/// Does it with the widest vectors of this machine; false, and nothing is done, if it has none that kernels are made for.
#[inline]
pub(crate) fn run(work: impl Work) -> bool {
    match level() {
        // SAFETY: `level` has asked the machine.
        Level::Avx512 => unsafe { Avx512::new() }.run(work),
        // SAFETY: as above.
        Level::AvxVnni => unsafe { Avx2::<true>::new() }.run(work),
        // SAFETY: as above.
        Level::Avx2 => unsafe { Avx2::<false>::new() }.run(work),
        Level::None => return false,
    }
    true
}

/// What the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    None = 1,
    Avx2,
    AvxVnni,
    Avx512,
}

/// The level, which is asked for once.
#[inline]
fn level() -> Level {
    #[cfg(test)]
    if let Some(level) = tested::get() {
        return level;
    }
    static LEVEL: AtomicU8 = AtomicU8::new(0);
    match LEVEL.load(Ordering::Relaxed) {
        4 => Level::Avx512,
        3 => Level::AvxVnni,
        2 => Level::Avx2,
        1 => Level::None,
        _ => {
            let level = detect();
            LEVEL.store(level as u8, Ordering::Relaxed);
            level
        }
    }
}

#[cold]
fn detect() -> Level {
    use std::arch::is_x86_feature_detected as has;
    if !has!("avx2") || !has!("fma") {
        return Level::None;
    }
    if has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") && has!("avx512vnni") {
        return Level::Avx512;
    }
    if has!("avxvnni") { Level::AvxVnni } else { Level::Avx2 }
}

/// Lesser levels than this machine's, for the tests of this thread.
#[cfg(test)]
pub(crate) mod tested {
    use super::std::arch::is_x86_feature_detected;
    use super::std::cell::Cell;
    use super::std::{format, thread_local};
    use super::{Level, detect};

    thread_local!(static LEVEL: Cell<Option<Level>> = const { Cell::new(None) });

    pub(super) fn get() -> Option<Level> {
        LEVEL.get()
    }

    /// Calls `test` with the vectors of each level that this machine has; it gets the level's name.
    pub fn at_each_level(mut test: impl FnMut(&str)) {
        for level in [Level::Avx2, Level::AvxVnni, Level::Avx512] {
            // A machine with the widest vectors may lack the narrower kind of their instructions.
            let has = is_x86_feature_detected!("avxvnni") || level != Level::AvxVnni;
            if level <= detect() && has {
                LEVEL.set(Some(level));
                test(&format!("{level:?}"));
                LEVEL.set(None);
            }
        }
    }
}
