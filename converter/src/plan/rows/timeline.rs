//! What a schedule keeps in the arena, and from which step to which.

use std::ops::Range;

use super::super::ALIGN;
use super::model::{Model, Store};
use super::state::State;

/// Bytes at a fixed distance from their item's offset, while they are alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) struct Part {
    /// Distance from the item's offset.
    pub start: usize,
    pub bytes: usize,
    /// The step (counted from 1) that writes them; 0 before the first.
    pub first: usize,
    /// The last step that needs them; one past the steps if they stay.
    pub last: usize,
}

impl Part {
    fn meets(&self, other: &Part) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// What is placed as one: a row (and those that replace it in place), a piece, or the scratch of a node.
#[derive(Clone, Debug, Default)]
pub(in crate::plan) struct Item {
    pub parts: Vec<Part>,
}

impl Item {
    /// From its offset to the end of its last part.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.start + part.bytes).max().unwrap_or(0)
    }

    /// Steps from its birth to its end.
    pub fn life(&self) -> Range<usize> {
        let first = self.parts.iter().map(|part| part.first).min().unwrap_or(0);
        first..self.parts.iter().map(|part| part.last + 1).max().unwrap_or(0)
    }

    /// Upside down.
    pub fn flipped(&self) -> Item {
        let bytes = self.bytes();
        let flip = |part: &Part| Part { start: bytes - part.start - part.bytes, ..*part };
        Item { parts: self.parts.iter().map(flip).collect() }
    }

    /// Distances of this item from `other` at which they would share live bytes, as open intervals.
    pub fn forbidden(&self, other: &Item) -> Vec<(isize, isize)> {
        let mut intervals: Vec<(isize, isize)> = Vec::new();
        for a in &self.parts {
            for b in other.parts.iter().filter(|b| a.meets(b)) {
                let low = b.start as isize - (a.start + a.bytes) as isize;
                intervals.push((low, (b.start + b.bytes) as isize - a.start as isize));
            }
        }
        intervals.sort_unstable();
        intervals.dedup_by(|next, kept| {
            let joined = next.0 < kept.1;
            if joined {
                kept.1 = kept.1.max(next.1);
            }
            joined
        });
        intervals
    }
}

/// All items of a schedule.
#[derive(Debug)]
pub(super) struct Timeline {
    pub items: Vec<Item>,
    /// The items of each store: one a row, if scattered; else one.
    pub of_store: Vec<Vec<usize>>,
    /// The item of each node's scratch memory.
    pub scratch: Vec<Option<usize>>,
    /// Bytes alive before the first step, at each step, and after the last.
    pub live_bytes: Vec<usize>,
}

impl Timeline {
    /// The items of a schedule that is complete.
    pub fn new(model: &Model, steps: &[usize]) -> Timeline {
        let mut state = State::new(model);
        let mut times = vec![Vec::new(); model.nodes.len()];
        let mut live_bytes = vec![super::search::initial_bytes(model)];
        let mut replacements = Vec::new();
        for (i, &n) in steps.iter().enumerate() {
            if let Some(from) = state.replaced(n) {
                replacements.push((from, model.nodes[n].writes[0].0, times[n].len()));
            }
            times[n].push(i + 1);
            live_bytes.push(state.peak_bytes(n));
            state.run(n);
        }
        live_bytes.push(state.live_bytes);
        let mut timeline =
            Timeline { items: Vec::new(), of_store: Vec::new(), scratch: Vec::new(), live_bytes };
        let times = Times { steps: times, end: steps.len() + 1 };
        for store in &model.stores {
            timeline.add_store(model, store, &times);
        }
        for (from, to, row) in replacements {
            timeline.replace(from, to, row);
        }
        for (n, node) in model.nodes.iter().enumerate() {
            let parts = scratch_parts(node.scratch_bytes, node.accumulates, &times.steps[n]);
            timeline.scratch.push((!parts.is_empty()).then_some(timeline.items.len()));
            timeline.items.extend((!parts.is_empty()).then_some(Item { parts }));
        }
        timeline
    }

    fn add_store(&mut self, model: &Model, store: &Store, times: &Times) {
        let first = self.items.len();
        match store.scattered {
            true => self.items.extend((0..store.rows).map(|row| {
                let (first, last) = times.of_row(model, store, row);
                Item { parts: vec![Part { start: 0, bytes: store.row_bytes, first, last }] }
            })),
            false => self.items.push(Item { parts: times.of_piece(model, store) }),
        }
        self.of_store.push((first..self.items.len()).collect());
    }

    /// Lets row `row` of store `to` stand where that of `from` is.
    fn replace(&mut self, from: usize, to: usize, row: usize) {
        let (kept, gone) = (self.of_store[from][row], self.of_store[to][row]);
        let last = self.items[gone].parts[0].last;
        self.items[kept].parts[0].last = last;
        self.items[gone].parts.clear();
        self.of_store[to][row] = kept;
    }
}

/// The times of the steps of every node.
struct Times {
    steps: Vec<Vec<usize>>,
    /// One past the last.
    end: usize,
}

impl Times {
    /// When the first `done` steps of node `n` are done.
    fn after(&self, n: usize, done: usize) -> usize {
        if done == 0 { 0 } else { self.steps[n][done - 1] }
    }

    /// First and last time of a scattered row.
    fn of_row(&self, model: &Model, store: &Store, row: usize) -> (usize, usize) {
        let first = store.writers.iter().map(|&w| self.written(model, store, w, row + 1)).min().unwrap_or(0);
        let last = store.readers.iter().map(|reader| self.after(reader.node, reader.dead_at[row]));
        (first, last.max().unwrap_or(0).max(first))
    }

    /// When node `w` has written `amount` of the store.
    fn written(&self, model: &Model, store: &Store, w: usize, amount: usize) -> usize {
        let mine = model.nodes[w].writes.iter().find(|(s, _)| std::ptr::eq(&model.stores[*s], store));
        let done = mine.and_then(|(_, written)| written.iter().position(|&written| written >= amount));
        self.after(w, done.unwrap_or(model.nodes[w].steps))
    }

    /// The parts of a piece: neighbouring bytes with one life are one part.
    fn of_piece(&self, model: &Model, store: &Store) -> Vec<Part> {
        let size = store.row_bytes;
        let mut cuts = vec![0, size];
        for &w in &store.writers {
            let mine = model.nodes[w].writes.iter().filter(|(s, _)| std::ptr::eq(&model.stores[*s], store));
            cuts.extend(mine.flat_map(|(_, written)| written).map(|written| written.next_multiple_of(ALIGN)));
        }
        for reader in &store.readers {
            cuts.extend(reader.low.iter().map(|low| low / ALIGN * ALIGN));
        }
        cuts.sort_unstable();
        cuts.dedup();
        let mut parts: Vec<Part> = Vec::new();
        for cut in cuts.windows(2) {
            let (first, last) = self.of_bytes(model, store, cut[0]..cut[1]);
            match parts.last_mut() {
                Some(part) if (part.first, part.last) == (first, last) => part.bytes += cut[1] - cut[0],
                _ => parts.push(Part { start: cut[0], bytes: cut[1] - cut[0], first, last }),
            }
        }
        parts
    }

    /// First and last time of bytes of a piece between two cuts.
    fn of_bytes(&self, model: &Model, store: &Store, bytes: Range<usize>) -> (usize, usize) {
        let writers = store.writers.iter().map(|&w| self.written(model, store, w, bytes.start + 1));
        let first = if store.from_start { 0 } else { writers.min().unwrap_or(0) };
        if store.to_end {
            return (first, self.end);
        }
        let last = store.readers.iter().map(|reader| {
            let done = reader.low.iter().position(|&low| low / ALIGN * ALIGN > bytes.start);
            self.after(reader.node, done.unwrap_or(reader.low.len() - 1))
        });
        (first, last.max().unwrap_or(0).max(first))
    }
}

/// Scratch memory at the given times; between them too, if it accumulates.
fn scratch_parts(bytes: usize, accumulates: bool, times: &[usize]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for &time in times.iter().filter(|_| bytes > 0) {
        match parts.last_mut() {
            Some(part) if accumulates || part.last + 1 == time => part.last = time,
            _ => parts.push(Part { start: 0, bytes, first: time, last: time }),
        }
    }
    parts
}
