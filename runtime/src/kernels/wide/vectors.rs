//! Which vectors kernels take: the widest of those that the machine has, asked for when they are first needed.

extern crate std;

use core::sync::atomic::{AtomicU8, Ordering};

use super::cpu::Work;
use crate::kernels::host_cpu::{self, KINDS};

/// What kernels take: 0 until the machine has been asked, [`NONE`], or `NONE + 1` and the kind's place in [`KINDS`].
static TAKEN: AtomicU8 = AtomicU8::new(0);
const NONE: u8 = 1;

/// Does it with the vectors that are taken; false, and nothing is done, if none are.
#[inline]
pub(crate) fn run(work: impl Work) -> bool {
    let taken = taken();
    if taken > NONE {
        // SAFETY: what is taken the machine has.
        unsafe { host_cpu::run((taken - NONE - 1) as usize, work) };
    }
    taken > NONE
}

#[inline]
fn taken() -> u8 {
    #[cfg(test)]
    if let Some(taken) = tested::TAKEN.get() {
        return taken;
    }
    match TAKEN.load(Ordering::Relaxed) {
        0 => take_widest(),
        taken => taken,
    }
}

#[cold]
fn take_widest() -> u8 {
    let taken = KINDS.iter().zip(NONE + 1..).filter(|(kind, _)| kind.is_here()).map(|(_, i)| i).last();
    let taken = taken.unwrap_or(NONE);
    TAKEN.store(taken, Ordering::Relaxed);
    taken
}

/// The names of the kinds up to what is taken that the machine has.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let n = (taken() - NONE) as usize;
    KINDS.iter().take(n).filter(|kind| kind.is_here()).map(|kind| kind.name())
}

/// Takes none that are wider than those of this name; false if the machine has none of it.
pub(crate) fn limit(name: Option<&str>) -> bool {
    let kind = |name| KINDS.iter().zip(NONE + 1..).find(|(kind, _)| kind.is_here() && kind.name() == name);
    let taken = match name {
        None => Some(NONE),
        Some(name) => kind(name).map(|(_, i)| i),
    };
    taken.inspect(|&taken| TAKEN.store(taken, Ordering::Relaxed)).is_some()
}

/// Lesser vectors than this machine's, for the tests of this thread.
#[cfg(test)]
pub(crate) mod tested {
    use super::std::cell::Cell;
    use super::std::thread_local;
    use super::{KINDS, NONE};

    thread_local!(pub(super) static TAKEN: Cell<Option<u8>> = const { Cell::new(None) });

    /// Calls `test` with the vectors of each kind that this machine has; it gets the kind's name.
    pub fn with_each_kind(mut test: impl FnMut(&str)) {
        for (kind, i) in KINDS.iter().zip(NONE + 1..).filter(|(kind, _)| kind.is_here()) {
            TAKEN.set(Some(i));
            test(kind.name());
            TAKEN.set(None);
        }
    }
}
