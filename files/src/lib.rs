//! Files that are replaced as a whole or not at all ([`replace`]), and NumPy's `.npy` and `.npz`.

mod npy;
mod replace;

use std::path::{Path, PathBuf};

pub use npy::{Elements, NpyArray, encode_npy, parse_npy, read_npy, read_npz, write_npy, write_npz};
pub use num_complex::Complex;
pub use replace::replace;

/// The result of what is done with a file.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names the file, and what to try.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file's contents are not what was expected.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was found, and what to try.
        what: String,
    },
}

impl Error {
    /// For errors of reading and writing `path`.
    pub fn io(path: &Path) -> impl Fn(std::io::Error) -> Error {
        move |source| Error::Io { path: path.to_owned(), source }
    }
}
