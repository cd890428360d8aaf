//! Trains the digits network and exports it for TensorFlow Lite, in f32 and in int8, with the first held-out
//! digits: `cargo run --release -p dunlin-models --example export_digits -- models/digits`. The script
//! `golden.py` there runs the files.

use std::path::PathBuf;

use dunlin_converter::nn::Progress;
use dunlin_converter::npy::{self, Array};
use dunlin_converter::{Data, Error, Result, export};
use dunlin_models::digits;

/// Digits that are run.
const N_SAMPLES: usize = 20;

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| Error::Invalid("name the folder to write to".to_string()))?;
    let trained = digits::train(1, Progress::Bar)?;
    let (training, held_out) = (&trained.digits.training, &trained.digits.held_out);
    export::write_tflite(&folder.join("digits_f32.tflite"), &trained.network.simplified()?)?;
    export::write_tflite(&folder.join("digits_int8.tflite"), &trained.network.quantized(training)?)?;
    let dims = [&[N_SAMPLES][..], held_out.dims()].concat();
    let pixels = (0..N_SAMPLES).flat_map(|i| held_out.sample(i)).copied().collect();
    npy::write(&folder.join("held_out.npy"), &Array { dims, data: Data::F32(pixels) })
}
