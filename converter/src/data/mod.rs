//! Data sets: from files to samples for training.
//!
//! ```text
//! idx, … ─→ Examples ─ split ─→ training ─ augment ─→ Dataset
//!                          └──→ test ───────────────→ Dataset
//! ```
//!
//! Everything is seeded: the same files and seeds make the same samples, on every machine and whatever the number of
//! threads.

mod examples;
mod idx;
mod shift;

pub use examples::{Examples, Split};
pub use idx::read_idx;
pub use shift::with_shifts;
