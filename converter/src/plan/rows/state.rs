//! How far each node is, and which bytes are alive then. Both follow from the steps done alone.

use std::ops::Range;

use super::super::ALIGN;
use super::model::{Model, Store};

/// Steps done of every node, and the bytes that are alive.
#[derive(Clone, Debug)]
pub(super) struct State<'m> {
    pub model: &'m Model,
    pub done: Vec<u32>,
    /// Live bytes of every store.
    stores: Vec<usize>,
    /// All live bytes.
    pub live_bytes: usize,
}

impl<'m> State<'m> {
    /// Before the first step.
    pub fn new(model: &'m Model) -> State<'m> {
        State::at(model, vec![0; model.nodes.len()])
    }

    /// After the given steps.
    pub fn at(model: &'m Model, done: Vec<u32>) -> State<'m> {
        let mut state = State { model, done, stores: vec![0; model.stores.len()], live_bytes: 0 };
        for s in 0..model.stores.len() {
            state.update(s);
        }
        state.live_bytes += (0..model.nodes.len()).map(|n| state.accumulators(n)).sum::<usize>();
        state
    }

    /// Whether every step is done.
    pub fn is_complete(&self) -> bool {
        self.done.iter().zip(&self.model.nodes).all(|(&done, node)| done as usize == node.steps)
    }

    /// Whether a node has a next step and that has its inputs.
    pub fn is_ready(&self, n: usize) -> bool {
        let (node, step) = (&self.model.nodes[n], self.done[n] as usize);
        step < node.steps && node.needs.iter().all(|(other, steps)| self.done[*other] as usize >= steps[step])
    }

    /// Bytes alive during the next step of a ready node.
    pub fn peak_bytes(&self, n: usize) -> usize {
        let node = &self.model.nodes[n];
        let (first, last) = (self.done[n] as usize, self.done[n] as usize + 1);
        let scratch = if node.accumulates && first > 0 { 0 } else { node.scratch_bytes };
        let mut peak = self.live_bytes + scratch;
        for (s, written) in &node.writes {
            let store = &self.model.stores[*s];
            if store.scattered {
                peak += (written[last] - written[first]) * store.row_bytes;
            } else {
                let high = self.high(store).max(written[last]);
                peak += words(self.low(store)..high) - self.stores[*s];
            }
        }
        if self.replaced(n).is_some() { peak - self.model.stores[node.writes[0].0].row_bytes } else { peak }
    }

    /// The store whose row the next step of a ready node reads last, and writes its own row over.
    pub fn replaced(&self, n: usize) -> Option<usize> {
        let row = self.done[n] as usize;
        let dies = |&s: &usize| {
            self.model.stores[s].readers.iter().all(|reader| {
                self.done[reader.node] as usize + (reader.node == n) as usize >= reader.dead_at[row]
            })
        };
        self.model.nodes[n].in_place.iter().copied().find(|s| dies(s))
    }

    /// Does the next step of node `n`.
    pub fn run(&mut self, n: usize) {
        self.move_to(n, self.done[n] + 1);
    }

    /// Undoes the last step of node `n`.
    pub fn undo(&mut self, n: usize) {
        self.move_to(n, self.done[n] - 1);
    }

    fn move_to(&mut self, n: usize, done: u32) {
        self.live_bytes -= self.accumulators(n);
        self.done[n] = done;
        self.live_bytes += self.accumulators(n);
        let model = self.model;
        for &s in &model.nodes[n].touches {
            self.update(s);
        }
    }

    /// Live bytes after the next step of a ready node.
    pub fn live_bytes_after(&mut self, n: usize) -> usize {
        self.run(n);
        let live = self.live_bytes;
        self.undo(n);
        live
    }

    fn accumulators(&self, n: usize) -> usize {
        let node = &self.model.nodes[n];
        let open = node.accumulates && self.done[n] > 0 && (self.done[n] as usize) < node.steps;
        if open { node.scratch_bytes } else { 0 }
    }

    fn update(&mut self, s: usize) {
        let store = &self.model.stores[s];
        let live = match store.scattered {
            true => self.live_rows(store).count() * store.row_bytes,
            false => words(self.low(store)..self.high(store)),
        };
        self.live_bytes = self.live_bytes + live - self.stores[s];
        self.stores[s] = live;
    }

    /// The rows of a scattered store that are written and still to be read.
    pub fn live_rows(&self, store: &'m Store) -> impl Iterator<Item = usize> {
        (self.low(store)..self.high(store)).filter(|&row| {
            store.readers.iter().any(|reader| (self.done[reader.node] as usize) < reader.dead_at[row])
        })
    }

    /// The lowest row (byte, of a piece) that is still to be read.
    fn low(&self, store: &Store) -> usize {
        let lows = store.readers.iter().map(|reader| reader.low[self.done[reader.node] as usize]);
        if store.to_end { 0 } else { lows.min().unwrap_or(store.rows * store.row_bytes) }
    }

    /// Rows (bytes, of a piece) that are written.
    fn high(&self, store: &Store) -> usize {
        if store.from_start {
            return store.rows * store.row_bytes;
        }
        let written = |&n: &usize| {
            let mine =
                self.model.nodes[n].writes.iter().find(|(s, _)| std::ptr::eq(&self.model.stores[*s], store));
            mine.map_or(0, |(_, written)| written[self.done[n] as usize])
        };
        store.writers.iter().map(written).max().unwrap_or(0)
    }
}

/// Bytes of the words that a range touches. One that is empty in the middle of a word touches that word: it
/// is a part of the row before and of the row behind.
fn words(range: Range<usize>) -> usize {
    range.end.next_multiple_of(ALIGN).saturating_sub(range.start / ALIGN * ALIGN)
}
