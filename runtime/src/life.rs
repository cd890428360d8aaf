//! Whether a plan holds: no call writes over what another is still to read.
//!
//! What must not be written over is a *life*: a tensor with one of its readers, or the accumulators of a reduction.
//! Rows are alive from the call that writes them to the call after which the reader needs them no more; whatever
//! another call writes must not touch them. The calls are gone through once for every few lives, which is all that
//! it takes of memory, and is the same for whole tensors, whose calls have all rows.

use core::ops::Range;

use heapless::Vec;

use crate::format::{NO_STEP, Place};
use crate::model::Node;
use crate::ops::{Order, Reads, Visit};
use crate::span::{Span, overlap};
use crate::{Error, Model};

/// Calls and rows that a check may look at: some seconds on a slow core. Plans of real models need a thousandth.
const BUDGET: u32 = 1 << 24;
/// Lives for which the calls are gone through together: more are faster, and take more stack.
const AT_ONCE: usize = 8;
/// In place of a tensor's index: none.
const NO_TENSOR: u16 = u16::MAX;

impl<'m> Model<'m> {
    /// That no call writes over what another is still to read, and that all is written before it is read.
    #[inline(never)]
    pub(crate) fn check_plan(&self) -> Result<(), Error> {
        let (mut lives, mut n_checked, mut budget) = (Vec::new(), 0, BUDGET);
        loop {
            self.collect_lives(n_checked, &mut lives)?;
            self.check_lives(&mut lives, &mut budget)?;
            if !lives.is_full() {
                return Ok(());
            }
            n_checked += lives.len();
            lives.clear();
        }
    }

    /// The lives behind the first `n_checked`, as many as there is room for.
    #[inline(never)]
    fn collect_lives(&self, n_checked: usize, lives: &mut Lives<'m>) -> Result<(), Error> {
        let mut n_before = n_checked;
        for i in 0..self.n_steps() {
            let step = self.step(i);
            let node = step.as_ref().map_err(|&error| error)?;
            for k in 0..node.n_inputs() {
                let id = node.tensor_id(k).ok_or(Error::Malformed)?;
                if self.record(id as usize)?.place == Place::Arena {
                    self.add_life(lives, &mut n_before, id, i as u16, k as u8)?;
                }
            }
            if node.record().order == Order::Reduction as u8 && node.record().scratch_bytes > 0 {
                self.add_life(lives, &mut n_before, NO_TENSOR, i as u16, 0)?;
            }
        }
        for id in 0..self.header.n_activations {
            let is_output = self.is_port(id, self.n_inputs()..self.n_inputs() + self.n_outputs());
            if is_output || self.record(id as usize)?.place == Place::State {
                self.add_life(lives, &mut n_before, id, NO_STEP, 0)?;
            }
        }
        Ok(())
    }

    /// A tensor with the step that reads it, or no tensor for the accumulators of the step.
    #[inline(never)]
    fn add_life(
        &self,
        lives: &mut Lives<'m>,
        n_before: &mut usize,
        id: u16,
        step: u16,
        input: u8,
    ) -> Result<(), Error> {
        if *n_before > 0 || lives.is_full() {
            *n_before = n_before.saturating_sub(1);
            return Ok(());
        }
        let (writer, reader, span) = match id {
            NO_TENSOR => (step, NO_STEP, Span::scratch(&self.step(step as usize)?)),
            _ => (self.record(id as usize)?.writer, step, Span::tensor(self, id)?),
        };
        let live = 0..if writer == NO_STEP { span.n_rows } else { 0 };
        let bytes = if writer == NO_STEP { span.hull(live.clone()) } else { NONE };
        let life = Life { id, writer, reader, input, is_over: false, span, live, bytes, next: 0 };
        lives.push(life).map_err(|_| Error::Malformed)
    }

    /// Goes through the calls and checks that what lives is not written over.
    #[inline(never)]
    fn check_lives(&self, lives: &mut Lives<'m>, budget: &mut u32) -> Result<(), Error> {
        let mut n_left = lives.len();
        let mut call = Call::new(self);
        for i in 0..self.n_calls() {
            // The first output comes last: what the step reads may die with it.
            call.n_before = usize::MAX;
            while n_left > 0 && call.n_before > 0 {
                call.read(i)?;
                spend(budget, lives.len())?;
                for life in &mut *lives {
                    let concerns = life.writer == call.step || life.reader == call.step;
                    if concerns && !life.is_over || life.is_near(&call) {
                        life.run(&call, budget)?;
                        n_left -= life.is_over as usize;
                    }
                }
            }
        }
        // What no step reads last is an output or state: all of it must be there.
        let is_right =
            |life: &Life| life.is_over || life.reader == NO_STEP && life.live == (0..life.span.n_rows);
        if lives.iter().all(is_right) { Ok(()) } else { Err(Error::Malformed) }
    }
}

type Lives<'m> = Vec<Life<'m>, AT_ONCE>;

/// A call as it writes one of its step's outputs, decoded once for the lives that are looked at.
struct Call<'a, 'm> {
    model: &'a Model<'m>,
    /// The step; the number of steps for a row that arrives.
    step: u16,
    /// The output.
    output: u16,
    span: Span<'m>,
    /// Outputs of the step before it.
    n_before: usize,
    rows: Range<usize>,
    n_rows: usize,
    /// Whether rows of the output are counted; else the outputs are there at the end.
    by_rows: bool,
    /// Bytes among which are all that it writes.
    bytes: Range<usize>,
    scratch: Range<usize>,
}

impl<'a, 'm> Call<'a, 'm> {
    fn new(model: &'a Model<'m>) -> Call<'a, 'm> {
        let (step, output, span) = (NO_STEP, NO_TENSOR, Span::NONE);
        let (n_before, rows, n_rows, by_rows) = (0, 0..0, 0, true);
        Call { model, step, output, span, n_before, rows, n_rows, by_rows, bytes: NONE, scratch: NONE }
    }

    /// Call `i` with the output before the present one, at first with the last.
    #[inline(never)]
    fn read(&mut self, i: usize) -> Result<(), Error> {
        let (model, record) = (self.model, self.model.call(i)?);
        let first = record.first as usize;
        let fed = model.fed_input().filter(|_| record.step == model.header.n_steps);
        let step = model.step(record.step as usize);
        // A row that arrives has no node.
        let node = match &step {
            Ok(node) => Some(node),
            Err(_) if fed.is_some() => None,
            Err(error) => return Err(*error),
        };
        let n_outputs = node.map_or(1, Node::n_outputs);
        self.n_before = self.n_before.min(n_outputs).saturating_sub(1);
        self.step = record.step;
        self.output = match (node, fed) {
            (None, Some(fed)) => model.port(fed)?.tensor,
            _ => node
                .and_then(|node| node.tensor_id(node.n_inputs() + self.n_before))
                .ok_or(Error::Malformed)?,
        };
        self.span.set(model, self.output)?;
        self.by_rows = node.is_none_or(|node| node.record().order == Order::Rows as u8);
        self.n_rows = match node {
            Some(node) if !self.by_rows || self.n_before > 0 => node.n_rows(),
            _ => self.span.n_rows,
        };
        self.scratch = match node {
            Some(node) if node.record().scratch_bytes > 0 => Span::scratch(node).bytes(0..1),
            _ => NONE,
        };
        self.rows = match record.count {
            0 => 0..self.n_rows,
            count => first..first + count as usize,
        };
        self.bytes = self.span.hull(self.written(&self.rows));
        Ok(())
    }

    /// Rows of the output that the step writes with `rows` of its own.
    #[inline(always)]
    fn written(&self, rows: &Range<usize>) -> Range<usize> {
        if rows.end == self.n_rows && (rows.start == 0 || !self.by_rows) {
            return 0..self.span.n_rows;
        }
        if self.by_rows { rows.clone() } else { 0..0 }
    }
}

/// No bytes: they touch none.
const NONE: Range<usize> = usize::MAX..usize::MAX;

/// What must not be written over.
struct Life<'m> {
    /// The tensor, if it is one.
    id: u16,
    /// The step that makes the rows; [`NO_STEP`] for what is there from the start.
    writer: u16,
    /// The step that reads them; [`NO_STEP`] if they live to the end.
    reader: u16,
    /// As which of its inputs.
    input: u8,
    /// Whether nothing of it lives any more, or will.
    is_over: bool,
    span: Span<'m>,
    /// The rows that are alive.
    live: Range<usize>,
    /// Bytes among which they are.
    bytes: Range<usize>,
    /// The first row that the reader has not yet computed.
    next: usize,
}

impl<'m> Life<'m> {
    /// Whether a call may write what is alive. Most do not, and this is soon said.
    #[inline(always)]
    fn is_near(&self, call: &Call) -> bool {
        overlap(&self.bytes, &call.bytes) || overlap(&self.bytes, &call.scratch)
    }

    /// Takes a call: what it reads of this, and what it writes.
    #[inline(always)]
    fn run(&mut self, call: &Call<'_, 'm>, budget: &mut u32) -> Result<(), Error> {
        let before = (self.live.clone(), self.next);
        // What is written over its input, but not in place, passes row by row, if at all.
        let reaches = self.reader == call.step
            && self.span.start != call.span.start
            && overlap(&self.bytes, &call.bytes);
        let mut outcome = self.run_parts(call, if reaches { 1 } else { call.rows.len() }, budget);
        if outcome == Err(Error::Overlap) && !reaches && call.rows.len() > 1 {
            // Rows run one after the other: one may stand where an earlier one has read for the last time.
            (self.live, self.next) = before;
            outcome = self.run_parts(call, 1, budget);
        }
        self.bytes = if self.is_over { NONE } else { self.span.hull(self.live.clone()) };
        outcome
    }

    /// Takes the rows of a call, so many at once.
    #[inline(never)]
    fn run_parts(&mut self, call: &Call<'_, 'm>, at_once: usize, budget: &mut u32) -> Result<(), Error> {
        if self.reader == call.step && call.n_before == 0 {
            let (rows, input) = (call.rows.clone(), self.input as usize);
            return reads(call.model, self.reader, input, rows, at_once, &mut |read| {
                self.run_rows(call, read.by.clone(), Some(read), budget)
            });
        }
        let mut y = call.rows.start;
        while y < call.rows.end {
            let part = y..call.rows.end.min(y + at_once);
            y = part.end;
            self.run_rows(call, part, None, budget)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn run_rows(
        &mut self,
        call: &Call<'_, 'm>,
        rows: Range<usize>,
        read: Option<Reads>,
        budget: &mut u32,
    ) -> Result<(), Error> {
        let ends = rows.end == call.n_rows;
        let is_own_scratch = self.id == NO_TENSOR && self.writer == call.step;
        if is_own_scratch {
            self.live = 0..1;
            self.is_over = ends && call.n_before == 0;
        }
        // What of it outlives the rows.
        let (mut after, mut in_place) = ((self.live.start, self.next), false);
        let is_reader = read.is_some();
        if let Some(read) = read {
            if !read.rows.is_empty() && (read.rows.start < self.live.start || read.rows.end > self.live.end) {
                return Err(Error::Malformed); // not yet written, or no more
            }
            after = (if ends { self.live.end } else { read.next.max(self.live.start) }, rows.end);
            in_place = read.in_place;
            self.is_over = ends;
        }
        let written = call.written(&rows);
        if self.id == call.output && !written.is_empty() {
            self.write(call, written, budget)?;
        } else {
            let mut kept = self.live.clone();
            if in_place && self.is_replaced_by(&call.span, &written) {
                // Only what outlives this call counts.
                (kept.start, self.next) = after;
            }
            self.survive(call, kept, written, budget)?;
        }
        // What the scratch memory leaves alone before the first row that reads, it leaves alone after.
        let is_first = !is_reader || rows.start == call.rows.start;
        if !is_own_scratch && is_first && self.is_hit(call, self.live.clone(), &call.scratch, budget)? {
            return Err(Error::Overlap);
        }
        (self.live.start, self.next) = after;
        Ok(())
    }

    /// Rows of this very tensor are written, which then live.
    fn write(&mut self, call: &Call<'_, 'm>, rows: Range<usize>, budget: &mut u32) -> Result<(), Error> {
        if self.writer == NO_STEP {
            return Ok(()); // an update of state
        }
        if rows.start != self.live.end {
            return Err(Error::Malformed); // a second time, or by two steps
        }
        for y in rows {
            if !self.span.is_contiguous() {
                self.survive(call, self.live.clone(), y..y + 1, budget)?;
            }
            self.live.end = y + 1;
        }
        Ok(())
    }

    /// That rows of the output that a call writes touch none of those in `kept`.
    fn survive(
        &self,
        call: &Call<'_, 'm>,
        kept: Range<usize>,
        rows: Range<usize>,
        budget: &mut u32,
    ) -> Result<(), Error> {
        if call.span.is_contiguous() && self.span.is_contiguous() {
            // Most are soon told apart.
            if kept.is_empty() || !overlap(&self.span.in_one_piece(&kept), &call.span.in_one_piece(&rows)) {
                return Ok(());
            }
        }
        let at_once = if call.span.is_contiguous() { rows.len() } else { 1 };
        let mut y = rows.start;
        while y < rows.end {
            if self.is_hit(call, kept.clone(), &call.span.bytes(y..y + at_once), budget)? {
                return Err(Error::Overlap);
            }
            y += at_once;
        }
        Ok(())
    }

    /// Whether `bytes` touches any of `rows` that is still to be read.
    fn is_hit(
        &self,
        call: &Call<'_, 'm>,
        rows: Range<usize>,
        bytes: &Range<usize>,
        budget: &mut u32,
    ) -> Result<bool, Error> {
        Ok(self.span.is_hit(rows.clone(), bytes, budget)?
            && (self.reader == NO_STEP || self.is_read(call.model, rows, bytes, budget)?))
    }

    /// Whether any of `rows` that `bytes` touches is still to be read: a reader may pass over rows, as one with stride 2
    /// and a single tap does.
    #[inline(never)]
    fn is_read(
        &self,
        model: &Model<'m>,
        rows: Range<usize>,
        bytes: &Range<usize>,
        budget: &mut u32,
    ) -> Result<bool, Error> {
        let to_come = self.next..model.step(self.reader as usize)?.n_rows();
        let seen = reads(model, self.reader, self.input as usize, to_come, 1, &mut |read| {
            spend(budget, 1 + read.rows.len())?;
            let mut read = read.rows.start.max(rows.start)..read.rows.end.min(rows.end);
            let is_hit = read.any(|y| overlap(&self.span.bytes(y..y + 1), bytes));
            if is_hit { Err(Error::Overlap) } else { Ok(()) }
        });
        match seen {
            Err(Error::Overlap) => Ok(true),
            other => other.map(|()| false),
        }
    }

    /// Whether `rows` of `span` stand exactly on those of this tensor.
    fn is_replaced_by(&self, span: &Span, rows: &Range<usize>) -> bool {
        if self.span.is_contiguous() && span.is_contiguous() {
            return self.span.start == span.start;
        }
        self.span.row_bytes == span.row_bytes && rows.clone().all(|y| self.span.row(y) == span.row(y))
    }
}

/// What rows of a step read of an input; see [`Entry`](crate::Entry).
#[inline(never)]
fn reads(
    model: &Model,
    step: u16,
    input: usize,
    rows: Range<usize>,
    at_once: usize,
    visit: &mut Visit,
) -> Result<(), Error> {
    let step = model.step(step as usize);
    let node = step.as_ref().map_err(|&error| error)?;
    (model.entry(node)?.reads)(node, input, rows, at_once, visit)
}

/// Takes `n` from the budget; an error if there is not as much.
pub(crate) fn spend(budget: &mut u32, n: usize) -> Result<(), Error> {
    *budget = u32::try_from(n).ok().and_then(|n| budget.checked_sub(n)).ok_or(Error::TooManyCalls)?;
    Ok(())
}
