//! What can go wrong, said so that a person knows what to do.

use std::path::PathBuf;

/// The result of an operation on arrays.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names the shapes or the file, and what to try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Arguments do not fit together.
    #[error("{0}")]
    Invalid(String),
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
    pub(crate) fn invalid<T>(what: impl Into<String>) -> Result<T> {
        Err(Error::Invalid(what.into()))
    }
}

impl From<dunlin_files::Error> for Error {
    fn from(error: dunlin_files::Error) -> Error {
        match error {
            dunlin_files::Error::Io { path, source } => Error::Io { path, source },
            dunlin_files::Error::File { path, what } => Error::File { path, what },
        }
    }
}
