//! The README's firmware example: the digits network on a device. It is compiled with the tests.
#![no_std]

// ---- README
mod digits {
    include!("digits.rs"); // the arena's size, and the operators that the model names
}
static NET: &[u8] = dunlin::include_model!("digits.dunlin"); // aligned; stays in flash

/// Which digit the pixels show. The arena may as well be a `static`.
pub fn classify(pixels: &[i8; 64]) -> Result<Option<usize>, dunlin::Error> {
    let model = dunlin::Model::check(NET, digits::OPS)?; // the one trust boundary
    let mut arena = dunlin::Arena::<{ digits::ARENA_BYTES }>::new();
    let mut session = dunlin::Session::new(&model, &mut arena)?;
    session.input(0)?.copy_from(pixels)?;
    let scores = session.run().output::<i8>(0)?;
    Ok(scores.iter().enumerate().rev().max_by_key(|(_, score)| **score).map(|(digit, _)| digit))
}
// ---- README
