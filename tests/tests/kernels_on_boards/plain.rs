//! Layers as networks have them.

use dunlin::ops;
use dunlin::ops::Factor;
use dunlin::ops::add::AddFactors;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin_converter::ops::Op;
use dunlin_converter::{Result, TensorId};
use fastrand::Rng;

use super::layer::Layer;

impl Layer {
    /// Rows of every width, and numbers of channels with every remainder.
    pub fn pointwise(&mut self) -> Result<TensorId> {
        let width = self.rng.usize(1..24);
        let (c_in, c_out) = (self.channels(200), self.channels(40));
        let x = self.input(&[1, 2, width, c_in])?;
        let inputs = [x, self.weights(&[c_out, 1, 1, c_in])?, self.table(c_out, c_in)?];
        let op = ops::Conv2d { window: Window::UNIT, bounds: self.bounds() };
        self.graph.apply("layer", op, &inputs)
    }

    pub fn conv(&mut self) -> Result<TensorId> {
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
    pub fn depthwise(&mut self) -> Result<TensorId> {
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
    pub fn transpose_conv(&mut self) -> Result<TensorId> {
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

    pub fn average_pool(&mut self) -> Result<TensorId> {
        let (pooling, x) = self.pooling()?;
        self.same_numbers(ops::AveragePool2d(pooling), &[x])
    }

    pub fn max_pool(&mut self) -> Result<TensorId> {
        let (pooling, x) = self.pooling()?;
        self.same_numbers(ops::MaxPool2d(pooling), &[x])
    }

    pub fn pooling(&mut self) -> Result<(Pooling, TensorId)> {
        let kernel = [self.rng.u8(1..9), self.rng.u8(1..9)];
        let channels = self.channels(40);
        let x = self.image(channels)?;
        let window = Window { dilation: [1, 1], ..self.window(kernel.map(usize::from)) };
        Ok((Pooling { kernel, window, bounds: self.bounds() }, x))
    }

    /// Applies an operator whose output has the quantization of its input.
    pub fn same_numbers(&mut self, op: impl Into<Op>, inputs: &[TensorId]) -> Result<TensorId> {
        let output = self.graph.apply("layer", op, inputs)?;
        self.graph[output].quant = self.graph[inputs[0]].quant.clone();
        Ok(output)
    }

    /// Along any axes, most often those of the image; sums of more elements than 16 bits hold.
    pub fn mean(&mut self) -> Result<TensorId> {
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
    pub fn moved(&mut self) -> Result<TensorId> {
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

    pub fn add(&mut self) -> Result<TensorId> {
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
    pub fn operands(&mut self) -> Result<[TensorId; 2]> {
        let channels = self.channels(40);
        let dims = [1, self.rng.usize(1..4), self.rng.usize(1..9), channels];
        let stretched = match self.rng.u8(..6) {
            0 => &dims[3..],
            1 => &[1][..],
            _ => &dims,
        };
        Ok([self.input(&dims)?, self.input(stretched)?])
    }

    pub fn mul(&mut self) -> Result<TensorId> {
        let [a, b] = self.operands()?;
        let inputs = if self.rng.bool() { [a, b] } else { [b, a] };
        let most = self.rng.choice([1.0, 1.0 / 128.0]).unwrap_or(1.0);
        let factor = Factor::from_real(most * self.rng.f64());
        let op = ops::Mul { bounds: self.bounds(), factor };
        self.graph.apply("layer", op, &inputs)
    }

    /// Whatever the weights are.
    pub fn weighted_sum(&mut self) -> Result<TensorId> {
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
}
