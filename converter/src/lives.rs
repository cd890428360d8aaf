//! When each row of a model's tensors is alive, and on which bytes: read off the calls of a checked model.

use std::ops::Range;

use dunlin::format::Place;
use dunlin::ops::Order;
use dunlin::{Model, TensorType};

use crate::ops::Op;
use crate::plan::ALIGN;

/// Rows that live and die together on neighbouring bytes, or the scratch memory of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The tensor, by its index in the file, with its rows; absent for scratch memory.
    pub rows: Option<(usize, Range<usize>)>,
    /// The step that writes it; absent for what is there from the start, and for rows that arrive.
    pub writer: Option<usize>,
    /// Bytes of the arena.
    pub bytes: Range<usize>,
    /// The call (counted from 1) that writes it; 0 for what is there before the first.
    pub first: usize,
    /// The last call that reads it; one past the last for outputs and state.
    pub last: usize,
}

/// All that is ever alive in the arena.
#[derive(Clone, Debug)]
pub struct Lives {
    /// The pieces, tensor by tensor.
    pub pieces: Vec<Piece>,
    /// Number of calls.
    pub n_calls: usize,
}

/// A row while it is collected.
#[derive(Clone)]
struct Row {
    bytes: Range<usize>,
    writer: Option<usize>,
    first: usize,
    last: usize,
}

impl Lives {
    /// The lives of a checked model.
    ///
    /// # Errors
    /// If the runtime refuses what it took before: a bug.
    pub fn of(model: &Model) -> Result<Lives, dunlin::Error> {
        let n_calls = model.n_calls();
        let mut tensors = before_the_first_call(model)?;
        let mut pieces = Vec::new();
        let mut scratch: Vec<Option<Piece>> = vec![None; model.n_steps()];
        for i in 0..n_calls {
            let (call, time) = (model.call(i)?, i + 1);
            if call.step as usize == model.n_steps() {
                if let Some(id) = fed_tensor(model) {
                    let row = &mut tensors[id][call.first as usize];
                    (row.first, row.last) = (time, time);
                }
                continue;
            }
            let index = call.step as usize;
            let node = model.step(index)?;
            let (op, rows) = (Op::decode(node.record().op, node.record().params)?, node.rows(call));
            let types: Vec<TensorType> = (0..node.n_inputs()).map(|k| node.input(k).ty).collect();
            for k in (0..node.n_inputs()).filter(|&k| !node.input(k).is_constant()) {
                let last = rows.end - 1;
                let read = op.rows(k, &types, rows.start).start..op.rows(k, &types, last).end;
                let id = node.tensor_id(k).unwrap_or_default() as usize;
                tensors[id][read].iter_mut().for_each(|row| row.last = row.last.max(time));
            }
            let ends = rows.end == node.n_rows();
            let at_once = rows.start == 0 && ends;
            for o in 0..node.n_outputs() {
                let id = node.tensor_id(node.n_inputs() + o).unwrap_or_default() as usize;
                let written = match node.record().order == Order::Rows as u8 {
                    true if !at_once => rows.clone(),
                    false if !ends => continue,
                    _ => 0..tensors[id].len(),
                };
                for row in tensors[id][written].iter_mut().filter(|row| row.last != n_calls + 1) {
                    (row.writer, row.first, row.last) = (Some(index), time, time);
                }
            }
            if node.record().scratch_bytes > 0 {
                let keeps = node.record().order == Order::Reduction as u8;
                match &mut scratch[index] {
                    Some(piece) if keeps => piece.last = time,
                    _ => {
                        let start = node.record().scratch_offset as usize;
                        let bytes = words(start..start + node.record().scratch_bytes as usize);
                        let piece = Piece { rows: None, writer: Some(index), bytes, first: time, last: time };
                        pieces.extend(scratch[index].replace(piece));
                    }
                }
            }
        }
        pieces.extend(scratch.into_iter().flatten());
        outputs_live_on(model, &mut tensors)?;
        for (id, rows) in tensors.into_iter().enumerate() {
            join(id, rows, &mut pieces);
        }
        Ok(Lives { pieces, n_calls })
    }

    /// Bytes that are alive before the first call, at each call, and after the last. What stands in place of another
    /// counts once.
    pub fn live_bytes(&self) -> Vec<usize> {
        let mut alive: Vec<Vec<Range<usize>>> = vec![Vec::new(); self.n_calls + 2];
        for piece in &self.pieces {
            for bytes in &mut alive[piece.first..=piece.last] {
                bytes.push(piece.bytes.clone());
            }
        }
        alive.into_iter().map(union_bytes).collect()
    }
}

/// The tensor of the input that arrives by rows.
fn fed_tensor(model: &Model) -> Option<usize> {
    model.input_tensor(model.fed_input()?).map(usize::from)
}

/// The rows of every tensor of the arena. Inputs and state are there; others are not yet born.
fn before_the_first_call(model: &Model) -> Result<Vec<Vec<Row>>, dunlin::Error> {
    let mut tensors = Vec::new();
    for id in 0..model.header().n_activations as usize {
        let (ty, record) = model.tensor(id)?;
        let last = if record.place == Place::State { model.n_calls() + 1 } else { 0 };
        let row = |y| {
            model.tensor_row(id, y).map(|bytes| Row { bytes: bytes.clone(), writer: None, first: 0, last })
        };
        tensors.push((0..ty.shape.rows()).map(row).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(tensors)
}

fn outputs_live_on(model: &Model, tensors: &mut [Vec<Row>]) -> Result<(), dunlin::Error> {
    for i in 0..model.n_outputs() {
        let id = model.output_tensor(i).ok_or(dunlin::Error::NoSuchTensor)? as usize;
        tensors[id].iter_mut().for_each(|row| row.last = model.n_calls() + 1);
    }
    Ok(())
}

/// Rows with the same life on neighbouring bytes become one piece.
fn join(id: usize, rows: Vec<Row>, pieces: &mut Vec<Piece>) {
    let start = pieces.len();
    for (y, row) in rows.into_iter().enumerate() {
        match pieces[start..].last_mut() {
            Some(Piece { rows: Some((_, rows)), writer, bytes, first, last })
                if bytes.end == row.bytes.start
                    && (*writer, *first, *last) == (row.writer, row.first, row.last) =>
            {
                rows.end = y + 1;
                bytes.end = row.bytes.end;
            }
            _ => pieces.push(Piece {
                rows: Some((id, y..y + 1)),
                writer: row.writer,
                bytes: row.bytes,
                first: row.first,
                last: row.last,
            }),
        }
    }
    for piece in &mut pieces[start..] {
        piece.bytes = words(piece.bytes.clone());
    }
}

/// The bytes with what alignment adds, as the planner counts them.
fn words(bytes: Range<usize>) -> Range<usize> {
    bytes.start..bytes.end.next_multiple_of(ALIGN)
}

/// Bytes that lie in at least one of the ranges.
fn union_bytes(mut ranges: Vec<Range<usize>>) -> usize {
    ranges.sort_by_key(|range| range.start);
    let (mut total, mut end) = (0, 0);
    for range in ranges {
        total += range.end.saturating_sub(end.max(range.start));
        end = end.max(range.end);
    }
    total
}
