//! Trainings that are interrupted.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use dunlin_converter::nn::*;
use dunlin_converter::{Error, Result};

mod shared;

use shared::{blobs, bytes, every_layer};

/// The blobs in 40 epochs, from the checkpoint if there is one.
fn train_blobs(checkpoint: Option<&Path>, seed: u64) -> Result<(Vec<u32>, History)> {
    let layers = Sequential::new().then(Dropout::new(0.1)).then(every_layer().penalized(Penalty::l2(1e-3)));
    let mut network = Network::new("blobs", &[8, 6, 1], layers, seed)?;
    let options = FitOptions {
        epochs: 40,
        batch_size: 8, // leaves 6 of 22
        optimizer: Optimizer::adam(0.02).weight_decay(1e-3),
        schedule: Schedule::Plateau { factor: 0.7, patience: 2, min_improvement: 1e-3 },
        early_stopping: Some(EarlyStopping { patience: 25, min_improvement: 0.0 }),
        metrics: vec![Metric::Auc, Metric::MeanAbsoluteError],
        clip_norm: Some(1.0),
        seed,
        checkpoint: checkpoint.map(Path::to_owned),
        ..FitOptions::default()
    };
    let mut counter = Counter { n_batches: 0, stop_after: 3 * 38 };
    let history = network.fit_with(&blobs(22), Some(&blobs(6)), &options, &mut [&mut counter])?;
    assert_eq!((history.epochs.len(), counter.n_batches), (38, counter.stop_after), "the callback ends it");
    Ok((bytes(&network), history))
}

/// Ends training after so many batches.
struct Counter {
    n_batches: usize,
    stop_after: usize,
}

impl Callback for Counter {
    fn batch_ends(&mut self, _batch: &BatchEnd) -> Result<Next> {
        self.n_batches += 1;
        Ok(if self.n_batches == self.stop_after { Next::Stop } else { Next::GoOn })
    }

    fn state(&self) -> String {
        self.n_batches.to_string()
    }

    fn restore(&mut self, state: &str) -> Result<()> {
        self.n_batches = state.parse().map_err(|e| Error::Invalid(format!("no number of batches: {e}")))?;
        Ok(())
    }
}

const KILLED: &str = "DUNLIN_TEST_KILLED_CHECKPOINT";

/// What the test below starts as a process of its own, and kills; alone it does nothing.
#[test]
fn a_training_to_kill() {
    if let Some(path) = std::env::var_os(KILLED) {
        train_blobs(Some(Path::new(&path)), 3).unwrap();
    }
}

#[test]
fn a_training_killed_at_any_moment_ends_in_the_same_bytes() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole.safetensors", "killed.safetensors"].map(|name| dir.path().join(name));
    let expected = train_blobs(None, 3)?;
    assert_eq!(train_blobs(Some(&whole), 3)?, expected);
    let (mut n_killed, mut n_resumed) = (0, 0);
    for milliseconds in (1..).map(|i| 4 * i) {
        n_resumed += usize::from(killed.exists());
        let mut training = Command::new(std::env::current_exe().unwrap());
        training.args(["--exact", "a_training_to_kill"]).env(KILLED, &killed).stdout(Stdio::null());
        let mut training = training.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        if training.try_wait().unwrap().is_some_and(|status| status.success()) {
            break;
        }
        let _ = training.kill();
        training.wait().unwrap();
        n_killed += 1;
    }
    assert!(n_killed > 0 && n_resumed > 0, "{n_killed} killed, {n_resumed} resumed");
    assert_eq!(std::fs::read(&killed).unwrap(), std::fs::read(&whole).unwrap());
    assert_eq!(train_blobs(Some(&killed), 3)?, expected);
    Ok(())
}

/// A limit on the size of files stands in for a disk that is full.
#[cfg(unix)]
#[test]
fn a_full_disk_is_named_and_the_last_checkpoint_survives() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blobs.safetensors");
    let expected = train_blobs(None, 3)?;
    let start = |script: &str| {
        let mut training = Command::new("sh");
        training.args(["-c", script]).arg(std::env::current_exe().unwrap()).env(KILLED, &path);
        training.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut training = start("exec \"$0\" --exact a_training_to_kill");
    while !path.exists() && training.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = training.kill();
    training.wait().unwrap();
    let before = std::fs::read(&path).unwrap();
    let n_files = || std::fs::read_dir(dir.path()).unwrap().count();
    let n_before = n_files(); // the kill may have left a file half written, under another name
    let full = start("trap '' XFSZ; ulimit -f 1; exec \"$0\" --exact a_training_to_kill --nocapture");
    let full = full.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&full.stderr);
    assert!(!full.status.success(), "{} bytes were written", before.len());
    assert!(said.contains("blobs.safetensors") && said.contains("File too large"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(n_files(), n_before);
    assert_eq!(train_blobs(Some(&path), 3)?, expected);
    Ok(())
}

#[test]
fn a_damaged_checkpoint_is_named_and_left() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blobs.safetensors");
    train_blobs(Some(&path), 3)?;
    let whole = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8], seed: u64, expected: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = train_blobs(Some(&path), seed).unwrap_err().to_string();
        assert!(error.contains("blobs.safetensors: ") && error.contains(expected), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    };
    for len in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..len], 3, "a damaged checkpoint");
    }
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    refused(&changed, 3, "its checksum differs");
    // A digit of the history.
    let at = whole.windows(7).position(|bytes| bytes == br#"loss\":"#).unwrap() + 7;
    let mut changed = whole.clone();
    changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
    refused(&changed, 3, "a damaged checkpoint");
    refused(&whole, 4, "a checkpoint of another training");
    Ok(())
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing/blobs.safetensors");
    let error = train_blobs(Some(&path), 3).unwrap_err().to_string();
    assert!(error.contains("blobs.safetensors: "), "{error}");
}

#[test]
fn another_network_does_not_go_on() -> Result<()> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dropout.safetensors");
    let train = |rate: f32, epochs: usize| {
        let layers = Sequential::new().then(Dropout::new(rate)).then(Dense::new(2)).then(Softmax);
        let checkpoint = Some(path.clone());
        Network::new("n", &[8, 6, 1], layers, 1)?
            .fit(&blobs(22), &FitOptions { epochs, checkpoint, ..Default::default() })
    };
    train(0.1, 2)?;
    for (rate, epochs) in [(0.2, 2), (0.1, 3)] {
        let error = train(rate, epochs).unwrap_err().to_string();
        assert!(error.contains("a checkpoint of another training"), "{error}");
    }
    train(0.1, 2)?;
    Ok(())
}
