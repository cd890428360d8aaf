//! Data sets: from files to samples for training.
//!
//! ```text
//! idx, npz, CSV, PNG, WAV, arrays ─→ Examples ─ split ─→ training ─ augment ─→ Dataset
//!                                                 └──→ test ───────────────→ Dataset
//! ```
//!
//! Everything is seeded: the same files and seeds make the same samples, on every machine and whatever the number of
//! threads.

mod arrays;
mod augment;
mod csv;
mod examples;
mod files;
mod idx;
mod png;
pub mod sensor;
mod sound;
mod standardize;
mod wav;

pub use arrays::read_npz_examples;
pub use augment::{
    Augment, Augmented, Cutout, Flip, Noise, Rotation, Scale, Shift, TimeShift, TimeWarp, Turn, Variation,
    with_copies,
};
pub use csv::{Table, Windows, read_csv};
pub use examples::{Examples, Split};
pub use idx::read_idx;
pub use png::{Images, read_png};
pub use sound::features;
pub use standardize::Standardization;
pub use wav::{Sounds, read_clip, read_sounds, read_wav};
