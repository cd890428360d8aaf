//! Channels that are the same for every input: their proofs hold, and without them every byte is the same.

use dunlin_converter::dead_channels::Intervals;
use dunlin_converter::ops::InputRole;
use dunlin_converter::pack::Packing;
use dunlin_converter::plan::whole;
use dunlin_converter::program::{Lowered, Rewrite, set_input};
use dunlin_converter::{Data, Graph, Program, import};
use dunlin_tests::assets::folder;
use dunlin_tests::random_networks::network;
use fastrand::Rng;

/// Inputs that reach as far as any: ends, stripes and noise.
fn inputs(rng: &mut Rng, len: usize, n: usize) -> Vec<Data> {
    let ends = [i8::MIN, i8::MAX, 0, -1];
    let mut input = |i: usize| -> Vec<i8> {
        match (i, i % 3) {
            (0..4, _) => vec![ends[i]; len],
            (_, 0) => (0..len).map(|_| ends[rng.usize(0..2)]).collect(),
            (_, 1) => (0..len).map(|j| ends[j / i % 2]).collect(),
            _ => (0..len).map(|_| rng.i8(..)).collect(),
        }
    };
    (0..n).map(|i| Data::I8(input(i))).collect()
}

fn real(name: &str) -> Option<Graph> {
    let path = folder()?.join("models").join(format!("{name}.tflite"));
    Some(import::load_simplified(&path).unwrap_or_else(|e| panic!("{e}")))
}

#[test]
fn visual_wake_words_needs_half_of_its_multiplications() {
    let Some(real) = real("mlperf_vww_int8") else { return };
    let kept = Program::compile_with(&real, Rewrite::NONE, |graph| Ok(whole(graph))).unwrap();
    let pruned = Program::compile_with(&real, Packing::Dsp, |graph| Ok(whole(graph))).unwrap();
    println!("{}", pruned.dead_channels);
    assert_eq!(pruned.dead_channels.macs_before, 7_489_664);
    assert_eq!(pruned.dead_channels.macs_after, 3_766_476);
    for x in inputs(&mut Rng::with_seed(1), 96 * 96 * 3, 40) {
        let x = [x];
        assert_eq!(pruned.run(&x).unwrap(), kept.run(&x).unwrap());
    }
}

#[test]
fn other_networks_have_no_dead_channels() {
    for name in ["mlperf_kws_int8", "mlperf_ic_int8", "mlperf_ad_int8"] {
        let Some(real) = real(name) else { return };
        let pruned = Lowered::of(&real, Packing::Portable).unwrap();
        assert_eq!(pruned.dead_channels.n_removed(), 0, "{name}");
        assert_eq!(pruned.graph, Lowered::of(&real, Rewrite::NONE).unwrap().graph, "{name}");
    }
}

/// Makes channels of layers constant: at a scale that rounds everything away, or with weights of 0.
fn plant(graph: &mut Graph, rng: &mut Rng) -> usize {
    let mut planted = 0;
    for i in 0..graph.nodes().len() {
        let node = graph.nodes()[i].clone();
        let (Some(&id), InputRole::Weights { axis }) = (node.inputs.get(1), node.op.input_role(1)) else {
            continue;
        };
        let dims = graph.dims(id);
        let inner: usize = dims[axis + 1..].iter().product();
        for c in (0..dims[axis]).filter(|_| rng.u8(0..5) < 2).collect::<Vec<_>>() {
            planted += 1;
            let tensor = &mut graph[id];
            let dunlin_converter::Kind::Constant(Data::I8(weights)) = &mut tensor.kind else {
                panic!("no weights")
            };
            match rng.bool() {
                true => tensor.quant.as_mut().unwrap().scales[c] *= 1e-7,
                false => weights
                    .iter_mut()
                    .enumerate()
                    .filter(|(i, _)| i / inner % dims[axis] == c)
                    .for_each(|(_, w)| *w = 0),
            }
        }
    }
    planted
}

/// Random networks, with channels planted that are constant.
fn planted_networks(seeds: std::ops::Range<u64>) -> impl Iterator<Item = (u64, Graph)> {
    seeds.filter_map(|seed| {
        let mut graph = network(seed).ok()?.quantized;
        (plant(&mut graph, &mut Rng::with_seed(seed)) > 0).then_some((seed, graph))
    })
}

#[test]
fn networks_give_the_same_bytes_without_their_dead_channels() {
    let (mut n_networks, mut n_removed, mut operators) = (0, 0, std::collections::BTreeSet::new());
    for (seed, real) in planted_networks(0..400) {
        let kept = Program::compile_with(&real, Rewrite::NONE, |graph| Ok(whole(graph))).unwrap();
        let pruned = Program::compile_with(&real, Packing::Portable, |graph| Ok(whole(graph))).unwrap();
        n_networks += 1;
        n_removed += pruned.dead_channels.n_removed();
        operators.extend(pruned.dead_channels.layers.iter().filter(|l| l.removed > 0).map(|l| l.operator));
        let len = kept.graph[kept.graph.inputs()[0]].ty.shape.count();
        for x in inputs(&mut Rng::with_seed(seed), len, 12) {
            let x = [x];
            assert_eq!(pruned.run(&x).unwrap(), kept.run(&x).unwrap(), "seed {seed}");
        }
        let mut again = pruned.graph.clone();
        let more =
            dunlin_converter::dead_channels::remove(&mut again, Packing::Portable.channel_group()).unwrap();
        assert_eq!((more.n_removed(), again), (0, pruned.graph), "seed {seed}: once is enough");
    }
    println!("{n_networks} networks, {n_removed} channels removed, of {operators:?}");
    assert!(n_networks > 100 && n_removed > 500, "{n_networks} networks, {n_removed} channels");
}

#[test]
fn no_number_is_outside_of_its_channels_interval() {
    for (seed, real) in planted_networks(1000..1300) {
        let program = Program::compile_with(&real, Rewrite::NONE, |graph| Ok(whole(graph))).unwrap();
        let intervals = Intervals::of(&program.graph).unwrap();
        let model = program.model().unwrap();
        let len = model.input(0).unwrap().ty.shape.count();
        let mut arena = program.arena();
        let mut session = program.session(&model, &mut arena).unwrap();
        for x in inputs(&mut Rng::with_seed(seed), len, 12) {
            set_input(&mut session, 0, &x).unwrap();
            let mut nodes = program.graph.nodes().iter();
            session.run_each(|step| {
                step.run();
                let node = nodes.next().unwrap();
                let channels = intervals.tensor(node.outputs[0]);
                for (i, &byte) in step.output_bytes(0).iter().enumerate() {
                    let (q, of) = (byte as i8, channels[i % channels.len()]);
                    assert!(of.lo <= q && q <= of.hi, "seed {seed}, `{}`: {q} is not in {of:?}", node.name);
                }
            });
        }
    }
}
