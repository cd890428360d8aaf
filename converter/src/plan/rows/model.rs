//! The row model of a graph: what each step of each node reads and writes, and when rows are dead.

use std::collections::HashMap;
use std::ops::Range;

use dunlin::TensorType;
use dunlin::ops::{OUTPUT, Order};

use super::super::{ALIGN, input_types, n_rows};
use crate::{Error, Graph, Kind, Result, TensorId};

/// A part of the arena that is placed on its own terms: one tensor whose rows may lie anywhere, or tensors in
/// one piece that stand on each other.
#[derive(Debug)]
pub(super) struct Store {
    pub tensors: Vec<TensorId>,
    /// Whether rows may lie anywhere.
    pub scattered: bool,
    /// Rows, if scattered; else 1.
    pub rows: usize,
    /// Bytes of a row, aligned, if scattered; else of the whole.
    pub row_bytes: usize,
    /// Nodes that write it.
    pub writers: Vec<usize>,
    pub readers: Vec<Reader>,
    /// Whether it is full before the first step.
    pub from_start: bool,
    /// Whether it stays after the last step.
    pub to_end: bool,
}

impl Store {
    /// Notes that node `n` writes it: so much, by steps done.
    fn add_writer(&mut self, n: usize, written: &[usize]) {
        self.writers.push(n);
        if !self.scattered {
            // What is not written yet cannot be dead, even if nothing reads it.
            let mut low = written.to_vec();
            *low.last_mut().expect("there is a step") = self.row_bytes;
            self.readers.push(Reader { node: n, rows: vec![0..0; written.len()], low, dead_at: Vec::new() });
        }
    }
}

/// A use of a store.
#[derive(Debug)]
pub(super) struct Reader {
    pub node: usize,
    /// Rows that each step reads.
    pub rows: Vec<Range<usize>>,
    /// By steps done: the lowest row (byte, of a piece) that later steps read.
    pub low: Vec<usize>,
    /// By row of a scattered store: steps after which the row is not read again.
    pub dead_at: Vec<usize>,
}

/// What a node stands for in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A node of the graph.
    Node(usize),
    /// An input of the model, fed by the caller.
    Feed(usize),
}

/// A node of the graph, or the feeding of an input, as a sequence of steps.
#[derive(Debug)]
pub(super) struct Node {
    pub source: Source,
    pub steps: usize,
    /// Rows of the plan's call that a step stands for.
    pub rows_of_step: usize,
    /// Stores that it writes, with the bytes (rows, if scattered) written by steps done.
    pub writes: Vec<(usize, Vec<usize>)>,
    /// Nodes with the steps that they must have done before each step.
    pub needs: Vec<(usize, Vec<usize>)>,
    /// Stores on whose row `y` row `y` of the output may stand.
    pub in_place: Vec<usize>,
    pub scratch_bytes: usize,
    /// Whether the scratch memory lives from the first step to the last, not only at each step.
    pub accumulates: bool,
    /// Stores whose live bytes its steps change.
    pub touches: Vec<usize>,
}

/// A graph in device form, by rows. Nodes are in an order in which they can run.
#[derive(Debug)]
pub(super) struct Model {
    pub stores: Vec<Store>,
    pub nodes: Vec<Node>,
}

impl Model {
    /// The model of a graph; with `fed`, its input comes row by row.
    pub fn new(graph: &Graph, fed: bool) -> Result<Model> {
        if fed && graph.inputs().len() != 1 {
            let n = graph.inputs().len();
            return Err(Error::graph(
                &graph.name,
                format!("has {n} inputs, and only one can be fed by rows: plan it with its inputs in memory"),
            ));
        }
        Ok(Builder::new(graph, fed).build())
    }
}

/// Bytes of a scattered row.
fn row_bytes(ty: &TensorType) -> usize {
    (ty.shape.row_len() * ty.dtype.bytes()).next_multiple_of(ALIGN)
}

struct Builder<'g> {
    graph: &'g Graph,
    fed: bool,
    /// Types of each node's inputs.
    types: Vec<Vec<TensorType>>,
    /// For each node, the input on which its output stands as a whole.
    stands_on: Vec<Option<TensorId>>,
    store_of: HashMap<TensorId, usize>,
    model: Model,
}

impl<'g> Builder<'g> {
    fn new(graph: &'g Graph, fed: bool) -> Self {
        let types = (0..graph.nodes().len()).map(|i| input_types(graph, i)).collect();
        let model = Model { stores: Vec::new(), nodes: Vec::new() };
        Builder { graph, fed, types, stands_on: Vec::new(), store_of: HashMap::new(), model }
    }

    fn build(mut self) -> Model {
        self.add_stores();
        if self.fed {
            self.add_feed();
        }
        for i in 0..self.graph.nodes().len() {
            self.add_node(i);
        }
        self.order_state();
        for n in 0..self.model.nodes.len() {
            let reads = (0..self.model.stores.len())
                .filter(|&s| self.model.stores[s].readers.iter().any(|reader| reader.node == n));
            let mut touches: Vec<usize> =
                reads.chain(self.model.nodes[n].writes.iter().map(|w| w.0)).collect();
            touches.sort_unstable();
            touches.dedup();
            self.model.nodes[n].touches = touches;
        }
        self.model
    }

    /// Place of a node of the graph among the model's.
    fn place_of(&self, i: usize) -> usize {
        i + self.fed as usize
    }

    /// Whether the rows of a tensor may lie anywhere: all its operators take it by rows.
    fn is_scattered(&self, id: TensorId) -> bool {
        let tensor = &self.graph[id];
        let value = tensor.kind == Kind::Value || tensor.kind == Kind::Input && self.fed;
        let by_rows = |i: usize| self.graph.nodes()[i].op.by_rows(&self.types[i]);
        let nodes = || self.graph.nodes().iter().enumerate();
        let written = nodes().all(|(i, node)| {
            !node.outputs.contains(&id) || node.outputs.len() == 1 && by_rows(i) & OUTPUT != 0
        });
        let read = nodes().all(|(i, node)| {
            node.inputs.iter().enumerate().all(|(k, &input)| input != id || by_rows(i) & (1 << k) != 0)
        });
        value && written && read && tensor.ty.shape.rows() > 1 && !self.graph.outputs().contains(&id)
    }

    fn add_stores(&mut self) {
        let graph = self.graph;
        for &id in graph.inputs() {
            self.open(id);
        }
        for (i, node) in graph.nodes().iter().enumerate() {
            for &id in &node.inputs {
                self.open(id); // state
            }
            let base = self.in_place_whole(i);
            if let Some(base) = base {
                let store = self.store_of[&base];
                self.model.stores[store].tensors.push(node.outputs[0]);
                self.model.stores[store].to_end |= graph.outputs().contains(&node.outputs[0]);
                self.store_of.insert(node.outputs[0], store);
            }
            self.stands_on.push(base);
            for &id in &node.outputs {
                self.open(id);
            }
        }
    }

    fn open(&mut self, id: TensorId) {
        let tensor = &self.graph[id];
        if matches!(tensor.kind, Kind::Constant(_)) || self.store_of.contains_key(&id) {
            return;
        }
        let scattered = self.is_scattered(id);
        let state = matches!(tensor.kind, Kind::State(_));
        self.store_of.insert(id, self.model.stores.len());
        self.model.stores.push(Store {
            tensors: vec![id],
            scattered,
            rows: if scattered { tensor.ty.shape.rows() } else { 1 },
            row_bytes: match scattered {
                true => row_bytes(&tensor.ty),
                false => tensor.ty.bytes().next_multiple_of(ALIGN),
            },
            writers: Vec::new(),
            readers: Vec::new(),
            from_start: state || tensor.kind == Kind::Input && !self.fed,
            to_end: state || self.graph.outputs().contains(&id),
        });
    }

    /// The input in one piece that the output of node `i`, in one piece too, can stand on: every other node
    /// that reads it comes earlier.
    fn in_place_whole(&self, i: usize) -> Option<TensorId> {
        let node = &self.graph.nodes()[i];
        let output = node.outputs[0];
        if self.graph[output].kind != Kind::Value || self.is_scattered(output) {
            return None;
        }
        let bits = node.op.in_place(&self.types[i]);
        let fits = |&(k, id): &(usize, TensorId)| {
            bits & (1 << k) != 0
                && matches!(self.graph[id].kind, Kind::Value | Kind::Input)
                && self.graph[id].ty.bytes() == self.graph[output].ty.bytes()
                && !self.graph.outputs().contains(&id)
                && !self.model.stores[self.store_of[&id]].scattered
                && self.graph.consumers(id).iter().all(|reader| reader.0 as usize <= i)
        };
        node.inputs.iter().copied().enumerate().find(fits).map(|(_, id)| id)
    }

    fn add_feed(&mut self) {
        let id = self.graph.inputs()[0];
        let ty = self.graph[id].ty;
        let store = self.store_of[&id];
        let rows = ty.shape.rows();
        let unit = if self.model.stores[store].scattered { 1 } else { ty.bytes() / rows };
        let written: Vec<usize> = (0..=rows).map(|done| done * unit).collect();
        self.model.stores[store].add_writer(0, &written);
        self.model.nodes.push(Node {
            source: Source::Feed(0),
            steps: rows,
            rows_of_step: 1,
            writes: vec![(store, written)],
            needs: Vec::new(),
            in_place: Vec::new(),
            scratch_bytes: 0,
            accumulates: false,
            touches: Vec::new(),
        });
    }

    fn add_node(&mut self, i: usize) {
        let graph = self.graph;
        let node = &graph.nodes()[i];
        let n = self.place_of(i);
        let by_rows = node.op.by_rows(&self.types[i]);
        let reduces = node.op.order(&self.types[i]) == Order::Reduction;
        let rows = n_rows(graph, i);
        let stepwise = node.outputs.len() == 1
            && self.stands_on[i].is_none()
            && matches!(graph[node.outputs[0]].kind, Kind::Value)
            && (reduces || by_rows & OUTPUT != 0);
        let steps = if stepwise { rows } else { 1 };
        let mut made = Node {
            source: Source::Node(i),
            steps,
            rows_of_step: if stepwise { 1 } else { rows },
            writes: Vec::new(),
            needs: Vec::new(),
            in_place: Vec::new(),
            scratch_bytes: node.op.scratch_bytes(&self.types[i]).next_multiple_of(ALIGN),
            accumulates: reduces,
            touches: Vec::new(),
        };
        for (k, &id) in node.inputs.iter().enumerate() {
            let Some(&store) = self.store_of.get(&id) else { continue };
            let reads: Vec<_> = match stepwise && by_rows & (1 << k) != 0 {
                true => (0..steps).map(|y| node.op.rows(k, &self.types[i], y)).collect(),
                false => vec![0..graph[id].ty.shape.rows(); steps],
            };
            self.read(n, id, store, &reads, &mut made);
        }
        if let Some(base) = self.stands_on[i] {
            let others = graph.consumers(base).into_iter().map(|reader| reader.0 as usize);
            for other in others.filter(|&other| other != i).map(|other| self.place_of(other)) {
                made.needs.push((other, vec![self.model.nodes[other].steps; steps]));
            }
        }
        for &id in &node.outputs {
            let store = self.store_of[&id];
            let target = &mut self.model.stores[store];
            let size = if target.scattered { target.rows } else { graph[id].ty.bytes() };
            let by_step = |done: usize| if reduces { size * (done / steps) } else { size * done / steps };
            let written: Vec<usize> = (0..=steps).map(by_step).collect();
            target.add_writer(n, &written);
            made.writes.push((store, written));
        }
        made.in_place = self.in_place_rows(i, stepwise && !reduces);
        self.model.nodes.push(made);
    }

    /// Stores on whose rows the rows of node `i` may stand.
    fn in_place_rows(&self, i: usize, stepwise: bool) -> Vec<usize> {
        let node = &self.graph.nodes()[i];
        let output = &self.model.stores[self.store_of[&node.outputs[0]]];
        let bits = node.op.in_place(&self.types[i]);
        let stores = node.inputs.iter().enumerate().filter(|(k, _)| bits & (1 << k) != 0);
        let stores = stores.filter_map(|(_, id)| self.store_of.get(id).copied());
        let fits = |&s: &usize| {
            let input = &self.model.stores[s];
            input.scattered && input.rows == output.rows && input.row_bytes == output.row_bytes
        };
        if stepwise && output.scattered { stores.filter(fits).collect() } else { Vec::new() }
    }

    /// Notes that node `n` reads the rows `reads[y]` of tensor `id` at its step `y`.
    fn read(&mut self, n: usize, id: TensorId, store: usize, reads: &[Range<usize>], made: &mut Node) {
        let ty = self.graph[id].ty;
        let rows = ty.shape.rows();
        let target = &mut self.model.stores[store];
        let unit = if target.scattered { 1 } else { ty.bytes() / rows };
        let mut low: Vec<usize> = reads.iter().map(|range| range.start * unit).collect();
        low.push(if target.scattered { rows } else { target.row_bytes });
        for y in (0..reads.len()).rev() {
            low[y] = low[y].min(low[y + 1]);
        }
        let mut dead_at = vec![0; if target.scattered { rows } else { 0 }];
        for (y, range) in reads.iter().enumerate().filter(|_| target.scattered) {
            dead_at[range.clone()].fill(y + 1);
        }
        target.readers.push(Reader { node: n, rows: reads.to_vec(), low, dead_at });
        // What a state holds before its update needs no node; `order_state` sees to the rest.
        let producer = match self.graph[id].kind {
            Kind::Value => self.graph.nodes().iter().position(|node| node.outputs.contains(&id)),
            Kind::Input if self.fed => Some(0),
            _ => None,
        };
        let Some(producer) = producer else { return };
        let place = if self.graph[id].kind == Kind::Input { 0 } else { self.place_of(producer) };
        let writer = &self.model.nodes[place];
        let mut end = 0;
        let until = |range: &Range<usize>| {
            end = end.max(range.end);
            match writer.steps == rows && !writer.accumulates {
                true => end,
                false => writer.steps * (end > 0) as usize,
            }
        };
        made.needs.push((place, reads.iter().map(until).collect()));
    }

    /// Readers of a state before its update run before it, those after it behind it, and updates in order.
    fn order_state(&mut self) {
        for (id, tensor) in self.graph.tensors() {
            if !matches!(tensor.kind, Kind::State(_)) {
                continue;
            }
            let nodes = self.graph.nodes();
            let writers: Vec<usize> = (0..nodes.len()).filter(|&i| nodes[i].outputs.contains(&id)).collect();
            let users =
                (0..nodes.len()).filter(|&i| nodes[i].inputs.contains(&id) || nodes[i].outputs.contains(&id));
            for (user, &writer) in users.flat_map(|user| writers.iter().map(move |w| (user, w))) {
                let (first, second) = (self.place_of(user.min(writer)), self.place_of(user.max(writer)));
                if first != second {
                    let done = vec![self.model.nodes[first].steps; self.model.nodes[second].steps];
                    self.model.nodes[second].needs.push((first, done));
                }
            }
        }
    }
}
