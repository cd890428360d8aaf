//! Reference networks with their training recipes.

pub mod demo;
pub mod digits;
pub mod gestures;
pub mod recipe;
