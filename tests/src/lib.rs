//! What the suites share: the golden cases of `tests/cases` as graphs.

pub mod cases;
