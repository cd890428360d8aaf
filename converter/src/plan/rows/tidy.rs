//! Delays steps of a schedule to where they are needed, which leaves more room to place rows: fewer bytes are
//! alive away from the fullest step, and the peak stays.

use super::model::Model;
use super::state::State;

/// The same steps in an order whose peak is at most `limit`, with fewer bytes alive in sum.
pub(super) fn tidy(model: &Model, mut steps: Vec<usize>, limit: usize) -> Vec<usize> {
    let mut state = State::new(model);
    steps.iter().for_each(|&n| state.run(n));
    // From the end, so that what a step waits for has been delayed before.
    for i in (0..steps.len()).rev() {
        state.undo(steps[i]);
        let later = delay(&state, &steps[i..], limit);
        steps[i..=i + later].rotate_left(1);
        // The state before place `i` is that of the steps before it, whichever comes there now.
    }
    steps
}

/// How many places later the first of `steps` comes best.
fn delay(before: &State, steps: &[usize], limit: usize) -> usize {
    let (mut with, mut without) = (before.clone(), before.clone());
    let moved = steps[0];
    with.run(moved);
    let (mut best, mut saved) = ((0, 0), 0);
    for (k, &n) in steps.iter().enumerate().skip(1) {
        if n == moved || !without.is_ready(n) || without.peak_bytes(n) > limit {
            break;
        }
        // Between the steps, bytes that `moved` leaves alive are alive for one step less.
        saved += with.live_bytes as isize - without.live_bytes as isize;
        without.run(n);
        with.run(n);
        if without.peak_bytes(moved) <= limit && saved > best.0 {
            best = (saved, k);
        }
    }
    best.1
}
