//! One operator in a file of its own, so that unit tests go through `Model::check` like everything
//! else, and the contract of rows, which every operator keeps.

extern crate std;

use core::ops::Range;
use std::boxed::Box;
use std::vec::Vec;

use super::{Entry, Operator, Order};
use crate::format::{self, Header, Place, PortRecord, StepRecord, TensorRecord};
use crate::mem::{Memory, bytes_of, cast};
use crate::model::tensor_type;
use crate::span::Span;
use crate::{Arena, DType, Element, Error, Model, Shape, TensorType};

/// The most bytes of a file, and of an arena.
const CAPACITY_BYTES: usize = 1 << 16;

type Buffer = Box<Arena<CAPACITY_BYTES>>;

/// An input: an activation, unless [`Tensor::constant`] puts it into the file.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    ty: TensorType,
    zero_point: i8,
    place: Place,
    bytes: Vec<u8>,
}

impl Tensor {
    /// A tensor of these dimensions and elements, with zero point 0.
    pub(crate) fn new<T: Element>(dims: &[usize], elements: &[T]) -> Tensor {
        let shape = Shape::new(dims).unwrap();
        assert_eq!(shape.count(), elements.len());
        Tensor {
            ty: TensorType::new(T::DTYPE, shape),
            zero_point: 0,
            place: Place::Arena,
            bytes: bytes_of(elements).to_vec(),
        }
    }

    pub(crate) fn zero_point(self, zero_point: i8) -> Tensor {
        Tensor { zero_point, ..self }
    }

    pub(crate) fn constant(self) -> Tensor {
        Tensor { place: Place::Constant, ..self }
    }

    fn row_bytes(&self) -> usize {
        self.ty.shape.row_len() * self.ty.dtype.bytes()
    }
}

/// A model of one step.
#[derive(Clone, Debug)]
pub(crate) struct Case<O> {
    op: O,
    inputs: Vec<Tensor>,
    output_zero_point: i8,
}

impl<O: Operator> Case<O> {
    /// Operator `op` on `inputs`, in the dtype of the first input if the operator computes in that, else of
    /// the first output.
    pub(crate) fn new(op: O, inputs: impl IntoIterator<Item = Tensor>) -> Case<O> {
        Case { op, inputs: inputs.into_iter().collect(), output_zero_point: 0 }
    }

    /// Sets the zero point of the outputs.
    pub(crate) fn output_zero_point(self, output_zero_point: i8) -> Case<O> {
        Case { output_zero_point, ..self }
    }

    /// What [`Model::check`] says.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let file = load(&self.file(None, false)?);
        Model::check(file.bytes(), super::ALL).map(|_| ())
    }

    /// The first output.
    pub(crate) fn run<T: Element>(&self) -> Result<Vec<T>, Error> {
        self.run_output(0)
    }

    /// Output `i`.
    pub(crate) fn run_output<T: Element>(&self, i: usize) -> Result<Vec<T>, Error> {
        let outputs = self.execute(None, Pace::Whole)?;
        Ok(cast::<T>(load(&outputs[i]).bytes()).unwrap().to_vec())
    }

    /// Asserts that rows in any order, and rows that see nothing but the input rows that `rows` names, give
    /// the outputs of the whole run, and that so does every input that `in_place` offers to replace.
    pub(crate) fn assert_contract(&self) {
        self.assert_rows_ascend();
        let whole = self.execute(None, Pace::Whole).unwrap();
        for pace in [Pace::Shuffled, Pace::Blindfold, Pace::Scattered] {
            assert_eq!(self.execute(None, pace).unwrap(), whole, "{pace:?}: {self:?}");
        }
        let in_place = self.op.in_place(&self.types());
        for i in 0..self.inputs.len() {
            if in_place & (1 << i) != 0 && self.inputs[i].place == Place::Arena {
                assert_eq!(self.execute(Some(i), Pace::Whole).unwrap(), whole, "in place of {i}: {self:?}");
            }
        }
    }

    fn assert_rows_ascend(&self) {
        let types = self.types();
        for i in 0..types.len() {
            let rows: Vec<_> = (0..self.n_rows()).map(|y| self.op.rows(i, &types, y)).collect();
            let ascend = rows.windows(2).all(|r| r[0].start <= r[1].start && r[0].end <= r[1].end);
            assert!(ascend && rows.iter().all(|r| r.start <= r.end), "rows of input {i}: {rows:?}: {self:?}");
        }
    }

    fn types(&self) -> Vec<TensorType> {
        self.inputs.iter().map(|input| input.ty).collect()
    }

    /// The bytes of every output.
    fn execute(&self, replaced: Option<usize>, pace: Pace) -> Result<Vec<Vec<u8>>, Error> {
        let file = load(&self.file(replaced, pace == Pace::Scattered)?);
        let model = match pace {
            // Inputs and outputs of a model are in one piece, here they are not.
            Pace::Scattered => Model::check_file(file.bytes(), super::ALL)?,
            _ => Model::check(file.bytes(), super::ALL)?,
        };
        let mut arena = Buffer::default();
        // What the operator does not write itself must show.
        arena.fill(0x5A);
        for (port, input) in self.activations().enumerate() {
            for (row, bytes) in rows_of(&model, port).zip(input.bytes.chunks(input.row_bytes())) {
                arena[row].copy_from_slice(bytes);
            }
        }
        let node = model.steps().next().unwrap();
        let entry = model.entry(&node)?;
        let run = |arena: &mut [u8], rows| {
            (entry.run)(&node, &Memory::new(arena, model.constants()), rows);
        };
        match pace {
            Pace::Whole => run(&mut arena[..], 0..node.n_rows()),
            _ => {
                for y in self.row_order(pace) {
                    if pace == Pace::Blindfold {
                        self.show_only(&model, &mut arena[..], y);
                    }
                    run(&mut arena[..], y..y + 1);
                }
            }
        }
        let n_inputs = model.n_inputs();
        let output = |i: usize| rows_of(&model, n_inputs + i).flat_map(|row| arena[row].to_vec()).collect();
        Ok((0..model.n_outputs()).map(output).collect())
    }

    /// Rows of the output, or of the input for a reduction.
    fn n_rows(&self) -> usize {
        let types = self.types();
        match self.op.order(&types) {
            Order::Rows => self.op.infer(&types).unwrap()[0].shape.rows(),
            Order::Reduction => types[0].shape.rows(),
        }
    }

    /// Every row once: reductions in order, others as far from it as is easy.
    fn row_order(&self, pace: Pace) -> Vec<usize> {
        let n = self.n_rows();
        if self.op.order(&self.types()) == Order::Reduction || pace == Pace::Blindfold {
            return (0..n).collect();
        }
        (0..n).rev().step_by(2).chain((0..n).rev().skip(1).step_by(2)).collect()
    }

    /// Overwrites the rows of the inputs that row `y` has no need of, and restores the others.
    fn show_only(&self, model: &Model, arena: &mut [u8], y: usize) {
        let types = self.types();
        let mut port = 0;
        for (i, input) in self.inputs.iter().enumerate() {
            if input.place == Place::Constant {
                continue;
            }
            let row_bytes = input.row_bytes();
            let seen = self.op.rows(i, &types, y);
            let bytes = &mut arena[model.input(port).unwrap().offset..][..input.bytes.len()];
            bytes.fill(0x5A);
            let seen = seen.start * row_bytes..seen.end * row_bytes;
            bytes[seen.clone()].copy_from_slice(&input.bytes[seen]);
            port += 1;
        }
    }

    fn activations(&self) -> impl Iterator<Item = &Tensor> {
        self.inputs.iter().filter(|input| input.place != Place::Constant)
    }

    /// Activations and constants: the tensors side by side, or the first output on the bytes of input `replaced`.
    fn sections(&self, outputs: &[TensorType], replaced: Option<usize>) -> (Section, Section) {
        let (mut arena, mut constants) = (Section::default(), Section::default());
        for input in &self.inputs {
            let section = if input.place == Place::Constant { &mut constants } else { &mut arena };
            section.push(input.ty, input.zero_point, input.place, format::NO_STEP);
            section.bytes.extend(&input.bytes);
        }
        let first_output = arena.records.len();
        for ty in outputs {
            arena.push(*ty, self.output_zero_point, Place::Arena, 0);
            arena.bytes.resize(arena.bytes.len() + ty.bytes(), 0);
        }
        if let Some(i) = replaced {
            arena.records[first_output].offset = arena.records[self.activations_before(i)].offset;
        }
        (arena, constants)
    }

    /// The `.dunlin` file of [`Self::sections`]. If `scattered`, the rows of what is taken by rows lie far from each other.
    fn file(&self, replaced: Option<usize>, scattered: bool) -> Result<Vec<u8>, Error> {
        let types = self.types();
        let outputs = self.op.infer(&types)?;
        let (mut arena, mut constants) = self.sections(&outputs, replaced);
        let n_activations = arena.records.len();
        let n_model_inputs = n_activations - outputs.len();
        if scattered {
            self.scatter(&mut arena, &mut constants.bytes);
        }
        arena.align();
        let ids = self.tensor_ids(n_model_inputs, n_activations);
        let ports = (0..n_activations).map(|i| PortRecord { tensor: i as u16, scale: 0.0 });
        let params = encode(&self.op);
        let step = StepRecord {
            op: O::CODE as u8,
            dtype: self.dtype(outputs[0]) as u8,
            n_inputs: self.inputs.len() as u8,
            order: self.op.order(&types) as u8,
            tensors: &ids,
            scratch_offset: arena.bytes.len() as u32,
            scratch_bytes: self.op.scratch_bytes(&types) as u32,
            params: &params,
        };
        let mut steps = step.fixed_part(format::STEP_BYTES as u32).to_vec();
        steps.extend(ids.iter().chain(&params));
        Ok(assemble(
            Header {
                magic: format::MAGIC,
                version: format::VERSION,
                rounding: format::ROUNDING_TFLM,
                fed: 0,
                checksum: 0,
                file_bytes: 0,
                arena_bytes: (arena.bytes.len() + self.op.scratch_bytes(&types)) as u32,
                n_tensors: (arena.records.len() + constants.records.len()) as u16,
                n_activations: n_activations as u16,
                n_steps: 1,
                n_inputs: n_model_inputs as u8,
                n_outputs: outputs.len() as u8,
                n_calls: 0,
                ports_offset: 0,
                calls_offset: 0,
                steps_offset: 0,
                names_offset: 0,
                constants_offset: 0,
                memory1_offset: 0,
                memory2_offset: 0,
                memory3_offset: 0,
            },
            arena.records.iter().chain(&constants.records).flat_map(encode).collect(),
            ports.flat_map(|port| encode(&port)).collect(),
            steps,
            &constants.bytes,
        ))
    }

    /// Moves the rows of every tensor that is taken by rows.
    fn scatter(&self, arena: &mut Section, constants: &mut Vec<u8>) {
        let by_rows = self.op.by_rows(&self.types());
        let inputs = (0..self.inputs.len()).filter(|&i| self.inputs[i].place != Place::Constant);
        let bits = inputs.map(|i| 1 << i).chain([super::OUTPUT]);
        for (record, bit) in arena.records.iter_mut().zip(bits) {
            if by_rows & bit != 0 {
                scatter(record, &mut arena.bytes, constants);
            }
        }
    }

    fn activations_before(&self, input: usize) -> usize {
        self.inputs[..input].iter().filter(|input| input.place != Place::Constant).count()
    }

    /// Indices of the step's tensors; in the file activations come first, then constants.
    fn tensor_ids(&self, n_model_inputs: usize, n_activations: usize) -> Vec<u8> {
        let (mut activation, mut constant) = (0, n_activations);
        let inputs = self.inputs.iter().map(|input| {
            let next = if input.place == Place::Constant { &mut constant } else { &mut activation };
            *next += 1;
            *next - 1
        });
        let ids: Vec<usize> = inputs.chain(n_model_inputs..n_activations).collect();
        ids.iter().flat_map(|&id| (id as u16).to_le_bytes()).collect()
    }

    fn dtype(&self, output: TensorType) -> DType {
        let computes = |dtype| super::ALL.iter().any(|e: &Entry| e.code == O::CODE && e.dtype == dtype);
        let first = self.inputs.first().map_or(output.dtype, |input| input.ty.dtype);
        if computes(first) { first } else { output.dtype }
    }
}

/// How a step is run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pace {
    Whole,
    /// Row by row, in an odd order.
    Shuffled,
    /// Row by row, each without the input rows that it does not name.
    Blindfold,
    /// Row by row, from and to rows that do not follow each other.
    Scattered,
}

/// The bytes of each row of a port.
fn rows_of(model: &Model, port: usize) -> impl Iterator<Item = Range<usize>> {
    let id = model.port(port).unwrap().tensor;
    let span = Span::tensor(model, id).unwrap();
    (0..span.n_rows).map(move |y| span.bytes(y..y + 1))
}

/// Gives the tensor new places: the last row first, with gaps.
fn scatter(record: &mut TensorRecord, arena: &mut Vec<u8>, constants: &mut Vec<u8>) {
    let ty = tensor_type(record).unwrap();
    let (n_rows, row_bytes) = (ty.shape.rows(), ty.shape.row_len() * ty.dtype.bytes());
    let distance = row_bytes.next_multiple_of(4) + 8;
    arena.resize(arena.len().next_multiple_of(4), 0);
    constants.resize(constants.len().next_multiple_of(2), 0);
    (record.offset, record.table) = (arena.len() as u32, constants.len() as u32);
    record.period = n_rows as u16;
    arena.resize(arena.len() + n_rows * distance, 0);
    constants.extend((0..n_rows).rev().flat_map(|i| ((i * distance / 4) as u16).to_le_bytes()));
}

/// Tensors and bytes of the arena or of the constant section.
#[derive(Default)]
struct Section {
    records: Vec<TensorRecord>,
    bytes: Vec<u8>,
}

impl Section {
    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(format::ALIGN), 0);
    }

    fn push(&mut self, ty: TensorType, zero_point: i8, place: Place, writer: u16) {
        self.align();
        self.records.push(TensorRecord {
            dtype: ty.dtype as u8,
            rank: ty.shape.rank() as u8,
            place,
            zero_point,
            offset: self.bytes.len() as u32,
            dim0: ty.shape.dim(0) as u32,
            dim1: ty.shape.dim(1) as u32,
            dim2: ty.shape.dim(2) as u32,
            dim3: ty.shape.dim(3) as u32,
            table: 0,
            period: 0,
            writer,
        });
    }
}

fn encode<T: serde::Serialize>(record: &T) -> Vec<u8> {
    postcard::to_extend(record, Vec::new()).unwrap()
}

/// The sections one behind the other, with the header's offsets, length and checksum filled in.
fn assemble(header: Header, tensors: Vec<u8>, ports: Vec<u8>, steps: Vec<u8>, constants: &[u8]) -> Vec<u8> {
    let ports_offset = format::HEADER_BYTES + tensors.len();
    let steps_offset = ports_offset + ports.len();
    let names_offset = steps_offset + steps.len();
    let constants_offset = names_offset.next_multiple_of(format::ALIGN);
    let file_bytes = (constants_offset + constants.len() + format::READ_AHEAD_BYTES).next_multiple_of(4);
    let mut header = Header {
        file_bytes: file_bytes as u32,
        ports_offset: ports_offset as u32,
        calls_offset: steps_offset as u32,
        steps_offset: steps_offset as u32,
        names_offset: names_offset as u32,
        constants_offset: constants_offset as u32,
        memory1_offset: 0,
        memory2_offset: 0,
        memory3_offset: 0,
        ..header
    };
    let mut file = encode(&header);
    for section in [tensors, ports, steps] {
        file.extend(section);
    }
    file.resize(constants_offset, 0);
    file.extend(constants);
    file.resize(file_bytes, 0);
    header.checksum = format::checksum(&file[format::CHECKED_FROM..]);
    file[..format::HEADER_BYTES].copy_from_slice(&encode(&header));
    file
}

/// Bytes at an address that models, arenas and casts take.
struct Loaded {
    buffer: Buffer,
    len: usize,
}

impl Loaded {
    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

fn load(bytes: &[u8]) -> Loaded {
    let mut buffer = Buffer::default();
    buffer[..bytes.len()].copy_from_slice(bytes);
    Loaded { buffer, len: bytes.len() }
}
