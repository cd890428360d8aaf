//! What can go wrong on the host, said so that a person knows what to do.

use std::path::PathBuf;

/// The converter's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names the file, node and operator, and what to try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operator does not take the tensors it was given.
    #[error("{node}: {op} does not take inputs {inputs}: {source}")]
    Operator {
        /// The node's name.
        node: String,
        /// The operator's name.
        op: &'static str,
        /// Types of the inputs.
        inputs: String,
        /// Which rule is violated.
        source: dunlin::Error,
    },
    /// A graph contradicts itself.
    #[error("{node}: {what}")]
    Graph {
        /// The node or tensor.
        node: String,
        /// What is wrong, and what to try.
        what: String,
    },
    /// The runtime refused a model.
    #[error("{what}: {source}")]
    Model {
        /// Which model.
        what: String,
        /// Why.
        source: dunlin::Error,
    },
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
        /// What was found, what was expected, and what to try.
        what: String,
    },
    /// Building, emulating or measuring firmware failed.
    #[error(transparent)]
    Device(#[from] crate::device::Error),
    /// A call's arguments do not fit.
    #[error("{0}")]
    Invalid(String),
}

impl Error {
    /// A graph error at `node`.
    pub fn graph(node: &str, what: impl Into<String>) -> Error {
        Error::Graph { node: node.to_string(), what: what.into() }
    }

    /// For `map_err` on operations on a file.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { path, source }
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
