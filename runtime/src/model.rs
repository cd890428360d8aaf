//! Reading a `.dunlin` file: [`Model::check`] is the one trust boundary.

use core::ops::Range;

use crate::format::{self, Header, Place, PortRecord, StepRecord, TensorRecord};
use crate::mem::{Memory, Rows, RowsMut, View, ViewMut};
use crate::ops::{Entry, Needs, Operator};
use crate::{DType, Element, Error, Shape, TensorType};

/// A checked model: every tensor lies where it may, every step has its operator and the shapes it takes,
/// and no two live tensors share bytes. Running it cannot fail.
#[derive(Clone, Copy)]
pub struct Model<'m> {
    bytes: &'m [u8],
    constants: &'m [u8],
    header: Header,
    ops: &'m [Entry],
}

impl<'m> Model<'m> {
    /// Checks `bytes` and takes it as a model whose operators are looked up in `ops` (the table written
    /// beside the model, or [`ops::ALL`](crate::ops::ALL)).
    ///
    /// Time is linear in the file for the checksum and at most quadratic in the number of activations;
    /// nothing is kept but the reference.
    ///
    /// # Errors
    /// What is wrong with the file; see [`Error`]. Any bytes are safe to pass.
    // Inlined, its variables would take stack for as long as its caller runs the model.
    #[inline(never)]
    pub fn check(bytes: &'m [u8], ops: &'m [Entry]) -> Result<Model<'m>, Error> {
        let model = Self::check_file(bytes, ops)?;
        for i in 0..model.header.n_tensors as usize {
            model.check_tensor(&model.record(i)?, i)?;
        }
        model.check_inputs()?;
        let mut steps = model.steps();
        let mut time = 0;
        while let Some(node) = steps.next_checked()? {
            time += 1;
            model.check_step(&node, time)?;
        }
        if time == model.header.n_steps { Ok(model) } else { Err(Error::Malformed) }
    }

    /// Header, checksum, and the sections' places.
    fn check_file(bytes: &'m [u8], ops: &'m [Entry]) -> Result<Model<'m>, Error> {
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
        let tensors_end = format::HEADER_BYTES + header.n_tensors as usize * format::TENSOR_BYTES;
        let ports = header.n_inputs as usize + header.n_outputs as usize;
        let ports_end = (header.ports_offset as usize).saturating_add(ports * format::PORT_BYTES);
        let ordered = tensors_end <= header.ports_offset as usize
            && ports_end <= header.steps_offset as usize
            && header.steps_offset <= header.names_offset
            && header.names_offset <= header.constants_offset
            && header.n_activations <= header.n_tensors
            && header.n_steps < u16::MAX
            && header.arena_bytes < 1 << 31;
        let constants = bytes.get(header.constants_offset as usize..).ok_or(Error::Malformed)?;
        if !ordered || !(header.constants_offset as usize).is_multiple_of(format::ALIGN) {
            return Err(Error::Malformed);
        }
        Ok(Model { bytes, constants, header, ops })
    }

    /// That tensor `i` lies in its section, aligned, with a lifetime inside the program.
    fn check_tensor(&self, record: &TensorRecord, i: usize) -> Result<(), Error> {
        let ty = tensor_type(record)?;
        let in_arena = record.place != Place::Constant;
        let section_bytes = if in_arena { self.arena_bytes() } else { self.constants.len() };
        let end = (record.offset as usize).checked_add(ty.bytes()).ok_or(Error::TensorPlace)?;
        if end > section_bytes || !(record.offset as usize).is_multiple_of(ty.dtype.bytes()) {
            return Err(Error::TensorPlace);
        }
        let lives = match record.place {
            Place::Arena => {
                record.first < self.end_time()
                    && record.first <= record.last
                    && record.last <= self.end_time()
            }
            Place::State => record.first == 0 && record.last == self.end_time(),
            Place::Constant => true,
        };
        if !lives || in_arena != (i < self.header.n_activations as usize) {
            return Err(Error::Malformed);
        }
        Ok(())
    }

    /// That the ports name tensors of the arena, and that what lives before the first step is an input or state
    /// and disjoint.
    fn check_inputs(&self) -> Result<(), Error> {
        for i in 0..self.n_inputs() + self.n_outputs() {
            let record = self.record(self.port(i)?.tensor as usize)?;
            let lives_right =
                if i < self.n_inputs() { record.first == 0 } else { record.last == self.end_time() };
            if record.place == Place::Constant || !lives_right {
                return Err(Error::Malformed);
            }
        }
        let n_activations = self.header.n_activations as usize;
        let is_input = |i| (0..self.n_inputs()).any(|k| self.port(k).is_ok_and(|p| p.tensor as usize == i));
        let early = (0..n_activations).filter(|&i| self.record(i).is_ok_and(|r| r.first == 0));
        for i in early {
            let a = self.record(i)?;
            if a.place == Place::Arena && !is_input(i) {
                return Err(Error::Malformed); // nothing would ever write it
            }
            for b in 0..i {
                let b = self.record(b)?;
                if b.first == 0 && overlap(&range(&a), &range(&b)) {
                    return Err(Error::Overlap);
                }
            }
        }
        Ok(())
    }

    /// That step number `time` has an operator that takes its tensors, and writes over nothing alive.
    fn check_step(&self, node: &Node, time: u16) -> Result<(), Error> {
        for i in 0..node.n_inputs() {
            let input = node.tensor_record(i)?;
            let alive = input.first < time && time <= input.last;
            if input.place != Place::Constant && !alive {
                return Err(Error::Malformed);
            }
        }
        let needs = (self.entry(node)?.check)(node)?;
        let scratch_start = node.step.scratch_offset as usize;
        let scratch = scratch_start..scratch_start.saturating_add(needs.scratch_bytes);
        if scratch.end > self.arena_bytes() || !scratch.start.is_multiple_of(4) {
            return Err(Error::TensorPlace);
        }
        let mut born = 0;
        for i in 0..self.header.n_activations {
            let record = self.record(i as usize)?;
            born += (record.place == Place::Arena && record.first == time) as usize;
            if record.first <= time && time <= record.last {
                self.check_disjoint(node, &needs, i, &record)?;
                if overlap(&scratch, &range(&record)) {
                    return Err(Error::Overlap);
                }
            }
        }
        let mut outputs_born = 0;
        for i in 0..node.n_outputs() {
            let output = node.tensor_record(node.n_inputs() + i)?;
            let updates = output.place == Place::State;
            outputs_born += !updates as usize;
            let id = node.tensor_id(node.n_inputs() + i);
            let twice = (0..i).any(|k| node.tensor_id(node.n_inputs() + k) == id);
            if twice || output.place == Place::Constant || !(updates || output.first == time) {
                return Err(Error::Malformed);
            }
        }
        if born == outputs_born { Ok(()) } else { Err(Error::Malformed) }
    }

    /// That the outputs of `node` do not write over live tensor `i`, unless the operator works in place on it
    /// and it dies there (or is the very state that the step updates).
    fn check_disjoint(&self, node: &Node, needs: &Needs, i: u16, live: &TensorRecord) -> Result<(), Error> {
        for o in 0..node.n_outputs() {
            let id = node.tensor_id(node.n_inputs() + o).ok_or(Error::Malformed)?;
            let output = self.record(id as usize)?;
            if id == i || !overlap(&range(&output), &range(live)) {
                continue;
            }
            let replaced = (0..node.n_inputs())
                .any(|k| node.tensor_id(k) == Some(i) && o == 0 && needs.in_place & (1 << k) != 0);
            // The input dies at the output's birth: both records carry this step's number.
            if !(replaced && live.last == output.first && live.offset == output.offset) {
                return Err(Error::Overlap);
            }
        }
        Ok(())
    }

    /// Bytes that the arena must have: the plan's peak, operators' scratch included.
    pub fn arena_bytes(&self) -> usize {
        self.header.arena_bytes as usize
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
    pub fn steps(&self) -> Steps<'_> {
        let section = self.header.steps_offset as usize..self.header.names_offset as usize;
        let rest = self.bytes.get(section).unwrap_or_default();
        Steps { model: self, rest, left: self.header.n_steps }
    }

    /// The operator that runs `node`.
    pub(crate) fn entry(&self, node: &Node) -> Result<&'m Entry, Error> {
        let runs = |e: &&Entry| e.code as u8 == node.step.op && e.dtype as u8 == node.step.dtype;
        self.ops.iter().find(runs).ok_or(Error::OperatorMissing)
    }

    pub(crate) fn constants(&self) -> &'m [u8] {
        self.constants
    }

    /// The time after the last step, at which outputs are read.
    fn end_time(&self) -> u16 {
        self.header.n_steps + 1
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

    fn port(&self, i: usize) -> Result<PortRecord, Error> {
        self.fixed(self.header.ports_offset as usize + i * format::PORT_BYTES, format::PORT_BYTES)
    }

    fn record(&self, i: usize) -> Result<TensorRecord, Error> {
        if i >= self.header.n_tensors as usize {
            return Err(Error::Malformed);
        }
        let bytes = self.bytes.get(format::HEADER_BYTES + i * format::TENSOR_BYTES..);
        bytes.and_then(|bytes| bytes.first_chunk()).and_then(TensorRecord::read).ok_or(Error::Malformed)
    }

    fn fixed<T: serde::Deserialize<'m>>(&self, start: usize, len: usize) -> Result<T, Error> {
        let bytes = self.bytes.get(start..start + len).ok_or(Error::Malformed)?;
        postcard::from_bytes(bytes).map_err(|_| Error::Malformed)
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

fn tensor_type(record: &TensorRecord) -> Result<TensorType, Error> {
    let dtype = DType::from_code(record.dtype).ok_or(Error::DType)?;
    let dims = [record.dim0, record.dim1, record.dim2, record.dim3];
    let ty = TensorType::new(dtype, Shape::from_padded(dims, record.rank)?);
    // So that byte counts and offsets stay far from overflow on 32-bit machines.
    if ty.shape.count() < 1 << 29 { Ok(ty) } else { Err(Error::Shape) }
}

/// The bytes of a checked tensor in its section.
fn range(record: &TensorRecord) -> Range<usize> {
    let bytes = tensor_type(record).map_or(0, |ty| ty.bytes());
    record.offset as usize..record.offset as usize + bytes
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// The steps of a model, decoded one at a time.
pub struct Steps<'m> {
    model: &'m Model<'m>,
    rest: &'m [u8],
    left: u16,
}

impl<'m> Steps<'m> {
    /// The next step, or what is wrong with its record.
    fn next_checked(&mut self) -> Result<Option<Node<'m>>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        let (step, rest) =
            postcard::take_from_bytes::<StepRecord>(self.rest).map_err(|_| Error::Malformed)?;
        if step.tensors.len() % 2 != 0 || step.n_inputs as usize > step.tensors.len() / 2 {
            return Err(Error::Malformed);
        }
        self.rest = rest;
        self.left -= 1;
        Ok(Some(Node { model: self.model, step }))
    }
}

impl<'m> Iterator for Steps<'m> {
    type Item = Node<'m>;

    fn next(&mut self) -> Option<Node<'m>> {
        self.next_checked().ok().flatten()
    }
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
    pub fn params<P: Operator>(&self) -> Result<P, Error> {
        postcard::from_bytes(self.step.params).map_err(|_| Error::Parameters)
    }

    /// Index in the file of tensor `i`: inputs first, then outputs.
    pub fn tensor_id(&self, i: usize) -> Option<u16> {
        let (ids, _) = self.step.tensors.as_chunks::<2>();
        ids.get(i).map(|&id| u16::from_le_bytes(id))
    }

    /// The record of tensor `i`: inputs first, then outputs.
    fn tensor_record(&self, i: usize) -> Result<TensorRecord, Error> {
        self.model.record(self.tensor_id(i).ok_or(Error::Arity)? as usize)
    }

    /// Tensor `i`: inputs first, then outputs.
    fn operand(&self, i: usize) -> Result<Operand, Error> {
        let record = self.tensor_record(i)?;
        let TensorRecord { offset, place, zero_point, .. } = record;
        Ok(Operand { ty: tensor_type(&record)?, offset, place, zero_point })
    }

    /// Input `i`. A checked node has as many as its operator asks for; beyond them stands an empty one.
    pub fn input(&self, i: usize) -> Operand {
        if i < self.n_inputs() { self.operand(i).unwrap_or(Operand::NONE) } else { Operand::NONE }
    }

    /// Output `i`; see [`Node::input`].
    pub fn output(&self, i: usize) -> Operand {
        self.operand(self.n_inputs().wrapping_add(i)).unwrap_or(Operand::NONE)
    }

    /// What a check may look at: the constants, and no arena.
    pub(crate) fn constants(&self) -> Memory<'m> {
        Memory::new(&mut [], self.model.constants)
    }

    /// The node's scratch memory: `count` elements that live while it runs.
    pub(crate) fn scratch<'a, T: Element>(&self, mem: &Memory<'a>, count: usize) -> ViewMut<'a, T> {
        mem.arena(self.step.scratch_offset as usize, count)
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
}

impl Operand {
    /// No tensor: what infallible look-ups give for an index that the check has ruled out.
    const NONE: Operand = Operand {
        ty: TensorType { dtype: DType::I8, shape: Shape::SCALAR },
        offset: 0,
        place: Place::Constant,
        zero_point: 0,
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

    /// All elements in row-major order. The caller's operator has checked that they are `T`.
    pub(crate) fn view<'a, T: Element>(&self, mem: &Memory<'a>) -> View<'a, T> {
        debug_assert_eq!(self.ty.dtype, T::DTYPE);
        match self.place {
            Place::Constant => mem.constant(self.offset(), self.ty.shape.count()),
            Place::Arena | Place::State => mem.arena(self.offset(), self.ty.shape.count()).view(),
        }
    }

    /// All elements, to write; only for tensors in the arena.
    pub(crate) fn view_mut<'a, T: Element>(&self, mem: &Memory<'a>) -> ViewMut<'a, T> {
        debug_assert_eq!(self.ty.dtype, T::DTYPE);
        debug_assert!(!self.is_constant());
        mem.arena(self.offset(), self.ty.shape.count())
    }

    /// The rows, to read.
    pub(crate) fn rows<'a, T: Element>(&self, mem: &Memory<'a>) -> Rows<'a, T> {
        Rows::new(self.view(mem), self.ty.shape.row_len())
    }

    /// The rows, to write.
    pub(crate) fn rows_mut<'a, T: Element>(&self, mem: &Memory<'a>) -> RowsMut<'a, T> {
        RowsMut::new(self.view_mut(mem), self.ty.shape.row_len())
    }
}
