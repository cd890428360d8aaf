//! Runs a plan on tags in place of numbers: every byte of the arena knows which byte of which row of which
//! tensor was written there last. It knows graphs and plans, and nothing of how plans are made.

use std::ops::Range;

use dunlin::TensorType;
use dunlin::ops::{OUTPUT, Order};

use crate::plan::{ALIGN, Call, Plan, n_rows};
use crate::{Graph, Kind, TensorId};

/// Who wrote a byte: tensor, how often it had been written, row, byte of the row; or the scratch of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Noise,
    Row(TensorId, usize, usize, usize),
    Scratch(usize),
}

struct Executor<'g> {
    graph: &'g Graph,
    plan: &'g Plan,
    arena: Vec<Tag>,
    /// Rows done of every node, and fed of every input.
    done: Vec<usize>,
    fed: Vec<usize>,
    /// The call, counted from 1.
    time: usize,
}

/// Runs `plan`, and panics where it reads what is not there any more.
pub(in crate::plan) fn execute(graph: &Graph, plan: &Plan) {
    let feeds = plan.calls.iter().any(|call| matches!(call, Call::Feed { .. }));
    let mut executor = Executor {
        graph,
        plan,
        arena: vec![Tag::Noise; plan.arena_bytes],
        done: vec![0; graph.nodes().len()],
        fed: vec![0; graph.inputs().len()],
        time: 0,
    };
    let state =
        graph.tensors().filter(|(id, t)| matches!(t.kind, Kind::State(_)) && plan.tensors.contains_key(id));
    let given = graph.inputs().iter().copied().filter(|_| !feeds);
    for id in state.map(|(id, _)| id).chain(given) {
        (0..graph[id].ty.shape.rows()).for_each(|row| executor.write(id, row, 0));
    }
    for call in &plan.calls {
        executor.time += 1;
        match call {
            Call::Feed { input, rows } => executor.feed(*input, rows.clone()),
            Call::Run { node, rows } => executor.run(*node, rows.clone()),
        }
    }
    executor.time += 1;
    for i in 0..graph.nodes().len() {
        assert_eq!(executor.done[i], n_rows(graph, i), "rows of node {i}");
    }
    let stays = graph.tensors().filter(|(id, tensor)| {
        graph.outputs().contains(id) && !matches!(tensor.kind, Kind::Constant(_))
            || matches!(tensor.kind, Kind::State(_)) && plan.tensors.contains_key(id)
    });
    for (id, tensor) in stays {
        assert!(plan.tensors[&id].rows.is_none(), "what stays is in one piece");
        (0..tensor.ty.shape.rows()).for_each(|row| executor.read(id, row, graph.nodes().len()));
    }
}

impl Executor<'_> {
    fn types(&self, i: usize) -> Vec<TensorType> {
        self.graph.nodes()[i].inputs.iter().map(|&id| self.graph[id].ty).collect()
    }

    /// Bytes of a row in the arena.
    fn place(&self, id: TensorId, row: usize) -> Range<usize> {
        let place = &self.plan.tensors[&id];
        let ty = self.graph[id].ty;
        assert!((place.first..=place.last).contains(&self.time), "{}: outside its life", self.graph[id].name);
        let bytes = ty.shape.row_len() * ty.dtype.bytes();
        let start = match &place.rows {
            Some(rows) => {
                assert_eq!((rows.len(), rows[row] % ALIGN), (ty.shape.rows(), 0));
                rows[row]
            }
            None => place.offset + row * bytes,
        };
        assert_eq!(place.offset % ALIGN, 0);
        assert!(start + bytes <= self.plan.arena_bytes, "{}: row {row} is outside", self.graph[id].name);
        start..start + bytes
    }

    /// How often a tensor has been written when node `i` reads it.
    fn version(&self, id: TensorId, i: usize) -> usize {
        self.graph.nodes()[..i].iter().filter(|node| node.outputs.contains(&id)).count()
    }

    fn write(&mut self, id: TensorId, row: usize, version: usize) {
        for (k, byte) in self.place(id, row).enumerate() {
            self.arena[byte] = Tag::Row(id, version, row, k);
        }
    }

    fn read(&self, id: TensorId, row: usize, i: usize) {
        let version = self.version(id, i);
        for (k, byte) in self.place(id, row).enumerate() {
            let name = &self.graph[id].name;
            let expected = Tag::Row(id, version, row, k);
            assert_eq!(self.arena[byte], expected, "{name}: row {row}, call {}", self.time);
        }
    }

    fn feed(&mut self, input: usize, rows: Range<usize>) {
        assert_eq!(self.fed[input], rows.start, "rows are fed in order");
        self.fed[input] = rows.end;
        rows.for_each(|row| self.write(self.graph.inputs()[input], row, 0));
    }

    fn run(&mut self, i: usize, rows: Range<usize>) {
        let op = self.graph.nodes()[i].op;
        let types = self.types(i);
        assert_eq!(self.done[i], rows.start, "rows of node {i} ascend");
        self.done[i] = rows.end;
        let by_rows = op.by_rows(&types);
        let reduces = op.order(&types) == Order::Reduction;
        if !reduces && by_rows & OUTPUT == 0 {
            // It may read and write in any order: all of its inputs, then all of its outputs.
            assert_eq!(rows, 0..n_rows(self.graph, i), "node {i} takes its tensors whole");
            return self.step(i, &types, None, true);
        }
        for y in rows {
            self.step(i, &types, Some(y), !reduces || y + 1 == n_rows(self.graph, i));
        }
    }

    /// Row `y` of a node, or all of it.
    fn step(&mut self, i: usize, types: &[TensorType], y: Option<usize>, writes: bool) {
        let graph = self.graph;
        let node = &graph.nodes()[i];
        let reduces = node.op.order(types) == Order::Reduction;
        self.scratch(i, types, !reduces || y == Some(0));
        let by_rows = node.op.by_rows(types);
        let mut reads = Vec::new();
        for (k, &id) in node.inputs.iter().enumerate() {
            if matches!(graph[id].kind, Kind::Constant(_)) {
                continue;
            }
            let all = 0..graph[id].ty.shape.rows();
            let rows = match y {
                Some(y) if by_rows & (1 << k) != 0 => node.op.rows(k, types, y),
                // In place, what came before is written over.
                Some(y) if node.op.in_place(types) & (1 << k) != 0 => y..y + 1,
                _ => all,
            };
            for row in rows {
                self.read(id, row, i);
                reads.push((k, id, row));
            }
        }
        for &id in node.outputs.iter().filter(|_| writes) {
            let version = self.version(id, i) + 1;
            let rows = match y {
                Some(y) if !reduces => y..y + 1,
                _ => 0..graph[id].ty.shape.rows(),
            };
            rows.for_each(|row| self.write(id, row, version));
        }
        self.scratch(i, types, false);
        // What is written must not lie on what is read, but for rows that the operator replaces.
        let in_place = node.op.in_place(types);
        for (k, id, row) in reads {
            let replaced = |&out: &TensorId| match y {
                Some(y) => row == y && self.place(out, y) == self.place(id, row),
                None => self.plan.tensors[&out].offset == self.plan.tensors[&id].offset,
            };
            if in_place & (1 << k) == 0 || !node.outputs.iter().any(replaced) {
                self.read(id, row, i);
            }
        }
    }

    /// Fills the scratch memory of a node, or sees that nothing has been written there.
    fn scratch(&mut self, i: usize, types: &[TensorType], fill: bool) {
        let bytes = self.graph.nodes()[i].op.scratch_bytes(types);
        if bytes == 0 {
            return;
        }
        let start = self.plan.scratch_offsets[i];
        assert_eq!(start % ALIGN, 0);
        let scratch = &mut self.arena[start..start + bytes];
        if fill {
            scratch.fill(Tag::Scratch(i));
        }
        assert!(scratch.iter().all(|&tag| tag == Tag::Scratch(i)), "the scratch memory of node {i}");
    }
}
