//! [`Model::check`], the one trust boundary: after it nothing can fail.
//!
//! Three things are checked: that every record is in range, that every step's operator takes its tensors, and
//! that the plan holds. For the last the calls are gone through once for each *life*: a tensor with one of its
//! readers, or the accumulators of a reduction. Rows are alive from the call that writes them to the call after
//! which the reader needs them no more; whatever another call writes must not touch them. That needs no memory,
//! and is the same for whole tensors, whose calls have all rows.

use core::ops::Range;

use crate::format::{self, CallRecord, Header, Place, TensorRecord};
use crate::mem::View;
use crate::model::{Node, checked_type, tensor_type};
use crate::ops::{Entry, OUTPUT, Order};
use crate::{Error, Model, mem};

/// Calls and rows that a check may look at: some seconds on a slow core. Plans of real models need a thousandth.
const BUDGET: u32 = 1 << 24;

impl<'m> Model<'m> {
    /// Checks `bytes` and takes it as a model whose operators are looked up in `ops` (the table written
    /// beside the model, or [`ops::ALL`](crate::ops::ALL)).
    ///
    /// Time is linear in the file for the checksum, and for the plan at most the product of calls and steps, up
    /// to a limit. Nothing is kept but the reference.
    ///
    /// # Errors
    /// What is wrong with the file; see [`Error`]. Any bytes are safe to pass.
    // Inlined, its variables would take stack for as long as its caller runs the model. So it is with the parts
    // below: apart, they take theirs one after the other.
    #[inline(never)]
    pub fn check(bytes: &'m [u8], ops: &'m [Entry]) -> Result<Model<'m>, Error> {
        let model = Self::check_file(bytes, ops)?;
        model.check_tensors()?;
        model.check_ports()?;
        model.check_steps()?;
        model.check_plan()?;
        Ok(model)
    }

    /// Header, checksum, and the sections' places.
    #[inline(never)]
    pub(crate) fn check_file(bytes: &'m [u8], ops: &'m [Entry]) -> Result<Model<'m>, Error> {
        let header: Header = match postcard::from_bytes(bytes) {
            Ok(header) => header,
            Err(_) => return Err(Error::NotAModel),
        };
        if header.magic != format::MAGIC {
            return Err(Error::NotAModel);
        }
        if header.version != format::VERSION || header.rounding != format::ROUNDING_TFLM {
            return Err(Error::Version);
        }
        if header.file_bytes as usize != bytes.len() || !bytes.len().is_multiple_of(4) {
            return Err(Error::Length);
        }
        if !(bytes.as_ptr() as usize).is_multiple_of(format::ALIGN) {
            return Err(Error::Alignment);
        }
        if format::checksum(bytes.get(format::CHECKED_FROM..).unwrap_or_default()) != header.checksum {
            return Err(Error::Checksum);
        }
        if !sections_are_in_order(&header) {
            return Err(Error::Malformed);
        }
        let constants = bytes.get(header.constants_offset as usize..).ok_or(Error::Malformed)?;
        Ok(Model { bytes, constants, header, ops })
    }

    #[inline(never)]
    fn check_tensors(&self) -> Result<(), Error> {
        (0..self.header.n_tensors as usize).try_for_each(|i| self.check_tensor(&self.record(i)?, i))
    }

    /// The steps, and that their calls are all there are.
    #[inline(never)]
    fn check_steps(&self) -> Result<(), Error> {
        let mut n_called = 0;
        for i in 0..self.n_steps() {
            let node = self.step(i)?;
            let splits = self.check_step(&node, i as u16)?;
            n_called += self.check_calls(i, node.n_rows(), splits)?;
        }
        if let Some(fed) = self.fed_input() {
            n_called += self.check_calls(self.n_steps(), self.input(fed)?.ty.shape.rows(), true)?;
        }
        // None is left over: after the last row, or of a step that does not exist.
        if n_called == self.header.n_calls as usize { Ok(()) } else { Err(Error::Malformed) }
    }

    /// That tensor `i` lies in its section, aligned.
    #[inline(never)]
    fn check_tensor(&self, record: &TensorRecord, i: usize) -> Result<(), Error> {
        let ty = tensor_type(record)?;
        if ty != checked_type(record) {
            return Err(Error::Malformed); // dimensions behind the rank
        }
        let in_arena = record.place != Place::Constant;
        if in_arena != (i < self.header.n_activations as usize) {
            return Err(Error::Malformed);
        }
        let section_bytes = if in_arena { self.arena_bytes() } else { self.constants.len() };
        if record.period == 0 {
            let end = (record.offset as usize).checked_add(ty.bytes()).ok_or(Error::TensorPlace)?;
            let aligned = (record.offset as usize).is_multiple_of(ty.dtype.bytes());
            return if aligned && end <= section_bytes { Ok(()) } else { Err(Error::TensorPlace) };
        }
        let table = self.row_table(record).ok_or(Error::TensorPlace)?;
        let place = record.place == Place::Arena
            && record.period as usize <= ty.shape.rows()
            && (record.offset as usize).is_multiple_of(format::ROW_UNIT_BYTES);
        let row_bytes = ty.shape.row_len() * ty.dtype.bytes();
        // 18 bits of a table's entry and 29 of a row cannot overflow; an offset near 2^32 could.
        let inside = |unit: u16| {
            let start = (record.offset as usize).checked_add(unit as usize * format::ROW_UNIT_BYTES);
            start.is_some_and(|start| start <= section_bytes && row_bytes <= section_bytes - start)
        };
        if place && table.iter().all(inside) { Ok(()) } else { Err(Error::TensorPlace) }
    }

    /// The row table of a tensor that has one; `None` if it is not in the constant section.
    fn row_table(&self, record: &TensorRecord) -> Option<View<'m, u16>> {
        mem::row_table(self.constants.get(record.table as usize..)?.get(..2 * record.period as usize)?)
    }

    /// That the ports name tensors of the arena in one piece (the input that arrives by rows may be in several),
    /// and that what lives before the first call is disjoint.
    #[inline(never)]
    fn check_ports(&self) -> Result<(), Error> {
        if self.header.fed > self.header.n_inputs || self.header.fed > 0 && self.header.n_calls == 0 {
            return Err(Error::Malformed);
        }
        for i in 0..self.n_inputs() + self.n_outputs() {
            let record = self.record(self.port(i)?.tensor as usize)?;
            let is_fed = self.fed_input() == Some(i);
            let in_pieces = record.period != 0 && !is_fed;
            // Else a step writes it.
            let writer = if is_fed { self.header.n_steps } else { format::NO_STEP };
            let is_written = i < self.n_inputs() && record.writer != writer;
            if record.place == Place::Constant || in_pieces || is_written {
                return Err(Error::Malformed);
            }
        }
        for i in 0..self.header.n_activations {
            let record = self.record(i as usize)?;
            if record.writer != format::NO_STEP {
                continue;
            }
            if record.place != Place::State && !self.is_input(i) {
                return Err(Error::Malformed); // nothing would ever write it
            }
            let a = Span::tensor(self, i)?;
            for k in 0..i {
                let b = Span::tensor(self, k)?;
                let meet = overlap(&a.bytes(0..a.n_rows), &b.bytes(0..b.n_rows));
                if meet && self.record(k as usize)?.writer == format::NO_STEP {
                    return Err(Error::Overlap);
                }
            }
        }
        Ok(())
    }

    fn is_input(&self, id: u16) -> bool {
        (0..self.n_inputs()).any(|i| self.port(i).is_ok_and(|port| port.tensor == id))
    }

    /// That a step has an operator that takes its tensors. Returns whether it may be called for some of its rows:
    /// others may write their outputs at any time.
    #[inline(never)]
    fn check_step(&self, node: &Node, step: u16) -> Result<bool, Error> {
        for i in 0..node.n_inputs() + node.n_outputs() {
            let record = node.tensor_record(i)?; // exists
            let id = node.tensor_id(i);
            let twice = (node.n_inputs()..i).any(|k| node.tensor_id(k) == id);
            let is_output = match record.place {
                Place::Arena => record.writer == step,
                Place::State => record.writer == format::NO_STEP,
                Place::Constant => false,
            };
            if i >= node.n_inputs() && (twice || !is_output) {
                return Err(Error::Malformed);
            }
        }
        let needs = (self.entry(node)?.check)(node)?;
        let step = node.record();
        if step.order != needs.order as u8 || step.scratch_bytes as usize != needs.scratch_bytes {
            return Err(Error::Malformed);
        }
        let scratch_end = (step.scratch_offset as usize).checked_add(needs.scratch_bytes);
        if scratch_end.is_none_or(|end| end > self.arena_bytes()) || !step.scratch_offset.is_multiple_of(4) {
            return Err(Error::TensorPlace);
        }
        for i in 0..node.n_inputs() + node.n_outputs() {
            let bit = match i.checked_sub(node.n_inputs()) {
                None => 1 << i,
                Some(0) => OUTPUT,
                Some(_) => 0,
            };
            if node.tensor_record(i)?.period != 0 && needs.by_rows & bit == 0 {
                return Err(Error::TensorPlace);
            }
        }
        Ok(node.n_outputs() == 1 && (needs.order == Order::Rows || needs.by_rows & 1 != 0))
    }

    /// That step `i` (behind the last one: the input that arrives) is called for each of its rows once, in
    /// ascending order. Returns the number of its calls in the file.
    #[inline(never)]
    fn check_calls(&self, i: usize, n_rows: usize, splits: bool) -> Result<usize, Error> {
        let (mut n_called, mut next) = (0, 0);
        for k in 0..self.header.n_calls as usize {
            let CallRecord { step, first, count } = self.call(k)?;
            if step as usize != i {
                continue;
            }
            let (first, count) = (first as usize, count as usize);
            let end = if count == 0 { n_rows } else { first + count };
            // A row that arrives is a call of its own.
            let fits = if i == self.n_steps() { count == 1 } else { splits || (first == 0 && end == n_rows) };
            if first != next || end > n_rows || !fits {
                return Err(Error::Malformed);
            }
            n_called += 1;
            next = end;
            if next == n_rows {
                break;
            }
        }
        if next == n_rows || self.header.n_calls == 0 { Ok(n_called) } else { Err(Error::Malformed) }
    }

    /// That no call writes over what another is still to read, and that all is written before it is read.
    #[inline(never)]
    fn check_plan(&self) -> Result<(), Error> {
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

fn sections_are_in_order(header: &Header) -> bool {
    let after = |start: u32, n: u32, bytes: usize| start as u64 + n as u64 * bytes as u64;
    let tensors_end = after(format::HEADER_BYTES as u32, header.n_tensors as u32, format::TENSOR_BYTES);
    let n_ports = header.n_inputs as u32 + header.n_outputs as u32;
    tensors_end <= header.ports_offset as u64
        && after(header.ports_offset, n_ports, format::PORT_BYTES) <= header.calls_offset as u64
        && after(header.calls_offset, header.n_calls, format::CALL_BYTES) <= header.steps_offset as u64
        && after(header.steps_offset, header.n_steps as u32, format::STEP_BYTES) <= header.names_offset as u64
        && header.names_offset <= header.constants_offset
        && header.constants_offset.is_multiple_of(format::ALIGN as u32)
        && header.n_activations <= header.n_tensors
        && header.n_steps < u16::MAX
        && header.arena_bytes < 1 << 31
}

/// The rows of a tensor, or scratch memory, as bytes of the arena.
pub(crate) struct Span<'m> {
    start: usize,
    row_bytes: usize,
    pub(crate) n_rows: usize,
    /// Empty if rows follow each other.
    table: View<'m, u16>,
}

impl<'m> Span<'m> {
    pub(crate) fn tensor(model: &Model<'m>, id: u16) -> Result<Span<'m>, Error> {
        let record = model.record(id as usize)?;
        let ty = checked_type(&record);
        let table = match record.period {
            0 => View::from(&[][..]),
            _ => model.row_table(&record).ok_or(Error::TensorPlace)?,
        };
        let row_bytes = ty.shape.row_len() * ty.dtype.bytes();
        Ok(Span { start: record.offset as usize, row_bytes, n_rows: ty.shape.rows(), table })
    }

    fn scratch(node: &Node) -> Span<'m> {
        let step = node.record();
        let table = View::from(&[][..]);
        Span { start: step.scratch_offset as usize, row_bytes: step.scratch_bytes as usize, n_rows: 1, table }
    }

    fn is_contiguous(&self) -> bool {
        self.table.len() == 0
    }

    /// First byte of row `y`.
    fn row(&self, y: usize) -> usize {
        let behind = match y.checked_rem(self.table.len()) {
            Some(i) => self.table.at(i) as usize * format::ROW_UNIT_BYTES,
            None => y * self.row_bytes,
        };
        self.start + behind
    }

    /// The bytes of rows that follow each other: of all, or of one.
    pub(crate) fn bytes(&self, rows: Range<usize>) -> Range<usize> {
        let start = self.row(rows.start);
        start..start + rows.len() * self.row_bytes
    }

    /// Whether `bytes` touches any of `rows`.
    fn is_hit(&self, rows: Range<usize>, bytes: &Range<usize>, budget: &mut u32) -> Result<bool, Error> {
        if self.is_contiguous() {
            return Ok(!rows.is_empty() && overlap(&self.bytes(rows), bytes));
        }
        spend(budget, rows.len())?;
        Ok(rows.into_iter().any(|y| overlap(&self.bytes(y..y + 1), bytes)))
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

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

fn spend(budget: &mut u32, n: usize) -> Result<(), Error> {
    *budget = u32::try_from(n).ok().and_then(|n| budget.checked_sub(n)).ok_or(Error::TooManyCalls)?;
    Ok(())
}
