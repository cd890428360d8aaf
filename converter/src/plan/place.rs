//! Exact placement of blocks in one arena: bound, first fit, then a search that ends with a certificate.
//!
//! Blocks that live at the same time must be disjoint, but that an operator's output may start below its input and
//! reach into the rows that are dead by then ([`Block::over`]). No placement is lower than the fullest time (the
//! *clique bound*). If first fit does not meet it, the search asks of each possible height from the bound
//! upwards whether a placement exists; it decides that exactly, within a budget of nodes.

use std::collections::HashSet;

use super::rows::timeline::{Item, Part};
use super::{Block, rows};

/// Nodes that the search may visit; a second at most.
const BUDGET_NODES: usize = 200_000;

/// Why no lower placement was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The placement is as low as the bytes alive at the fullest time: nothing can be lower.
    Clique,
    /// Every lower height was searched to the end without a placement, in so many nodes.
    Exhausted {
        /// Nodes visited.
        nodes: usize,
    },
    /// The search was stopped after so many nodes: a lower placement may exist.
    Budget {
        /// Nodes visited.
        nodes: usize,
    },
    /// No order of rows needs less than a number of bytes, however they are placed.
    Rows {
        /// That number.
        bound_bytes: usize,
        /// Whether every order below this plan's live bytes was searched to the end.
        exhausted: bool,
        /// States (rows done of every operator) visited.
        states: usize,
    },
}

/// Offsets of the blocks, and why they are not lower.
pub(super) fn place(blocks: &[Block], bound_bytes: usize) -> (Vec<usize>, Proof) {
    let mut best = best_first_fit(blocks);
    let mut nodes = 0;
    let mut candidate = bound_bytes;
    while candidate < height(blocks, &best) {
        match decide(blocks, candidate, BUDGET_NODES, &mut nodes) {
            Decision::Fits(offsets) => {
                best = offsets;
                break;
            }
            Decision::Impossible { next } => candidate = next,
            Decision::Unknown => {
                // Too hard to decide; a placement may be easy to find all the same.
                let found = repaired(blocks, bound_bytes);
                best = if height(blocks, &found) < height(blocks, &best) { found } else { best };
                if height(blocks, &best) > bound_bytes {
                    return (best, Proof::Budget { nodes });
                }
            }
        }
    }
    let proof = if height(blocks, &best) == bound_bytes { Proof::Clique } else { Proof::Exhausted { nodes } };
    (best, proof)
}

/// A low placement, without a proof, of blocks that are all disjoint.
fn repaired(blocks: &[Block], bound_bytes: usize) -> Vec<usize> {
    let item =
        |b: &Block| Item { parts: vec![Part { start: 0, bytes: b.bytes, first: b.first, last: b.last }] };
    let items: Vec<Item> = blocks.iter().map(item).collect();
    rows::place::place(&items, bound_bytes, BUDGET_NODES).offsets
}

/// Bytes of an arena with the blocks at these offsets.
pub(super) fn height(blocks: &[Block], offsets: &[usize]) -> usize {
    blocks.iter().zip(offsets).map(|(b, o)| o + b.bytes).max().unwrap_or(0)
}

/// The best of a few orders, each placed first fit.
pub(super) fn best_first_fit(blocks: &[Block]) -> Vec<usize> {
    let by_size = |i: &usize| (std::cmp::Reverse(blocks[*i].bytes), blocks[*i].first);
    let by_life = |i: &usize| std::cmp::Reverse(blocks[*i].last - blocks[*i].first);
    let mut orders = vec![(0..blocks.len()).collect::<Vec<_>>(); 4];
    orders[0].sort_by_key(by_size);
    orders[1].sort_by_key(|i| (by_life(i), by_size(i)));
    orders[2].sort_by_key(|i| (blocks[*i].first, by_size(i)));
    // What reaches into another stands below it, and before others take the room.
    let reaches = |i: usize| {
        blocks.iter().any(|b| b.over.is_some_and(|over| over.block == i)) || blocks[i].over.is_some()
    };
    orders[3].sort_by_key(|&i| match reaches(i) {
        true => (false, std::cmp::Reverse(blocks[i].first), by_size(&i)),
        false => (true, std::cmp::Reverse(0), by_size(&i)),
    });
    let fitted = orders.iter().map(|order| {
        let mut offsets = vec![None; blocks.len()];
        first_fit(blocks, order, &mut offsets);
        offsets.into_iter().flatten().collect::<Vec<usize>>()
    });
    fitted.min_by_key(|offsets| height(blocks, offsets)).unwrap_or_default()
}

/// Places each block of `order` at the lowest offset where it meets no placed one.
fn first_fit(blocks: &[Block], order: &[usize], offsets: &mut [Option<usize>]) {
    for &i in order {
        let neighbours: Vec<(usize, usize)> = (0..blocks.len())
            .filter(|&j| blocks[j].meets(&blocks[i]))
            .filter_map(|j| offsets[j].map(|offset| (offset, j)))
            .collect();
        let mut offset = 0;
        let above = |offset, &(start, j): &(usize, usize)| {
            let apart = offset + distance(blocks, i, j) <= start || start + distance(blocks, j, i) <= offset;
            (!apart).then(|| start + distance(blocks, j, i))
        };
        while let Some(higher) = neighbours.iter().filter_map(|neighbour| above(offset, neighbour)).min() {
            offset = higher;
        }
        offsets[i] = Some(offset);
    }
}

/// Bytes that block `above` must start behind the start of block `below`, if it is above it.
fn distance(blocks: &[Block], below: usize, above: usize) -> usize {
    match blocks[below].over {
        Some(over) if over.block == above => over.distance,
        _ => blocks[below].bytes,
    }
}

/// Whether `blocks` fit below `height`. A search that gets lost may find its way with other preferences, so
/// each has a share of the budget.
fn decide(blocks: &[Block], height: usize, budget_nodes: usize, nodes: &mut usize) -> Decision {
    let left = budget_nodes.saturating_sub(*nodes);
    for preference in [Preference::Large, Preference::Long, Preference::Late] {
        let mut search = Search::new(blocks, height, preference, left / 3);
        let found = search.decide();
        *nodes += search.nodes;
        if !matches!(found, Decision::Unknown) {
            return found;
        }
    }
    Decision::Unknown
}

/// Which of several blocks with one floor is tried first.
#[derive(Clone, Copy, Debug)]
enum Preference {
    Large,
    Long,
    Late,
}

enum Decision {
    Fits(Vec<usize>),
    /// Nor do they fit below any height under `next`.
    Impossible {
        next: usize,
    },
    Unknown,
}

/// Whether blocks fit below one height. Blocks are placed in order of their offsets, each on the ground or on
/// a placed neighbour; every placement can be pushed down into that form.
struct Search<'b> {
    blocks: &'b [Block],
    height: usize,
    /// Blocks that fit last wherever the others are, in the order in which they were set aside.
    peeled: Vec<usize>,
    /// The others.
    core: Vec<usize>,
    offsets: Vec<Option<usize>>,
    /// Positions from which no completion exists: floors of the unplaced blocks, and the last offset.
    dead_ends: HashSet<(Vec<usize>, usize)>,
    preference: Preference,
    /// The lowest height that would have let the search go on where it turned back.
    next: usize,
    nodes: usize,
    budget_nodes: usize,
}

impl<'b> Search<'b> {
    fn new(blocks: &'b [Block], height: usize, preference: Preference, budget_nodes: usize) -> Search<'b> {
        let (core, peeled) = peel(blocks, height);
        let offsets = vec![None; blocks.len()];
        // With room for both, a block need not reach into another.
        let both = |b: &Block| b.over.map(|over| b.bytes + blocks[over.block].bytes);
        let next = blocks.iter().filter_map(both).filter(|&bytes| bytes > height).min().unwrap_or(usize::MAX);
        let (dead_ends, nodes) = (HashSet::new(), 0);
        Search { blocks, height, peeled, core, offsets, dead_ends, preference, next, nodes, budget_nodes }
    }

    fn decide(&mut self) -> Decision {
        match self.extend(0) {
            Some(true) => {
                let order: Vec<usize> = self.peeled.iter().rev().copied().collect();
                first_fit(self.blocks, &order, &mut self.offsets);
                Decision::Fits(self.offsets.iter().copied().flatten().collect())
            }
            Some(false) => Decision::Impossible { next: self.next },
            None => Decision::Unknown,
        }
    }

    /// Completes the placement with offsets from `from` upwards. `None`: the budget is spent.
    fn extend(&mut self, from: usize) -> Option<bool> {
        self.nodes += 1;
        if self.nodes > self.budget_nodes {
            return None;
        }
        let unplaced: Vec<usize> = self.core.iter().copied().filter(|&i| self.offsets[i].is_none()).collect();
        if unplaced.is_empty() {
            return Some(true);
        }
        let floors = self.floors(&unplaced, from);
        let key = (self.core.iter().map(|&i| self.position(i, from)).collect(), from);
        if self.dead_ends.contains(&key) {
            return Some(false);
        }
        let needed = self.needed(&unplaced, &floors);
        if needed > self.height {
            self.next = self.next.min(needed);
            return Some(false);
        }
        let mut choices: Vec<usize> = (0..unplaced.len()).collect();
        choices.sort_by_key(|&k| {
            let block = &self.blocks[unplaced[k]];
            let preferred = match self.preference {
                Preference::Large => block.bytes,
                Preference::Long => block.last - block.first,
                Preference::Late => block.last,
            };
            (floors[k], std::cmp::Reverse((preferred, block.bytes)))
        });
        for k in choices {
            let i = unplaced[k];
            // Only at its true floor: above it the block would hang in the air.
            if self.floor(i) < floors[k] {
                continue;
            }
            self.offsets[i] = Some(floors[k]);
            if self.extend(floors[k])? {
                return Some(true);
            }
            self.offsets[i] = None;
        }
        self.dead_ends.insert(key);
        Some(false)
    }

    /// The lowest offsets that the unplaced blocks may have.
    fn floors(&self, unplaced: &[usize], from: usize) -> Vec<usize> {
        let mut floors: Vec<usize> = unplaced.iter().map(|&i| self.floor(i).max(from)).collect();
        let place = |block| unplaced.iter().position(|&i| i == block);
        let pairs: Vec<(usize, usize, usize)> = (0..unplaced.len())
            .filter(|&k| self.is_forced(unplaced[k]))
            .filter_map(|k| {
                self.blocks[unplaced[k]].over.and_then(|over| Some((k, place(over.block)?, over.distance)))
            })
            .collect();
        let mut rises = true;
        while rises {
            rises = false;
            for &(k, input, distance) in &pairs {
                let floor = floors[k] + distance;
                rises |= floors[input] < floor;
                floors[input] = floors[input].max(floor);
            }
        }
        floors
    }

    /// Whether a block must reach into the one that it may reach into, for want of room.
    fn is_forced(&self, i: usize) -> bool {
        self.blocks[i]
            .over
            .is_some_and(|over| self.blocks[i].bytes + self.blocks[over.block].bytes > self.height)
    }

    /// Top of the placed neighbours of block `i`.
    fn floor(&self, i: usize) -> usize {
        let top = |&j: &usize| self.offsets[j].map_or(0, |offset| offset + distance(self.blocks, j, i));
        self.core.iter().filter(|&&j| self.blocks[j].meets(&self.blocks[i])).map(top).max().unwrap_or(0)
    }

    /// What is left to know of block `i`: where it may start, or that it is placed.
    fn position(&self, i: usize, from: usize) -> usize {
        if self.offsets[i].is_some() { usize::MAX } else { self.floor(i).max(from) }
    }

    /// The height that the unplaced blocks need at least: of each above its floor, and of all that are alive at some
    /// time above their lowest floor.
    fn needed(&self, unplaced: &[usize], floors: &[usize]) -> usize {
        let of_one = unplaced.iter().zip(floors).map(|(&i, &floor)| floor + self.blocks[i].bytes);
        let of_all = unplaced.iter().map(|&at| {
            let time = self.blocks[at].first;
            let alive = unplaced
                .iter()
                .zip(floors)
                .filter(|&(&i, _)| self.blocks[i].first <= time && time <= self.blocks[i].last);
            alive.fold((usize::MAX, 0), |(lowest, sum), (&i, &floor)| {
                let shared = match self.blocks[i].over {
                    Some(over) if self.blocks[i].first == time && unplaced.contains(&over.block) => {
                        self.blocks[i].shared_bytes(&self.blocks[over.block])
                    }
                    _ => 0,
                };
                (lowest.min(floor), sum + self.blocks[i].bytes - shared)
            })
        });
        of_one.chain(of_all.map(|(lowest, sum)| lowest + sum)).max().unwrap_or(0)
    }
}

/// Splits blocks into those to search and those that fit below `height` wherever the rest is placed: however
/// its neighbours cut the arena, one of the gaps is large enough for such a block.
fn peel(blocks: &[Block], height: usize) -> (Vec<usize>, Vec<usize>) {
    let words = |bytes: usize| bytes / super::ALIGN;
    let mut core: Vec<usize> = (0..blocks.len()).collect();
    let mut peeled = Vec::new();
    loop {
        let fits_last = |&k: &usize| {
            let (i, size) = (core[k], words(blocks[core[k]].bytes));
            let neighbours = core.iter().filter(|&&j| j != i && blocks[j].meets(&blocks[i]));
            let blocked: usize = neighbours.map(|&j| words(blocks[j].bytes) + size - 1).sum();
            blocked + size < words(height) + 1
        };
        match (0..core.len()).find(fits_last) {
            Some(k) => peeled.push(core.remove(k)),
            None => return (core, peeled),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ALIGN, Over, live_bytes};
    use super::*;

    fn clique(blocks: &[Block]) -> usize {
        blocks.iter().map(|b| live_bytes(blocks, b.first)).max().unwrap_or(0)
    }

    /// The lowest height over all orders of stacking, without any cleverness.
    fn exhaustive(
        blocks: &[Block],
        placed: &mut Vec<usize>,
        offsets: &mut Vec<Option<usize>>,
        best: &mut usize,
    ) {
        if placed.len() == blocks.len() {
            *best =
                (*best).min(blocks.iter().zip(&*offsets).map(|(b, o)| o.unwrap() + b.bytes).max().unwrap());
            return;
        }
        for i in 0..blocks.len() {
            if offsets[i].is_none() {
                first_fit(blocks, &[i], offsets);
                placed.push(i);
                exhaustive(blocks, placed, offsets, best);
                placed.pop();
                offsets[i] = None;
            }
        }
    }

    fn blocks(most: usize) -> impl Strategy<Value = Vec<Block>> {
        let block = (0usize..10, 0usize..4, 1usize..30).prop_map(|(first, life, words)| Block {
            bytes: words * ALIGN,
            first,
            last: first + life,
            over: None,
        });
        prop::collection::vec(block, 1..most)
    }

    /// Blocks of which some start where another ends, and may reach into it.
    fn overlapping(most: usize) -> impl Strategy<Value = Vec<Block>> {
        (blocks(most), prop::collection::vec(1usize..30, most)).prop_map(|(mut blocks, distances)| {
            for i in 0..blocks.len() {
                let dies =
                    |j: &usize| blocks[*j].last == blocks[i].first && blocks[*j].first < blocks[i].first;
                let input = (0..blocks.len()).find(dies);
                let distance = distances[i] * ALIGN;
                blocks[i].over =
                    input.filter(|_| distance < blocks[i].bytes).map(|block| Over { block, distance });
            }
            blocks
        })
    }

    /// What `tests/placement/make.py` asked another solver.
    #[test]
    fn heights_are_those_that_another_solver_proved() {
        let golden = include_str!("../../../tests/placement/placement.json");
        let golden: Vec<serde_json::Value> = serde_json::from_str(golden).unwrap();
        assert_eq!(golden.len(), 300);
        for (i, problem) in golden.iter().enumerate() {
            let blocks: Vec<[usize; 3]> = serde_json::from_value(problem["blocks"].clone()).unwrap();
            assert!((6..=30).contains(&blocks.len()));
            let block = |&[bytes, first, last]: &[usize; 3]| Block { bytes, first, last, over: None };
            let blocks: Vec<Block> = blocks.iter().map(block).collect();
            let (offsets, proof) = place(&blocks, clique(&blocks));
            assert!(!matches!(proof, Proof::Budget { .. }), "problem {i}: {proof:?}");
            assert_eq!(problem["height"], height(&blocks, &offsets), "problem {i}: {proof:?}");
        }
    }

    proptest! {
        #[test]
        fn live_blocks_are_apart(blocks in overlapping(24)) {
            let (offsets, _) = place(&blocks, clique(&blocks));
            for i in 0..blocks.len() {
                for j in 0..i {
                    let apart = |a: usize, b: usize| offsets[a] + distance(&blocks, a, b) <= offsets[b];
                    prop_assert!(apart(i, j) || apart(j, i) || !blocks[i].meets(&blocks[j]), "{i} and {j}");
                }
            }
        }

        #[test]
        fn a_proof_is_true(blocks in prop_oneof![blocks(7), overlapping(7)]) {
            let (offsets, proof) = place(&blocks, clique(&blocks));
            let mut best = usize::MAX;
            exhaustive(&blocks, &mut Vec::new(), &mut vec![None; blocks.len()], &mut best);
            let searched = !matches!(proof, Proof::Budget { .. });
            prop_assert!(searched);
            prop_assert_eq!(height(&blocks, &offsets), best);
        }
    }
}
