//! Places the items of a timeline in an arena as low as possible.
//!
//! First fit in several orders, each improved by squeaky wheel: an item that sticks out comes earlier next
//! time. If the bound is not met, repair: below a given height, an item that finds no gap takes the place where
//! it ejects the least, and what was ejected is placed again, the dearer the more often it was in the way.
//! Everything is counted in moves, so that equal input gives equal output.

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::super::ALIGN;
use super::timeline::Item;

/// Seed of the ties: any number.
const SEED: u64 = 1;
/// How far an item that sticks out moves forward at most, as a part of the order.
const FORWARD: f64 = 0.1;

/// Moves of first fit that take the time of one of repair.
const REPAIR_COST: usize = 3;

/// Offsets of items.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Placed {
    pub offsets: Vec<usize>,
    /// Bytes of the arena.
    pub height: usize,
    /// Items placed and ejected on the way.
    pub moves: usize,
}

/// Places items; no height below `bound_bytes` is possible.
pub(in crate::plan) fn place(items: &[Item], bound_bytes: usize, budget_moves: usize) -> Placed {
    // Pieces die from the front. Upside down the bytes that become free adjoin those that are.
    let flipped: Vec<Item> = items.iter().map(Item::flipped).collect();
    let placers = [Placer::new(items), Placer::new(&flipped)];
    let mut best: Option<(Placed, bool)> = None;
    let mut moves = 0;
    for repairs in [false, true] {
        for (placer, is_flipped) in placers.iter().zip([false, true]) {
            if best.as_ref().is_some_and(|(placed, _)| placed.height <= bound_bytes) {
                break;
            }
            let height = best.as_ref().map_or(usize::MAX, |(placed, _)| placed.height);
            let found = match repairs {
                false => placer.squeaky(bound_bytes, budget_moves / 2),
                true => placer.repaired(bound_bytes, height, budget_moves / 2 / REPAIR_COST),
            };
            moves += found.moves;
            if found.height < height {
                best = Some((found, is_flipped));
            }
        }
    }
    let (mut placed, is_flipped) = best.expect("something is placed");
    if is_flipped {
        for (offset, item) in placed.offsets.iter_mut().zip(items) {
            *offset = placed.height - *offset - item.bytes();
        }
    }
    Placed { moves, ..placed }
}

/// Distances from a neighbour that are forbidden: an open interval.
struct Conflict {
    other: usize,
    low: isize,
    high: isize,
}

struct Placer<'t> {
    items: &'t [Item],
    bytes: Vec<usize>,
    conflicts: Vec<Vec<Conflict>>,
}

impl<'t> Placer<'t> {
    fn new(items: &'t [Item]) -> Placer<'t> {
        let bytes = items.iter().map(Item::bytes).collect();
        let mut conflicts: Vec<Vec<Conflict>> = items.iter().map(|_| Vec::new()).collect();
        let mut order: Vec<usize> = (0..items.len()).filter(|&i| !items[i].parts.is_empty()).collect();
        order.sort_by_key(|&i| items[i].life().start);
        for (k, &i) in order.iter().enumerate() {
            let end = items[i].life().end;
            for &j in order[k + 1..].iter().take_while(|&&j| items[j].life().start < end) {
                for (low, high) in items[i].forbidden(&items[j]) {
                    conflicts[i].push(Conflict { other: j, low, high });
                    conflicts[j].push(Conflict { other: i, low: -high, high: -low });
                }
            }
        }
        Placer { items, bytes, conflicts }
    }

    /// A few orders to begin with.
    fn orders(&self) -> [Vec<usize>; 3] {
        let by_birth = |i: &usize| (self.items[*i].life().start, Reverse(self.items[*i].life().end));
        let mut orders: [Vec<usize>; 3] = std::array::from_fn(|_| (0..self.items.len()).collect());
        orders[0].sort_by_key(|i| (Reverse(self.bytes[*i]), by_birth(i)));
        orders[1].sort_by_key(by_birth);
        orders[2].sort_by_key(|i| Reverse(self.bytes[*i] * self.items[*i].life().len()));
        orders
    }

    /// The best first fit of several orders, in which items that stick out move forward.
    fn squeaky(&self, bound_bytes: usize, budget_moves: usize) -> Placed {
        let mut best: Option<Placed> = None;
        let mut moves = 0;
        let n = self.items.len();
        for order in self.orders() {
            let mut rng = fastrand::Rng::with_seed(SEED);
            let mut order = order;
            let mut spent = 0;
            while spent < budget_moves / 3 && best.as_ref().is_none_or(|best| best.height > bound_bytes) {
                spent += n.max(1);
                let placed = self.first_fit(&order);
                let height = best.as_ref().map_or(usize::MAX, |best| best.height).min(placed.height);
                let mut ranks: Vec<(f64, usize)> = Vec::with_capacity(n);
                for (rank, &i) in order.iter().enumerate() {
                    let sticks_out = placed.offsets[i] + self.bytes[i] >= height;
                    let forward = if sticks_out { n as f64 * FORWARD * rng.f64() } else { 0.0 };
                    ranks.push((rank as f64 - forward + rng.f64(), i));
                }
                ranks.sort_by(|a, b| a.0.total_cmp(&b.0));
                order = ranks.into_iter().map(|(_, i)| i).collect();
                if best.as_ref().is_none_or(|best| placed.height < best.height) {
                    best = Some(placed);
                }
            }
            moves += spent;
        }
        Placed { moves, ..best.expect("one order is tried") }
    }

    /// The lowest placement that repair finds: at the bound first, then halfway between what failed and what
    /// is known to be possible.
    fn repaired(&self, bound_bytes: usize, height: usize, budget_moves: usize) -> Placed {
        let firsts = self.orders().map(|order| self.first_fit(&order));
        let mut best = firsts.into_iter().min_by_key(|placed| placed.height).expect("there are orders");
        let (mut failed, mut target, mut moves) = (bound_bytes, bound_bytes, 0);
        while target < best.height.min(height) && moves < budget_moves {
            let budget = (budget_moves - moves).min(budget_moves.div_ceil(2));
            match self.repair(&best, target, budget, &mut moves) {
                Some(found) => best = found,
                None => failed = target,
            }
            let gap = best.height.min(height) - failed;
            target = (failed + gap.max(2 * ALIGN) / 2).next_multiple_of(ALIGN);
        }
        Placed { moves, ..best }
    }

    fn first_fit(&self, order: &[usize]) -> Placed {
        let mut offsets: Vec<Option<usize>> = vec![None; self.items.len()];
        let mut spans = Vec::new();
        for &i in order {
            self.spans(i, &offsets, &mut spans);
            spans.sort_unstable();
            let mut offset = 0;
            for &(low, high, _) in &spans {
                if low >= offset {
                    break;
                }
                offset = offset.max(high);
            }
            offsets[i] = Some(offset as usize);
        }
        self.placed(offsets)
    }

    fn placed(&self, offsets: Vec<Option<usize>>) -> Placed {
        let offsets: Vec<usize> = offsets.into_iter().map(|offset| offset.unwrap_or(0)).collect();
        let height = offsets.iter().zip(&self.bytes).map(|(offset, bytes)| offset + bytes).max().unwrap_or(0);
        Placed { offsets, height, moves: 0 }
    }

    /// Where item `i` must not start because of what is placed, as open intervals with the item in the way.
    fn spans(&self, i: usize, offsets: &[Option<usize>], spans: &mut Vec<(isize, isize, usize)>) {
        spans.clear();
        spans.extend(self.conflicts[i].iter().filter_map(|conflict| {
            let at = offsets[conflict.other]? as isize;
            Some((at + conflict.low, at + conflict.high, conflict.other)).filter(|span| span.1 > 0)
        }));
    }

    /// A placement below `height`, from one that is too high; nothing if so many moves do not find one.
    fn repair(&self, from: &Placed, height: usize, budget_moves: usize, moves: &mut usize) -> Option<Placed> {
        let mut rng = fastrand::Rng::with_seed(SEED);
        let mut weights: Vec<usize> = self.bytes.clone();
        let fits = |i: usize| from.offsets[i] + self.bytes[i] <= height;
        let mut offsets: Vec<Option<usize>> =
            (0..self.items.len()).map(|i| fits(i).then(|| from.offsets[i])).collect();
        let mut queue: VecDeque<usize> = (0..self.items.len()).filter(|&i| offsets[i].is_none()).collect();
        let mut spans = Vec::new();
        let mut ends = Vec::new();
        for _ in 0..budget_moves {
            let Some(i) = queue.pop_front() else { return Some(self.placed(offsets)) };
            *moves += 1;
            let top = height.checked_sub(self.bytes[i])?;
            self.spans(i, &offsets, &mut spans);
            let offset = cheapest(&spans, top as isize, &weights, &mut rng, &mut ends);
            offsets[i] = Some(offset as usize);
            for &(low, high, other) in &spans {
                if low < offset && offset < high && offsets[other].take().is_some() {
                    weights[other] += self.bytes[other];
                    queue.push_back(other);
                }
            }
        }
        None
    }
}

/// The start between 0 and `top` at which the least weight is in the way. Of gaps in which nothing is, the
/// smallest; of other places any.
fn cheapest(
    spans: &[(isize, isize, usize)],
    top: isize,
    weights: &[usize],
    rng: &mut fastrand::Rng,
    ends: &mut Vec<(isize, bool, isize)>,
) -> isize {
    ends.clear();
    for &(low, high, other) in spans {
        // An interval is open: at its end it is over already, at its start it has not begun.
        ends.push((low, true, weights[other] as isize));
        ends.push((high, false, weights[other] as isize));
    }
    // Whatever starts below 0 or above `top` is in the way.
    ends.push((0, false, 0));
    ends.push((top, true, 0));
    ends.sort_unstable();
    let (mut cost, mut best, mut n_best) = (0, (isize::MAX, isize::MAX, 0), 0);
    let mut start = 0;
    for (k, &(at, opens, weight)) in ends.iter().enumerate() {
        if !opens {
            cost -= weight;
            start = at;
        }
        let last_of_closing = !opens && ends.get(k + 1).is_none_or(|next| next.0 != at || next.1);
        let first_of_opening = opens && (k == 0 || ends[k - 1].0 != at);
        if (0..=top).contains(&at) && (last_of_closing || first_of_opening) {
            // The gap that is left: to the next start behind a closing, from the last end before an opening.
            let gap = match opens {
                true => at - start.max(0),
                false => ends[k + 1..].iter().find(|next| next.1).map_or(0, |next| next.0.min(top) - at),
            };
            let rank = (cost, if cost == 0 { gap } else { 0 });
            if rank < (best.0, best.1) {
                n_best = 0;
            }
            if rank <= (best.0, best.1) {
                n_best += 1;
                if rng.usize(0..n_best) == 0 {
                    best = (rank.0, rank.1, at);
                }
            }
        }
        if opens {
            cost += weight;
        }
    }
    best.2
}
