//! Places the items of a timeline in an arena as low as possible.
//!
//! First fit in several orders; if none meets the bound, repair: below a given height, an item that finds no
//! gap takes the place where it ejects the least, and what was ejected is placed again, the dearer the more
//! often it was in the way. Everything is counted in moves, so that equal input gives equal output.

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::super::ALIGN;
use super::timeline::Item;

/// Seed of the ties: any number.
const SEED: u64 = 1;

/// Offsets of items.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub offsets: Vec<usize>,
    /// Bytes of the arena.
    pub height: usize,
    /// Items placed and ejected on the way.
    pub moves: usize,
}

/// Places items; no height below `bound_bytes` is possible.
pub(super) fn place(items: &[Item], bound_bytes: usize, budget_moves: usize) -> Placed {
    let placer = Placer::new(items);
    let mut best = placer.best_first_fit();
    // At the bound first, then halfway between what is known to be possible and what failed.
    let (mut failed, mut target) = (bound_bytes, bound_bytes);
    let mut moves = 0;
    while best.height > target && moves < budget_moves {
        match placer.repair(&best, target, (budget_moves - moves).min(budget_moves.div_ceil(2)), &mut moves) {
            Some(found) => best = found,
            None => failed = target,
        }
        target = (failed + (best.height - failed) / 2).next_multiple_of(ALIGN);
        if target >= best.height {
            break;
        }
    }
    Placed { moves, ..best }
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

    /// The best of a few orders, each placed first fit.
    fn best_first_fit(&self) -> Placed {
        let by_birth = |i: &usize| (self.items[*i].life().start, Reverse(self.items[*i].life().end));
        let by_size = |i: &usize| (Reverse(self.bytes[*i]), by_birth(i));
        let by_area = |i: &usize| Reverse(self.bytes[*i] * self.items[*i].life().len());
        let by_life = |i: &usize| (Reverse(self.items[*i].life().len()), by_size(i));
        let mut orders = vec![(0..self.items.len()).collect::<Vec<usize>>(); 4];
        orders[0].sort_by_key(by_birth);
        orders[1].sort_by_key(by_size);
        orders[2].sort_by_key(by_area);
        orders[3].sort_by_key(by_life);
        let placed = orders.iter().map(|order| self.first_fit(order));
        placed.min_by_key(|placed| placed.height).expect("there are orders")
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

/// The start between 0 and `top` at which the least weight is in the way, among equals any.
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
    ends.push((0, false, 0));
    ends.push((top, false, 0));
    ends.sort_unstable();
    let (mut cost, mut best, mut n_best) = (0, (isize::MAX, 0), 0);
    for (k, &(at, opens, weight)) in ends.iter().enumerate() {
        if !opens {
            cost -= weight;
        }
        let last_of_closing = ends.get(k + 1).is_none_or(|next| next.0 != at || next.1);
        let is_candidate = (0..=top).contains(&at) && (opens || last_of_closing);
        if is_candidate && !(opens && k > 0 && ends[k - 1].0 == at) {
            n_best = if cost < best.0 { 0 } else { n_best };
            if cost < best.0 || cost == best.0 && rng.usize(0..=n_best + 1) == 0 {
                best = (cost, at);
            }
            n_best += (cost == best.0) as usize;
        }
        if opens {
            cost += weight;
        }
    }
    best.1
}
