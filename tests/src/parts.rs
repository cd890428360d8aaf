//! A `.dunlin` file taken apart into its records, to be changed and put together again: for fuzzing, and for
//! showing the format byte by byte.

use dunlin::format::{self, CallRecord, Header, Place, PortRecord, StepRecord, TensorRecord};
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
    /// Calls in order; none if every step is called once, as a whole.
    pub calls: Vec<CallRecord>,
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
    pub order: u8,
    pub tensors: Vec<u16>,
    pub scratch_offset: u32,
    pub scratch_bytes: u32,
    pub params: Vec<u8>,
}

impl Parts {
    /// Takes a file apart that the writer made.
    ///
    /// # Panics
    /// If it is malformed.
    pub fn of(file: &[u8]) -> Parts {
        let header = Header::read(file.first_chunk().expect("a header"));
        let record = |start: usize, i: usize, bytes: usize| &file[start + i * bytes..][..bytes];
        let tensors = (0..header.n_tensors as usize)
            .map(|i| record(format::HEADER_BYTES, i, format::TENSOR_BYTES))
            .map(|bytes| TensorRecord::read(bytes.try_into().expect("its size")))
            .collect();
        let n_ports = header.n_inputs as usize + header.n_outputs as usize;
        let ports = (0..n_ports)
            .map(|i| record(header.ports_offset as usize, i, format::PORT_BYTES))
            .map(|bytes| PortRecord::read(bytes.first_chunk().expect("a port")))
            .collect();
        let calls = (0..header.n_calls as usize)
            .map(|i| record(header.calls_offset as usize, i, format::CALL_BYTES))
            .map(|bytes| CallRecord::read(bytes.try_into().expect("its size")))
            .collect();
        let section = &file[header.steps_offset as usize..header.names_offset as usize];
        let steps = (0..header.n_steps as usize).map(|i| Step::of(section, i)).collect();
        let mut names = &file[header.names_offset as usize..header.constants_offset as usize];
        while let [head @ .., 0] = names {
            names = head;
        }
        let constants = file[header.constants_offset as usize..].to_vec();
        Parts { header, tensors, ports, calls, steps, names: names.to_vec(), constants }
    }

    /// The file of these parts. Counts and offsets are those of the parts, and the checksum is right.
    pub fn assemble(&self) -> Vec<u8> {
        let mut file = vec![0; format::HEADER_BYTES];
        self.tensors.iter().for_each(|tensor| file.extend(encode(tensor)));
        let ports_offset = file.len() as u32;
        self.ports.iter().for_each(|port| file.extend(encode(port)));
        let calls_offset = file.len() as u32;
        self.calls.iter().for_each(|call| file.extend(encode(call)));
        let steps_offset = file.len() as u32;
        let mut lists: Vec<u8> = Vec::new();
        for step in &self.steps {
            let (fixed, list) = step.bytes(self.steps.len() * format::STEP_BYTES + lists.len());
            file.extend(fixed);
            lists.extend(list);
        }
        file.extend(lists);
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
            n_calls: self.calls.len() as u32,
            ports_offset,
            calls_offset,
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
            self.steps[i].order = op.order(&types) as u8;
            self.steps[i].scratch_bytes = op.scratch_bytes(&types) as u32;
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
    /// Step `i` of the steps' section.
    fn of(section: &[u8], i: usize) -> Step {
        let fixed = section[i * format::STEP_BYTES..].first_chunk().expect("a step");
        let record = StepRecord::read(fixed, section).expect("its lists");
        Step {
            op: record.op,
            dtype: record.dtype,
            n_inputs: record.n_inputs,
            order: record.order,
            tensors: record.tensors.as_chunks().0.iter().map(|&id| u16::from_le_bytes(id)).collect(),
            scratch_offset: record.scratch_offset,
            scratch_bytes: record.scratch_bytes,
            params: record.params.to_vec(),
        }
    }

    /// The fixed part of the step's record, and its lists, which start at byte `lists_offset` of the section.
    pub fn bytes(&self, lists_offset: usize) -> (Vec<u8>, Vec<u8>) {
        let tensors: Vec<u8> = self.tensors.iter().flat_map(|id| id.to_le_bytes()).collect();
        let record = StepRecord {
            op: self.op,
            dtype: self.dtype,
            n_inputs: self.n_inputs.min(self.tensors.len() as u8),
            order: self.order,
            scratch_offset: self.scratch_offset,
            scratch_bytes: self.scratch_bytes,
            tensors: &tensors,
            params: &self.params,
        };
        let mut fixed = record.fixed_part(lists_offset as u32).to_vec();
        // As it is, right or wrong.
        fixed[2] = self.n_inputs;
        (fixed, [tensors, self.params.clone()].concat())
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
