//! Instructions of every operator of the reference models on the emulated cores: `tests/instructions.tsv` holds them
//! exactly, and none may rise by more than 1 %.
//!
//! `DUNLIN_UPDATE=1 cargo test -p dunlin-tests --test instructions` writes the file anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use dunlin_converter::device::bench;
use dunlin_tests::assets::program_for;
use dunlin_tests::boards::runnable_boards;

/// The models, which are all in int8.
const MODELS: [&str; 4] = ["mlperf_kws_int8", "mlperf_vww_int8", "mlperf_ic_int8", "mlperf_ad_int8"];
/// One board for each kind of code; on a Cortex-M7 runs that of a Cortex-M4.
const BOARDS: [&str; 6] =
    ["qemu-armv6m", "qemu-cortex-m3", "qemu-cortex-m33", "qemu-cortex-m4", "qemu-cortex-m55", "qemu-riscv32"];
const HEADER: &str = "model\tboard\tstep\toperator\tinstructions\n";

/// Instructions by model, board and step, the step with its operator's name.
type Counts = BTreeMap<(String, String, usize, String), u64>;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.tsv")
}

fn committed() -> Counts {
    let text = std::fs::read_to_string(path()).expect("tests/instructions.tsv is committed");
    let line = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [model, board, step, operator, instructions] = fields[..] else { panic!("five fields: {line}") };
        let step = step.parse().expect("a step's number");
        let key = (model.to_owned(), board.to_owned(), step, operator.to_owned());
        (key, instructions.parse().expect("a count"))
    };
    text.lines().skip(1).map(line).collect()
}

fn counted() -> Counts {
    let boards = runnable_boards();
    let mut counts = Counts::new();
    for name in MODELS {
        for board in boards.iter().filter(|board| BOARDS.contains(&board.name.as_str())) {
            let Some(program) = program_for(name, board.packing()) else { continue };
            let model = program.model().unwrap();
            let steps = bench::operators(&board.name, program.bytes(), &model)
                .unwrap_or_else(|e| panic!("{name} on {}: {e}", board.name));
            for step in steps {
                let operator = step.operator.to_owned();
                counts.insert((name.to_owned(), board.name.clone(), step.index, operator), step.instructions);
            }
        }
    }
    counts
}

#[test]
fn no_operator_takes_more_instructions_than_it_did() {
    let counts = counted();
    if std::env::var_os("DUNLIN_UPDATE").is_some() {
        let mut text = HEADER.to_owned();
        for ((model, board, step, operator), instructions) in &counts {
            writeln!(text, "{model}\t{board}\t{step}\t{operator}\t{instructions}").unwrap();
        }
        std::fs::write(path(), text).unwrap();
    }
    let committed = committed();
    let mut rises = Vec::new();
    for (key, &now) in &counts {
        match committed.get(key) {
            Some(&before) if now <= before + before / 100 => {
                if now != before {
                    println!("{key:?}: {before} before, {now} now: write the file anew");
                }
            }
            Some(&before) => rises.push(format!("{key:?}: {before} before, {now} now")),
            None => rises.push(format!("{key:?}: not in tests/instructions.tsv, {now} now")),
        }
    }
    assert!(rises.is_empty(), "{} counts rose:\n{}", rises.len(), rises.join("\n"));
}
