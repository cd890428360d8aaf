//! What the rules of several operators share: padding, biases, activations, requantization.

use dunlin::DType;
use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;

use super::{Code, Index, Table, Writer, schema};
use crate::lower::quantize_bounds;
use crate::padding::same;
use crate::{Data, Error, Node, Quant, Result, TensorId};

impl Writer<'_> {
    /// Input 0 of a layer with `window`, and the padding rule: where none describes the window, the input is
    /// padded before.
    ///
    /// # Errors
    /// As [`Writer::tensor`].
    pub fn padded(&mut self, node: &Node, window: &Window, kernel: [usize; 2]) -> Result<(Index, i8)> {
        let x = self.tensor(node.inputs[0])?;
        if let Some(rule) = self.padding_rule(node, window, kernel) {
            return Ok((x, rule));
        }
        let [top, left, bottom, right] = window.pads;
        let pads = [[0, 0], [top, bottom], [left, right], [0, 0]];
        let mut dims = self.graph.dims(node.inputs[0]);
        for (dim, [before, after]) in dims.iter_mut().zip(pads) {
            *dim += before as usize + after as usize;
        }
        let padded = self.value_like(node, "padded", &dims, node.inputs[0]);
        let pads = pads.as_flattened().iter().map(|&pad| pad as i32).collect::<Vec<_>>();
        let pads = self.ints(node, "pads", &[4, 2], &pads)?;
        self.operator(("PAD", 2), &[x, pads], &[padded], None);
        Ok((padded, schema::padding::VALID))
    }

    /// The rule by which the window of `kernel` on input 0 is padded, if there is one.
    fn padding_rule(&self, node: &Node, window: &Window, kernel: [usize; 2]) -> Option<i8> {
        let dims = self.graph.dims(node.inputs[0]);
        let &[_, h, w, _] = &dims[..] else { return None };
        let [top, left, bottom, right] = window.pads;
        let rule =
            |axis: usize, len| same(kernel[axis], window.stride[axis], window.dilation[axis], len).ok();
        if window.pads == [0; 4] {
            Some(schema::padding::VALID)
        } else if rule(0, h) == Some([top, bottom]) && rule(1, w) == Some([left, right]) {
            Some(schema::padding::SAME)
        } else {
            None
        }
    }

    /// Appends a pooling.
    ///
    /// # Errors
    /// If no rule describes its padding, or as [`Writer::tensor`].
    pub fn pooling(&mut self, node: &Node, code: Code, pooling: &Pooling) -> Result<()> {
        use schema::pool2d::*;
        let Some(rule) = self.padding_rule(node, &pooling.window, pooling.kernel.map(usize::from)) else {
            let what = format!(
                "pads by {:?}, and pooling in TensorFlow Lite only by its rules SAME and VALID",
                pooling.window.pads
            );
            return Err(Error::graph(&node.name, what));
        };
        let x = self.tensor(node.inputs[0])?;
        let (activation, output) = self.activation(node, pooling.bounds)?;
        let [[stride_y, stride_x], [kernel_y, kernel_x]] =
            [pooling.window.stride, pooling.kernel].map(|pair| pair.map(i32::from));
        let options = Table::new()
            .with(PADDING, rule)
            .with(STRIDE_W, stride_x)
            .with(STRIDE_H, stride_y)
            .with(FILTER_W, kernel_x)
            .with(FILTER_H, kernel_y)
            .with(ACTIVATION, activation);
        self.operator(code, &[x], &[output], Some((schema::options::POOL_2D, options)));
        Ok(())
    }

    /// The weights of a layer and its bias, at the scales that follow from those of activations and weights. A
    /// layer without a bias gets zeros: LiteRT wants one.
    ///
    /// # Errors
    /// If those scales are out of range, or as [`Writer::tensor`].
    pub fn weights(&mut self, node: &Node) -> Result<[Index; 2]> {
        let weights = self.tensor(node.inputs[1])?;
        let quant = |i: usize| self.graph[node.inputs[i]].quant.as_ref();
        let c_out = self.graph[node.outputs[0]].ty.shape.channels();
        let bias_quant = match (quant(0), quant(1)) {
            (Some(x), Some(w)) => Some(bias_quant(node, x, w)?),
            _ => None,
        };
        let bias = match node.inputs.get(2).map(|&id| (id, self.graph.constant_data(id))) {
            Some((id, Some(data))) => {
                self.constant(&self.graph[id].name, &[c_out], data, bias_quant.as_ref())
            }
            Some((id, None)) => self.tensor(id)?,
            None => {
                let zeros = match bias_quant {
                    Some(_) => Data::I32(vec![0; c_out]),
                    None => Data::F32(vec![0.0; c_out]),
                };
                self.constant(&format!("{}/bias", node.name), &[c_out], &zeros, bias_quant.as_ref())
            }
        };
        Ok([weights, bias])
    }

    /// The fused activation for `bounds`, and the tensor that its operator writes: where none clamps so, the
    /// output is clamped behind.
    ///
    /// # Errors
    /// As [`Writer::tensor`].
    pub fn activation(&mut self, node: &Node, bounds: Bounds) -> Result<(i8, Index)> {
        let output = self.output(node)?;
        let fused = match bounds {
            Bounds::None => schema::activation::NONE,
            Bounds::RELU => schema::activation::RELU,
            Bounds::RELU6 => schema::activation::RELU6,
            Bounds::F32 { lo: -1.0, hi: 1.0 } => schema::activation::RELU_N1_TO_1,
            _ => {
                let id = node.outputs[0];
                let unbounded = self.value_like(node, "unbounded", &self.graph.dims(id), id);
                self.clamp(node, bounds, unbounded, output);
                return Ok((schema::activation::NONE, unbounded));
            }
        };
        Ok((fused, output))
    }

    /// Appends, behind the node's operators, those that clamp `x` to `output`; both are stored as the node's
    /// output is.
    pub fn clamp(&mut self, node: &Node, bounds: Bounds, x: Index, output: Index) {
        let id = node.outputs[0];
        let quant = self.graph[id].quant.clone();
        let ends = match &quant {
            Some(quant) => {
                let (lo, hi) = quantize_bounds(bounds, quant).i8();
                [Data::I8(vec![lo]), Data::I8(vec![hi])]
            }
            None => {
                let (lo, hi) = bounds.f32();
                [Data::F32(vec![lo]), Data::F32(vec![hi])]
            }
        };
        let mut end = |what: &str, data: &Data| {
            self.constant(&format!("{}/{what}", node.name), &[1], data, quant.as_ref())
        };
        let (lo, hi) = (end("least", &ends[0]), end("greatest", &ends[1]));
        let raised = self.value_like(node, "raised", &self.graph.dims(id), id);
        self.operator_after(("MAXIMUM", 2), &[x, lo], raised);
        self.operator_after(("MINIMUM", 2), &[raised, hi], output);
    }

    /// Input `id` of a node, quantized as its output is: where it is not, it is requantized before.
    ///
    /// # Errors
    /// As [`Writer::tensor`].
    pub fn requantized(&mut self, node: &Node, id: TensorId) -> Result<Index> {
        let x = self.tensor(id)?;
        let output = node.outputs[0];
        let same = match (&self.graph[id].quant, &self.graph[output].quant) {
            (Some(from), Some(to)) => from.scale() == to.scale() && from.zero_point == to.zero_point,
            _ => true,
        };
        if same {
            return Ok(x);
        }
        let requantized = self.value_like(node, "requantized", &self.graph.dims(id), output);
        self.operator(("QUANTIZE", 1), &[x], &[requantized], None);
        Ok(requantized)
    }

    /// All inputs of a node that moves stored numbers as they are.
    ///
    /// # Errors
    /// As [`Writer::tensor`].
    pub fn requantized_inputs(&mut self, node: &Node) -> Result<Vec<Index>> {
        node.inputs.iter().map(|&id| self.requantized(node, id)).collect()
    }
}

/// How the bias of a layer is stored.
fn bias_quant(node: &Node, x: &Quant, w: &Quant) -> Result<Quant> {
    let scales: Vec<f32> = w.scales.iter().map(|scale| x.scale() * scale).collect();
    // A channel whose weights are all 0 may have the scale 0, beside others.
    let fits = |scale: &f32| scale.is_finite() && (*scale > 0.0 || scales.len() > 1);
    if !scales.iter().all(fits) {
        let what = "the product of its input's and its weights' scales is beyond f32";
        return Err(Error::graph(&node.name, what));
    }
    Ok(Quant { dtype: DType::I32, scales, zero_point: 0, axis: w.axis.map(|_| 0) })
}
