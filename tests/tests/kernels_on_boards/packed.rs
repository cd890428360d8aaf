//! Layers in the forms that some cores read faster.

use dunlin::ops;
use dunlin::ops::conv_pairs::Table;
use dunlin::ops::conv_vectors::{GROUP, VECTOR};
use dunlin::ops::depthwise_vectors::{CHANNELS, Field, RECORD_WORDS, place};
use dunlin::ops::fully_connected::{Groups, Weights};
use dunlin::ops::window::Window;
use dunlin_converter::{Data, Kind, Result, TensorId};
use fastrand::Rng;

use super::layer::{Layer, MAX_NARROW, elements};

impl Layer {
    /// Whatever the words are.
    pub fn depthwise_records(&mut self) -> Result<TensorId> {
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
    pub fn depthwise_vectors(&mut self) -> Result<TensorId> {
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
    pub fn conv_pairs(&mut self) -> Result<TensorId> {
        let height = if self.rng.u8(..8) == 0 { 13..20 } else { 1..6 };
        let kernel = if self.rng.bool() { [1, 1] } else { [self.rng.usize(height), self.width()] };
        // Of few channels all taps are widened at a time.
        let few = if kernel[0] > MAX_NARROW { 4 } else { 60 };
        let (c_in, c_out) = (self.channels(few), self.rng.usize(2..52));
        let x = self.image(c_in)?;
        let window = if kernel == [1, 1] && self.rng.bool() { Window::UNIT } else { self.window(kernel) };
        let table = if self.rng.bool() { Table::Factors } else { Table::Lines };
        let (kernel_taps, channels) = (kernel.map(|taps| taps as u8), c_out as u32);
        let op = ops::ConvPairs { window, bounds: self.bounds(), kernel: kernel_taps, channels, table };
        let n = kernel[0] * kernel[1] * c_in;
        let entries = self.pairs_table(c_out.div_ceil(2), n, table)?;
        let rows = c_out.next_multiple_of(2);
        let inputs = [x, self.weights(&[rows, op.taps(c_in)])?, entries];
        self.graph.apply("layer", op, &inputs)
    }

    /// Whatever the bytes are, they are weights where they are taps.
    pub fn conv_vectors(&mut self) -> Result<TensorId> {
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
    pub fn conv_winograd(&mut self) -> Result<TensorId> {
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

    pub fn fully_connected(&mut self) -> Result<TensorId> {
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
    pub fn quads(&mut self, n: usize, c_out: usize) -> Result<TensorId> {
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
    pub fn any_biases(&mut self, table: TensorId) {
        let Layer { graph, rng, .. } = self;
        let Kind::Constant(Data::I32(entries)) = &mut graph[table].kind else { panic!("no table") };
        for bias in entries.iter_mut().step_by(3) {
            let ends = [i32::MAX, i32::MIN, 1 << 30, -1 << 23, rng.i32(..), *bias, *bias];
            *bias = rng.choice(ends).unwrap_or(0);
        }
    }
}
