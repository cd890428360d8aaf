//! What the suites share: the golden cases of `tests/cases` as graphs, a small network, model files
//! taken apart and damaged, and the emulated boards.

pub mod assets;
pub mod boards;
pub mod cases;
pub mod convnet;
pub mod damage;
pub mod parts;
pub mod poison;
pub mod random_networks;
pub mod sequences;
pub mod training;
