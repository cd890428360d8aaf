//! Random int8 layers on every emulated core against the portable kernels, which the host runs: every length and
//! remainder, unaligned rows, padding on all sides, and factors and biases at the ends of their ranges.

use dunlin::ops::Factor;
use dunlin::ops::add::AddFactors;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::conv_pairs::Table;
use dunlin::ops::conv_vectors::{GROUP, VECTOR};
use dunlin::ops::depthwise_vectors::{CHANNELS, Field, RECORD_WORDS, place};
use dunlin::ops::fully_connected::{Groups, Weights};
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::{DType, Model, Session, ops};
use dunlin_converter::device::{
    self,
    boards::Board,
    emulator::Options,
    firmware,
    suite::{self, Answer},
};
use dunlin_converter::graph::Form;
use dunlin_converter::ops::Op;
use dunlin_converter::plan::plan;
use dunlin_converter::program::AlignedBytes;
use dunlin_converter::write::write;
use dunlin_converter::{Data, Graph, Kind, Quant, Result, TensorId};
use dunlin_tests::boards::runnable_boards;
use fastrand::Rng;

/// Layers for each board.
const N_LAYERS: u64 = 1900;
/// Taps of a row of most windows.
const MAX_NARROW: usize = 5;
/// Boards with less RAM may have no room for a layer.
const ENOUGH_RAM: u64 = 1 << 18;

/// A layer, its inputs, and the host's outputs.
struct Case {
    name: String,
    model: Vec<u8>,
    inputs: Vec<u8>,
    outputs: Vec<u8>,
}

#[test]
fn every_core_computes_random_layers_as_the_portable_kernels() {
    let cases: Vec<Case> = (0..N_LAYERS).filter_map(case).collect();
    assert!(cases.len() as u64 > N_LAYERS / 2, "only {} layers are valid", cases.len());
    let failures: Vec<String> =
        runnable_boards().iter().flat_map(|board| differences(board, &cases)).collect();
    for failure in &failures {
        println!("{failure}");
    }
    assert!(failures.is_empty(), "{} layers differ", failures.len());
}

fn differences(board: &Board, cases: &[Case]) -> Vec<String> {
    let home = device::home().unwrap();
    let firmware = firmware::build(&home, board, firmware::Program::Suite, true).unwrap();
    let sent: Vec<suite::Case> =
        cases.iter().map(|case| suite::Case { model: &case.model, inputs: &case.inputs }).collect();
    let options = Options { count: false, ..Options::default() };
    let answers = suite::run(&home, board, &firmware, &sent, options).unwrap();
    let is_small = board.memory().unwrap().ram_bytes < ENOUGH_RAM;
    let compared = cases.iter().zip(&answers).filter_map(|(case, answer)| match answer {
        Answer::Ran { outputs, .. } if *outputs == case.outputs => None,
        Answer::NoRoom if is_small => None,
        Answer::Ran { outputs, .. } => {
            let at = (0..outputs.len()).find(|&i| outputs[i] != case.outputs[i]);
            Some(format!("{} on {}: differs from element {at:?} on", case.name, board.name))
        }
        other => Some(format!("{} on {}: {other:?}", case.name, board.name)),
    });
    compared.collect()
}

/// Layer number `seed`, unless its sizes are no layer.
fn case(seed: u64) -> Option<Case> {
    let mut layer = Layer::new(seed);
    let made = match seed % 19 {
        8 | 9 => layer.depthwise_records(),
        10 | 11 => layer.conv_pairs(),
        12 | 13 => layer.conv_winograd(),
        15 | 16 => layer.conv_vectors(),
        17 | 18 => layer.depthwise_vectors(),
        0 => layer.pointwise(),
        1 | 2 => layer.conv(),
        4 if (seed / 19).is_multiple_of(2) => layer.transpose_conv(),
        3 | 4 => layer.depthwise(),
        5 => layer.fully_connected(),
        6 => match seed / 19 % 4 {
            0 | 1 => layer.max_pool(),
            2 => layer.average_pool(),
            _ => layer.mean(),
        },
        14 => layer.moved(),
        _ => match seed / 19 % 3 {
            0 => layer.weighted_sum(),
            1 => layer.mul(),
            _ => layer.add(),
        },
    };
    let output = made.ok()?;
    let Layer { mut graph, inputs, mut rng } = layer;
    graph[output].quant =
        Some(Quant::i8(1.0, graph[output].quant.as_ref().map_or(zero_point(&mut rng), |q| q.zero_point)));
    graph.mark_output(output);
    let node = &graph.nodes()[0];
    let dims: Vec<_> = node.inputs.iter().chain(&node.outputs).map(|&id| graph.dims(id)).collect();
    let name = format!("layer {seed}: {:?} of {dims:?}", node.op);
    let model = write(&graph, &plan(&graph)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let bytes = AlignedBytes::from(&model[..]);
    let checked = Model::check(&bytes, ops::ALL).ok()?;
    let mut arena = AlignedBytes::zeroed(checked.arena_bytes());
    let mut session = Session::new(&checked, &mut arena).unwrap();
    for (i, x) in inputs.iter().enumerate() {
        session.input(i).unwrap().copy_from(x).unwrap();
    }
    let outputs = session.run().output_bytes(0).unwrap().to_vec();
    let inputs = inputs.concat().iter().map(|&x| x as u8).collect();
    Some(Case { name, model, inputs, outputs })
}

/// A graph of one layer in the making.
struct Layer {
    graph: Graph,
    inputs: Vec<Vec<i8>>,
    rng: Rng,
}

impl Layer {
    fn new(seed: u64) -> Layer {
        let mut graph = Graph::new("layer");
        graph.form = Form::Device;
        Layer { graph, inputs: Vec::new(), rng: Rng::with_seed(seed) }
    }

    fn input(&mut self, dims: &[usize]) -> Result<TensorId> {
        let id = self.graph.input_of(&format!("x{}", self.inputs.len()), DType::I8, dims)?;
        self.graph[id].quant = Some(Quant::i8(1.0, zero_point(&mut self.rng)));
        self.inputs.push(elements(&mut self.rng, dims.iter().product()));
        Ok(id)
    }

    fn weights(&mut self, dims: &[usize]) -> Result<TensorId> {
        let data = elements(&mut self.rng, dims.iter().product());
        self.graph.constant("w", dims, Data::I8(data))
    }

    /// A channel table for sums of `n` products.
    fn table(&mut self, channels: usize, n: usize) -> Result<TensorId> {
        let odd_channels = self.rng.bool();
        self.table_of(channels, n, odd_channels)
    }

    /// The same; `odd_channels`: some channels have factors and biases at the edges.
    fn table_of(&mut self, channels: usize, n: usize, odd_channels: bool) -> Result<TensorId> {
        let rng = &mut self.rng;
        // Small images have few outputs of which one could see anything if most of them are saturated.
        let usual_shift = -(n.ilog2() as i32 / 2) - 6;
        let mut table = Vec::new();
        for _ in 0..channels {
            let odd = odd_channels && rng.u8(..3) == 0;
            let bias =
                if odd { rng.choice([0, i32::MAX, i32::MIN, -1]).unwrap_or(0) } else { rng.i32(-9999..9999) };
            let edges = [0, 1, (1 << 30) - 1, 1 << 30, i32::MAX];
            let multiplier = if odd { rng.choice(edges).unwrap_or(0) } else { rng.i32(1 << 30..=i32::MAX) };
            let shift = if odd { rng.i32(-31..=30) } else { usual_shift + rng.i32(-2..=2) };
            table.extend([bias, multiplier, shift]);
        }
        self.graph.constant("table", &[channels, 3], Data::I32(table))
    }

    /// A table of scaled channels for sums of `n` products: whatever the numbers are.
    fn scaled_table(&mut self, channels: usize, n: usize) -> Result<TensorId> {
        let rng = &mut self.rng;
        let mut table = Vec::new();
        for _ in 0..channels {
            let usual = rng.u8(..3) != 0;
            let shift = if usual { rng.i32(2..=8) } else { rng.i32(..32) };
            let multiplier = if usual { (1 << 30) / n as i32 } else { rng.i32(..) };
            table.extend([rng.i32(-9999..9999), multiplier, (rng.i32(..) >> 14) << 8 | shift]);
        }
        self.graph.constant("table", &[channels, 3], Data::I32(table))
    }

    /// Puts the entries of `group` channels together: biases, multipliers, shifts.
    fn group_table(&mut self, table: TensorId, groups: Groups) {
        let Kind::Constant(Data::I32(entries)) = &mut self.graph[table].kind else { panic!("no table") };
        for group in entries.chunks_exact_mut(3 * groups.channels) {
            let entries = group.to_vec();
            (0..group.len()).for_each(|i| group[i] = entries[i % groups.channels * 3 + i / groups.channels]);
            if groups.shifts_right {
                group[2 * groups.channels..].iter_mut().for_each(|shift| *shift = -*shift);
            }
        }
    }

    fn bounds(&mut self) -> Bounds {
        match self.rng.u8(..4) {
            0 => Bounds::I8 { lo: self.rng.i8(-128..0), hi: self.rng.i8(0..) },
            _ => Bounds::None,
        }
    }

    fn window(&mut self, kernel: [usize; 2]) -> Window {
        let rng = &mut self.rng;
        let mut pad = |kernel: usize| if rng.bool() { 0 } else { rng.usize(..kernel + 1) as u8 };
        let pads = [pad(kernel[0]), pad(kernel[1]), pad(kernel[0]), pad(kernel[1])];
        let dilation = if rng.u8(..4) == 0 { [rng.u8(1..3), rng.u8(1..3)] } else { [1, 1] };
        let window = Window { stride: [rng.u8(1..4), rng.u8(1..4)], dilation, pads };
        if kernel[1] <= MAX_NARROW {
            return window;
        }
        // Of neighbours several begin in the padding.
        let side = rng.u8(4..kernel[1] as u8);
        Window { stride: [window.stride[0], 1], dilation: [1, 1], pads: [pads[0], side, pads[2], side] }
    }

    /// Taps of a row: of every fourth window so many that padding may hold several positions as a whole.
    fn width(&mut self) -> usize {
        if self.rng.u8(..4) == 0 {
            self.rng.usize(MAX_NARROW + 1..12)
        } else {
            self.rng.usize(1..=MAX_NARROW)
        }
    }

    /// Rows of every width, and numbers of channels with every remainder.
    fn pointwise(&mut self) -> Result<TensorId> {
        let width = self.rng.usize(1..24);
        let (c_in, c_out) = (self.channels(200), self.channels(40));
        let x = self.input(&[1, 2, width, c_in])?;
        let inputs = [x, self.weights(&[c_out, 1, 1, c_in])?, self.table(c_out, c_in)?];
        let op = ops::Conv2d { window: Window::UNIT, bounds: self.bounds() };
        self.graph.apply("layer", op, &inputs)
    }

    fn conv(&mut self) -> Result<TensorId> {
        // Few windows are taller than a kernel has places for.
        let height = if self.rng.u8(..8) == 0 { 13..20 } else { 1..6 };
        let kernel = [self.rng.usize(height), self.width()];
        let (c_in, c_out) = (self.channels(40), self.channels(36));
        let x = self.image(c_in)?;
        let n = kernel[0] * kernel[1] * c_in;
        let inputs = [x, self.weights(&[c_out, kernel[0], kernel[1], c_in])?, self.table(c_out, n)?];
        let op = ops::Conv2d { window: self.window(kernel), bounds: self.bounds() };
        self.graph.apply("layer", op, &inputs)
    }

    /// Windows of all sizes, channels with every remainder and multipliers.
    fn depthwise(&mut self) -> Result<TensorId> {
        let usual = self.rng.bool();
        let kernel = if usual { [3, 3] } else { [self.rng.usize(1..8), self.rng.usize(1..10)] };
        let c_in = self.channels(36);
        let c_out = if self.rng.u8(..3) != 0 { c_in } else { c_in * self.rng.usize(2..4) };
        let x = self.image(c_in)?;
        let inputs =
            [x, self.weights(&[1, kernel[0], kernel[1], c_out])?, self.table(c_out, kernel[0] * kernel[1])?];
        let op = ops::DepthwiseConv2d { window: self.window(kernel), bounds: self.bounds() };
        self.graph.apply("layer", op, &inputs)
    }

    /// Windows of all sizes, and every size of the output that they may come from.
    fn transpose_conv(&mut self) -> Result<TensorId> {
        let kernel = [self.rng.usize(1..6), self.rng.usize(1..6)];
        let (c_in, c_out) = (self.channels(40), self.channels(36));
        let x = self.image(c_in)?;
        let window = self.window(kernel);
        let image = self.graph.dims(x);
        let mut output = |axis: usize| {
            let stride = window.stride[axis] as usize;
            let reach =
                (image[1 + axis] - 1) * stride + (kernel[axis] - 1) * window.dilation[axis] as usize + 1;
            let pads = (window.pads[axis] + window.pads[axis + 2]) as usize;
            (reach + self.rng.usize(..stride)).saturating_sub(pads).max(1) as u16
        };
        let output = [output(0), output(1)];
        let n = kernel[0] * kernel[1] * c_in;
        let inputs = [x, self.weights(&[c_out, kernel[0], kernel[1], c_in])?, self.table(c_out, n)?];
        let op = ops::TransposeConv2d { window, output, bounds: self.bounds() };
        self.graph.apply("layer", op, &inputs)
    }

    /// Whatever the words are.
    fn depthwise_records(&mut self) -> Result<TensorId> {
        let channels = 4 * self.rng.usize(1..9);
        let images = self.rng.usize(1..3);
        let at_once = if images == 1 { self.rng.u8(1..3) } else { 1 };
        let dims = [images, self.rng.usize(1..7), self.rng.usize(1..36), channels];
        let x = self.input(&dims)?;
        let usual = self.rng.bool();
        let words = |rng: &mut Rng| -> [i32; 8] {
            let pairs: [i32; 5] = std::array::from_fn(|_| rng.i32(..) & 0x0FFF_0FFF);
            let [a, b, c, d, e] = if usual { pairs } else { std::array::from_fn(|_| rng.i32(..)) };
            let ends = if usual {
                [rng.i32(-1 << 20..1 << 20), rng.i32(1 << 30..), rng.i32(..) >> 12]
            } else {
                std::array::from_fn(|_| rng.i32(..))
            };
            [a, b, c, d, e, ends[0], ends[1], ends[2]]
        };
        let data = (0..channels).flat_map(|_| words(&mut self.rng)).collect();
        let records = self.graph.constant("records", &[channels, 8], Data::I32(data))?;
        let mut pad = || self.rng.u8(..2);
        let pads = [pad(), pad(), pad(), pad()];
        let stride = if at_once == 2 { [1, 1] } else { [self.rng.u8(1..3), self.rng.u8(1..3)] };
        let window = Window { stride, dilation: [1, 1], pads };
        let op = ops::DepthwiseRecords { window, bounds: self.bounds(), at_once };
        self.graph.apply("layer", op, &[x, records])
    }

    /// Whatever the weights are, but none is -128.
    fn depthwise_vectors(&mut self) -> Result<TensorId> {
        let channels = CHANNELS * self.rng.usize(1..5);
        let x = self.image(channels)?;
        let table = self.table_of(channels, 9, false)?;
        let Kind::Constant(Data::I32(entries)) = self.graph[table].kind.clone() else { panic!("no table") };
        let mut records = Vec::new();
        for entries in entries.chunks(3 * CHANNELS) {
            let weights = elements(&mut self.rng, 9 * CHANNELS);
            let words =
                weights.chunks(4).map(|w| i32::from_le_bytes([0, 1, 2, 3].map(|i| w[i].max(-127) as u8)));
            let mut record: Vec<i32> = words.collect();
            record.resize(RECORD_WORDS, 0);
            for (c, entry) in entries.chunks(3).enumerate() {
                for (field, &number) in [Field::Bias, Field::Multiplier, Field::Shift].into_iter().zip(entry)
                {
                    record[field.start() + place(c)] = number;
                }
            }
            records.extend(record);
        }
        let records =
            self.graph.constant("records", &[channels / CHANNELS, RECORD_WORDS], Data::I32(records))?;
        let op = ops::DepthwiseVectors { window: self.window([3, 3]), bounds: self.bounds() };
        self.graph.apply("layer", op, &[x, records])
    }

    /// Whatever the bytes are, they are pairs.
    fn conv_pairs(&mut self) -> Result<TensorId> {
        let height = if self.rng.u8(..8) == 0 { 13..20 } else { 1..6 };
        let kernel = if self.rng.bool() { [1, 1] } else { [self.rng.usize(height), self.width()] };
        // Of few channels all taps are widened at a time.
        let few = if kernel[0] > MAX_NARROW { 4 } else { 60 };
        let (c_in, c_out) = (self.channels(few), self.rng.usize(2..52));
        let x = self.image(c_in)?;
        let window = if kernel == [1, 1] && self.rng.bool() { Window::UNIT } else { self.window(kernel) };
        let table = if self.rng.bool() { Table::Factors } else { Table::Scaled };
        let op =
            ops::ConvPairs { window, bounds: self.bounds(), kernel: kernel.map(|taps| taps as u8), table };
        let n = kernel[0] * kernel[1] * c_in;
        let entries = match table {
            Table::Factors => self.table_of(c_out, n, false)?,
            Table::Scaled => self.scaled_table(c_out, n)?,
        };
        let rows = c_out.next_multiple_of(2);
        let inputs = [x, self.weights(&[rows, op.taps(c_in)])?, entries];
        self.graph.apply("layer", op, &inputs)
    }

    /// Whatever the bytes are, they are weights where they are taps.
    fn conv_vectors(&mut self) -> Result<TensorId> {
        let height = if self.rng.u8(..8) == 0 { 13..20 } else { 1..6 };
        let kernel = if self.rng.bool() { [1, 1] } else { [self.rng.usize(height), self.width()] };
        let (c_in, c_out) = (self.channels(80), 4 * self.rng.usize(1..16));
        let x = self.image(c_in)?;
        let window = if kernel == [1, 1] && self.rng.bool() { Window::UNIT } else { self.window(kernel) };
        let window = Window { dilation: [window.dilation[0], 1], ..window };
        let (bounds, in_lines) = (self.bounds(), self.rng.u8(..3) != 0);
        let op = ops::ConvVectors { window, bounds, kernel: kernel.map(|taps| taps as u8), in_lines };
        let line = op.line(c_in);
        let w = self.weights(&[c_out, line.channel_bytes])?;
        let Kind::Constant(Data::I8(bytes)) = &mut self.graph[w].kind else { panic!("no weights") };
        let places = (0..line.channel_bytes).step_by(VECTOR).cycle();
        for (vectors, place) in bytes.chunks_mut(GROUP * VECTOR).zip(places) {
            let fills = (0..vectors.len()).filter(|i| !line.is_tap(place + i % VECTOR));
            fills.for_each(|i| vectors[i] = 0);
        }
        let table = self.table_of(c_out, kernel[0] * kernel[1] * c_in, false)?;
        self.group_table(table, Groups { channels: GROUP, shifts_right: false });
        self.graph.apply("layer", op, &[x, w, table])
    }

    /// Whatever the numbers are, they are transformed weights.
    fn conv_winograd(&mut self) -> Result<TensorId> {
        let (c_in, c_out) = (4 * self.rng.usize(1..16), 2 * self.rng.usize(1..12));
        let x = self.image(c_in)?;
        let at_once = if self.graph.dims(x)[0] == 1 { self.rng.u8(1..3) } else { 1 };
        let mut pad = || self.rng.u8(..3);
        let window = Window { pads: [pad(), pad(), pad(), pad()], ..Window::UNIT };
        let op = ops::ConvWinograd { window, bounds: self.bounds(), at_once };
        let most = if self.rng.u8(..5) == 0 { i16::MAX } else { 1152 };
        let dims = [c_out, op.weights(c_in)];
        let weights = (0..dims[0] * dims[1]).map(|_| self.rng.i16(-most..=most)).collect();
        let weights = self.graph.constant("w", &dims, Data::I16(weights))?;
        // Transformed numbers are some bits longer.
        let inputs = [x, weights, self.table_of(c_out, 64 * 9 * c_in, false)?];
        self.graph.apply("layer", op, &inputs)
    }

    fn fully_connected(&mut self) -> Result<TensorId> {
        let (n, k, c_out) = (self.rng.usize(1..3), self.channels(700), self.channels(60));
        if self.rng.u8(..3) == 0 {
            return self.quads(n, c_out);
        }
        // Whatever the bytes are, they are in any other order too.
        let weights = match self.rng.u8(..5) {
            0 | 1 => Weights::VECTORS,
            2 | 3 if k % 4 == 0 => Weights::WORDS,
            _ => Weights::ROWS,
        };
        let k = if weights == Weights::VECTORS && self.rng.bool() { k.next_multiple_of(16) } else { k };
        let odd_channels = weights == Weights::ROWS && self.rng.bool();
        let x = self.input(&[n, k])?;
        let inputs = [x, self.weights(&[c_out, k])?, self.table_of(c_out, k, odd_channels)?];
        self.group_table(inputs[2], weights.table_groups(k));
        let op = ops::FullyConnected { bounds: self.bounds(), weights };
        self.graph.apply("layer", op, &inputs)
    }

    /// A fully connected layer of quads: of any number of taps and chunks of them, most often with sums of as many bits as they
    /// are kept in.
    fn quads(&mut self, n: usize, c_out: usize) -> Result<TensorId> {
        let k = match self.rng.u8(..4) {
            0 => self.rng.usize(1..20),
            1 => self.rng.choice([255, 256, 257, 511, 512, 513, 640, 641]).unwrap_or(1),
            _ => self.rng.usize(1..1600),
        };
        let columns = k.next_multiple_of(8);
        let x = self.input(&[n, k])?;
        let weights = Weights::quads((columns - k) as u8, self.rng.bool());
        let fits = weights.is_wide() || self.rng.u8(..8) == 0;
        let smaller = if fits { 1 } else { (k / 256 + 1).next_power_of_two() as i8 };
        // What is behind the taps does not matter.
        let bytes = elements(&mut self.rng, c_out * columns).iter().map(|w| w / smaller).collect();
        let w = self.graph.constant("w", &[c_out, columns], Data::I8(bytes))?;
        let table = self.table_of(c_out, k, false)?;
        if self.rng.u8(..4) == 0 {
            self.any_biases(table);
        }
        self.group_table(table, weights.table_groups(k));
        let op = ops::FullyConnected { bounds: self.bounds(), weights };
        self.graph.apply("layer", op, &[x, w, table])
    }

    /// Some channels begin at the ends of what 32 bits hold.
    fn any_biases(&mut self, table: TensorId) {
        let Layer { graph, rng, .. } = self;
        let Kind::Constant(Data::I32(entries)) = &mut graph[table].kind else { panic!("no table") };
        for bias in entries.iter_mut().step_by(3) {
            let ends = [i32::MAX, i32::MIN, 1 << 30, -1 << 23, rng.i32(..), *bias, *bias];
            *bias = rng.choice(ends).unwrap_or(0);
        }
    }

    fn average_pool(&mut self) -> Result<TensorId> {
        let (pooling, x) = self.pooling()?;
        self.same_numbers(ops::AveragePool2d(pooling), &[x])
    }

    fn max_pool(&mut self) -> Result<TensorId> {
        let (pooling, x) = self.pooling()?;
        self.same_numbers(ops::MaxPool2d(pooling), &[x])
    }

    fn pooling(&mut self) -> Result<(Pooling, TensorId)> {
        let kernel = [self.rng.u8(1..9), self.rng.u8(1..9)];
        let channels = self.channels(40);
        let x = self.image(channels)?;
        let window = Window { dilation: [1, 1], ..self.window(kernel.map(usize::from)) };
        Ok((Pooling { kernel, window, bounds: self.bounds() }, x))
    }

    /// Applies an operator whose output has the quantization of its input.
    fn same_numbers(&mut self, op: impl Into<Op>, inputs: &[TensorId]) -> Result<TensorId> {
        let output = self.graph.apply("layer", op, inputs)?;
        self.graph[output].quant = self.graph[inputs[0]].quant.clone();
        Ok(output)
    }

    /// Along any axes, most often those of the image; sums of more elements than 16 bits hold.
    fn mean(&mut self) -> Result<TensorId> {
        let channels = self.channels(40);
        let [h, w] = [self.rng.usize(1..24), self.rng.usize(1..24)];
        let x = self.input(&[1, h, w, channels])?;
        let axes = if self.rng.bool() { 0b0110 } else { self.rng.u8(1..16) };
        let n = [1, h, w, channels]
            .iter()
            .enumerate()
            .filter(|(i, _)| axes >> i & 1 != 0)
            .map(|(_, n)| n)
            .product();
        let ratio = Factor::from_real(self.rng.f64() * 2.0).unwrap_or_default();
        let op = ops::Mean { axes, keep_dims: self.rng.bool(), factor: Some(ops::Mean::factor_of(ratio, n)) };
        self.graph.apply("layer", op, &[x])
    }

    /// Elements that go elsewhere as they are, or mixed with their neighbours.
    fn moved(&mut self) -> Result<TensorId> {
        let channels = self.channels(24);
        let (x, rng) = (self.image(channels)?, &mut self.rng);
        let shape = self.graph[x].ty.shape;
        let op = match rng.u8(..6) {
            0 => Op::from(ops::Pad { pads: [(); 4].map(|()| [rng.u16(..3), rng.u16(..3)]) }),
            1 => {
                let op = ops::Concat { axis: rng.u8(..4) };
                return self.same_numbers(op, &[x, x]);
            }
            2 => {
                let mut perm = [0, 1, 2, 3];
                rng.shuffle(&mut perm);
                ops::Transpose { perm }.into()
            }
            3 => ops::Slice {
                begin: [0, 1, 2, 3].map(|i| shape.dim(i) as u32 - 1),
                len: [0, 1, 2, 3].map(|i| rng.u32(1..=shape.dim(i) as u32)),
                stride: [-1; 4],
            }
            .into(),
            kind => {
                let [align_corners, half_pixel_centers] =
                    [[false, false], [true, false], [false, true]][rng.usize(..3)];
                let size = [rng.u16(1..12), rng.u16(1..40)];
                let resize = ops::resize::Resize { size, align_corners, half_pixel_centers };
                if kind == 4 { ops::ResizeNearest(resize).into() } else { ops::ResizeBilinear(resize).into() }
            }
        };
        self.same_numbers(op, &[x])
    }

    fn add(&mut self) -> Result<TensorId> {
        let channels = self.channels(40);
        let dims = [1, self.rng.usize(1..4), self.rng.usize(1..9), channels];
        let [a, b] = [self.input(&dims)?, self.input(&dims)?];
        let factor = |rng: &mut Rng, real: f64| Factor::from_real(real * rng.f64()).unwrap_or_default();
        let rng = &mut self.rng;
        let mut operands = [factor(rng, 1.0), factor(rng, 1.0)];
        // The greater scale has the half of the common one.
        operands[rng.usize(..2)] = Factor { multiplier: 1 << 30, shift: 0 };
        let output = factor(rng, 8.0 / (1 << 20) as f64);
        let op = ops::Add { bounds: self.bounds(), factors: Some(AddFactors { operands, output }) };
        self.graph.apply("layer", Op::from(op), &[a, b])
    }

    /// Two tensors, of which the second may be stretched: a number for each channel, or one for all.
    fn operands(&mut self) -> Result<[TensorId; 2]> {
        let channels = self.channels(40);
        let dims = [1, self.rng.usize(1..4), self.rng.usize(1..9), channels];
        let stretched = match self.rng.u8(..6) {
            0 => &dims[3..],
            1 => &[1][..],
            _ => &dims,
        };
        Ok([self.input(&dims)?, self.input(stretched)?])
    }

    fn mul(&mut self) -> Result<TensorId> {
        let [a, b] = self.operands()?;
        let inputs = if self.rng.bool() { [a, b] } else { [b, a] };
        let most = self.rng.choice([1.0, 1.0 / 128.0]).unwrap_or(1.0);
        let factor = Factor::from_real(most * self.rng.f64());
        let op = ops::Mul { bounds: self.bounds(), factor };
        self.graph.apply("layer", op, &inputs)
    }

    /// Whatever the weights are.
    fn weighted_sum(&mut self) -> Result<TensorId> {
        let inputs = self.operands()?;
        let rng = &mut self.rng;
        let reach = rng.choice([1 << 27, 1 << 30]).unwrap_or(1);
        let op = ops::WeightedSum {
            weights: [rng.i32(-reach..reach), rng.i32(-reach..reach)],
            offset: rng.i32(-1 << 30..1 << 30),
            bounds: self.bounds(),
        };
        self.graph.apply("layer", op, &inputs)
    }

    fn image(&mut self, channels: usize) -> Result<TensorId> {
        let dims = [self.rng.usize(1..3), self.rng.usize(1..7), self.rng.usize(1..36), channels];
        self.input(&dims)
    }

    /// A number of channels, of which every other one is a multiple of 4.
    fn channels(&mut self, most: usize) -> usize {
        let n = self.rng.usize(1..=most);
        if self.rng.bool() { n.next_multiple_of(4) } else { n }
    }
}

/// Elements of which some layers have nothing but the ends of the range.
fn elements(rng: &mut Rng, n: usize) -> Vec<i8> {
    let extreme = rng.u8(..5) == 0;
    let one = |rng: &mut Rng| if rng.bool() { i8::MAX } else { i8::MIN };
    (0..n).map(|_| if extreme { one(rng) } else { rng.i8(..) }).collect()
}

fn zero_point(rng: &mut Rng) -> i32 {
    match rng.u8(..4) {
        0 => -128,
        1 => 127,
        _ => rng.i8(..) as i32,
    }
}
