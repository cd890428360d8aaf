//! A graph of one random layer, and what every kind of layer draws: inputs, weights, tables, windows.

use dunlin::DType;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::conv_pairs::Table;
use dunlin::ops::fully_connected::Groups;
use dunlin::ops::window::Window;
use dunlin_converter::graph::Form;
use dunlin_converter::{Data, Graph, Kind, Quant, Result, TensorId};
use fastrand::Rng;

/// Taps of a row of most windows.
pub const MAX_NARROW: usize = 5;

/// A graph of one layer in the making.
pub struct Layer {
    pub graph: Graph,
    /// Elements of each input.
    pub inputs: Vec<Vec<i8>>,
    pub rng: Rng,
}

impl Layer {
    pub fn new(seed: u64) -> Layer {
        let mut graph = Graph::new("layer");
        graph.form = Form::Device;
        Layer { graph, inputs: Vec::new(), rng: Rng::with_seed(seed) }
    }

    pub fn input(&mut self, dims: &[usize]) -> Result<TensorId> {
        let id = self.graph.input_of(&format!("x{}", self.inputs.len()), DType::I8, dims)?;
        self.graph[id].quant = Some(Quant::i8(1.0, zero_point(&mut self.rng)));
        self.inputs.push(elements(&mut self.rng, dims.iter().product()));
        Ok(id)
    }

    pub fn weights(&mut self, dims: &[usize]) -> Result<TensorId> {
        let data = elements(&mut self.rng, dims.iter().product());
        self.graph.constant("w", dims, Data::I8(data))
    }

    /// A channel table for sums of `n` products.
    pub fn table(&mut self, channels: usize, n: usize) -> Result<TensorId> {
        let odd_channels = self.rng.bool();
        self.table_of(channels, n, odd_channels)
    }

    /// The same; `odd_channels`: some channels have factors and biases at the edges.
    pub fn table_of(&mut self, channels: usize, n: usize, odd_channels: bool) -> Result<TensorId> {
        let rng = &mut self.rng;
        let usual_shift = usual_shift(n);
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

    /// A table of pairs of channels for sums of `n` products: of lines whatever the numbers are.
    pub fn pairs_table(&mut self, pairs: usize, n: usize, table: Table) -> Result<TensorId> {
        let rng = &mut self.rng;
        let usual_shift = usual_shift(n);
        let mut entries = Vec::new();
        for _ in 0..pairs {
            let [first, second] = [0, 1].map(|_| rng.i32(-9999..9999));
            entries.extend([first, first + 256 * second]);
            for point in [4, 12] {
                let usual = rng.u8(..3) != 0;
                entries.extend(match table {
                    Table::Factors => [
                        rng.i32(1 << 30..),
                        if usual { usual_shift + rng.i32(-2..=2) } else { rng.i32(-31..0) },
                    ],
                    Table::Lines if usual => {
                        [i32::MAX / n as i32, rng.i32(-1 << (7 + point)..1 << (7 + point))]
                    }
                    Table::Lines => [rng.i32(..), rng.i32(..)],
                });
            }
        }
        self.graph.constant("table", &[pairs, 6], Data::I32(entries))
    }

    /// Puts the entries of `group` channels together: biases, multipliers, shifts.
    pub fn group_table(&mut self, table: TensorId, groups: Groups) {
        let Kind::Constant(Data::I32(entries)) = &mut self.graph[table].kind else { panic!("no table") };
        for group in entries.chunks_exact_mut(3 * groups.channels) {
            let entries = group.to_vec();
            (0..group.len()).for_each(|i| group[i] = entries[i % groups.channels * 3 + i / groups.channels]);
            if groups.shifts_right {
                group[2 * groups.channels..].iter_mut().for_each(|shift| *shift = -*shift);
            }
        }
    }

    pub fn bounds(&mut self) -> Bounds {
        match self.rng.u8(..4) {
            0 => Bounds::I8 { lo: self.rng.i8(-128..0), hi: self.rng.i8(0..) },
            _ => Bounds::None,
        }
    }

    pub fn window(&mut self, kernel: [usize; 2]) -> Window {
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
    pub fn width(&mut self) -> usize {
        if self.rng.u8(..4) == 0 {
            self.rng.usize(MAX_NARROW + 1..12)
        } else {
            self.rng.usize(1..=MAX_NARROW)
        }
    }

    pub fn image(&mut self, channels: usize) -> Result<TensorId> {
        let dims = [self.rng.usize(1..3), self.rng.usize(1..7), self.rng.usize(1..36), channels];
        self.input(&dims)
    }

    /// A number of channels, of which every other one is a multiple of 4.
    pub fn channels(&mut self, most: usize) -> usize {
        let n = self.rng.usize(1..=most);
        if self.rng.bool() { n.next_multiple_of(4) } else { n }
    }
}

/// Elements of which some layers have nothing but the ends of the range.
pub fn elements(rng: &mut Rng, n: usize) -> Vec<i8> {
    let extreme = rng.u8(..5) == 0;
    let one = |rng: &mut Rng| if rng.bool() { i8::MAX } else { i8::MIN };
    (0..n).map(|_| if extreme { one(rng) } else { rng.i8(..) }).collect()
}

pub fn zero_point(rng: &mut Rng) -> i32 {
    match rng.u8(..4) {
        0 => -128,
        1 => 127,
        _ => rng.i8(..) as i32,
    }
}

/// The shift to the left of a factor for sums of `n` products: small images have few outputs, of which one could see nothing
/// if most of them were saturated.
fn usual_shift(n: usize) -> i32 {
    -(n.ilog2() as i32 / 2) - 6
}
