//! [`Model::check`], the one trust boundary: after it nothing can fail.
//!
//! Three things are checked: that every record is in range, that every step's operator takes its tensors, and
//! that the plan holds, for which see `life`.

use core::ops::Range;

use crate::format::{self, CallRecord, Header, Place, TensorRecord};
use crate::mem::View;
use crate::model::{Node, checked_type, tensor_type};
use crate::ops::{Entry, OUTPUT, Order};
use crate::span::overlap;
use crate::{Error, Model, mem};

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
        let model = Self::check_file(bytes, ops);
        // Passed on without a copy.
        match model.as_ref().map_or(Ok(()), Model::check_sections) {
            Ok(()) => model,
            Err(error) => Err(error),
        }
    }

    fn check_sections(&self) -> Result<(), Error> {
        self.check_tensors()?;
        self.check_ports()?;
        self.check_steps()?;
        self.check_plan()
    }

    /// Header, checksum, and the sections' places.
    #[inline(never)]
    pub(crate) fn check_file(bytes: &'m [u8], ops: &'m [Entry]) -> Result<Model<'m>, Error> {
        let header = Header::read(bytes.first_chunk().ok_or(Error::NotAModel)?);
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
        let records = bytes.get(format::HEADER_BYTES..).unwrap_or_default().as_chunks().0;
        let records = records.get(..header.n_tensors as usize).unwrap_or_default();
        let steps = header.steps_offset as usize..header.names_offset as usize;
        let steps = bytes.get(steps).unwrap_or_default();
        Ok(Model { bytes, records, steps, constants, header, ops })
    }

    #[inline(never)]
    fn check_tensors(&self) -> Result<(), Error> {
        (0..self.header.n_tensors as usize).try_for_each(|i| {
            let record = self.record(i);
            self.check_tensor(record.as_ref().map_err(|&error| error)?, i)
        })
    }

    /// The steps, and that their calls are all there are.
    #[inline(never)]
    fn check_steps(&self) -> Result<(), Error> {
        let mut n_called = 0;
        for i in 0..self.n_steps() {
            let step = self.step(i);
            let node = step.as_ref().map_err(|&error| error)?;
            let splits = self.check_step(node, i as u16)?;
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
        let ty = tensor_type(record);
        let ty = ty.as_ref().map_err(|&error| error)?;
        let in_arena = record.place != Place::Constant;
        let exists = self.records.get(i).is_some_and(TensorRecord::place_exists);
        if !exists || in_arena != (i < self.header.n_activations as usize) {
            return Err(Error::Malformed);
        }
        let constant_bytes = self.constants.len().saturating_sub(format::READ_AHEAD_BYTES);
        // A tensor lies in one memory.
        let section_bytes = if in_arena { self.header.memory_end(record.offset) } else { constant_bytes };
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
    pub(crate) fn row_table(&self, record: &TensorRecord) -> Option<View<'m, u16>> {
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
            let bytes = self.bytes_from_start(i)?;
            if bytes.is_empty() {
                continue;
            }
            if !self.is_port(i, 0..self.n_inputs()) && self.record(i as usize)?.place != Place::State {
                return Err(Error::Malformed); // nothing would ever write it
            }
            for k in 0..i {
                let other = self.bytes_from_start(k)?;
                if !other.is_empty() && overlap(&bytes, &other) {
                    return Err(Error::Overlap);
                }
            }
        }
        Ok(())
    }

    /// The bytes of a tensor that is there from the start, which is in one piece; none of others.
    #[inline(never)]
    fn bytes_from_start(&self, id: u16) -> Result<Range<usize>, Error> {
        let record = self.record(id as usize)?;
        let n_bytes = if record.writer == format::NO_STEP { checked_type(&record).bytes() } else { 0 };
        Ok(record.offset as usize..record.offset as usize + n_bytes)
    }

    /// Whether one of these ports is the tensor.
    #[inline(never)]
    pub(crate) fn is_port(&self, id: u16, mut ports: Range<usize>) -> bool {
        ports.any(|i| self.port(i).is_ok_and(|port| port.tensor == id))
    }

    /// That a step has an operator that takes its tensors. Returns whether it may be called for some of its rows:
    /// others may write their outputs at any time.
    #[inline(never)]
    fn check_step(&self, node: &Node, step: u16) -> Result<bool, Error> {
        for i in 0..node.n_inputs() + node.n_outputs() {
            let record = node.tensor_record(i)?; // exists
            // In one step all outputs are written at the same time.
            let meets = (node.n_inputs()..i).any(|k| overlap(&node.bytes(k), &node.bytes(i)));
            let is_output = match record.place {
                Place::Arena => record.writer == step,
                Place::State => record.writer == format::NO_STEP,
                Place::Constant => false,
            };
            if i >= node.n_inputs() && (meets || !is_output) {
                return Err(Error::Malformed);
            }
        }
        let needs = (self.entry(node)?.check)(node)?;
        let step = node.record();
        if step.order != needs.order as u8 || step.scratch_bytes as usize != needs.scratch_bytes {
            return Err(Error::Malformed);
        }
        let scratch_end = (step.scratch_offset as usize).checked_add(needs.scratch_bytes);
        let memory_end = self.header.memory_end(step.scratch_offset);
        if scratch_end.is_none_or(|end| end > memory_end) || !step.scratch_offset.is_multiple_of(4) {
            return Err(Error::TensorPlace);
        }
        for i in 0..node.n_inputs() + node.n_outputs() {
            let bit = match i.checked_sub(node.n_inputs()) {
                None => 1 << i,
                Some(0) => OUTPUT,
                Some(_) => 0,
            };
            let splits = needs.by_rows & bit != 0 && (bit < OUTPUT || node.n_outputs() == 1);
            if node.tensor_record(i)?.period != 0 && !splits {
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
        for record in self.call_records() {
            let CallRecord { step, first, count } = CallRecord::read(record);
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
        && (!cfg!(feature = "memories") || memories_are_in_order(header))
}

/// That memories begin one behind the other, in the arena and aligned, and that none is left out.
fn memories_are_in_order(header: &Header) -> bool {
    let mut last = 0;
    header.memory_offsets().into_iter().all(|start| {
        let is_next =
            start > last && start <= header.arena_bytes && start.is_multiple_of(format::ALIGN as u32);
        let is_used = start > 0;
        last = if is_used { start } else { u32::MAX };
        is_next || !is_used
    })
}
