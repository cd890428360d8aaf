//! Plans for several memories: each tensor in one of them, and the same bytes wherever the memories are.

use dunlin::{Error, Model, Session};
use dunlin_converter::Program;
use dunlin_converter::pack::Packing;
use dunlin_converter::plan::{Memory, Request};
use dunlin_converter::program::AlignedBytes;
use dunlin_tests::convnet::{inputs, network};
use dunlin_tests::parts::Parts;
use dunlin_tests::poison::run_poisoned;

fn memory(name: &str, bytes: usize) -> Memory {
    Memory { name: name.to_string(), bytes }
}

/// The network planned for a fast memory of a part of what it needs, and two slow ones.
fn program(parts: usize) -> Program {
    let graph = network().unwrap();
    let whole = Program::compile(&graph).unwrap().plan.arena_bytes;
    let memories = vec![memory("fast", whole / parts), memory("slow", whole / 2), memory("slowest", whole)];
    let request = Request { memories, ..Request::default() };
    Program::compile_with(&graph, Packing::Portable, |graph| request.plan(graph)).unwrap()
}

/// A session in memories that are far from each other and full of noise.
fn run_apart(model: &Model, input: &[u8]) -> Vec<u8> {
    let mut memories: Vec<AlignedBytes> =
        model.memories().map(|range| AlignedBytes::zeroed(range.len() + 64)).collect();
    memories.iter_mut().for_each(|bytes| bytes.fill(0xA5));
    let output = |mut session: Session| {
        session.input_bytes_mut(0).unwrap().copy_from_slice(input);
        session.run().output_bytes(0).unwrap().to_vec()
    };
    match &mut memories[..] {
        [a, b] => output(Session::in_memories(model, [&mut a[..], &mut b[..]]).unwrap()),
        [a, b, c] => output(Session::in_memories(model, [&mut a[..], &mut b[..], &mut c[..]]).unwrap()),
        other => panic!("{} memories", other.len()),
    }
}

#[test]
fn apart_or_in_one_arena_the_bytes_are_the_same() {
    for parts in [2, 3, 5] {
        let program = program(parts);
        let model = program.model().unwrap();
        let sizes: Vec<usize> = model.memories().map(|range| range.len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), model.arena_bytes());
        println!("one part in {parts}: {sizes:?}");
        for (seed, input) in inputs(3).chunks(64).enumerate() {
            let expected = run_poisoned(&model, &[input], seed as u64);
            assert_eq!(run_apart(&model, input), expected, "{sizes:?}");
        }
    }
}

#[test]
fn memories_that_do_not_fit_the_plan_are_refused() {
    let program = program(2);
    let model = program.model().unwrap();
    let sizes: Vec<usize> = model.memories().map(|range| range.len()).collect();
    let [a, b] = sizes[..] else { panic!("{sizes:?}") };
    let mut bytes = [AlignedBytes::zeroed(a), AlignedBytes::zeroed(b), AlignedBytes::zeroed(16)];
    let [first, second, third] = &mut bytes;
    assert_eq!(Session::in_memories(&model, [&mut first[..]]).err(), Some(Error::Memories));
    let three = Session::in_memories(&model, [&mut first[..], &mut second[..], &mut third[..]]);
    assert_eq!(three.err(), Some(Error::Memories));
    let short = Session::in_memories(&model, [&mut first[..], &mut second[..b - 1]]);
    assert_eq!(short.err(), Some(Error::ArenaTooSmall));
    let skewed = Session::in_memories(&model, [&mut first[..], &mut second[4..]]);
    assert!(skewed.is_err());
}

#[test]
fn a_tensor_across_the_border_of_memories_is_refused() {
    let program = program(2);
    let right = Parts::of(program.bytes());
    let border = right.header.memory1_offset;
    let mut n_refused = 0;
    for moved in (16..right.header.arena_bytes).step_by(16).filter(|&moved| moved != border) {
        let mut parts = right.clone();
        parts.header.memory1_offset = moved;
        let file = AlignedBytes::from(&parts.assemble()[..]);
        n_refused += match Model::check(&file, dunlin::ops::ALL) {
            Ok(model) => {
                let input = &inputs(1);
                assert_eq!(run_apart(&model, input), run_apart(&program.model().unwrap(), input), "{moved}");
                0
            }
            Err(error) => {
                assert_eq!(error, Error::TensorPlace, "{moved}");
                1
            }
        };
    }
    assert!(n_refused > 10, "{n_refused}");
    for (second, third) in [(0, 16), (32, 16), (16, 16), (8, 0), (right.header.arena_bytes + 16, 0)] {
        let mut parts = right.clone();
        (parts.header.memory1_offset, parts.header.memory2_offset) = (second, third);
        let file = AlignedBytes::from(&parts.assemble()[..]);
        assert_eq!(Model::check(&file, dunlin::ops::ALL).err(), Some(Error::Malformed), "{second} {third}");
    }
}
