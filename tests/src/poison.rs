//! Running a model in an arena of exactly its size in which everything dead is noise.

use dunlin::{Model, Session};
use dunlin_converter::lives::Lives;
use dunlin_converter::program::{AlignedBytes, run_on};

/// The bytes of all outputs. Before each call every byte that is not alive is overwritten with noise, the rows that
/// the call is about to write among them.
///
/// # Panics
/// If the inputs are not the model's, or one byte less than the arena is not refused.
pub fn run_poisoned(model: &Model, inputs: &[&[u8]], seed: u64) -> Vec<u8> {
    let lives = Lives::of(model).expect("a checked model");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    if let Some(short) = model.arena_bytes().checked_sub(1) {
        let refused = Session::new(model, &mut arena[..short]).err();
        assert_eq!(refused, Some(dunlin::Error::ArenaTooSmall), "one byte less");
    }
    arena.iter_mut().for_each(|byte| *byte = rng.u8(..));
    let mut session = Session::new(model, &mut arena).expect("an arena of its size");
    let times = times_of_steps(model);
    let mut alive = vec![false; model.arena_bytes()];
    let mut next = 0;
    run_on(&mut session, inputs, |step| {
        let time = times[next];
        next += 1;
        alive.fill(false);
        for piece in lives.pieces.iter().filter(|piece| piece.first < time && time <= piece.last) {
            alive[piece.bytes.start..piece.bytes.end.min(model.arena_bytes())].fill(true);
        }
        for (byte, _) in step.arena_mut().iter_mut().zip(&alive).filter(|(_, alive)| !**alive) {
            *byte = rng.u8(..);
        }
        step.run();
    })
    .expect("inputs of the model");
    (0..model.n_outputs()).flat_map(|i| session.output_bytes(i).expect("an output").to_vec()).collect()
}

/// The times of the calls that run a step.
fn times_of_steps(model: &Model) -> Vec<usize> {
    let runs = |&i: &usize| model.call(i).is_ok_and(|call| (call.step as usize) < model.n_steps());
    (0..model.n_calls()).filter(runs).map(|i| i + 1).collect()
}
