//! Reference networks with their training recipes.

pub mod digits;
