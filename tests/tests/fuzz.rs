//! Damaged and hostile model files: each is refused by `Model::check`, or runs on any input without a panic or
//! an access out of bounds (the views' assertions are on in tests), in bounded time.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dunlin::format::{self, Place, TensorRecord};
use dunlin::ops::{self, OpCode};
use dunlin::{Error, Model, Session};
use dunlin_converter::program::AlignedBytes;
use dunlin_converter::report::ModelReport;
use dunlin_converter::{Program, Result};
use dunlin_models::{demo, digits};
use dunlin_tests::cases::{cases, operators};
use dunlin_tests::convnet::convnet;
use dunlin_tests::parts::{Parts, repair};
use dunlin_tests::training::programs;
use fastrand::Rng;

/// Files that are tried, unless the environment variable `DUNLIN_FUZZ_FILES` says how many.
const N_FILES: u64 = 400_000;
/// Arenas up to this size are given to what is accepted; for larger ones the session must refuse.
const MAX_ARENA_BYTES: usize = 1 << 20;
/// The longest that a file of a few kilobytes may run in an arena of that size.
const MAX_RUN: Duration = Duration::from_secs(5);
/// Numbers at which arithmetic tends to break.
const EDGES: [u32; 18] =
    [0, 1, 2, 3, 4, 5, 7, 8, 16, 127, 128, 255, 256, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];

/// A model from which damaged ones are made.
struct Seed {
    name: String,
    bytes: Vec<u8>,
    parts: Parts,
}

impl Seed {
    fn new(name: String, bytes: &[u8]) -> Seed {
        Seed { name, bytes: bytes.to_vec(), parts: Parts::of(bytes) }
    }
}

/// Every operator in every dtype, and a network of several steps.
fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for operator in operators() {
        for case in cases(&operator) {
            let program = Program::compile(&case.graph).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            seeds.push(Seed::new(case.name, program.bytes()));
        }
    }
    let few = programs().unwrap_or_else(|e| panic!("{e}"));
    let networks = [("convnet", convnet()), ("digits", untrained_digits())];
    let networks = networks.map(|(name, program)| (name, program.unwrap_or_else(|e| panic!("{name}: {e}"))));
    // As often as a golden's operator.
    for (name, program) in few.iter().chain(&networks) {
        seeds.extend((0..20).map(|_| Seed::new(name.to_string(), program.bytes())));
    }
    seeds
}

/// The network of the demo, as it is before training.
fn untrained_digits() -> Result<Program> {
    demo::convert(&digits::network(1)?, &digits::Digits::load()?.training)
}

/// What became of the files.
#[derive(Default, Debug)]
struct Tally {
    accepted: u64,
    refused: HashMap<u8, u64>,
    ran: HashMap<u8, u64>,
    longest: Duration,
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "the accessors check their index in debug builds only")]
fn damaged_files_are_refused_or_run() {
    let n_files =
        std::env::var("DUNLIN_FUZZ_FILES").map_or(N_FILES, |n| n.parse().expect("a number of files"));
    let seeds = seeds();
    let n_threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let next = AtomicU64::new(0);
    let worker = || {
        let mut tally = Tally::default();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= n_files {
                return tally;
            }
            let mut rng = Rng::with_seed(i);
            let seed = &seeds[rng.usize(..seeds.len())];
            let name = Reproduce { i, name: &seed.name };
            let file = damaged(seed, &seeds, &mut rng);
            try_file(&file, &mut rng, &mut tally);
            drop(name);
        }
    };
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no file makes the runtime panic")).collect()
    });
    check_coverage(&tallies, n_files);
}

/// Says which file it was when something panics.
struct Reproduce<'a> {
    i: u64,
    name: &'a str,
}

impl Drop for Reproduce<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the file is number {}, made from {}", self.i, self.name);
        }
    }
}

/// That the files reached what they are to test: each error that the check can give, and each operator.
fn check_coverage(tallies: &[Tally], n_files: u64) {
    let sum = |of: &dyn Fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let accepted = sum(&|t| t.accepted);
    println!("{accepted} of {n_files} files were accepted and ran; the longest took {:?}", {
        tallies.iter().map(|t| t.longest).max()
    });
    assert!(accepted > n_files / 20, "only {accepted} files ran");
    let refusals = [
        Error::NotAModel,
        Error::Version,
        Error::Length,
        Error::Checksum,
        Error::Malformed,
        Error::TensorPlace,
        Error::Overlap,
        Error::OperatorMissing,
        Error::Parameters,
        Error::Arity,
        Error::DType,
        Error::Shape,
    ];
    for error in refusals {
        let n = sum(&|t| t.refused.get(&(error as u8)).copied().unwrap_or(0));
        println!("{n:>7} refused: {error}");
        assert!(n > 100, "{error:?} was reached {n} times");
    }
    for op in OpCode::ALL {
        let n = sum(&|t| t.ran.get(&(*op as u8)).copied().unwrap_or(0));
        println!("{n:>7} ran: {}", op.name());
        assert!(n > 100, "{} ran in {n} damaged files: add a model with it to `seeds`", op.name());
    }
}

/// Checks a file and runs it if it is accepted.
fn try_file(file: &[u8], rng: &mut Rng, tally: &mut Tally) {
    let bytes = AlignedBytes::from(file);
    let started = Instant::now();
    let model = match Model::check(&bytes, ops::ALL) {
        Ok(model) => model,
        Err(error) => {
            *tally.refused.entry(error as u8).or_default() += 1;
            return;
        }
    };
    assert!(model.names().count() <= file.len());
    let mut arena = AlignedBytes::zeroed(model.arena_bytes().min(MAX_ARENA_BYTES));
    let mut session = match Session::new(&model, &mut arena) {
        Ok(session) => session,
        Err(error) => {
            assert!(error == Error::ArenaTooSmall && model.arena_bytes() > MAX_ARENA_BYTES, "{error}");
            return;
        }
    };
    for i in 0..model.n_inputs() {
        session.input_bytes_mut(i).unwrap().fill_with(|| rng.u8(..));
    }
    session.run();
    for i in 0..model.n_outputs() {
        session.output_bytes(i).unwrap();
    }
    let took = started.elapsed();
    assert!(took < MAX_RUN, "a file of {} bytes ran for {took:?}", file.len());
    tally.longest = tally.longest.max(took);
    tally.accepted += 1;
    for node in model.steps() {
        *tally.ran.entry(node.record().op).or_default() += 1;
    }
    // What `dunlin inspect` does.
    ModelReport::of(&model).unwrap().to_string();
}

/// A damaged copy of `seed`: a quarter with a wrong checksum, a quarter changed anywhere with a right one, half with
/// changed records.
fn damaged(seed: &Seed, seeds: &[Seed], rng: &mut Rng) -> Vec<u8> {
    match rng.u8(..4) {
        0 => change_bytes(&seed.bytes, rng),
        1 => {
            let mut file = change_bytes(&seed.bytes, rng);
            if rng.bool() {
                let file_bytes = file.len() as u32;
                overwrite(&mut file, 12, &file_bytes.to_le_bytes());
            }
            repair(&mut file);
            file
        }
        _ => {
            let mut parts = seed.parts.clone();
            for _ in 0..rng.u8(1..4) {
                let other = &seeds[rng.usize(..seeds.len())].parts;
                change_parts(&mut parts, other, rng);
            }
            if rng.bool() {
                parts.settle();
            }
            parts.assemble()
        }
    }
}

/// Changes, inserts or removes bytes, more often at the head, where the records are.
fn change_bytes(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut file = bytes.to_vec();
    for _ in 0..rng.u8(1..5) {
        let end = if rng.bool() { file.len() } else { file.len().min(format::HEADER_BYTES + 200) };
        let i = rng.usize(..end.max(1));
        match rng.u8(..8) {
            0 => file.truncate(i),
            1 => drop(file.drain(i..(i + rng.usize(1..9)).min(file.len()).max(i))),
            2 => (0..rng.u8(1..9)).for_each(|_| file.insert(i.min(file.len()), rng.u8(..))),
            3 => overwrite(&mut file, i, &edge(rng).to_le_bytes()),
            4 => overwrite(&mut file, i & !3, &edge(rng).to_le_bytes()),
            5 => overwrite(&mut file, i, &[rng.u8(..)]),
            _ => file.iter_mut().skip(i).take(1).for_each(|byte| *byte ^= 1 << rng.u8(..8)),
        }
        if file.is_empty() {
            break;
        }
    }
    file
}

fn overwrite(file: &mut [u8], start: usize, bytes: &[u8]) {
    file.iter_mut().skip(start).zip(bytes).for_each(|(to, from)| *to = *from);
}

fn edge(rng: &mut Rng) -> u32 {
    EDGES[rng.usize(..EDGES.len())]
}

/// A number near `near`, small, or at an edge.
fn number(near: u32, rng: &mut Rng) -> u32 {
    match rng.u8(..4) {
        0 => near.wrapping_add(rng.u32(..9)).wrapping_sub(4),
        1 => near.wrapping_mul(rng.u32(..4)),
        2 => rng.u32(..20),
        _ => edge(rng),
    }
}

/// Changes one record.
fn change_parts(parts: &mut Parts, other: &Parts, rng: &mut Rng) {
    match rng.u8(..10) {
        0..4 => change_tensor(parts, rng),
        4..8 => change_step(parts, other, rng),
        8 => change_lists(parts, rng),
        _ => {
            let bytes = &mut parts.constants;
            match rng.u8(..3) {
                0 => bytes.truncate(rng.usize(..=bytes.len())),
                1 => bytes.extend((0..rng.u8(..)).map(|i| i.wrapping_mul(37))),
                _ => {
                    let i = rng.usize(..bytes.len().max(1));
                    overwrite(bytes, i & !3, &edge(rng).to_le_bytes());
                }
            }
        }
    }
}

fn change_tensor(parts: &mut Parts, rng: &mut Rng) {
    let time: Range<u16> = 0..parts.steps.len() as u16 + 3;
    let arena_bytes = parts.header.arena_bytes;
    let Some(TensorRecord { dtype, rank, place, zero_point, offset, dim0, dim1, dim2, dim3, first, last }) =
        rng.choice(&mut parts.tensors)
    else {
        return;
    };
    let dims = [dim0, dim1, dim2, dim3];
    match rng.u8(..12) {
        0 => *dtype = rng.u8(..5),
        1 => *rank = rng.u8(..6),
        2 => *place = *rng.choice(&[Place::Arena, Place::State, Place::Constant]).unwrap_or(place),
        3 => *zero_point = rng.i8(..),
        4 => *offset = number(*offset, rng),
        5 => *offset = rng.u32(..=arena_bytes) & !3,
        6 => *first = rng.u16(time),
        7 => *last = rng.u16(time),
        8 => {
            let [a, b, ..] = dims;
            std::mem::swap(a, b);
        }
        _ => dims.into_iter().skip(rng.usize(..4)).take(1).for_each(|dim| *dim = number(*dim, rng)),
    }
}

fn change_step(parts: &mut Parts, other: &Parts, rng: &mut Rng) {
    let n_tensors = parts.tensors.len() as u16 + 1;
    let Some(step) = rng.choice(&mut parts.steps) else { return };
    let op = |rng: &mut Rng| OpCode::ALL[rng.usize(..OpCode::ALL.len())] as u8;
    match rng.u8(..14) {
        0 => step.op = if rng.bool() { op(rng) } else { rng.u8(..) },
        1 => step.dtype = rng.u8(..5),
        2 => step.n_inputs = step.n_inputs.wrapping_add(rng.u8(..3)).wrapping_sub(1),
        3 => step.tensors.iter_mut().skip(rng.usize(..3)).take(1).for_each(|id| *id = rng.u16(..n_tensors)),
        4 => step.tensors.push(rng.u16(..n_tensors)),
        5 => drop(step.tensors.pop()),
        6 => step.scratch_offset = number(step.scratch_offset, rng),
        7 => {
            if let Some(from) = rng.choice(&other.steps) {
                step.params.clone_from(&from.params);
                step.op = from.op;
            }
        }
        8 => {
            let i = rng.usize(..=step.params.len());
            step.params.insert(i, rng.u8(..));
        }
        _ => {
            let i = rng.usize(..step.params.len().max(1));
            let byte = if rng.bool() { edge(rng) as u8 } else { rng.u8(..10) };
            overwrite(&mut step.params, i, &[byte]);
        }
    }
}

/// Changes ports, the order and number of records, and the size of the arena.
fn change_lists(parts: &mut Parts, rng: &mut Rng) {
    let n_tensors = parts.tensors.len() as u16 + 1;
    match rng.u8(..8) {
        0 => parts.header.arena_bytes = number(parts.header.arena_bytes, rng),
        1 => {
            parts.ports.iter_mut().skip(rng.usize(..2)).take(1).for_each(|p| p.tensor = rng.u16(..n_tensors))
        }
        2 => {
            parts.header.n_inputs = rng.u8(..3);
            parts.header.n_outputs = (parts.ports.len() as u8).saturating_sub(parts.header.n_inputs);
        }
        3 => parts.header.n_activations = rng.u16(..=n_tensors),
        4 => parts.steps.extend(parts.steps.first().cloned()),
        5 => drop(parts.steps.pop()),
        6 => parts.tensors.extend(parts.tensors.last().copied()),
        _ => parts.tensors.extend(parts.tensors.first().copied()),
    }
}
