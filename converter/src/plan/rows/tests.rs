//! Plans of random graphs and of the reference models, executed on tags, and the search against enumeration.

use std::collections::BTreeMap;

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::ops::{
    AveragePool2d, Clamp, Concat, Conv2d, DepthwiseConv2d, FullyConnected, MaxPool2d, Maximum, Pad, Reshape,
};
use dunlin::{DType, Shape};

use super::executor::execute;
use super::model::Model;
use super::state::State;
use super::timeline::Timeline;
use super::*;
use crate::graph::Form;
use crate::ops::Op;
use crate::{Data, TensorId, import, lower, passes};

/// Grows random graphs in device form: chains with skips.
pub(in crate::plan) struct Random {
    rng: fastrand::Rng,
    graph: Graph,
    dtype: DType,
    values: Vec<TensorId>,
}

impl Random {
    pub(in crate::plan) fn graph(seed: u64, n_nodes: usize, most_rows: usize) -> Graph {
        let rng = fastrand::Rng::with_seed(seed);
        let dtype = if seed.is_multiple_of(4) { DType::F32 } else { DType::I8 };
        let mut random = Random { rng, graph: Graph::new("random"), dtype, values: Vec::new() };
        random.graph.form = Form::Device;
        let dims = [1, random.upto(most_rows) + 1, random.upto(6), random.upto(5)];
        let input = random.graph.input_of("input", dtype, &dims).unwrap();
        random.values.push(input);
        while random.graph.nodes().len() < n_nodes {
            random.grow();
        }
        let last = *random.values.last().unwrap();
        random.graph.mark_output(last);
        if random.rng.usize(0..4) == 0 {
            let other = random.values[random.rng.usize(1..random.values.len())];
            random.graph.mark_output(other);
        }
        random.graph.verify().unwrap();
        random.graph
    }

    /// A number from 1 to `most`.
    fn upto(&mut self, most: usize) -> usize {
        self.rng.usize(1..=most)
    }

    fn constant(&mut self, dims: &[usize]) -> TensorId {
        let n = dims.iter().product();
        let data = if self.dtype == DType::F32 { Data::F32(vec![0.0; n]) } else { Data::I8(vec![0; n]) };
        self.graph.constant("w", dims, data).unwrap()
    }

    /// The table of an int8 convolution.
    fn with_table(&mut self, mut inputs: Vec<TensorId>, channels: usize) -> Vec<TensorId> {
        if self.dtype == DType::I8 {
            let table = Data::I32(vec![0; channels * 3]);
            inputs.push(self.graph.constant("table", &[channels, 3], table).unwrap());
        }
        inputs
    }

    /// Adds a node, if the one that is tried fits; mostly to the newest value.
    fn grow(&mut self) {
        let back = if self.rng.usize(0..4) == 0 { self.rng.usize(0..self.values.len()) } else { 0 };
        let x = self.values[self.values.len() - 1 - back];
        let dims = self.graph.dims(x);
        let (op, inputs): (Op, Vec<TensorId>) = match self.rng.usize(0..10) {
            choice @ 0..4 if dims.len() == 4 => self.weighted(x, &dims, choice % 2 == 0),
            4 => (Clamp { bounds: Bounds::None }.into(), vec![x]),
            5 => {
                let same = |&&id: &&TensorId| self.graph.dims(id) == dims;
                let others: Vec<TensorId> = self.values.iter().filter(same).copied().collect();
                (Maximum {}.into(), vec![x, others[self.rng.usize(0..others.len())]])
            }
            6 => {
                let other = self.values[self.rng.usize(0..self.values.len())];
                (Concat { axis: [1, 3][self.rng.usize(0..2)] }.into(), vec![x, other])
            }
            7 => {
                let pads = [[0, 0], [self.rng.u16(0..2), self.rng.u16(0..3)], [0, 1], [0, 0]];
                (Pad { pads }.into(), vec![x])
            }
            8 if dims.len() == 4 => (self.pool(&dims), vec![x]),
            9 if self.rng.usize(0..4) == 0 => self.whole(x, &dims),
            _ => return,
        };
        let name = format!("{}{}", op.name(), self.graph.nodes().len());
        self.values.extend(self.graph.apply(&name, op, &inputs));
    }

    fn weighted(&mut self, x: TensorId, dims: &[usize], dense: bool) -> (Op, Vec<TensorId>) {
        let (k, stride) = ([1, 2, 3, 5][self.rng.usize(0..4)], self.rng.u8(1..3));
        let pads = [self.rng.u8(0..k as u8), k as u8 / 2, self.rng.u8(0..k as u8), k as u8 / 2];
        let window = Window { stride: [stride, 1], dilation: [1, 1], pads };
        let c = if dense { self.upto(8) } else { dims[3] };
        let w = self.constant(&if dense { [c, k, k, dims[3]] } else { [1, k, k, c] });
        let inputs = self.with_table(vec![x, w], c);
        let bounds = Bounds::None;
        if dense {
            (Conv2d { window, bounds }.into(), inputs)
        } else {
            (DepthwiseConv2d { window, bounds }.into(), inputs)
        }
    }

    fn pool(&mut self, dims: &[usize]) -> Op {
        let whole = self.rng.bool();
        let kernel = if whole { [dims[1] as u8, dims[2] as u8] } else { [2, 1] };
        let window = if whole { Window::UNIT } else { Window { stride: [2, 1], ..Window::UNIT } };
        let pooling = Pooling { kernel, window, bounds: Bounds::None };
        if self.rng.bool() { AveragePool2d(pooling).into() } else { MaxPool2d(pooling).into() }
    }

    /// Operators that take tensors in one piece.
    fn whole(&mut self, x: TensorId, dims: &[usize]) -> (Op, Vec<TensorId>) {
        let n: usize = dims.iter().product();
        if self.rng.bool() {
            let shape = if dims.len() == 4 { Shape::new(&[1, n]) } else { Shape::new(&[1, n, 1, 1]) };
            return (Reshape::new(&shape.unwrap()).into(), vec![x]);
        }
        let c = self.upto(20);
        let w = self.constant(&[c, n]);
        (FullyConnected::new(Bounds::None).into(), self.with_table(vec![x, w], c))
    }
}

fn each_option(effort: usize) -> impl Iterator<Item = Options> {
    let styles = [Style::Overlap, Style::Rows].into_iter();
    styles.flat_map(move |style| [false, true].map(|fed| Options { style, fed, effort }))
}

#[test]
fn plans_of_random_graphs_execute() {
    for seed in 0..300 {
        let graph = Random::graph(seed, 2 + seed as usize % 12, 14);
        for options in each_option(1) {
            let plan = plan(&graph, &options).unwrap();
            execute(&graph, &plan);
            assert!(plan.lower_bound_bytes() <= plan.arena_bytes, "{seed}");
            if seed.is_multiple_of(10) {
                assert_eq!(plan, super::plan(&graph, &options).unwrap(), "{seed}: the same again");
            }
        }
    }
}

#[test]
fn plans_of_random_graphs_in_whole_tensors_execute() {
    for seed in 0..300 {
        let graph = Random::graph(seed, 2 + seed as usize % 12, 14);
        let (whole, overlapping) = (crate::plan::whole(&graph), crate::plan::plan(&graph));
        execute(&graph, &whole);
        execute(&graph, &overlapping);
        assert!(overlapping.arena_bytes <= whole.arena_bytes, "{seed}");
    }
}

/// The lowest peak of all schedules, by visiting every state in order of the peak on the way to it.
fn enumerate(model: &Model) -> usize {
    let start = vec![0u32; model.nodes.len()];
    let mut seen = std::collections::HashSet::new();
    let mut open = BTreeMap::from([(search::initial_bytes(model), vec![start])]);
    loop {
        let mut entry = open.first_entry().expect("the end is reached");
        let peak = *entry.key();
        let Some(done) = entry.get_mut().pop() else {
            entry.remove();
            continue;
        };
        if !seen.insert(done.clone()) {
            continue;
        }
        let mut state = State::at(model, done);
        if state.is_complete() {
            return peak;
        }
        for n in (0..model.nodes.len()).filter(|&n| state.is_ready(n)).collect::<Vec<_>>() {
            let next = peak.max(state.peak_bytes(n));
            state.run(n);
            open.entry(next).or_default().push(state.done.clone());
            state.undo(n);
        }
    }
}

#[test]
fn the_search_finds_what_enumeration_finds() {
    for seed in 0..150 {
        let graph = Random::graph(seed, 2 + seed as usize % 4, 5);
        for options in [false, true].map(|fed| Options { fed, effort: 1, ..Options::default() }) {
            let model = Model::new(&graph, options.fed).unwrap();
            let found = schedules(&model, &options);
            assert_eq!(found.bound_bytes, found.peak_bytes(), "seed {seed}: exhausted");
            assert_eq!(found.peak_bytes(), enumerate(&model), "seed {seed}, {options:?}");
        }
    }
}

#[test]
fn items_are_alive_when_the_state_says_so() {
    for seed in 0..200 {
        let graph = Random::graph(seed, 2 + seed as usize % 12, 14);
        for options in each_option(1) {
            let model = Model::new(&graph, options.fed).unwrap();
            let (steps, peak_bytes) = schedules(&model, &options).schedules.pop().unwrap();
            let steps = tidy::tidy(&model, steps, peak_bytes);
            assert!(search::peak_bytes(&model, &steps) <= peak_bytes, "{seed}");
            let timeline = Timeline::new(&model, &steps);
            for (time, &live) in timeline.live_bytes.iter().enumerate() {
                let parts = timeline.items.iter().flat_map(|item| &item.parts);
                let alive = parts.filter(|part| (part.first..=part.last).contains(&time));
                let sum: usize = alive.map(|part| part.bytes).sum();
                assert_eq!(sum, live, "seed {seed}, {options:?}, step {time}");
            }
        }
    }
}

/// Inverted bottlenecks with residual sums, as in MobileNetV2.
fn deep() -> Graph {
    let mut graph = Graph::new("deep");
    let convolve = |graph: &mut Graph, x: TensorId, c: usize, k: usize, stride: u8| {
        let dims = graph.dims(x);
        let taps = if c == 0 { [1, k, k, dims[3]] } else { [c, k, k, dims[3]] };
        let w = graph.constant("w", &taps, Data::F32(vec![0.0; taps.iter().product()])).unwrap();
        let pad = k as u8 / 2;
        let window = Window { stride: [stride; 2], dilation: [1, 1], pads: [pad; 4] };
        let op: Op = match c {
            0 => DepthwiseConv2d { window, bounds: Bounds::None }.into(),
            _ => Conv2d { window, bounds: Bounds::None }.into(),
        };
        graph.apply(&format!("{}{}", op.name(), graph.nodes().len()), op, &[x, w]).unwrap()
    };
    let input = graph.input("input", &[1, 64, 64, 3]).unwrap();
    let mut x = convolve(&mut graph, input, 8, 3, 2);
    let widths = [8, 12, 12, 16, 16, 16, 24, 24, 24, 40, 40, 40, 64];
    for (i, c) in widths.into_iter().enumerate() {
        let c_in = graph.dims(x)[3];
        let stride = if [1, 3, 6].contains(&i) { 2 } else { 1 };
        let wide = convolve(&mut graph, x, 6 * c_in, 1, 1);
        let deep = convolve(&mut graph, wide, 0, 3, stride);
        let y = convolve(&mut graph, deep, c, 1, 1);
        let name = format!("sum{}", graph.nodes().len());
        let residual = stride == 1 && c == c_in;
        x = if residual { graph.apply(&name, Maximum {}, &[x, y]).unwrap() } else { y };
    }
    graph.mark_output(x);
    graph
}

#[test]
fn deep_networks_are_planned_in_seconds() {
    let graph = deep();
    let whole = crate::plan::whole(&graph);
    for fed in [false, true] {
        let start = std::time::Instant::now();
        let plan = plan(&graph, &Options { fed, effort: 1, ..Options::default() }).unwrap();
        assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
        execute(&graph, &plan);
        assert!(plan.arena_bytes * 2 < whole.arena_bytes, "{fed}: {}", plan.explain(&graph));
        assert!(plan.bound_bytes() <= plan.lower_bound_bytes(), "{fed}: {}", plan.explain(&graph));
    }
}

#[test]
fn only_one_input_is_fed() {
    let mut graph = Graph::new("two");
    let [a, b] = ["a", "b"].map(|name| graph.input(name, &[1, 4, 4, 2]).unwrap());
    let sum = graph.apply("max", Maximum {}, &[a, b]).unwrap();
    graph.mark_output(sum);
    let fed = Options { fed: true, ..Options::default() };
    let error = plan(&graph, &fed).unwrap_err().to_string();
    assert!(error.contains("two: has 2 inputs, and only one can be fed"), "{error}");
    execute(&graph, &plan(&graph, &Options::default()).unwrap());
}

/// Most bytes of an arena, with scratch memory: whole tensors, overlap, rows, and rows of an input that is fed.
const REFERENCE: [(&str, [usize; 4]); 4] = [
    ("mlperf_kws_int8", [16_384, 10_688, 5_146, 4_836]),
    ("mlperf_vww_int8", [65_536, 39_296, 28_800, 11_936]),
    ("mlperf_ic_int8", [50_176, 35_840, 12_864, 11_808]),
    ("mlperf_ad_int8", [1024, 1024, 1024, 1024]),
];

#[test]
fn reference_models_fit_where_they_should() {
    let Some(folder) = std::env::var_os("DUNLIN_ASSETS").map(std::path::PathBuf::from) else {
        return println!("skipped: DUNLIN_ASSETS does not name the folder of reference models");
    };
    for (name, limits) in REFERENCE {
        let mut real = import::load(&folder.join("models").join(format!("{name}.tflite"))).unwrap();
        passes::simplify(&mut real).unwrap();
        let (graph, _) = lower::lower(&real).unwrap();
        let start = std::time::Instant::now();
        let whole = crate::plan::plan(&graph);
        assert!(!matches!(whole.proof, Proof::Budget { .. }), "{name}: {}", whole.explain(&graph));
        assert!(start.elapsed().as_secs() < 1, "{name}: exact placement took {:?}", start.elapsed());
        execute(&graph, &whole);
        assert!(whole.arena_bytes <= limits[0], "{name}: {}", whole.explain(&graph));
        let options = |style, fed| Options { style, fed, ..Options::default() };
        let each = [options(Style::Overlap, false), options(Style::Rows, false), options(Style::Rows, true)];
        for (options, limit) in each.iter().zip(&limits[1..]) {
            let plan = plan(&graph, options).unwrap();
            execute(&graph, &plan);
            assert!(plan.arena_bytes <= *limit, "{name}, {options:?}: {}", plan.explain(&graph));
        }
    }
}
