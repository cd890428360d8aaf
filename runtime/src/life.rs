//! Whether a plan holds: no call writes over what another is still to read.
//!
//! The calls are gone through once for each *life*: a tensor with one of its readers, or the accumulators of a
//! reduction. Rows are alive from the call that writes them to the call after which the reader needs them no more;
//! whatever another call writes must not touch them. That needs no memory, and is the same for whole tensors, whose
//! calls have all rows.

use core::ops::Range;

use crate::format::Place;
use crate::model::Node;
use crate::ops::Order;
use crate::span::{Span, overlap};
use crate::{Error, Model, format};

/// Calls and rows that a check may look at: some seconds on a slow core. Plans of real models need a thousandth.
const BUDGET: u32 = 1 << 24;

impl<'m> Model<'m> {
    /// That no call writes over what another is still to read, and that all is written before it is read.
    #[inline(never)]
    pub(crate) fn check_plan(&self) -> Result<(), Error> {
        let mut budget = BUDGET;
        for i in 0..self.n_steps() {
            let node = self.step(i)?;
            for k in 0..node.n_inputs() {
                let record = node.tensor_record(k)?;
                if record.place == Place::Arena {
                    let id = node.tensor_id(k).ok_or(Error::Malformed)?;
                    self.check_tensor_life(id, Some((i as u16, k)), &mut budget)?;
                }
            }
            let step = node.record();
            if step.order == Order::Reduction as u8 && step.scratch_bytes > 0 {
                self.check_accumulators(i as u16, &mut budget)?;
            }
        }
        for i in self.n_inputs()..self.n_inputs() + self.n_outputs() {
            self.check_tensor_life(self.port(i)?.tensor, None, &mut budget)?;
        }
        for id in 0..self.header.n_activations {
            if self.record(id as usize)?.place == Place::State {
                self.check_tensor_life(id, None, &mut budget)?;
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn check_tensor_life(
        &self,
        id: u16,
        reader: Option<(u16, usize)>,
        budget: &mut u32,
    ) -> Result<(), Error> {
        self.check_life(&mut Life::tensor(self, id, reader)?, budget)
    }

    #[inline(never)]
    fn check_accumulators(&self, step: u16, budget: &mut u32) -> Result<(), Error> {
        self.check_life(&mut Life::accumulators(&self.step(step as usize)?, step), budget)
    }

    /// Goes through the calls and checks that what lives is not written over.
    #[inline(never)]
    fn check_life(&self, life: &mut Life<'m>, budget: &mut u32) -> Result<(), Error> {
        for i in 0..self.n_calls() {
            spend(budget, 1)?;
            let call = self.call(i)?;
            let concerns = life.writer == Some(call.step) || life.reader.is_some_and(|r| r.0 == call.step);
            if life.live.is_empty() && !concerns {
                continue;
            }
            if let Some(fed) = self.fed_input().filter(|_| call.step == self.header.n_steps) {
                let (id, row) = (self.port(fed)?.tensor, call.first as usize);
                life.write(self, id, &Span::tensor(self, id)?, row..row + 1, false, budget)?;
                continue;
            }
            let node = self.step(call.step as usize)?;
            let (rows, before) = (node.rows(call), (life.live.clone(), life.next));
            let mut outcome = life.run(self, &node, call.step, rows.clone(), budget);
            if outcome == Err(Error::Overlap) && rows.len() > 1 {
                // Rows run one after the other: one may stand where an earlier one has read for the last time.
                (life.live, life.next) = before;
                outcome = Ok(false);
                for y in rows {
                    outcome = Ok(life.run(self, &node, call.step, y..y + 1, budget)?);
                }
            }
            if outcome? {
                return Ok(());
            }
        }
        // What no step reads last is an output or state: all of it must be there.
        let complete = life.live == (0..life.span.n_rows);
        if life.reader.is_none() && complete { Ok(()) } else { Err(Error::Malformed) }
    }
}

/// What must not be written over.
struct Life<'m> {
    /// The tensor, if it is one.
    id: Option<u16>,
    span: Span<'m>,
    /// The step that makes the rows; `None` for what is there from the start.
    writer: Option<u16>,
    /// The step that reads them, and as which input. `None`: they live to the end.
    reader: Option<(u16, usize)>,
    /// The rows that are alive.
    live: Range<usize>,
    /// The first row that the reader has not yet computed.
    next: usize,
    /// `live.start` and `next` as they are after the present call.
    after: (usize, usize),
}

impl<'m> Life<'m> {
    fn tensor(model: &Model<'m>, id: u16, reader: Option<(u16, usize)>) -> Result<Life<'m>, Error> {
        let span = Span::tensor(model, id)?;
        let writer = Some(model.record(id as usize)?.writer).filter(|&writer| writer != format::NO_STEP);
        let live = 0..if writer.is_none() { span.n_rows } else { 0 };
        Ok(Life { id: Some(id), span, writer, reader, live, next: 0, after: (0, 0) })
    }

    fn accumulators(node: &Node, step: u16) -> Life<'m> {
        let span = Span::scratch(node);
        Life { id: None, span, writer: Some(step), reader: None, live: 0..0, next: 0, after: (0, 0) }
    }

    fn is_accumulators(&self) -> bool {
        self.id.is_none()
    }

    /// Takes `rows` of step number `step`: what they read of this, and what they write. Returns whether it dies
    /// with them.
    fn run(
        &mut self,
        model: &Model<'m>,
        node: &Node,
        step: u16,
        rows: Range<usize>,
        budget: &mut u32,
    ) -> Result<bool, Error> {
        let n_rows = node.n_rows();
        let ends = rows.end == n_rows;
        let own_scratch = self.is_accumulators() && self.writer == Some(step);
        if own_scratch {
            self.live = 0..1;
        }
        let reader = self.reader.filter(|(reader, _)| *reader == step);
        let mut in_place = false;
        self.after = (self.live.start, self.next);
        if let Some((_, k)) = reader {
            let entry = model.entry(node)?;
            let read = (entry.reads)(node, k, rows.clone());
            if !read.rows.is_empty() && (read.rows.start < self.live.start || read.rows.end > self.live.end) {
                return Err(Error::Malformed); // not yet written, or no more
            }
            // What the next rows do not read dies here.
            let kept_from = if ends { self.live.end } else { read.next.max(self.live.start) };
            self.after = (kept_from, rows.end);
            in_place = read.in_place;
        }
        self.check_writes(model, node, &rows, ends, in_place, budget)?;
        if node.record().scratch_bytes > 0 && !own_scratch {
            let scratch = Span::scratch(node).bytes(0..1);
            if self.is_hit(model, self.live.clone(), &scratch, budget)? {
                return Err(Error::Overlap);
            }
        }
        (self.live.start, self.next) = self.after;
        Ok(ends && (reader.is_some() || own_scratch))
    }

    /// What `rows` of a step write to its outputs. `in_place`: the first may stand on what the step reads here for
    /// the last time.
    fn check_writes(
        &mut self,
        model: &Model<'m>,
        node: &Node,
        rows: &Range<usize>,
        ends: bool,
        in_place: bool,
        budget: &mut u32,
    ) -> Result<(), Error> {
        let by_rows = node.record().order == Order::Rows as u8;
        let all = ends && (rows.start == 0 || !by_rows);
        if !all && !by_rows {
            return Ok(()); // a reduction that goes on
        }
        // Its own output first, so that it is alive when the others are looked at.
        let n_outputs = node.n_outputs();
        for own in [true, false] {
            for o in 0..n_outputs {
                let id = node.tensor_id(node.n_inputs() + o).ok_or(Error::Malformed)?;
                if (self.id == Some(id)) == own {
                    let span = Span::tensor(model, id)?;
                    let rows = if all { 0..span.n_rows } else { rows.clone() };
                    self.write(model, id, &span, rows, in_place && o == 0, budget)?;
                }
            }
        }
        Ok(())
    }

    /// Rows of tensor `id` are written: of this very one, which then live, or of another, which must not touch what
    /// lives.
    fn write(
        &mut self,
        model: &Model<'m>,
        id: u16,
        span: &Span,
        rows: Range<usize>,
        in_place: bool,
        budget: &mut u32,
    ) -> Result<(), Error> {
        let own = self.id == Some(id);
        if own && self.writer.is_none() {
            return Ok(()); // an update of state
        }
        if own && rows.start != self.live.end {
            return Err(Error::Malformed); // a second time, or by two steps
        }
        let mut kept = self.live.clone();
        if in_place && self.is_replaced_by(span, &rows) {
            // Only what outlives this call counts.
            (kept.start, self.next) = self.after;
        }
        if span.is_contiguous() && !own {
            let hit = self.is_hit(model, kept, &span.bytes(rows), budget)?;
            return if hit { Err(Error::Overlap) } else { Ok(()) };
        }
        for y in rows {
            if self.is_hit(model, kept.clone(), &span.bytes(y..y + 1), budget)? {
                return Err(Error::Overlap);
            }
            if own {
                kept.end = y + 1;
                self.live.end = y + 1;
            }
        }
        Ok(())
    }

    /// Whether `bytes` touches any of `rows` that is still to be read.
    fn is_hit(
        &self,
        model: &Model<'m>,
        rows: Range<usize>,
        bytes: &Range<usize>,
        budget: &mut u32,
    ) -> Result<bool, Error> {
        if !self.span.is_hit(rows.clone(), bytes, budget)? {
            return Ok(false);
        }
        let Some((step, k)) = self.reader else { return Ok(true) };
        // A reader may pass over rows: one with stride 2 and a single tap does.
        let node = model.step(step as usize)?;
        let (entry, n_rows) = (model.entry(&node)?, node.n_rows());
        for hit in rows.filter(|&y| overlap(&self.span.bytes(y..y + 1), bytes)) {
            for y in self.next..n_rows {
                spend(budget, 1)?;
                let read = (entry.reads)(&node, k, y..y + 1).rows;
                if read.contains(&hit) {
                    return Ok(true);
                }
                if read.start > hit {
                    break;
                }
            }
        }
        Ok(false)
    }

    /// Whether `rows` of `span` stand exactly on those of this tensor.
    fn is_replaced_by(&self, span: &Span, rows: &Range<usize>) -> bool {
        if self.span.is_contiguous() && span.is_contiguous() {
            return self.span.start == span.start;
        }
        self.span.row_bytes == span.row_bytes && rows.clone().all(|y| self.span.row(y) == span.row(y))
    }
}

/// Takes `n` from the budget; an error if there is not as much.
pub(crate) fn spend(budget: &mut u32, n: usize) -> Result<(), Error> {
    *budget = u32::try_from(n).ok().and_then(|n| budget.checked_sub(n)).ok_or(Error::TooManyCalls)?;
    Ok(())
}
