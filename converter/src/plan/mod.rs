//! The planner: how long each tensor lives, and where in the arena it lies.
//!
//! Tensors that one operator turns into each other in place share a block. A block lives from the step that
//! writes it first to the step that reads it last; blocks that live at the same time get disjoint bytes.
//! No plan can need less than the bytes alive at the fullest step: that is the lower bound.

mod alternatives;
mod choose;
pub(crate) mod cost;
mod memories;
mod picture;
mod place;
pub mod rows;

use std::collections::HashMap;
use std::ops::Range;

pub use alternatives::{
    Alternative, AlternativeReport, Arrangement, alternatives, alternatives_text, reports,
};
pub use choose::{Choice, Request};
pub use memories::{Memory, Region};
pub use picture::picture;
pub use place::Proof;

use dunlin::TensorType;
use dunlin::ops::{OUTPUT, Order};

use crate::{Graph, Kind, TensorId};

/// Every block starts at a multiple of this, and its size counts as one: word loads need no special case.
pub const ALIGN: usize = 4;

/// Where and when a tensor is in the arena.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// First byte of the lowest row.
    pub offset: usize,
    /// First byte of each row, where rows are not one behind the other.
    pub rows: Option<Vec<usize>>,
    /// The call (counted from 1) that writes it first; 0 for inputs and state.
    pub first: usize,
    /// The last call that reads it; one past the calls for outputs and state.
    pub last: usize,
}

/// A part of the program: what runs without another operator in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Rows of the output of a node (of its input, for a reduction).
    Run {
        /// Index of the node.
        node: usize,
        /// Its rows.
        rows: Range<usize>,
    },
    /// The caller hands over rows of an input of the model.
    Feed {
        /// Index of the input.
        input: usize,
        /// Its rows.
        rows: Range<usize>,
    },
}

/// A planned arena.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Placement of every tensor in the arena.
    pub tensors: HashMap<TensorId, Placement>,
    /// Where the scratch memory of each node starts.
    pub scratch_offsets: Vec<usize>,
    /// What runs, in order. Every node computes each of its rows once, in ascending order.
    pub calls: Vec<Call>,
    /// Bytes of the arena.
    pub arena_bytes: usize,
    /// Bytes alive at each time: before the first call, at each call, and after the last.
    pub live_bytes: Vec<usize>,
    /// Why the arena is not smaller.
    pub proof: Proof,
    /// The memories that the arena is divided into; none if it is in one piece.
    pub memories: Vec<Region>,
}

impl Plan {
    /// No plan of this order of nodes needs less: the bytes alive at [`Plan::fullest`].
    pub fn lower_bound_bytes(&self) -> usize {
        self.live_bytes.iter().copied().max().unwrap_or(0)
    }

    /// What is proved: no plan of this kind (of this order of calls; of any order of rows) needs less.
    pub fn bound_bytes(&self) -> usize {
        match self.proof {
            Proof::Rows { bound_bytes, .. } => bound_bytes,
            Proof::Exhausted { .. } => self.arena_bytes,
            Proof::Clique | Proof::Budget { .. } => self.lower_bound_bytes(),
        }
    }

    /// Bytes between the plan and its lower bound.
    pub fn gap_bytes(&self) -> usize {
        self.arena_bytes - self.lower_bound_bytes()
    }

    /// The time at which most bytes are alive: 0 before the first step, `i + 1` at node `i`.
    pub fn fullest(&self) -> usize {
        let bound = self.lower_bound_bytes();
        self.live_bytes.iter().position(|&bytes| bytes == bound).unwrap_or(0)
    }

    /// The plan in a sentence that a person understands.
    pub fn explain(&self, graph: &Graph) -> String {
        if !self.memories.is_empty() {
            return self.memories.iter().map(Region::to_string).collect::<Vec<_>>().join("; ");
        }
        let (bytes, bound) = (self.arena_bytes, self.lower_bound_bytes());
        let at = match self.fullest() {
            0 => "before the first step".to_string(),
            time => match self.calls.get(time - 1) {
                Some(Call::Run { node, .. }) => format!("at `{}`", graph.nodes()[*node].name),
                Some(Call::Feed { .. }) => "while the input is fed".to_string(),
                None => "after the last step".to_string(),
            },
        };
        match self.proof {
            Proof::Clique => format!("{bytes} bytes, optimal: as many are alive {at}"),
            Proof::Exhausted { nodes } => format!(
                "{bytes} bytes, optimal: {bound} are alive {at}, and no placement below {bytes} exists \
                 ({nodes} positions searched)"
            ),
            Proof::Budget { nodes } => format!(
                "{bytes} bytes, {} above the lower bound of {bound} alive {at}; the search stopped after \
                 {nodes} positions",
                self.gap_bytes()
            ),
            Proof::Rows { bound_bytes, exhausted: true, states } if bound_bytes == bytes => format!(
                "{bytes} bytes, optimal: no order of rows and no placement needs less ({states} states searched \
                 to the end)"
            ),
            Proof::Rows { bound_bytes, exhausted: true, states } => format!(
                "{bytes} bytes, {} above the bound: in every order of rows {bound_bytes} are alive at some time \
                 ({states} states searched to the end), but no lower placement was found",
                bytes - bound_bytes
            ),
            Proof::Rows { bound_bytes, exhausted: false, states } => format!(
                "{bytes} bytes; the search for a better order of rows stopped after {states} states, and none \
                 needs less than {bound_bytes}"
            ),
        }
    }
}

/// Bytes that must stay together: tensors that replace each other in place, or a node's scratch.
#[derive(Clone, Copy, Debug)]
struct Block {
    bytes: usize,
    first: usize,
    last: usize,
    /// The block that this one may reach into though both live when it is first written.
    over: Option<Over>,
}

/// An operator's input that its output may reach into: the output starts so many bytes below it.
#[derive(Clone, Copy, Debug)]
struct Over {
    block: usize,
    distance: usize,
}

impl Block {
    fn meets(&self, other: &Block) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Bytes that this block and the one that it may reach into have in common, at most.
    fn shared_bytes(&self, input: &Block) -> usize {
        self.over.map_or(0, |over| input.bytes.min(self.bytes - over.distance))
    }
}

/// Bytes that no placement of the blocks alive at `time` can do without.
fn live_bytes(blocks: &[Block], time: usize) -> usize {
    let alive = blocks.iter().filter(|b| b.first <= time && time <= b.last);
    let own = |b: &Block| match b.over {
        Some(over) if b.first == time => b.bytes - b.shared_bytes(&blocks[over.block]),
        _ => b.bytes,
    };
    alive.map(own).sum()
}

/// Plans the arena of a graph in device form, in the order of its nodes, every tensor in one piece: an output may be
/// written over the rows of its input that are read no more.
pub fn plan(graph: &Graph) -> Plan {
    let (overlapping, whole) = (in_pieces(graph, true), whole(graph));
    match overlapping.arena_bytes <= whole.arena_bytes {
        true => overlapping,
        // Too hard a search for either; what is lower has the same right to be there.
        false => Plan { live_bytes: overlapping.live_bytes, proof: overlapping.proof, ..whole },
    }
}

/// Plans the arena of a graph in device form, in the order of its nodes, so that no two tensors that live at the same
/// time share a byte, unless one replaces the other in place.
pub fn whole(graph: &Graph) -> Plan {
    in_pieces(graph, false)
}

fn in_pieces(graph: &Graph, overlap: bool) -> Plan {
    let layout = Layout::new(graph, overlap);
    let bound_bytes = layout.live_bytes.iter().copied().max().unwrap_or(0);
    let (offsets, proof) = place::place(&layout.blocks, bound_bytes);
    layout.plan(graph, &offsets, proof)
}

/// What there is to place where all tensors are in one piece.
struct Layout {
    lifetimes: HashMap<TensorId, (usize, usize)>,
    blocks: Vec<Block>,
    block_of: HashMap<TensorId, usize>,
    /// The block of each node's scratch memory.
    scratch_blocks: Vec<Option<usize>>,
    live_bytes: Vec<usize>,
}

impl Layout {
    fn new(graph: &Graph, overlap: bool) -> Layout {
        let lifetimes = lifetimes(graph);
        let (mut blocks, block_of) = blocks(graph, &lifetimes);
        if overlap {
            (0..graph.nodes().len()).for_each(|i| reach_into_input(graph, i, &mut blocks, &block_of));
        }
        let scratch_blocks = scratch(graph, &mut blocks);
        let end = graph.nodes().len() + 1;
        let live_bytes = (0..=end).map(|time| live_bytes(&blocks, time)).collect();
        Layout { lifetimes, blocks, block_of, scratch_blocks, live_bytes }
    }

    /// The plan with the blocks at these offsets.
    fn plan(self, graph: &Graph, offsets: &[usize], proof: Proof) -> Plan {
        let arena_bytes = self.blocks.iter().zip(offsets).map(|(b, &o)| o + b.bytes).max().unwrap_or(0);
        let placed = |(&id, &block): (&TensorId, &usize)| {
            let (first, last) = self.lifetimes[&id];
            (id, Placement { offset: offsets[block], rows: None, first, last })
        };
        let tensors = self.block_of.iter().map(placed).collect();
        let scratch_offsets =
            self.scratch_blocks.iter().map(|block| block.map_or(0, |b| offsets[b])).collect();
        let calls =
            (0..graph.nodes().len()).map(|i| Call::Run { node: i, rows: 0..n_rows(graph, i) }).collect();
        let live_bytes = self.live_bytes;
        Plan { tensors, scratch_offsets, calls, arena_bytes, live_bytes, proof, memories: Vec::new() }
    }
}

/// Lets the output of node `i` reach into the input with which it can share most bytes: one that dies here, is read
/// by rows, and of which every row of the output leaves behind what it is written on.
fn reach_into_input(graph: &Graph, i: usize, blocks: &mut [Block], block_of: &HashMap<TensorId, usize>) {
    let node = &graph.nodes()[i];
    let types = input_types(graph, i);
    let by_rows = |bit: u16| node.op.by_rows(&types) & bit != 0;
    let ([output], Order::Rows, true) = (&node.outputs[..], node.op.order(&types), by_rows(OUTPUT)) else {
        return;
    };
    let Some(&block) = block_of.get(output).filter(|&&block| blocks[block].first == i + 1) else { return };
    let row_bytes = |id: TensorId| graph[id].ty.shape.row_len() * graph[id].ty.dtype.bytes();
    let reach = |(k, &id): (usize, &TensorId)| {
        let &input = block_of.get(&id).filter(|&&input| input != block && blocks[input].last == i + 1)?;
        let once = node.inputs.iter().filter(|&&other| block_of.get(&other) == Some(&input)).count() == 1;
        // Bytes by which row `y` ends behind what is dead when it is computed: it must not.
        let excess = |y: usize| {
            ((y + 1) * row_bytes(*output)).saturating_sub(node.op.rows(k, &types, y).start * row_bytes(id))
        };
        let distance = (0..n_rows(graph, i)).map(excess).max()?.next_multiple_of(ALIGN);
        let fits = once && by_rows(1 << k) && distance < blocks[block].bytes;
        fits.then_some(Over { block: input, distance })
    };
    let reaches: Vec<Over> = node.inputs.iter().enumerate().filter_map(reach).collect();
    let shared = |over: &Over| Block { over: Some(*over), ..blocks[block] }.shared_bytes(&blocks[over.block]);
    blocks[block].over = reaches.into_iter().max_by_key(shared);
}

/// Rows that node `i` counts: of its first output, or of its first input for a reduction.
pub fn n_rows(graph: &Graph, i: usize) -> usize {
    let node = &graph.nodes()[i];
    let counted = match node.op.order(&input_types(graph, i)) {
        Order::Rows => node.outputs[0],
        Order::Reduction => node.inputs[0],
    };
    graph[counted].ty.shape.rows()
}

/// First and last time of every tensor of the arena.
fn lifetimes(graph: &Graph) -> HashMap<TensorId, (usize, usize)> {
    let end = graph.nodes().len() + 1;
    let mut lives: HashMap<TensorId, (usize, usize)> =
        graph.inputs().iter().map(|&id| (id, (0, 0))).collect();
    for (i, node) in graph.nodes().iter().enumerate() {
        for &id in node.inputs.iter().chain(&node.outputs) {
            match graph[id].kind {
                Kind::Constant(_) => {}
                Kind::State(_) => {
                    lives.insert(id, (0, end));
                }
                Kind::Input | Kind::Value => lives.entry(id).or_insert((i + 1, i + 1)).1 = i + 1,
            }
        }
    }
    for id in graph.outputs() {
        if let Some(life) = lives.get_mut(id) {
            life.1 = end;
        }
    }
    lives
}

/// Blocks, and the block of every tensor: an output joins the block of an input that dies where it is born
/// if the operator works in place on it.
fn blocks(
    graph: &Graph,
    lifetimes: &HashMap<TensorId, (usize, usize)>,
) -> (Vec<Block>, HashMap<TensorId, usize>) {
    let mut blocks: Vec<Block> = Vec::new();
    let mut block_of: HashMap<TensorId, usize> = HashMap::new();
    let open = |id: TensorId, blocks: &mut Vec<Block>, block_of: &mut HashMap<TensorId, usize>| {
        let Some(&(first, last)) = lifetimes.get(&id) else { return };
        block_of.entry(id).or_insert_with(|| {
            blocks.push(Block {
                bytes: graph[id].ty.bytes().next_multiple_of(ALIGN),
                first,
                last,
                over: None,
            });
            blocks.len() - 1
        });
    };
    for &id in graph.inputs() {
        open(id, &mut blocks, &mut block_of);
    }
    for (i, node) in graph.nodes().iter().enumerate() {
        for &id in &node.inputs {
            open(id, &mut blocks, &mut block_of); // state
        }
        let in_place = node.op.in_place(&input_types(graph, i));
        let output = node.outputs[0];
        let dies_here = |&(k, id): &(usize, &TensorId)| {
            in_place & (1 << k) != 0
                && matches!(graph[*id].kind, Kind::Value | Kind::Input)
                && lifetimes[id].1 == i + 1
                && graph[*id].ty.bytes() == graph[output].ty.bytes()
        };
        if let (Some((_, replaced)), Kind::Value) =
            (node.inputs.iter().enumerate().find(dies_here), &graph[output].kind)
        {
            let block = block_of[replaced];
            blocks[block].last = lifetimes[&output].1;
            block_of.insert(output, block);
        }
        for &id in &node.outputs {
            open(id, &mut blocks, &mut block_of);
        }
    }
    (blocks, block_of)
}

/// Types of the inputs of node `i`.
fn input_types(graph: &Graph, i: usize) -> Vec<TensorType> {
    graph.nodes()[i].inputs.iter().map(|&id| graph[id].ty).collect()
}

/// Adds the blocks of scratch memory; returns that of each node.
fn scratch(graph: &Graph, blocks: &mut Vec<Block>) -> Vec<Option<usize>> {
    let mut scratch_of = |i: usize| {
        let bytes = graph.nodes()[i].op.scratch_bytes(&input_types(graph, i)).next_multiple_of(ALIGN);
        (bytes > 0).then(|| {
            blocks.push(Block { bytes, first: i + 1, last: i + 1, over: None });
            blocks.len() - 1
        })
    };
    (0..graph.nodes().len()).map(&mut scratch_of).collect()
}
