//! Damaged and hostile model files: each is refused by `Model::check`, or runs on any input without a panic or
//! an access out of bounds (the views' assertions are on in tests), in bounded time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dunlin::ops::{self, OpCode};
use dunlin::{Error, Model, Session};
use dunlin_converter::program::{AlignedBytes, run_on};
use dunlin_converter::report::ModelReport;
use dunlin_tests::damage::{damaged, seeds};
use fastrand::Rng;

/// Files that are tried, unless the environment variable `DUNLIN_FUZZ_FILES` says how many.
const N_FILES: u64 = 400_000;
/// Arenas up to this size are given to what is accepted; for larger ones the session must refuse.
const MAX_ARENA_BYTES: usize = 1 << 20;
/// The longest that a file of a few kilobytes may run in an arena of that size.
const MAX_RUN: Duration = Duration::from_secs(5);
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
    let mut noise = |i: usize| -> Vec<u8> {
        let n_bytes = model.input(i).unwrap().ty.bytes();
        (0..n_bytes).map(|_| rng.u8(..)).collect()
    };
    let inputs: Vec<Vec<u8>> = (0..model.n_inputs()).map(&mut noise).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    run_on(&mut session, &inputs, |step| step.run()).unwrap();
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
