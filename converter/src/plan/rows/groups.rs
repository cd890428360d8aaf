//! Schedules that need no search: node after node, and groups of neighbouring nodes that advance together.

use super::model::{Model, Source};
use super::state::State;

/// Every node runs all of its steps before the next begins; an input is fed as the first node needs it.
pub(super) fn node_by_node(model: &Model) -> Vec<usize> {
    let n_fed = model.nodes.iter().take_while(|node| matches!(node.source, Source::Feed(_))).count();
    let mut steps = Vec::new();
    let mut start = 0;
    for end in n_fed + 1..=model.nodes.len().max(n_fed + 1) {
        group(model, start..end.min(model.nodes.len()), usize::MAX, &mut |n| steps.push(n));
        start = end;
    }
    steps
}

/// The partition of the nodes into consecutive groups with the lowest peak; groups run one after another, and
/// inside a group the node nearest to the output that is ready takes the next step. `most_nodes` limits the
/// size of a group.
pub(super) fn grouped(model: &Model, most_nodes: usize) -> Vec<usize> {
    let n = model.nodes.len();
    // Lowest peak of the first `end` nodes, and where the last group begins.
    let mut best: Vec<(usize, usize)> = vec![(0, 0)];
    for end in 1..=n {
        let mut choice = (usize::MAX, end - 1);
        // From the smallest group: of equal peaks it has the fewest calls.
        for start in (end.saturating_sub(most_nodes)..end).rev() {
            let limit = choice.0;
            if best[start].0 >= limit {
                continue;
            }
            if let Some(peak) = group(model, start..end, limit, &mut |_| {}) {
                choice = choice.min((peak.max(best[start].0), start));
            }
        }
        best.push(choice);
    }
    let mut starts = Vec::new();
    let mut end = n;
    while end > 0 {
        starts.push(best[end].1..end);
        end = best[end].1;
    }
    let mut steps = Vec::new();
    for nodes in starts.into_iter().rev() {
        group(model, nodes, usize::MAX, &mut |n| steps.push(n));
    }
    steps
}

/// Runs a group after all nodes before it; its peak, or nothing if that reaches `limit`.
fn group(
    model: &Model,
    nodes: std::ops::Range<usize>,
    limit: usize,
    visit: &mut dyn FnMut(usize),
) -> Option<usize> {
    let done = model.nodes.iter().enumerate();
    let done = done.map(|(n, node)| if n < nodes.start { node.steps as u32 } else { 0 }).collect();
    let mut state = State::at(model, done);
    let mut peak = 0;
    while let Some(n) = nodes.clone().rev().find(|&n| state.is_ready(n)) {
        peak = peak.max(state.peak_bytes(n));
        if peak >= limit {
            return None;
        }
        state.run(n);
        visit(n);
    }
    Some(peak)
}
