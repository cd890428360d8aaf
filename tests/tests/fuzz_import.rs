//! Damaged `.tflite` and `.onnx` files, made with a fixed seed from the reference models: each is refused with an error or
//! becomes a model that the runtime accepts, soon and in little memory.

use std::path::Path;
use std::time::{Duration, Instant};

use dunlin_converter::{Program, export, import, passes};
use dunlin_tests::assets::folder;
use fastrand::Rng;

/// Files that are made of each model: many of the small ones, where most bytes are structure. The first ones
/// are in the repository; one of those has labels in an archive behind it.
const SEEDS: [(&str, usize); 28] = [
    ("../tests/import/labelled.tflite", 30_000),
    ("../tests/import/strided_slice_masks_int8.tflite", 30_000),
    ("../models/digits/digits_int8.tflite", 10_000),
    ("../tests/keras/dilated_image_int8.tflite", 6000),
    ("../tests/keras/dilated_series_int8.tflite", 4000),
    ("../tests/keras/grouped_int8.tflite", 6000),
    ("../tests/keras/greatest_int8.tflite", 6000),
    ("../tests/keras/repeated_f32.tflite", 6000),
    ("../tests/keras/repeated_fixed_f32.tflite", 6000),
    ("../tests/keras/mirrored_int8.tflite", 6000),
    ("../tests/keras/blocks_int8.tflite", 6000),
    ("../tests/keras/normalized_int8.tflite", 4000),
    ("../tests/keras/words_f32.tflite", 6000),
    ("../tests/keras/transformer_f32.tflite", 2000),
    ("tflm_hello_world_int8.tflite", 20_000),
    ("tflm_hello_world_float.tflite", 10_000),
    ("mlperf_kws_int8.tflite", 3000),
    ("mlperf_ic_int8.tflite", 1000),
    ("mlperf_ad_int8.tflite", 300),
    ("../tests/onnx/lenet_13.onnx", 6000),
    ("../tests/onnx/mobile_uint8.onnx", 6000),
    ("../tests/onnx/shuffled_new.onnx", 6000),
    ("../tests/onnx/transformer_14.onnx", 2000),
    ("../tests/onnx/gru_both_ways_11.onnx", 6000),
    ("../tests/onnx/numbers_17.onnx", 6000),
    ("../tests/onnx/hourglass_linear_new.onnx", 6000),
    ("../tests/onnx/pads_11.onnx", 6000),
    ("../tests/onnx/words_new.onnx", 6000),
];
/// The longest that a file may take; far more than any does, as machines that run tests are busy.
const MAX_TIME: Duration = Duration::from_secs(5);
/// The most memory of the process.
const MAX_MEMORY_KB: u64 = 1 << 20;
/// Numbers at which arithmetic tends to break.
const EDGES: [u32; 14] =
    [0, 1, 2, 3, 4, 8, 127, 128, 255, 256, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF0, 0xFFFF_FFFF];

/// One to eight changes, of the kinds that reach different checks.
fn damage(file: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.usize(1..=8) {
        let at = rng.usize(0..file.len().max(1));
        match rng.u8(0..8) {
            0 => file.truncate(at),
            1 => {
                let from = rng.usize(0..file.len().max(1));
                let n = rng.usize(1..64).min(file.len() - at.max(from));
                file.copy_within(from..from + n, at);
            }
            2..=4 => {
                let word = at & !3;
                let value = EDGES[rng.usize(0..EDGES.len())];
                if let Some(slot) = file.get_mut(word..word + 4) {
                    slot.copy_from_slice(&value.to_le_bytes());
                }
            }
            _ => {
                if let Some(byte) = file.get_mut(at) {
                    *byte = rng.u8(..);
                }
            }
        }
    }
}

/// Whether the file became a model. What became one can be exported, and imported again.
fn convert(file: &[u8]) -> bool {
    let graph = import::read(file, "damaged");
    let compiled = graph.and_then(|mut graph| {
        passes::simplify(&mut graph)?;
        Program::compile(&graph)?;
        Ok(graph)
    });
    let Ok(graph) = compiled else { return false };
    // Some of them TensorFlow Lite has no words for: then the error names the node.
    if let Ok(exported) = export::tflite(&graph) {
        import::read(&exported, "exported").unwrap_or_else(|e| panic!("the export cannot be read: {e}"));
    }
    true
}

#[test]
fn damaged_files_are_refused_or_become_models() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let assets = folder().map(|folder| folder.join("models"));
    for (i, (name, n_files)) in SEEDS.into_iter().enumerate() {
        let folder = if name.starts_with("..") { Some(repository) } else { assets.as_deref() };
        let Some(folder) = folder else { continue };
        let whole = std::fs::read(folder.join(name)).unwrap();
        let mut rng = Rng::with_seed(i as u64);
        let (mut accepted, mut longest) = (0, Duration::ZERO);
        for _ in 0..n_files {
            let mut file = whole.clone();
            damage(&mut file, &mut rng);
            let start = Instant::now();
            accepted += convert(&file) as usize;
            longest = longest.max(start.elapsed());
        }
        println!("{name}: {accepted} of {n_files} damaged files became models; the longest took {longest:?}");
        assert!(longest < MAX_TIME, "{name}: a file took {longest:?}");
        assert!(accepted < n_files, "{name}: nothing was refused");
    }
    if let Some(peak_kb) = peak_memory_kb() {
        assert!(peak_kb < MAX_MEMORY_KB, "the process took {peak_kb} KB");
    }
}

/// The most memory that the process had, where the system tells.
fn peak_memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
