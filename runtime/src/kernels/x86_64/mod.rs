//! Vectors of x86-64: 32 bytes (AVX2, where there is, with AVX-VNNI), or 64 (AVX-512 with VNNI).

extern crate std;

use std::arch::is_x86_feature_detected as has;

use super::wide::cpu::Work;

mod avx2;
mod avx512;
mod rounding;

/// A kind of vectors.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Avx2,
    AvxVnni,
    Avx512,
}

/// All kinds, the narrowest first.
pub(crate) const KINDS: [Kind; 3] = [Kind::Avx2, Kind::AvxVnni, Kind::Avx512];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Avx2 => "avx2",
            Kind::AvxVnni => "avx-vnni",
            Kind::Avx512 => "avx-512",
        }
    }

    /// Whether this machine has them.
    pub(crate) fn is_here(self) -> bool {
        let has_avx2 = has!("avx2") && has!("fma");
        match self {
            Kind::Avx2 => has_avx2,
            Kind::AvxVnni => has_avx2 && has!("avxvnni"),
            Kind::Avx512 => {
                let has_bytes = has!("avx512bw") && has!("avx512vnni");
                has_avx2 && has!("avx512f") && has!("avx512dq") && has!("avx512vl") && has_bytes
            }
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
    unsafe {
        match kind {
            0 => avx2::run(work),
            1 => avx2::run_with_vnni(work),
            _ => avx512::run(work),
        }
    }
}
