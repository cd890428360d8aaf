//! The order of steps in which the fewest bytes are alive at once.
//!
//! A schedule is a sequence of nodes, an entry a step. The search asks whether one exists whose peak is at
//! most a limit, lowers the limit below the peak that it finds, and ends with a proof when no schedule is left.

use std::collections::HashSet;

use super::model::Model;
use super::state::State;

/// Bisection stops at this part of the peak, and each of its searches has this part of the budget.
const BISECTION: usize = 16;

/// Schedules, and what is known of better ones.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The node of every step, and the bytes alive at the fullest; the best schedule last.
    pub schedules: Vec<(Vec<usize>, usize)>,
    /// No schedule has a lower peak than this.
    pub bound_bytes: usize,
    /// States visited.
    pub states: usize,
}

impl Found {
    fn add(&mut self, model: &Model, steps: Vec<usize>) {
        let peak = peak_bytes(model, &steps);
        self.schedules.push((steps, peak));
    }

    /// The lowest peak that was found.
    pub fn peak_bytes(&self) -> usize {
        self.schedules.last().map_or(0, |(_, peak)| *peak)
    }
}

/// The peak of a schedule: bytes alive before its first step or at its fullest.
pub(super) fn peak_bytes(model: &Model, steps: &[usize]) -> usize {
    let mut state = State::new(model);
    let mut peak = initial_bytes(model);
    for &n in steps {
        peak = peak.max(state.peak_bytes(n));
        state.run(n);
    }
    peak
}

/// Bytes alive before the first step: inputs and state, whether or not they are read.
pub(super) fn initial_bytes(model: &Model) -> usize {
    model.stores.iter().filter(|s| s.from_start).map(|s| s.row_bytes).sum()
}

/// Bytes that some step needs whatever runs before it: no schedule has a lower peak.
fn local_bound(model: &Model) -> usize {
    let steps =
        model.nodes.iter().enumerate().flat_map(|(n, node)| (0..node.steps).map(move |step| (n, step)));
    steps.map(|(n, step)| step_bytes(model, n, step)).max().unwrap_or(0).max(initial_bytes(model))
}

/// Bytes of the rows that a step reads and writes, and of its scratch memory.
fn step_bytes(model: &Model, n: usize, step: usize) -> usize {
    let node = &model.nodes[n];
    let scattered = |s: usize| Some(&model.stores[s]).filter(|store| store.scattered);
    let written = node.writes.iter().filter_map(|(s, written)| {
        let rows = written[step + 1] - written[step];
        scattered(*s).filter(|_| node.in_place.is_empty()).map(|store| rows * store.row_bytes)
    });
    let read = node.touches.iter().filter_map(|&s| {
        let mine = scattered(s)?.readers.iter().filter(|reader| reader.node == n);
        mine.map(|reader| reader.rows[step].len() * model.stores[s].row_bytes).max()
    });
    node.scratch_bytes + written.sum::<usize>() + read.sum::<usize>()
}

/// The search for one model.
pub(super) struct Search<'m> {
    model: &'m Model,
    /// States from which no schedule within the limit leads to the end.
    closed: HashSet<Box<[u32]>>,
    states: usize,
    budget_states: usize,
}

/// A state at which the search has a choice.
struct Branch {
    key: Box<[u32]>,
    /// Steps taken before it.
    depth: usize,
    /// Nodes to try, the best last.
    choices: Vec<usize>,
}

impl<'m> Search<'m> {
    pub fn new(model: &'m Model, budget_states: usize) -> Search<'m> {
        Search { model, closed: HashSet::new(), states: 0, budget_states }
    }

    /// Better and better schedules, starting from a known one.
    pub fn improve(mut self, known: Vec<usize>) -> Found {
        let peak = peak_bytes(self.model, &known);
        let bound_bytes = local_bound(self.model).min(peak);
        let mut found = Found { schedules: vec![(known, peak)], bound_bytes, states: 0 };
        while found.peak_bytes() > found.bound_bytes {
            match self.within(found.peak_bytes() - 1) {
                Some(Some(steps)) => found.add(self.model, steps),
                Some(None) => found.bound_bytes = found.peak_bytes(),
                None => break,
            }
        }
        found.states = self.states;
        self.bisect(&mut found);
        found
    }

    /// For deep networks, whose peak could not be proved: limits between the bound and the peak. Far below the
    /// peak little is possible, and soon exhausted; elsewhere a schedule may be found that another limit hides.
    fn bisect(&self, found: &mut Found) {
        let mut high = found.peak_bytes();
        while high - found.bound_bytes > found.peak_bytes() / BISECTION {
            let limit = found.bound_bytes + (high - found.bound_bytes) / 2;
            let mut search = Search::new(self.model, self.budget_states / BISECTION);
            match search.within(limit) {
                Some(Some(steps)) => found.add(self.model, steps),
                Some(None) => found.bound_bytes = limit + 1,
                None => {}
            }
            high = if found.bound_bytes > limit { high } else { limit.min(found.peak_bytes()) };
            found.states += search.states;
        }
    }

    /// A schedule whose peak is at most `limit`; `Some(None)` if there is none, `None` if the budget is spent.
    fn within(&mut self, limit: usize) -> Option<Option<Vec<usize>>> {
        let mut state = State::new(self.model);
        let mut path: Vec<usize> = Vec::new();
        let mut branches: Vec<Branch> = Vec::new();
        if initial_bytes(self.model) > limit {
            return Some(None);
        }
        loop {
            self.take_free_steps(&mut state, &mut path, limit);
            if state.is_complete() {
                return Some(Some(path));
            }
            let key: Box<[u32]> = state.done.clone().into();
            if !self.closed.contains(&key) {
                self.states += 1;
                if self.states > self.budget_states {
                    return None;
                }
                branches.push(Branch { key, depth: path.len(), choices: self.choices(&mut state, limit) });
            }
            // The next choice of the innermost branch that has one left.
            loop {
                let Some(branch) = branches.last_mut() else { return Some(None) };
                while path.len() > branch.depth {
                    state.undo(path.pop().expect("the path is longer"));
                }
                if let Some(n) = branch.choices.pop() {
                    state.run(n);
                    path.push(n);
                    break;
                }
                self.closed.extend(branches.pop().map(|branch| branch.key));
            }
        }
    }

    /// Takes steps within the limit that leave no more bytes alive than before. Whatever schedule there is, it
    /// is none the worse for such a step coming first: what a step leaves alive only falls with the steps of
    /// others.
    fn take_free_steps(&self, state: &mut State, path: &mut Vec<usize>, limit: usize) {
        let is_free = |state: &mut State, n: usize| {
            state.is_ready(n) && state.peak_bytes(n) <= limit && state.live_bytes_after(n) <= state.live_bytes
        };
        while let Some(n) = (0..self.model.nodes.len()).rev().find(|&n| is_free(state, n)) {
            state.run(n);
            path.push(n);
        }
    }

    /// Ready steps within the limit, the most promising last: it leaves the fewest bytes alive, and of equal
    /// ones is nearest to the output.
    fn choices(&self, state: &mut State, limit: usize) -> Vec<usize> {
        let ready =
            (0..self.model.nodes.len()).filter(|&n| state.is_ready(n) && state.peak_bytes(n) <= limit);
        let mut choices: Vec<usize> = ready.collect();
        choices.sort_by_key(|&n| (std::cmp::Reverse(state.live_bytes_after(n)), n));
        choices
    }
}
