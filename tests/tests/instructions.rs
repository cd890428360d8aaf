//! Instructions of every operator of the reference models on the emulated cores, and the estimate of cycles that belongs
//! to them: `tests/instructions.tsv` holds them exactly, and neither may rise by more than 1 %, so that no kernel gets
//! faster by one measure only.
//!
//! `DUNLIN_UPDATE=1 cargo test -p dunlin-tests --test instructions` writes the file anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::resize::Resize;
use dunlin::ops::window::Window;
use dunlin::ops::{self, Factor};
use dunlin::{DType, Model, Shape};
use dunlin_converter::device::bench;
use dunlin_converter::device::boards::Board;
use dunlin_converter::graph::Form;
use dunlin_converter::pack::Packing;
use dunlin_converter::plan::plan;
use dunlin_converter::program::AlignedBytes;
use dunlin_converter::program::Rewrite;
use dunlin_converter::{Graph, Quant};
use dunlin_tests::assets::program_as;
use dunlin_tests::boards::runnable_boards;

/// The models, which are all in int8.
const MODELS: [&str; 4] = ["mlperf_kws_int8", "mlperf_vww_int8", "mlperf_ic_int8", "mlperf_ad_int8"];
/// The one that has other forms of its layers, which take more bytes of flash.
const EXPANDED: &str = "mlperf_ic_int8";
/// One board for each kind of code; on a Cortex-M7 runs that of a Cortex-M4.
const BOARDS: [&str; 6] =
    ["qemu-armv6m", "qemu-cortex-m3", "qemu-cortex-m33", "qemu-cortex-m4", "qemu-cortex-m55", "qemu-riscv32"];
const HEADER: &str = "model\tboard\tstep\toperator\tinstructions\testimated_cycles\n";

/// What is counted, in the order of the columns.
const MEASURES: [&str; 2] = ["instructions", "estimated cycles"];

/// The measures by model, board and step, the step with its operator's name.
type Counts = BTreeMap<(String, String, usize, String), [u64; 2]>;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.tsv")
}

fn committed() -> Counts {
    let text = std::fs::read_to_string(path()).expect("tests/instructions.tsv is committed");
    let line = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [model, board, step, operator, instructions, cycles] = fields[..] else {
            panic!("six fields: {line}")
        };
        let step = step.parse().expect("a step's number");
        let key = (model.to_owned(), board.to_owned(), step, operator.to_owned());
        (key, [instructions, cycles].map(|count| count.parse().expect("a count")))
    };
    text.lines().skip(1).map(line).collect()
}

fn counted() -> Counts {
    let boards = runnable_boards();
    let mut counts = Counts::new();
    let spatial = spatial();
    let spatial = AlignedBytes::from(&dunlin_converter::write::write(&spatial, &plan(&spatial)).unwrap()[..]);
    for board in boards.iter().filter(|board| BOARDS.contains(&board.name.as_str())) {
        count_steps("spatial", board, &spatial, &Model::check(&spatial, ops::ALL).unwrap(), &mut counts);
    }
    for name in MODELS {
        for board in boards.iter().filter(|board| BOARDS.contains(&board.name.as_str())) {
            count(name, name, board, board.packing().into(), &mut counts);
            if name == EXPANDED && board.packing() == Packing::Dsp {
                count(&format!("{name}, expanded"), name, board, Rewrite::EXPANDED, &mut counts);
            }
        }
    }
    counts
}

/// Operators on images that the reference models do not have, one behind the other.
fn spatial() -> Graph {
    let mut graph = Graph::new("spatial");
    graph.form = Form::Device;
    let quant = Some(Quant::i8(1.0, 0));
    let mut x = graph.input_of("x", DType::I8, &[1, 32, 32, 16]).unwrap();
    graph[x].quant = quant.clone();
    let pooling = |kernel: u8| {
        let window = Window { stride: [kernel.min(2); 2], ..Window::UNIT };
        Pooling { kernel: [kernel; 2], window, bounds: Bounds::None }
    };
    let resize = |side| Resize { size: [side; 2], align_corners: false, half_pixel_centers: true };
    let channels = |begin, len| ops::Slice {
        begin: [0, 0, 0, begin],
        len: [1, 16, 16, len],
        ..ops::Slice::all(&Shape::new(&[1, 16, 16, 16]).unwrap())
    };
    let steps = [
        ops::MaxPool2d(pooling(2)).into(),
        ops::ResizeNearest(resize(32)).into(),
        ops::MaxPool2d(pooling(3)).into(),
        ops::Pad { pads: [[0, 0], [1, 0], [1, 0], [0, 0]] }.into(),
        ops::Transpose { perm: [0, 2, 1, 3] }.into(),
        channels(4, 8).into(),
        ops::ResizeBilinear(resize(32)).into(),
        ops::AveragePool2d(pooling(2)).into(),
    ];
    for op in steps {
        let op: dunlin_converter::ops::Op = op;
        x = graph.apply("step", op, &[x]).unwrap();
        graph[x].quant = quant.clone();
    }
    let joined = graph.apply("joined", ops::Concat { axis: 3 }, &[x, x]).unwrap();
    let factor = Some(ops::Mean::factor_of(Factor::from_real(1.0).unwrap(), 16 * 16));
    let mean = ops::Mean { axes: 0b0110, keep_dims: false, factor };
    let mean = graph.apply("mean", mean, &[joined]).unwrap();
    for id in [joined, mean] {
        graph[id].quant = quant.clone();
    }
    graph.mark_output(mean);
    graph
}

/// Counts what each operator of a model takes on a board, its weights arranged like this.
fn count(title: &str, name: &str, board: &Board, rewrite: Rewrite, counts: &mut Counts) {
    let Some(program) = program_as(name, rewrite) else { return };
    count_steps(title, board, program.bytes(), &program.model().unwrap(), counts);
}

fn count_steps(title: &str, board: &Board, bytes: &[u8], model: &Model, counts: &mut Counts) {
    let steps = bench::operators(&board.name, bytes, model)
        .unwrap_or_else(|e| panic!("{title} on {}: {e}", board.name));
    for step in steps {
        let operator = step.operator.to_owned();
        let cycles = step.estimated_cycles.expect("each of these cores has a table");
        let key = (title.to_owned(), board.name.clone(), step.index, operator);
        counts.insert(key, [step.instructions, cycles]);
    }
}

/// Writes what was counted. What could not be counted here, for want of a model or an emulator, stays as it is.
fn write(counts: &Counts) {
    let mut rows = committed();
    rows.retain(|(model, board, ..), _| !counts.keys().any(|(m, b, ..)| (m, b) == (model, board)));
    rows.extend(counts.clone());
    let mut text = HEADER.to_owned();
    for ((model, board, step, operator), [instructions, cycles]) in &rows {
        writeln!(text, "{model}\t{board}\t{step}\t{operator}\t{instructions}\t{cycles}").unwrap();
    }
    std::fs::write(path(), text).unwrap();
}

#[test]
fn no_operator_takes_more_than_it_did() {
    let counts = counted();
    if std::env::var_os("DUNLIN_UPDATE").is_some() {
        write(&counts);
    }
    let committed = committed();
    let mut rises = Vec::new();
    for (key, counts) in &counts {
        let Some(before) = committed.get(key) else {
            rises.push(format!("{key:?}: not in tests/instructions.tsv, {counts:?} now"));
            continue;
        };
        for ((what, &now), &before) in MEASURES.iter().zip(counts).zip(before) {
            let change = format!("{key:?}, {what}: {before} before, {now} now");
            if now > before + before / 100 {
                rises.push(change);
            } else if now != before {
                println!("{change}: write the file anew");
            }
        }
    }
    assert!(rises.is_empty(), "{} counts rose:\n{}", rises.len(), rises.join("\n"));
}
