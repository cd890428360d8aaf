//! Data sets: from files to samples for training.
//!
//! ```text
//! idx, WAV ─→ Examples ─ split ─→ training ─ augment ─→ Dataset
//!                          └──→ test ───────────────→ Dataset
//! ```
//!
//! Everything is seeded: the same files and seeds make the same samples, on every machine and whatever the number of
//! threads.

mod examples;
mod idx;
mod shift;
mod sound;
mod wav;

pub use examples::{Examples, Split};
pub use idx::read_idx;
pub use shift::with_shifts;
pub use sound::{Variation, features, with_variations};
pub use wav::{Sounds, read_clip, read_sounds, read_wav};
