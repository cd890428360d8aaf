//! Damaged and hostile model files, made from good ones.

use dunlin::format::{self, CallRecord, Place, TensorRecord};
use dunlin::ops::OpCode;
use dunlin_converter::plan::plan;
use dunlin_converter::program::Rewrite;
use dunlin_converter::{Program, Result};
use dunlin_models::digits;
use fastrand::Rng;

use crate::cases::{cases, operators};
use crate::convnet::{convnet, convnet_by_rows, vectors, winograd};
use crate::parts::{Parts, repair};
use crate::training::programs;

/// Numbers at which arithmetic tends to break.
const EDGES: [u32; 18] =
    [0, 1, 2, 3, 4, 5, 7, 8, 16, 127, 128, 255, 256, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];

/// A model from which damaged ones are made.
pub struct Seed {
    /// The operator and its case, or the network.
    pub name: String,
    bytes: Vec<u8>,
    parts: Parts,
}

impl Seed {
    fn new(name: String, bytes: &[u8]) -> Seed {
        Seed { name, bytes: bytes.to_vec(), parts: Parts::of(bytes) }
    }
}

/// Every operator in every dtype, and networks of several steps.
///
/// # Panics
/// If one does not compile any more.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for operator in operators() {
        for case in cases(&operator) {
            let program = Program::compile(&case.graph).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            seeds.push(Seed::new(case.name.clone(), program.bytes()));
            let packed = Program::compile_with(&case.graph, Rewrite::EXPANDED, |graph| Ok(plan(graph)))
                .unwrap_or_else(|e| panic!("{}: {e}", case.name));
            if packed.bytes() != program.bytes() {
                // Twice: few cases have such a form.
                seeds.extend([0, 1].map(|_| Seed::new(case.name.clone(), packed.bytes())));
            }
        }
    }
    let few = programs().unwrap_or_else(|e| panic!("{e}"));
    let networks = [
        ("convnet", convnet()),
        ("convnet by rows", convnet_by_rows(false)),
        ("convnet fed by rows", convnet_by_rows(true)),
        ("winograd", winograd()),
        ("vectors", vectors()),
        ("digits", untrained_digits()),
    ];
    let networks = networks.map(|(name, program)| (name, program.unwrap_or_else(|e| panic!("{name}: {e}"))));
    // As often as a golden's operator.
    for (name, program) in few.iter().chain(&networks) {
        seeds.extend((0..20).map(|_| Seed::new(name.to_string(), program.bytes())));
    }
    seeds
}

/// The network of the demo, as it is before training.
fn untrained_digits() -> Result<Program> {
    Program::compile(&digits::network(1)?.quantized(&digits::Digits::load()?.training)?)
}

/// A damaged copy of `seed`, one of `seeds`: a quarter with a wrong checksum, a quarter changed anywhere with a right one, half with
/// changed records.
pub fn damaged(seed: &Seed, seeds: &[Seed], rng: &mut Rng) -> Vec<u8> {
    match rng.u8(..4) {
        0 => change_bytes(&seed.bytes, rng),
        1 => {
            let mut file = change_bytes(&seed.bytes, rng);
            if rng.bool() {
                let file_bytes = file.len() as u32;
                overwrite(&mut file, 12, &file_bytes.to_le_bytes());
            }
            repair(&mut file);
            file
        }
        _ => {
            let mut parts = seed.parts.clone();
            for _ in 0..rng.u8(1..4) {
                let other = &seeds[rng.usize(..seeds.len())].parts;
                change_parts(&mut parts, other, rng);
            }
            if rng.bool() {
                parts.settle();
            }
            parts.assemble()
        }
    }
}

/// A copy of `file` with another plan: calls, row tables, and places of tensors and scratch memory are changed, nothing
/// that is computed.
pub fn with_damaged_plan(file: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut parts = Parts::of(file);
    let arena_bytes = parts.header.arena_bytes;
    for _ in 0..rng.u8(1..4) {
        match rng.u8(..6) {
            0 => change_call(&mut parts, rng),
            1 => {
                let Some(step) = rng.choice(&mut parts.steps) else { continue };
                step.scratch_offset = rng.u32(..=arena_bytes) & !3;
            }
            2 => {
                let n_activations = parts.header.n_activations as usize;
                let Some(tensor) = rng.choice(&mut parts.tensors[..n_activations]) else { continue };
                match rng.u8(..3) {
                    0 => tensor.offset = rng.u32(..=arena_bytes) & !3,
                    1 => tensor.period = tensor.period.saturating_sub(1),
                    _ => tensor.offset ^= 4,
                }
            }
            _ => {
                // An entry of a row table.
                let tables: Vec<_> =
                    parts.tensors.iter().filter(|tensor| tensor.period > 0).copied().collect();
                let Some(table) = rng.choice(&tables) else { continue };
                let at = table.table as usize + 2 * rng.usize(..table.period as usize);
                let entry = &mut parts.constants[at..at + 2];
                let unit = match rng.bool() {
                    true => u16::from_le_bytes([entry[0], entry[1]]) ^ (1 << rng.u8(..10)),
                    false => rng.u16(..(arena_bytes / 4) as u16),
                };
                entry.copy_from_slice(&unit.to_le_bytes());
            }
        }
    }
    parts.assemble()
}

/// Changes, inserts or removes bytes, more often at the head, where the records are.
fn change_bytes(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut file = bytes.to_vec();
    for _ in 0..rng.u8(1..5) {
        let end = if rng.bool() { file.len() } else { file.len().min(format::HEADER_BYTES + 200) };
        let i = rng.usize(..end.max(1));
        match rng.u8(..8) {
            0 => file.truncate(i),
            1 => drop(file.drain(i..(i + rng.usize(1..9)).min(file.len()).max(i))),
            2 => (0..rng.u8(1..9)).for_each(|_| file.insert(i.min(file.len()), rng.u8(..))),
            3 => overwrite(&mut file, i, &edge(rng).to_le_bytes()),
            4 => overwrite(&mut file, i & !3, &edge(rng).to_le_bytes()),
            5 => overwrite(&mut file, i, &[rng.u8(..)]),
            _ => file.iter_mut().skip(i).take(1).for_each(|byte| *byte ^= 1 << rng.u8(..8)),
        }
        if file.is_empty() {
            break;
        }
    }
    file
}

fn overwrite(file: &mut [u8], start: usize, bytes: &[u8]) {
    file.iter_mut().skip(start).zip(bytes).for_each(|(to, from)| *to = *from);
}

fn edge(rng: &mut Rng) -> u32 {
    EDGES[rng.usize(..EDGES.len())]
}

/// A number near `near`, small, or at an edge.
fn number(near: u32, rng: &mut Rng) -> u32 {
    match rng.u8(..4) {
        0 => near.wrapping_add(rng.u32(..9)).wrapping_sub(4),
        1 => near.wrapping_mul(rng.u32(..4)),
        2 => rng.u32(..20),
        _ => edge(rng),
    }
}

/// Changes one record.
fn change_parts(parts: &mut Parts, other: &Parts, rng: &mut Rng) {
    match rng.u8(..12) {
        0..4 => change_tensor(parts, rng),
        4..8 => change_step(parts, other, rng),
        10.. => change_call(parts, rng),
        8 => change_lists(parts, rng),
        _ => {
            let bytes = &mut parts.constants;
            match rng.u8(..3) {
                0 => bytes.truncate(rng.usize(..=bytes.len())),
                1 => bytes.extend((0..rng.u8(..)).map(|i| i.wrapping_mul(37))),
                _ => {
                    let i = rng.usize(..bytes.len().max(1));
                    overwrite(bytes, i & !3, &edge(rng).to_le_bytes());
                }
            }
        }
    }
}

fn change_tensor(parts: &mut Parts, rng: &mut Rng) {
    let (arena_bytes, n_steps) = (parts.header.arena_bytes, parts.steps.len() as u16);
    let Some(TensorRecord {
        dtype,
        rank,
        place,
        zero_point,
        offset,
        dim0,
        dim1,
        dim2,
        dim3,
        table,
        period,
        writer,
    }) = rng.choice(&mut parts.tensors)
    else {
        return;
    };
    let dims = [dim0, dim1, dim2, dim3];
    match rng.u8(..12) {
        0 => *dtype = rng.u8(..5),
        1 => *rank = rng.u8(..6),
        2 => *place = *rng.choice(&[Place::Arena, Place::State, Place::Constant]).unwrap_or(place),
        3 => *zero_point = rng.i8(..),
        4 => *offset = number(*offset, rng),
        5 => *offset = rng.u32(..=arena_bytes) & !3,
        6 => *table = number(*table, rng) & !1,
        7 => match rng.bool() {
            true => *period = number(*period as u32, rng) as u16,
            false => *writer = rng.u16(..n_steps + 2).wrapping_sub(1),
        },
        8 => {
            let [a, b, ..] = dims;
            std::mem::swap(a, b);
        }
        _ => dims.into_iter().skip(rng.usize(..4)).take(1).for_each(|dim| *dim = number(*dim, rng)),
    }
}

fn change_step(parts: &mut Parts, other: &Parts, rng: &mut Rng) {
    let n_tensors = parts.tensors.len() as u16 + 1;
    let Some(step) = rng.choice(&mut parts.steps) else { return };
    let op = |rng: &mut Rng| OpCode::ALL[rng.usize(..OpCode::ALL.len())] as u8;
    match rng.u8(..14) {
        0 => step.op = if rng.bool() { op(rng) } else { rng.u8(..) },
        1 => step.dtype = rng.u8(..5),
        2 => step.n_inputs = step.n_inputs.wrapping_add(rng.u8(..3)).wrapping_sub(1),
        3 => step.tensors.iter_mut().skip(rng.usize(..3)).take(1).for_each(|id| *id = rng.u16(..n_tensors)),
        4 => step.tensors.push(rng.u16(..n_tensors)),
        5 => drop(step.tensors.pop()),
        6 => match rng.u8(..4) {
            0 => step.order = rng.u8(..3),
            1 => step.scratch_bytes = number(step.scratch_bytes, rng),
            _ => step.scratch_offset = number(step.scratch_offset, rng),
        },
        7 => {
            if let Some(from) = rng.choice(&other.steps) {
                step.params.clone_from(&from.params);
                step.op = from.op;
            }
        }
        8 => {
            let i = rng.usize(..=step.params.len());
            step.params.insert(i, rng.u8(..));
        }
        _ => {
            let i = rng.usize(..step.params.len().max(1));
            let byte = if rng.bool() { edge(rng) as u8 } else { rng.u8(..10) };
            overwrite(&mut step.params, i, &[byte]);
        }
    }
}

/// Changes a call, or the order of calls.
fn change_call(parts: &mut Parts, rng: &mut Rng) {
    let (n_calls, n_steps) = (parts.calls.len(), parts.steps.len() as u16);
    if n_calls == 0 {
        // Whole tensors, said in so many words.
        parts.calls.extend((0..n_steps).map(|step| CallRecord { step, first: 0, count: 0 }));
        parts.header.fed = rng.u8(..40) / 38;
        return;
    }
    let i = rng.usize(..n_calls);
    let CallRecord { step, first, count } = &mut parts.calls[i];
    match rng.u8(..8) {
        0 => *step = rng.u16(..n_steps + 2),
        1 => *first = number(*first as u32, rng) as u16,
        2 => *count = number(*count as u32, rng) as u16,
        3 => drop(parts.calls.remove(i)),
        4 => parts.calls.insert(rng.usize(..n_calls), parts.calls[i]),
        5 => parts.header.fed = rng.u8(..3),
        _ => parts.calls.swap(i, (i + rng.usize(1..4)) % n_calls),
    }
}

/// Changes ports, the order and number of records, and the size of the arena.
fn change_lists(parts: &mut Parts, rng: &mut Rng) {
    let n_tensors = parts.tensors.len() as u16 + 1;
    match rng.u8(..8) {
        0 => parts.header.arena_bytes = number(parts.header.arena_bytes, rng),
        1 => {
            parts.ports.iter_mut().skip(rng.usize(..2)).take(1).for_each(|p| p.tensor = rng.u16(..n_tensors))
        }
        2 => {
            parts.header.n_inputs = rng.u8(..3);
            parts.header.n_outputs = (parts.ports.len() as u8).saturating_sub(parts.header.n_inputs);
        }
        3 => parts.header.n_activations = rng.u16(..=n_tensors),
        4 => parts.steps.extend(parts.steps.first().cloned()),
        5 => drop(parts.steps.pop()),
        6 => parts.tensors.extend(parts.tensors.last().copied()),
        _ => parts.tensors.extend(parts.tensors.first().copied()),
    }
}
