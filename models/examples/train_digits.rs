//! Trains the digits network for a few seeds: `cargo run --release -p dunlin-models --example train_digits`.

use std::time::Instant;

use dunlin_converter::nn::{Loss, Progress};

fn main() -> dunlin_converter::Result<()> {
    let seeds = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect::<Vec<u64>>();
    for seed in if seeds.is_empty() { vec![1, 2, 3] } else { seeds } {
        let start = Instant::now();
        let trained = dunlin_models::digits::train(seed, Progress::Bar)?;
        let seconds = start.elapsed().as_secs_f32();
        let held_out = trained.network.evaluate(&trained.digits.held_out, Loss::CrossEntropy)?;
        println!("seed {seed}: held out {held_out}; trained in {seconds:.1} s");
    }
    Ok(())
}
