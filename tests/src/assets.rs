//! The reference models and goldens beside the project, in the folder that `DUNLIN_ASSETS` names. Without
//! the variable, tests that need them say so and pass.

use std::path::PathBuf;

use dunlin_converter::npy::{self, Array};
use dunlin_converter::pack::Packing;
use dunlin_converter::plan::{plan, rows};
use dunlin_converter::program::Rewrite;
use dunlin_converter::{Data, Program, import};

/// The folder; `None`, with a message, if the variable is not set.
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("DUNLIN_ASSETS").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: DUNLIN_ASSETS does not name the folder of reference models");
    }
    folder
}

/// The program of a reference model: `mlperf_kws_int8`.
pub fn program(name: &str) -> Option<Program> {
    program_for(name, Packing::Portable)
}

/// The same for some cores.
pub fn program_for(name: &str, packing: Packing) -> Option<Program> {
    program_as(name, packing.into())
}

/// Every way in which a network's weights can be arranged.
pub fn arrangements() -> [Rewrite; 5] {
    let [portable, scalar, dsp, helium] =
        [Packing::Portable, Packing::Scalar, Packing::Dsp, Packing::Helium].map(Rewrite::from);
    [portable, scalar, dsp, helium, Rewrite::EXPANDED]
}

/// The same, rewritten like this.
pub fn program_as(name: &str, rewrite: Rewrite) -> Option<Program> {
    let path = folder()?.join("models").join(format!("{name}.tflite"));
    let graph = import::load(&path).unwrap_or_else(|e| panic!("{e}"));
    let program = Program::compile_with(&graph, rewrite, |graph| Ok(plan(graph)));
    Some(program.unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// [`program`], with weights for DSP, planned by rows.
pub fn program_by_rows(name: &str, options: &rows::Options) -> Option<Program> {
    program_by_rows_as(name, Packing::Dsp.into(), options)
}

/// The same, rewritten like this.
pub fn program_by_rows_as(name: &str, rewrite: Rewrite, options: &rows::Options) -> Option<Program> {
    let path = folder()?.join("models").join(format!("{name}.tflite"));
    let graph = import::load_simplified(&path).unwrap_or_else(|e| panic!("{e}"));
    let rewrite = Rewrite { by_rows: true, ..rewrite };
    let program = Program::compile_with(&graph, rewrite, |graph| rows::plan(graph, options));
    Some(program.unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// An array of the folder.
pub fn array(path: &str) -> Option<Array> {
    Some(npy::read(&folder()?.join(path)).unwrap_or_else(|e| panic!("{e}")))
}

/// The elements of an array in `n` equal parts: one a sample.
pub fn samples(array: &Array, n: usize) -> Vec<Data> {
    let len = array.data.len() / n;
    let part = |i: usize| match &array.data {
        Data::F32(v) => Data::F32(v[i * len..][..len].to_vec()),
        Data::I8(v) => Data::I8(v[i * len..][..len].to_vec()),
        Data::I16(v) => Data::I16(v[i * len..][..len].to_vec()),
        Data::I32(v) => Data::I32(v[i * len..][..len].to_vec()),
    };
    (0..n).map(part).collect()
}
