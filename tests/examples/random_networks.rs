//! Writes random networks as `.tflite` files, with inputs and what Dunlin computes, for
//! `tests/cases/exported.py`: `cargo run -p dunlin-tests --example random_networks -- FOLDER SEEDS`.

use std::path::{Path, PathBuf};

use dunlin_converter::npy::{self, Array};
use dunlin_converter::{Data, Error, Graph, Program, Result, export};
use dunlin_tests::random_networks::network;
use fastrand::Rng;

fn main() -> Result<()> {
    let usage = || Error::Invalid("name the folder to write to, and the number of networks".to_string());
    let mut args = std::env::args().skip(1);
    let folder = args.next().map(PathBuf::from).ok_or_else(usage)?;
    let n_networks: u64 = args.next().and_then(|n| n.parse().ok()).ok_or_else(usage)?;
    let mut written = 0;
    for seed in 0..n_networks {
        let outcome = network(seed).and_then(|networks| {
            write(&folder, &format!("{seed}_f32"), &networks.real, seed)?;
            write(&folder, &format!("{seed}_int8"), &networks.quantized, seed)
        });
        match outcome {
            Ok(()) => written += 1,
            Err(error) => println!("seed {seed}: {error}"),
        }
    }
    println!("{written} networks written");
    Ok(())
}

fn write(folder: &Path, name: &str, graph: &Graph, seed: u64) -> Result<()> {
    let mut rng = Rng::with_seed(seed + 1);
    let dims = graph.dims(graph.inputs()[0]);
    let n: usize = dims.iter().product();
    let x = match graph[graph.inputs()[0]].quant {
        None => Data::F32((0..n).map(|_| 3.0 * rng.f32() - 1.5).collect()),
        Some(_) => Data::I8((0..n).map(|_| rng.i8(..)).collect()),
    };
    export::write_tflite(&folder.join(format!("{name}.tflite")), graph)?;
    let data = Program::compile(graph)?.run(std::slice::from_ref(&x))?.remove(0);
    npy::write(&folder.join(format!("{name}.x.npy")), &Array { dims, data: x })?;
    let dims = graph.dims(graph.outputs()[0]);
    npy::write(&folder.join(format!("{name}.y.npy")), &Array { dims, data })
}
