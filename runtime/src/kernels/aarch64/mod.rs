//! Vectors of aarch64: 16 bytes (Neon), where there is, with the dot product of bytes.

extern crate std;

use super::wide::cpu::Work;

mod neon;

pub(crate) use neon::Neon;

/// Does it with the vectors of this machine, which every one has.
#[inline]
pub(crate) fn run(work: impl Work) -> bool {
    match level() {
        // SAFETY: `level` has asked the machine.
        Level::Dot => unsafe { Neon::<true>::new() }.run(work),
        // SAFETY: every machine with an operating system has Neon.
        Level::Neon => unsafe { Neon::<false>::new() }.run(work),
    }
    true
}

/// What the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Neon,
    Dot,
}

/// The level; the machine is asked once.
#[inline]
fn level() -> Level {
    #[cfg(test)]
    if let Some(level) = tested::get() {
        return level;
    }
    detect()
}

#[inline]
fn detect() -> Level {
    if std::arch::is_aarch64_feature_detected!("dotprod") { Level::Dot } else { Level::Neon }
}

/// Lesser levels than this machine's, for the tests of this thread.
#[cfg(test)]
pub(crate) mod tested {
    use super::std::cell::Cell;
    use super::std::{format, thread_local};
    use super::{Level, detect};

    thread_local!(static LEVEL: Cell<Option<Level>> = const { Cell::new(None) });

    pub(super) fn get() -> Option<Level> {
        LEVEL.get()
    }

    /// Calls `test` with the vectors of each level that this machine has; it gets the level's name.
    pub fn at_each_level(mut test: impl FnMut(&str)) {
        for level in [Level::Neon, Level::Dot] {
            if level == Level::Neon || detect() == Level::Dot {
                LEVEL.set(Some(level));
                test(&format!("{level:?}"));
                LEVEL.set(None);
            }
        }
    }
}
