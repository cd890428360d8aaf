//! Plans in which rows, not tensors, live and die.
//!
//! An operator that takes its tensors by rows can run a few rows as soon as its inputs have the rows for
//! them, and a row is dead when the last row that reads it is computed. The planner looks for the order of
//! rows in which the fewest bytes are alive at once, then for offsets of all rows in an arena of that size.

#[cfg(test)]
pub(super) mod executor;
mod groups;
mod model;
pub(super) mod place;
mod search;
mod state;
#[cfg(test)]
pub(super) mod tests;
mod tidy;
pub(super) mod timeline;

use std::collections::HashMap;

use model::{Model, Source};
use search::{Found, Search};
use timeline::Timeline;

use super::{Call, Placement, Plan, Proof};
use crate::{Graph, Kind, Result, TensorId};

/// In which order rows are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One operator after another, each writing over rows of its input that are dead.
    Overlap,
    /// Operators by turns, a few rows each.
    Rows,
}

/// What to plan, and how long to look for it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// In which order rows are computed.
    pub style: Style,
    /// Whether the caller hands over the input row by row, so that it need not be in the arena as a whole.
    pub fed: bool,
    /// How long to search, in about a second on a workstation each: states and moves are counted, not time,
    /// so that equal input gives the equal plan.
    pub effort: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { style: Style::Rows, fed: false, effort: 10 }
    }
}

/// States of the search for each unit of effort.
const STATES: usize = 20_000;
/// Moves of the placement for each unit of effort.
const MOVES: usize = 40_000;
/// The largest group that is tried without search.
const GROUP_NODES: usize = 32;

/// Schedules that are placed at most, the best ones.
const SCHEDULES: usize = 4;

/// Plans the arena of a graph in device form by rows.
///
/// # Errors
/// If the input is to be fed by rows and there is not exactly one.
pub fn plan(graph: &Graph, options: &Options) -> Result<Plan> {
    let model = Model::new(graph, options.fed)?;
    let found = schedules(&model, options);
    let placed = place(&model, &found, options.effort * MOVES);
    let proof = match options.style {
        Style::Overlap if placed.arena.height == found.peak_bytes() => Proof::Clique,
        Style::Overlap => Proof::Budget { nodes: placed.arena.moves },
        Style::Rows => Proof::Rows {
            bound_bytes: found.bound_bytes,
            exhausted: found.bound_bytes == found.peak_bytes(),
            states: found.states,
        },
    };
    if !options.fed {
        // Tensors in one piece are a placement of rows too, and one that their own search may find lower.
        let whole = super::plan(graph);
        if whole.arena_bytes < placed.arena.height {
            // The bound counts the output in bytes of its own, which a tensor in one piece may not need.
            let holds = !matches!(proof, Proof::Rows { bound_bytes, .. } if bound_bytes > whole.arena_bytes);
            return Ok(Plan { proof: if holds { proof } else { whole.proof }, ..whole });
        }
    }
    Ok(assemble(graph, &model, &placed, proof))
}

fn schedules(model: &Model, options: &Options) -> Found {
    match options.style {
        Style::Overlap => {
            let steps = groups::node_by_node(model);
            let peak_bytes = search::peak_bytes(model, &steps);
            Found { schedules: vec![(steps, peak_bytes)], bound_bytes: 0, states: 0 }
        }
        Style::Rows => {
            let grouped = groups::grouped(model, GROUP_NODES);
            Search::new(model, options.effort * STATES).improve(grouped)
        }
    }
}

/// A schedule with its rows in their places.
struct Placed {
    steps: Vec<usize>,
    timeline: Timeline,
    arena: place::Placed,
}

/// Places the best schedules, until one of them needs no more than the best can: a schedule with a higher
/// peak may leave smaller gaps. Each is tried as it is, with the fewest calls, and tidied.
fn place(model: &Model, found: &Found, budget_moves: usize) -> Placed {
    let mut best: Option<Placed> = None;
    for (steps, peak_bytes) in found.schedules.iter().rev().take(SCHEDULES) {
        for is_tidy in [false, true] {
            if best.as_ref().is_some_and(|best| best.arena.height <= *peak_bytes) {
                break;
            }
            let steps = if is_tidy { tidy::tidy(model, steps.clone(), *peak_bytes) } else { steps.clone() };
            let timeline = Timeline::new(model, &steps);
            let arena = place::place(&timeline.items, *peak_bytes, budget_moves);
            if best.as_ref().is_none_or(|best| arena.height < best.arena.height) {
                best = Some(Placed { steps, timeline, arena });
            }
        }
    }
    best.expect("there is a schedule")
}

/// Calls of a schedule, and the call (counted from 1) of every step: neighbouring steps of a node are one.
fn calls(model: &Model, steps: &[usize]) -> (Vec<Call>, Vec<usize>) {
    let mut calls: Vec<Call> = Vec::new();
    let mut call_of = Vec::new();
    let mut done = vec![0; model.nodes.len()];
    for (i, &n) in steps.iter().enumerate() {
        let node = &model.nodes[n];
        let rows = done[n] * node.rows_of_step..(done[n] + 1) * node.rows_of_step;
        done[n] += 1;
        match calls.last_mut() {
            Some(Call::Run { rows: open, .. } | Call::Feed { rows: open, .. }) if steps[i - 1] == n => {
                open.end = rows.end;
            }
            _ => calls.push(match node.source {
                Source::Node(node) => Call::Run { node, rows },
                Source::Feed(input) => Call::Feed { input, rows },
            }),
        }
        call_of.push(calls.len());
    }
    (calls, call_of)
}

fn assemble(graph: &Graph, model: &Model, placed: &Placed, proof: Proof) -> Plan {
    let (calls, call_of) = calls(model, &placed.steps);
    let end = calls.len() + 1;
    let call_at = |time: usize| match time {
        0 => 0,
        time => call_of.get(time - 1).copied().unwrap_or(end),
    };
    let mut live_bytes = vec![0; end + 1];
    for (time, &bytes) in placed.timeline.live_bytes.iter().enumerate() {
        let slot = &mut live_bytes[call_at(time)];
        *slot = bytes.max(*slot);
    }
    let mut scratch_offsets = vec![0; graph.nodes().len()];
    for (node, item) in model.nodes.iter().zip(&placed.timeline.scratch) {
        if let (Source::Node(i), Some(item)) = (node.source, item) {
            scratch_offsets[i] = placed.arena.offsets[*item];
        }
    }
    let mut tensors = HashMap::new();
    let lives = lives(graph, &calls);
    for (store, items) in model.stores.iter().zip(&placed.timeline.of_store) {
        let offsets: Vec<usize> = items.iter().map(|&item| placed.arena.offsets[item]).collect();
        for &id in &store.tensors {
            let (first, last) = lives[&id];
            let row_bytes = graph[id].ty.shape.row_len() * graph[id].ty.dtype.bytes();
            let in_one_piece = offsets.windows(2).all(|pair| pair[0] + row_bytes == pair[1]);
            let offset = offsets.iter().copied().min().unwrap_or(0);
            let rows = (!in_one_piece).then(|| offsets.clone());
            tensors.insert(id, Placement { offset, rows, first, last });
        }
    }
    let (arena_bytes, memories) = (placed.arena.height, Vec::new());
    Plan { tensors, scratch_offsets, calls, arena_bytes, live_bytes, proof, memories }
}

/// First and last call of every tensor of the arena.
fn lives(graph: &Graph, calls: &[Call]) -> HashMap<TensorId, (usize, usize)> {
    let end = calls.len() + 1;
    let fed = calls.iter().any(|call| matches!(call, Call::Feed { .. }));
    let mut lives = HashMap::new();
    for &id in graph.inputs().iter().filter(|_| !fed) {
        lives.insert(id, (0, 0));
    }
    for (i, call) in calls.iter().enumerate() {
        let used: Vec<TensorId> = match call {
            Call::Feed { input, .. } => vec![graph.inputs()[*input]],
            Call::Run { node, .. } => {
                let node = &graph.nodes()[*node];
                node.inputs.iter().chain(&node.outputs).copied().collect()
            }
        };
        for id in used {
            lives.entry(id).or_insert((i + 1, i + 1)).1 = i + 1;
        }
    }
    for (id, tensor) in graph.tensors() {
        let life = lives.get_mut(&id);
        let stays = graph.outputs().contains(&id);
        match (&tensor.kind, life) {
            (Kind::State(_), Some(life)) => *life = (0, end),
            (_, Some(life)) if stays => life.1 = end,
            _ => {}
        }
    }
    lives
}
