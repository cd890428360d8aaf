// Made by `dunlin` beside the model file: do not edit.

/// Bytes of the arena that the model needs.
pub const ARENA_BYTES: usize = 1164;

/// The operators that the model names.
pub static OPS: &[dunlin::Entry] = &[
    dunlin::Entry::of::<dunlin::ops::MaxPool2d, i8>(),
    dunlin::Entry::of::<dunlin::ops::Reshape, i8>(),
    dunlin::Entry::of::<dunlin::ops::Softmax, i8>(),
    dunlin::Entry::of::<dunlin::ops::DepthwiseRecords, i8>(),
    dunlin::Entry::of::<dunlin::ops::ConvPairs, i8>(),
];
