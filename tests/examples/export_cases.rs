//! Exports every golden case of the operators as a `.tflite` file, for `tests/cases/exported.py`:
//! `cargo run -p dunlin-tests --example export_cases -- FOLDER`.

use std::path::PathBuf;

use dunlin_converter::{Error, Result, export};
use dunlin_tests::cases::{cases, operators};

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| Error::Invalid("name the folder to write to".to_string()))?;
    for operator in operators() {
        for (i, case) in cases(&operator).iter().enumerate() {
            export::write_tflite(&folder.join(format!("{operator}_{i}.tflite")), &case.graph)?;
        }
    }
    Ok(())
}
