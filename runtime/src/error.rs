//! What can be wrong with a model, an arena or a call.

use core::fmt;

/// Why a model was refused or a call could not be served. Nothing was changed when one is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
#[repr(u8)]
pub enum Error {
    /// The bytes do not start with the magic of a `.dunlin` file.
    NotAModel = 1,
    /// The file's version is not one that this runtime reads.
    Version,
    /// The bytes end before the file does, or go on after it.
    Length,
    /// The bytes do not agree with their checksum.
    Checksum,
    /// A record of the program section cannot be decoded, or contradicts another one.
    Malformed,
    /// The model's bytes, or an arena, do not start at a multiple of 16.
    Alignment,
    /// A tensor lies outside its section or the arena, or is not aligned for its dtype.
    TensorPlace,
    /// A step would write over bytes of the arena that are still to be read.
    Overlap,
    /// A step needs an operator that the given table does not have.
    OperatorMissing,
    /// An operator's parameters are out of their range.
    Parameters,
    /// An operator has too few or too many inputs or outputs.
    Arity,
    /// A tensor's dtype is not one that its operator takes.
    DType,
    /// A tensor's rank or shape is not what its operator takes or makes.
    Shape,
    /// The arena is smaller than the model's plan.
    ArenaTooSmall,
    /// There is no input or output of that index.
    NoSuchTensor,
    /// The slice given or asked for has another dtype than the tensor.
    WrongDType,
    /// The slice given has another length than the tensor.
    WrongLength,
    /// The plan has more calls than can be checked in reasonable time.
    TooManyCalls,
    /// The input arrives by rows, or no input does; or rows are still missing.
    Rows,
    /// There are more or fewer memories than the plan is made for.
    Memories,
}

impl Error {
    /// One sentence: what is wrong and what to look at.
    pub const fn message(self) -> &'static str {
        match self {
            Error::NotAModel => "not a .dunlin file: the magic is missing",
            Error::Version => "the .dunlin file has another format version: convert the model again",
            Error::Length => "the .dunlin file is truncated or has bytes after its end",
            Error::Checksum => "the .dunlin file is damaged: its checksum does not agree",
            Error::Malformed => "the .dunlin file's program section contradicts itself",
            Error::Alignment => {
                "model and arena must start at a multiple of 16 bytes: use include_model! and Arena"
            }
            Error::TensorPlace => "a tensor lies outside the file or the arena, or is misaligned",
            Error::Overlap => "the plan writes over bytes that are still to be read",
            Error::OperatorMissing => {
                "the table of operators lacks one that the model names: use the table written beside the model"
            }
            Error::Parameters => "an operator's parameters are out of range",
            Error::Arity => "an operator has too few or too many inputs or outputs",
            Error::DType => "an operator does not take a tensor of this dtype",
            Error::Shape => "an operator does not take or make a tensor of this shape",
            Error::ArenaTooSmall => {
                "the arena is smaller than the plan: use the ARENA_BYTES written beside the model"
            }
            Error::NoSuchTensor => "the model has no input or output of that index",
            Error::WrongDType => "the slice has another dtype than the tensor",
            Error::WrongLength => "the slice has another length than the tensor",
            Error::TooManyCalls => "the plan has too many calls: plan the model again, with whole tensors",
            Error::Memories => {
                "the plan is made for another number of memories: see the constants written beside the model"
            }
            Error::Rows => {
                "the model takes its input by rows: use feed_row until it says that the last is done; others take \
                 input and run"
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Error {}
