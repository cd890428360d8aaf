//! Planning for several memories: what is used most, in the fastest.
//!
//! The arena is divided into memories, each from the end of the one before. Tensors stay in one piece, so each lies in
//! one memory. Blocks go into the first memory in the order of accesses a byte, as long as a placement for all of them
//! is found; what is left goes into the next, and the last takes the rest.

use std::cmp::Reverse;
use std::fmt;

use dunlin::format::{ALIGN, MAX_MEMORIES};

use super::{Block, Layout, Over, Plan, Proof, input_types, live_bytes, place};
use crate::{Error, Graph, Result};

/// A memory that a chip has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// As the user calls it.
    pub name: String,
    /// Its size.
    pub bytes: usize,
}

/// The part of an arena that is in one memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// The memory.
    pub memory: Memory,
    /// Where in the arena it begins.
    pub start: usize,
    /// Bytes of it that the plan uses.
    pub used_bytes: usize,
    /// The part of all accesses to the arena that go to it, estimated.
    pub share: f64,
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Region { memory, used_bytes, share, .. } = self;
        write!(
            f,
            "`{}`: {used_bytes} of {} bytes, {:.0} % of the accesses",
            memory.name,
            memory.bytes,
            share * 100.0
        )
    }
}

/// Plans the arena of a graph in device form for memories in the order of their speed, the fastest first.
///
/// # Errors
/// If there are too many memories or what a graph needs does not fit them.
pub(super) fn plan(graph: &Graph, memories: &[Memory]) -> Result<Plan> {
    if memories.len() > MAX_MEMORIES {
        let what = format!("{} memories: a plan takes {MAX_MEMORIES} at most", memories.len());
        return Err(Error::Invalid(what));
    }
    let layout = Layout::new(graph, true);
    let accesses = accesses(graph, &layout);
    let density = |&i: &usize| Reverse(accesses[i] / (layout.blocks[i].bytes as u64).max(1));
    let mut orders = vec![(0..layout.blocks.len()).collect::<Vec<_>>(); 2];
    orders[0].sort_by_key(|i| (density(i), Reverse(layout.blocks[*i].bytes)));
    // If that leaves too much for the last: the largest first.
    orders[1].sort_by_key(|i| Reverse(layout.blocks[*i].bytes));
    let mut failure = String::new();
    for order in orders {
        match divide(&layout.blocks, order, memories) {
            Ok(parts) => return Ok(assemble(graph, layout, &accesses, parts)),
            Err((name, needed, given)) => {
                failure = format!("`{name}` would need {needed} bytes and has {given}");
            }
        }
    }
    Err(Error::graph(
        &graph.name,
        format!(
            "does not fit the memories: {failure}; choose a smaller network, or the plan `rows` with one memory"
        ),
    ))
}

/// Blocks that are in one memory.
struct Part {
    memory: Memory,
    blocks: Vec<usize>,
    offsets: Vec<usize>,
    used_bytes: usize,
}

/// Which blocks go where. The error: a memory, the bytes that it needs and those that it has.
fn divide(
    blocks: &[Block],
    mut left: Vec<usize>,
    memories: &[Memory],
) -> std::result::Result<Vec<Part>, (String, usize, usize)> {
    let mut parts = Vec::new();
    for (k, memory) in memories.iter().enumerate() {
        let size = memory.bytes / ALIGN * ALIGN;
        let (mut chosen, mut placed) = (left.clone(), placement(blocks, &left));
        if placed.1 > size && k + 1 < memories.len() {
            chosen = Vec::new();
            for &i in &left {
                chosen.push(i);
                let some = subset(blocks, &chosen);
                if place::height(&some, &place::best_first_fit(&some)) > size {
                    chosen.pop();
                }
            }
            placed = placement(blocks, &chosen);
        }
        left.retain(|i| !chosen.contains(i));
        let (offsets, used_bytes) = placed;
        if used_bytes > size {
            return Err((memory.name.clone(), used_bytes, memory.bytes));
        }
        if !chosen.is_empty() {
            parts.push(Part { memory: memory.clone(), blocks: chosen, offsets, used_bytes });
        }
    }
    Ok(parts)
}

/// Offsets of some blocks in a memory of their own, and the bytes of it that they need.
fn placement(blocks: &[Block], chosen: &[usize]) -> (Vec<usize>, usize) {
    let some = subset(blocks, chosen);
    let bound_bytes = some.iter().map(|block| live_bytes(&some, block.first)).max().unwrap_or(0);
    let offsets = place::place(&some, bound_bytes).0;
    let used_bytes = place::height(&some, &offsets).next_multiple_of(ALIGN);
    (offsets, used_bytes)
}

/// Some blocks alone: what one of them may reach into must be among them.
fn subset(blocks: &[Block], chosen: &[usize]) -> Vec<Block> {
    let place = |block| chosen.iter().position(|&i| i == block);
    let own = |&i: &usize| {
        let over = blocks[i].over.and_then(|over| Some(Over { block: place(over.block)?, ..over }));
        Block { over, ..blocks[i] }
    };
    chosen.iter().map(own).collect()
}

fn assemble(graph: &Graph, layout: Layout, accesses: &[u64], parts: Vec<Part>) -> Plan {
    let all = accesses.iter().sum::<u64>().max(1) as f64;
    let (mut offsets, mut start, mut regions) = (vec![0; layout.blocks.len()], 0, Vec::new());
    for Part { memory, blocks, offsets: own, used_bytes } in parts {
        for (&i, offset) in blocks.iter().zip(own) {
            offsets[i] = start + offset;
        }
        let share = blocks.iter().map(|&i| accesses[i]).sum::<u64>() as f64 / all;
        regions.push(Region { memory, start, used_bytes, share });
        start += used_bytes;
    }
    let plan = layout.plan(graph, &offsets, Proof::Budget { nodes: 0 });
    Plan { arena_bytes: start.max(plan.arena_bytes), memories: regions, ..plan }
}

/// How often each block is read and written in a run, about: every product reads its operands from the scratch memory
/// of its operator, or without one from its first input; and what goes in and out is touched once a byte.
fn accesses(graph: &Graph, layout: &Layout) -> Vec<u64> {
    let mut accesses = vec![0; layout.blocks.len()];
    for (i, node) in graph.nodes().iter().enumerate() {
        let blocks = node.inputs.iter().chain(&node.outputs).filter_map(|id| layout.block_of.get(id));
        blocks.for_each(|&block| accesses[block] += layout.blocks[block].bytes as u64);
        let first = node.inputs.first().and_then(|id| layout.block_of.get(id).copied());
        if let Some(block) = layout.scratch_blocks[i].or(first) {
            accesses[block] += node.op.macs(&input_types(graph, i));
        }
    }
    accesses
}

#[cfg(test)]
mod tests {
    use super::super::rows::{executor::execute, tests::Random};
    use super::*;

    fn memory(name: &str, bytes: usize) -> Memory {
        Memory { name: name.to_string(), bytes }
    }

    #[test]
    fn every_tensor_lies_in_one_memory_that_is_not_too_small() {
        for seed in 0..200 {
            let graph = Random::graph(seed, 2 + seed as usize % 12, 14);
            let whole = super::super::plan(&graph);
            let memories = [memory("fast", whole.arena_bytes / 3), memory("slow", whole.arena_bytes + 64)];
            let plan = plan(&graph, &memories).unwrap();
            for region in &plan.memories {
                assert!(region.used_bytes <= region.memory.bytes, "{seed}: {region}");
                assert_eq!(region.start % ALIGN, 0);
            }
            for (id, place) in &plan.tensors {
                let end = place.offset + graph[*id].ty.bytes();
                let holds = |region: &&Region| {
                    region.start <= place.offset && end <= region.start + region.used_bytes
                };
                assert!(plan.memories.iter().any(|region| holds(&region)), "{seed}: {id:?}");
            }
            execute(&graph, &plan);
        }
    }

    #[test]
    fn what_is_used_most_is_in_the_fast_memory() {
        let graph = Random::graph(7, 12, 14);
        let whole = super::super::plan(&graph);
        let memories = [memory("fast", whole.arena_bytes / 2), memory("slow", whole.arena_bytes)];
        let plan = plan(&graph, &memories).unwrap();
        let [fast, slow] = &plan.memories[..] else { panic!("{}", plan.explain(&graph)) };
        assert!(fast.share / fast.used_bytes as f64 > slow.share / slow.used_bytes as f64, "{fast}; {slow}");
        assert!((fast.share + slow.share - 1.0).abs() < 1e-9);
        // All of it fits the first: there is no second.
        let plan =
            super::plan(&graph, &[memory("fast", whole.arena_bytes + 64), memory("slow", 64)]).unwrap();
        assert_eq!(plan.memories.len(), 1);
    }

    #[test]
    fn what_does_not_fit_is_said_with_its_size() {
        let graph = Random::graph(3, 8, 14);
        let error = plan(&graph, &[memory("dtcm", 64), memory("sram", 32)]).unwrap_err().to_string();
        assert!(error.contains("`sram` would need") && error.contains("and has 32"), "{error}");
        assert!(plan(&graph, &vec![memory("m", 1 << 20); 5]).is_err());
    }
}
