//! Reading a `.dunlin` file. What can be trusted, and why, is in `check`.

use core::ops::Range;

use crate::format::{self, CallRecord, Header, Place, PortRecord, StepRecord, TensorRecord};
use crate::mem::{Memory, Rows, RowsMut, View, ViewMut};
use crate::ops::{Entry, Operator, Order};
use crate::span::Span;
use crate::{DType, Element, Error, Shape, TensorType};

/// A checked model: every tensor lies where it may, every step has its operator and the shapes it takes,
/// and nothing writes over what is still to be read. Running it cannot fail.
#[derive(Clone, Copy)]
pub struct Model<'m> {
    pub(crate) bytes: &'m [u8],
    /// The tensors' records.
    pub(crate) records: &'m [[u8; format::TENSOR_BYTES]],
    /// The section of the steps: their records, then their lists.
    pub(crate) steps: &'m [u8],
    pub(crate) constants: &'m [u8],
    pub(crate) header: Header,
    pub(crate) ops: &'m [Entry],
}

impl<'m> Model<'m> {
    /// Bytes that the arena must have: the plan's peak, operators' scratch included.
    pub fn arena_bytes(&self) -> usize {
        self.header.arena_bytes as usize
    }

    /// The memories that the plan uses, as ranges of the arena, each from the end of the one before: one, unless it was
    /// made for several.
    #[cfg(feature = "memories")]
    pub fn memories(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let header = self.header;
        let starts = core::iter::once(0).chain(header.memory_offsets());
        starts
            .enumerate()
            .filter(|&(i, start)| i == 0 || start > 0)
            .map(move |(_, start)| start as usize..header.memory_end(start))
    }

    /// Number of inputs.
    pub fn n_inputs(&self) -> usize {
        self.header.n_inputs as usize
    }

    /// Number of outputs.
    pub fn n_outputs(&self) -> usize {
        self.header.n_outputs as usize
    }

    /// Number of steps.
    pub fn n_steps(&self) -> usize {
        self.header.n_steps as usize
    }

    /// The model's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Input `i` in the order of the file.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`].
    pub fn input(&self, i: usize) -> Result<Port, Error> {
        if i < self.n_inputs() { self.port_info(i) } else { Err(Error::NoSuchTensor) }
    }

    /// Output `i` in the order of the file.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`].
    pub fn output(&self, i: usize) -> Result<Port, Error> {
        if i < self.n_outputs() { self.port_info(self.n_inputs() + i) } else { Err(Error::NoSuchTensor) }
    }

    /// Index in the file of the tensor of input `i`.
    pub fn input_tensor(&self, i: usize) -> Option<u16> {
        (i < self.n_inputs()).then(|| self.port(i).ok().map(|port| port.tensor)).flatten()
    }

    /// Index in the file of the tensor of output `i`.
    pub fn output_tensor(&self, i: usize) -> Option<u16> {
        (i < self.n_outputs()).then(|| self.port(self.n_inputs() + i).ok().map(|port| port.tensor)).flatten()
    }

    /// Bytes of the arena that hold row `y` of tensor `i`.
    ///
    /// # Errors
    /// [`Error::Malformed`] if there is no such tensor; [`Error::NoSuchTensor`] if it has fewer rows.
    pub fn tensor_row(&self, i: usize, y: usize) -> Result<Range<usize>, Error> {
        let span = Span::tensor(self, u16::try_from(i).map_err(|_| Error::Malformed)?)?;
        if y < span.n_rows { Ok(span.bytes(y..y + 1)) } else { Err(Error::NoSuchTensor) }
    }

    /// Tensor `i` in the order of the file: its type, and where it lies and when it lives.
    ///
    /// # Errors
    /// [`Error::Malformed`] if there is none.
    pub fn tensor(&self, i: usize) -> Result<(TensorType, TensorRecord), Error> {
        let record = self.record(i)?;
        Ok((tensor_type(&record)?, record))
    }

    /// The names section: the model's name, then those of the inputs, the outputs, and the labels of the
    /// first output's elements (as many as there are). Empty strings stand for what has no name.
    pub fn names(&self) -> impl Iterator<Item = &'m str> + use<'m> {
        let section = self.header.names_offset as usize..self.header.constants_offset as usize;
        let mut rest = self.bytes.get(section).unwrap_or_default();
        core::iter::from_fn(move || {
            let (name, after) = postcard::take_from_bytes::<&str>(rest).ok()?;
            rest = after;
            Some(name)
        })
    }

    /// The steps in order.
    pub fn steps(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.n_steps()).filter_map(|i| self.step(i).ok())
    }

    /// Step `i`.
    ///
    /// # Errors
    /// [`Error::Malformed`] if there is none.
    pub fn step(&self, i: usize) -> Result<Node<'_>, Error> {
        if i >= self.n_steps() {
            return Err(Error::Malformed);
        }
        let fixed = self.steps.get(i * format::STEP_BYTES..).and_then(|bytes| bytes.first_chunk());
        let step = fixed.and_then(|bytes| StepRecord::read(bytes, self.steps)).ok_or(Error::Malformed)?;
        Ok(Node { model: self, step })
    }

    /// Number of calls of a run.
    pub fn n_calls(&self) -> usize {
        if self.header.n_calls == 0 { self.n_steps() } else { self.header.n_calls as usize }
    }

    /// Call `i`. Its `count` is 0 if all rows of a step are meant.
    ///
    /// # Errors
    /// [`Error::Malformed`] if there is none.
    pub fn call(&self, i: usize) -> Result<CallRecord, Error> {
        if self.header.n_calls == 0 {
            // n_steps has 16 bits.
            return Ok(CallRecord { step: i as u16, first: 0, count: 0 });
        }
        self.call_records().get(i).map(CallRecord::read).ok_or(Error::Malformed)
    }

    /// The calls in the file.
    #[inline]
    pub(crate) fn call_records(&self) -> &'m [[u8; format::CALL_BYTES]] {
        let records = self.bytes.get(self.header.calls_offset as usize..).unwrap_or_default().as_chunks().0;
        records.get(..self.header.n_calls as usize).unwrap_or_default()
    }

    /// The input that arrives by rows, if one does; see [`Session::feed_row`](crate::Session::feed_row).
    pub fn fed_input(&self) -> Option<usize> {
        (self.header.fed as usize).checked_sub(1)
    }

    /// The operator that runs `node`.
    pub(crate) fn entry(&self, node: &Node) -> Result<&'m Entry, Error> {
        let runs = |e: &&Entry| e.code as u8 == node.step.op && e.dtype as u8 == node.step.dtype;
        self.ops.iter().find(runs).ok_or(Error::OperatorMissing)
    }

    pub(crate) fn constants(&self) -> &'m [u8] {
        self.constants
    }

    fn port_info(&self, i: usize) -> Result<Port, Error> {
        let port = self.port(i)?;
        let record = self.record(port.tensor as usize)?;
        Ok(Port {
            ty: tensor_type(&record)?,
            scale: port.scale,
            zero_point: record.zero_point as i32,
            offset: record.offset as usize,
        })
    }

    #[inline(never)]
    pub(crate) fn port(&self, i: usize) -> Result<PortRecord, Error> {
        let bytes = self.bytes.get(self.header.ports_offset as usize + i * format::PORT_BYTES..);
        bytes.and_then(|bytes| bytes.first_chunk()).map(PortRecord::read).ok_or(Error::Malformed)
    }

    pub(crate) fn record(&self, i: usize) -> Result<TensorRecord, Error> {
        self.records.get(i).map(TensorRecord::read).ok_or(Error::Malformed)
    }
}

/// An input or output of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Port {
    /// Dtype and shape.
    pub ty: TensorType,
    /// The real number is `scale * (q - zero_point)`; 0 if the tensor is not quantized.
    pub scale: f32,
    /// See `scale`.
    pub zero_point: i32,
    /// First byte in the arena.
    pub offset: usize,
}

/// Dtype and shape of a tensor.
pub(crate) fn tensor_type(record: &TensorRecord) -> Result<TensorType, Error> {
    let dtype = DType::from_code(record.dtype).ok_or(Error::DType)?;
    let dims = [record.dim0, record.dim1, record.dim2, record.dim3];
    let ty = TensorType::new(dtype, Shape::from_padded(dims, record.rank)?);
    // So that byte counts and offsets stay far from overflow on 32-bit machines.
    if ty.shape.count() < 1 << 29 { Ok(ty) } else { Err(Error::Shape) }
}

/// [`tensor_type`] of a record that has passed it: every row of every run asks for some.
#[inline]
pub(crate) fn checked_type(record: &TensorRecord) -> TensorType {
    let dims = [record.dim0, record.dim1, record.dim2, record.dim3];
    let dtype = DType::from_code(record.dtype).unwrap_or(DType::I8);
    TensorType::new(dtype, Shape::of_checked(dims, record.rank))
}

/// One step of a model as its operator sees it: parameters and tensors.
pub struct Node<'m> {
    model: &'m Model<'m>,
    step: StepRecord<'m>,
}

impl<'m> Node<'m> {
    /// The step's record.
    pub fn record(&self) -> &StepRecord<'m> {
        &self.step
    }

    /// Number of input tensors.
    pub fn n_inputs(&self) -> usize {
        self.step.n_inputs as usize
    }

    /// Number of output tensors.
    pub fn n_outputs(&self) -> usize {
        (self.step.tensors.len() / 2).saturating_sub(self.n_inputs())
    }

    /// The operator's parameters.
    ///
    /// # Errors
    /// [`Error::Parameters`] if the bytes are not a record of `P`.
    // Three functions of every operator decode them.
    #[inline(never)]
    pub fn params<P: Operator>(&self) -> Result<P, Error> {
        postcard::from_bytes(self.step.params).map_err(|_| Error::Parameters)
    }

    /// Index in the file of tensor `i`: inputs first, then outputs.
    pub fn tensor_id(&self, i: usize) -> Option<u16> {
        let (ids, _) = self.step.tensors.as_chunks::<2>();
        ids.get(i).map(|&id| u16::from_le_bytes(id))
    }

    /// The record of tensor `i`: inputs first, then outputs.
    pub(crate) fn tensor_record(&self, i: usize) -> Result<TensorRecord, Error> {
        self.model.record(self.tensor_id(i).ok_or(Error::Arity)? as usize)
    }

    /// Tensor `i`: inputs first, then outputs; an empty one beyond them.
    // Every operator asks for some: one copy of the code, but for the cores whose layers are done soonest.
    #[cfg_attr(not(dunlin_mve), inline(never))]
    #[cfg_attr(dunlin_mve, inline(always))]
    fn operand(&self, i: usize) -> Operand {
        let id = self.tensor_id(i).map_or(usize::MAX, |id| id as usize);
        let Some(record) = self.model.records.get(id) else { return Operand::NONE };
        let record = TensorRecord::read(record);
        let TensorRecord { offset, place, zero_point, table, period, .. } = record;
        Operand { ty: checked_type(&record), offset, place, zero_point, table, period }
    }

    /// Bytes of tensor `i`, if it is in one piece.
    pub(crate) fn bytes(&self, i: usize) -> Range<usize> {
        let operand = self.operand(i);
        operand.offset()..operand.offset() + operand.ty.bytes()
    }

    /// Input `i`. A checked node has as many as its operator asks for; beyond them stands an empty one.
    #[cfg_attr(dunlin_mve, inline(always))]
    pub fn input(&self, i: usize) -> Operand {
        self.operand(if i < self.n_inputs() { i } else { usize::MAX })
    }

    /// Output `i`; see [`Node::input`].
    #[cfg_attr(dunlin_mve, inline(always))]
    pub fn output(&self, i: usize) -> Operand {
        self.operand(self.n_inputs().wrapping_add(i))
    }

    /// Rows that a call of the step counts; `call` may mean all.
    pub fn rows(&self, call: CallRecord) -> Range<usize> {
        match call.count {
            0 => 0..self.n_rows(),
            count => call.first as usize..call.first as usize + count as usize,
        }
    }

    /// Rows of the step: of its first output, or of its first input if it is a reduction.
    pub fn n_rows(&self) -> usize {
        let counted = if self.step.order == Order::Rows as u8 { self.n_inputs() } else { 0 };
        self.operand(counted).ty.shape.rows()
    }

    /// What a check may look at: the constants, and no arena.
    pub(crate) fn constants(&self) -> Memory<'m> {
        Memory::new(&mut [], self.model.constants)
    }

    /// The node's scratch memory, of elements that live while it runs.
    pub(crate) fn scratch<'a, T: Element>(&self, mem: &Memory<'a>) -> ViewMut<'a, T> {
        let n_bytes = self.step.scratch_bytes as usize;
        mem.arena(self.step.scratch_offset as usize, n_bytes / const { size_of::<T>() })
    }
}

/// A tensor of a step: its type and where it lies.
#[derive(Clone, Copy)]
pub struct Operand {
    /// Dtype and shape.
    pub ty: TensorType,
    offset: u32,
    place: Place,
    zero_point: i8,
    table: u32,
    period: u16,
}

impl Operand {
    /// No tensor: what infallible look-ups give for an index that the check has ruled out.
    const NONE: Operand = Operand {
        ty: TensorType { dtype: DType::I8, shape: Shape::SCALAR },
        offset: 0,
        place: Place::Constant,
        zero_point: 0,
        table: 0,
        period: 0,
    };

    /// The stored number that stands for 0.0.
    pub fn zero_point(&self) -> i32 {
        self.zero_point as i32
    }

    /// Whether the bytes are in the file, not in the arena.
    pub fn is_constant(&self) -> bool {
        self.place == Place::Constant
    }

    /// Where the bytes are.
    pub fn place(&self) -> Place {
        self.place
    }

    /// First byte in its section.
    pub fn offset(&self) -> usize {
        self.offset as usize
    }

    /// Whether the rows follow each other.
    pub fn is_contiguous(&self) -> bool {
        self.period == 0
    }

    /// All elements in row-major order. The caller's operator has checked that they are `T`, and does not take
    /// the tensor by rows.
    pub(crate) fn view<'a, T: Element>(&self, mem: &Memory<'a>) -> View<'a, T> {
        debug_assert_eq!(self.ty.dtype, T::DTYPE);
        debug_assert!(self.is_contiguous());
        match self.place {
            Place::Constant => mem.constant(self.offset(), self.ty.shape.count()),
            Place::Arena | Place::State => mem.arena(self.offset(), self.ty.shape.count()).view(),
        }
    }

    /// All elements, to write; only for tensors in the arena.
    pub(crate) fn view_mut<'a, T: Element>(&self, mem: &Memory<'a>) -> ViewMut<'a, T> {
        debug_assert_eq!(self.ty.dtype, T::DTYPE);
        debug_assert!(!self.is_constant() && self.is_contiguous());
        mem.arena(self.offset(), self.ty.shape.count())
    }

    /// The rows, to read.
    pub(crate) fn rows<'a, T: Element>(&self, mem: &Memory<'a>) -> Rows<'a, T> {
        match self.place {
            Place::Constant => Rows::new(self.view(mem), self.ty.shape.row_len()),
            Place::Arena | Place::State => self.rows_mut(mem).read_only(),
        }
    }

    /// The rows, to write.
    pub(crate) fn rows_mut<'a, T: Element>(&self, mem: &Memory<'a>) -> RowsMut<'a, T> {
        let row_len = self.ty.shape.row_len();
        if self.is_contiguous() {
            return RowsMut::new(self.view_mut(mem), row_len);
        }
        let table = mem.table(self.table as usize, self.period as usize);
        RowsMut::placed(mem.arena_from(self.offset()), row_len, table)
    }
}
