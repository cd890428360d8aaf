// Made by `dunlin` beside the model file: do not edit.

/// Bytes of the arena that the model needs.
pub const ARENA_BYTES: usize = 224;

/// The operators that the model names.
pub static OPS: &[dunlin::Entry] = &[
    dunlin::Entry::of::<dunlin::ops::FullyConnected, i8>(),
    dunlin::Entry::of::<dunlin::ops::Reshape, i8>(),
];

/// Mean squared difference between the model's input and output above which the input is an anomaly.
pub const THRESHOLD: f32 = 0.04727269;
