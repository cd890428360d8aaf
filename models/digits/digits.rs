// Made by `dunlin` beside the model file: do not edit.

/// Bytes of the arena that the model needs.
pub const ARENA_BYTES: usize = 1172;

/// The operators that the model names.
pub static OPS: &[dunlin::Entry] = &[
    dunlin::Entry::of::<dunlin::ops::Conv2d, i8>(),
    dunlin::Entry::of::<dunlin::ops::DepthwiseConv2d, i8>(),
    dunlin::Entry::of::<dunlin::ops::FullyConnected, i8>(),
    dunlin::Entry::of::<dunlin::ops::MaxPool2d, i8>(),
    dunlin::Entry::of::<dunlin::ops::Reshape, i8>(),
    dunlin::Entry::of::<dunlin::ops::Softmax, i8>(),
];
