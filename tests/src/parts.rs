//! A `.dunlin` file taken apart into its records, to be changed and put together again: for fuzzing, and for
//! showing the format byte by byte.

use dunlin::format::{self, Header, Place, PortRecord, StepRecord, TensorRecord};
use dunlin::{DType, Shape, TensorType};
use dunlin_converter::ops::Op;

/// The records of a file.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The header; [`Parts::assemble`] computes its counts, offsets, length and checksum anew.
    pub header: Header,
    /// Tensors, those of the arena first.
    pub tensors: Vec<TensorRecord>,
    /// Inputs, then outputs.
    pub ports: Vec<PortRecord>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// The names section without its padding.
    pub names: Vec<u8>,
    /// The constant section.
    pub constants: Vec<u8>,
}

/// A [`StepRecord`] that owns its lists.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Step {
    pub op: u8,
    pub dtype: u8,
    pub n_inputs: u8,
    pub tensors: Vec<u16>,
    pub scratch_offset: u32,
    pub params: Vec<u8>,
}

impl Parts {
    /// Takes a file apart that the writer made.
    ///
    /// # Panics
    /// If it is malformed.
    pub fn of(file: &[u8]) -> Parts {
        let header: Header = postcard::from_bytes(file).expect("a header");
        let record = |start: usize, i: usize, bytes: usize| &file[start + i * bytes..][..bytes];
        let tensors = (0..header.n_tensors as usize)
            .map(|i| record(format::HEADER_BYTES, i, format::TENSOR_BYTES))
            .map(|bytes| TensorRecord::read(bytes.try_into().expect("its size")).expect("a tensor"))
            .collect();
        let n_ports = header.n_inputs as usize + header.n_outputs as usize;
        let ports = (0..n_ports)
            .map(|i| record(header.ports_offset as usize, i, format::PORT_BYTES))
            .map(|bytes| postcard::from_bytes(bytes).expect("a port"))
            .collect();
        let mut rest = &file[header.steps_offset as usize..header.names_offset as usize];
        let steps = (0..header.n_steps).map(|_| Step::take(&mut rest)).collect();
        let mut names = &file[header.names_offset as usize..header.constants_offset as usize];
        while let [head @ .., 0] = names {
            names = head;
        }
        let constants = file[header.constants_offset as usize..].to_vec();
        Parts { header, tensors, ports, steps, names: names.to_vec(), constants }
    }

    /// The file of these parts. Counts and offsets are those of the parts, and the checksum is right.
    pub fn assemble(&self) -> Vec<u8> {
        let mut file = vec![0; format::HEADER_BYTES];
        self.tensors.iter().for_each(|tensor| file.extend(encode(tensor)));
        let ports_offset = file.len() as u32;
        self.ports.iter().for_each(|port| file.extend(encode(port)));
        let steps_offset = file.len() as u32;
        self.steps.iter().for_each(|step| file.extend(step.bytes()));
        let names_offset = file.len() as u32;
        file.extend(&self.names);
        file.resize(file.len().next_multiple_of(format::ALIGN), 0);
        let constants_offset = file.len() as u32;
        file.extend(&self.constants);
        file.resize(file.len().next_multiple_of(4), 0);
        let header = Header {
            file_bytes: file.len() as u32,
            n_tensors: self.tensors.len() as u16,
            n_steps: self.steps.len() as u16,
            ports_offset,
            steps_offset,
            names_offset,
            constants_offset,
            ..self.header
        };
        file[..format::HEADER_BYTES].copy_from_slice(&encode(&header));
        repair(&mut file);
        file
    }

    /// Gives every step's outputs the types that its operator makes of its inputs, each (and the scratch
    /// memory) in a place of its own at the end of the arena: so that unusual parameters and shapes are run
    /// instead of refused. Stops at the first step that its operator refuses.
    pub fn settle(&mut self) {
        for i in 0..self.steps.len() {
            let step = self.steps[i].clone();
            let (inputs, outputs) = step.tensors.split_at(step.tensors.len().min(step.n_inputs as usize));
            let types: Option<Vec<TensorType>> =
                inputs.iter().map(|&id| self.tensors.get(id as usize).and_then(tensor_type)).collect();
            let (Some(types), Ok(op)) = (types, Op::decode(step.op, &step.params)) else { return };
            let Ok(made) = op.infer_device(&types) else { return };
            for (&id, ty) in outputs.iter().zip(made) {
                self.settle_tensor(id as usize, ty);
            }
            self.steps[i].scratch_offset = self.grow_arena(op.scratch_bytes(&types));
        }
    }

    fn settle_tensor(&mut self, id: usize, ty: TensorType) {
        let offset = self.grow_arena(ty.bytes());
        let Some(record) = self.tensors.get_mut(id).filter(|record| record.place != Place::Constant) else {
            return;
        };
        let dim = |i: usize| ty.shape.dim(i) as u32;
        *record = TensorRecord {
            dtype: ty.dtype as u8,
            rank: ty.shape.rank() as u8,
            offset,
            dim0: dim(0),
            dim1: dim(1),
            dim2: dim(2),
            dim3: dim(3),
            ..*record
        };
    }

    /// The first of `bytes` new bytes at the end of the arena.
    fn grow_arena(&mut self, bytes: usize) -> u32 {
        let start = self.header.arena_bytes.checked_next_multiple_of(4).unwrap_or(0);
        self.header.arena_bytes = start.saturating_add(bytes as u32);
        start
    }
}

impl Step {
    fn take(rest: &mut &[u8]) -> Step {
        let (record, after) = postcard::take_from_bytes::<StepRecord>(rest).expect("a step");
        *rest = after;
        Step {
            op: record.op,
            dtype: record.dtype,
            n_inputs: record.n_inputs,
            tensors: record.tensors.as_chunks().0.iter().map(|&id| u16::from_le_bytes(id)).collect(),
            scratch_offset: record.scratch_offset,
            params: record.params.to_vec(),
        }
    }

    /// The step's record.
    pub fn bytes(&self) -> Vec<u8> {
        let tensors: Vec<u8> = self.tensors.iter().flat_map(|id| id.to_le_bytes()).collect();
        encode(&StepRecord {
            op: self.op,
            dtype: self.dtype,
            n_inputs: self.n_inputs,
            tensors: &tensors,
            scratch_offset: self.scratch_offset,
            params: &self.params,
        })
    }
}

/// Makes the checksum of `file` right, if it is long enough to have one.
pub fn repair(file: &mut [u8]) {
    if let Some(checked) = file.get(format::CHECKED_FROM..) {
        let checksum = format::checksum(checked).to_le_bytes();
        file[8..12].copy_from_slice(&checksum);
    }
}

fn tensor_type(record: &TensorRecord) -> Option<TensorType> {
    let dims = [record.dim0, record.dim1, record.dim2, record.dim3].map(|dim| dim as usize);
    let shape = Shape::new(dims.get(..record.rank as usize)?).ok()?;
    Some(TensorType::new(DType::from_code(record.dtype)?, shape))
}

fn encode<T: serde::Serialize>(record: &T) -> Vec<u8> {
    postcard::to_stdvec(record).expect("records are plain numbers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::cases;
    use dunlin_converter::Program;

    #[test]
    fn a_file_taken_apart_is_put_together_again() {
        for case in cases("conv2d").iter().take(4) {
            let program = Program::compile(&case.graph).unwrap();
            assert_eq!(Parts::of(program.bytes()).assemble(), program.bytes(), "{}", case.name);
        }
    }
}
