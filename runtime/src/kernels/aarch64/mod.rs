//! Vectors of aarch64: 16 bytes (Neon), where there is, with the dot product of bytes.

extern crate std;

use super::wide::cpu::Work;

mod neon;

/// A kind of vectors.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Neon,
    Dot,
}

/// All kinds, the narrowest first.
pub(crate) const KINDS: [Kind; 2] = [Kind::Neon, Kind::Dot];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Neon => "neon",
            Kind::Dot => "neon-dotprod",
        }
    }

    /// Whether this machine has them.
    pub(crate) fn is_here(self) -> bool {
        match self {
            // Every machine with an operating system.
            Kind::Neon => true,
            Kind::Dot => std::arch::is_aarch64_feature_detected!("dotprod"),
        }
    }
}

/// Does it with the vectors of a kind, given by its place in [`KINDS`].
///
/// # Safety
/// The machine has them.
#[inline(always)]
pub(crate) unsafe fn run(kind: usize, work: impl Work) {
    // SAFETY: as the caller says.
    unsafe { if kind == 0 { neon::run(work) } else { neon::run_with_dot(work) } }
}
