//! Concatenation: see the runtime's operator of this name.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::resize::Resize;
use dunlin::ops::{Concat, ResizeNearest, Slice};

use super::quantize::requantized_inputs;
use super::reshape::reshape_to;
use super::{Backward, Channels, HostOperator};
use crate::autograd::padded_dims;
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Repetition, Rule, schema};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for Concat {
    const TFLITE: &'static [Rule] =
        &[Rule::new("CONCATENATION", import), Rule::new("PACK", import_pack), Rule::new("TILE", import_tile)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let dy = cx.grad()?;
        let axis = self.axis as usize;
        let mut begin = [0; 4];
        let mut grads = Vec::new();
        for i in 0..cx.node.inputs.len() {
            let len = padded_dims(&cx.graph.dims(cx.input(i)), 1);
            grads.push(cx.when_wanted(i, |cx| cx.apply("dx", Slice { begin, len, stride: [1; 4] }, &[dy]))?);
            begin[axis] += len[axis];
        }
        Ok(grads)
    }

    fn channels(&self, rank: usize) -> Channels {
        if usize::from(self.axis) + 1 == rank { Channels::Joined } else { Channels::Mixed }
    }

    /// The device copies stored numbers: inputs that are quantized in another way than the output are
    /// requantized before.
    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let inputs = requantized_inputs(cx, node)?;
        cx.emit(node, *self, &inputs)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        let (inputs, output) = (cx.requantized_inputs(node)?, cx.output(node)?);
        let options = Table::new().with(schema::concatenation::AXIS, self.axis as i32);
        cx.operator(
            ("CONCATENATION", 2),
            &inputs,
            &[output],
            Some((schema::options::CONCATENATION, options)),
        );
        Ok(())
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    use schema::concatenation::*;
    if cx.activation(ACTIVATION)? != Bounds::None {
        return Err(Error::Invalid("has a fused activation, which no converter makes".to_string()));
    }
    let (inputs, rank) = (cx.inputs()?, cx.dims(0)?.len());
    let axis = cx.axis(cx.option(AXIS, 0)?, rank)?;
    let op = Concat { axis: axis as u8 };
    cx.emit_joined(op, inputs)
}

/// PACK: inputs of one shape side by side along a new dimension.
fn import_pack(cx: &mut Operator) -> Result<()> {
    use schema::pack::*;
    let (inputs, mut dims, quant) = (cx.inputs()?, cx.dims(0)?, cx.input_quant(0)?);
    let axis = cx.axis(cx.option(AXIS, 0)?, dims.len() + 1)?;
    dims.insert(axis, 1);
    let reshape = reshape_to(&dims)?;
    let mut parts = Vec::new();
    for (i, input) in inputs.into_iter().enumerate() {
        parts.push(cx.apply(&format!("part{i}"), reshape, &[input], quant.clone())?);
    }
    cx.emit_joined(Concat { axis: axis as u8 }, parts)
}

/// TILE: copies side by side; or, joined with what is around it, of each element along one dimension.
fn import_tile(cx: &mut Operator) -> Result<()> {
    if let Some(repetition) = cx.repetition() {
        return import_repeated_image(cx, &repetition);
    }
    let (mut x, dims, copies) = (cx.input(0)?, cx.dims(0)?, cx.ints(1)?);
    if dims.len() == 4 && copies.len() == 5 {
        let Some(axis) = copies.iter().position(|&n| n != 1) else { return cx.forward(0) };
        return import_repetition(cx, axis.saturating_sub(1), copies[axis]);
    }
    if copies.len() != dims.len() || copies.iter().any(|&n| !(1..=MAX_COPIES).contains(&n)) {
        return Err(Error::Invalid(format!(
            "makes {copies:?} copies: 1 to {MAX_COPIES} along each dimension"
        )));
    }
    for (axis, &n) in copies.iter().enumerate().filter(|&(_, &n)| n > 1) {
        x = cx.join(&format!("copies{axis}"), Concat { axis: axis as u8 }, vec![x; n as usize])?;
    }
    let dims: Vec<usize> = dims.iter().zip(&copies).map(|(dim, &n)| dim * n as usize).collect();
    cx.emit(reshape_to(&dims)?, &[x])
}

/// Pixels of an image that are repeated, where the file says the image's dimensions: they may lie in another way around it.
fn import_repeated_image(cx: &mut Operator, Repetition { dims, copies }: &Repetition) -> Result<()> {
    let (x, quant, output_dims) = (cx.input(0)?, cx.input_quant(0)?, cx.output_dims(0)?);
    let size = |axis: usize| u16::try_from(dims[axis].saturating_mul(copies[axis])).ok();
    let (Some(h), Some(w), 1, 1) = (size(1), size(2), copies[0], copies[3]) else {
        return Err(Error::Invalid(format!("repeats {copies:?} times along dimensions {dims:?}")));
    };
    let image = match cx.dims(0)? == *dims {
        true => x,
        false => cx.apply("image", reshape_to(dims)?, &[x], quant.clone())?,
    };
    let resize = ResizeNearest(Resize { size: [h, w], align_corners: false, half_pixel_centers: false });
    if output_dims == [dims[0], h.into(), w.into(), dims[3]] {
        return cx.emit(resize, &[image]);
    }
    let larger = cx.apply("larger", resize, &[image], quant)?;
    cx.emit(reshape_to(&output_dims)?, &[larger])
}

/// Elements of an image that are repeated: the image is larger by so much.
fn import_repetition(cx: &mut Operator, axis: usize, copies: i32) -> Result<()> {
    let dims = cx.dims(0)?;
    let larger = |image_axis: usize| {
        let size = if axis == image_axis {
            dims[image_axis].saturating_mul(copies.max(0) as usize)
        } else {
            dims[image_axis]
        };
        u16::try_from(size).ok().filter(|_| axis == 1 || axis == 2)
    };
    let (Some(h), Some(w)) = (larger(1), larger(2)) else {
        return Err(Error::Invalid(format!("repeats {copies} times along dimension {axis} of {dims:?}")));
    };
    cx.emit_unary(ResizeNearest(Resize { size: [h, w], align_corners: false, half_pixel_centers: false }))
}

/// Each is an input of an operator.
const MAX_COPIES: i32 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;
    use crate::{Data, Graph, Program, Quant};

    #[test]
    fn gradient() {
        Case::of(Concat { axis: 1 }, &[&[2, 1, 3], &[2, 2, 3], &[2, 3, 3]]).check();
        Case::of(Concat { axis: 3 }, &[&[2, 2, 1, 2], &[2, 2, 1, 3]]).check();
    }

    #[test]
    fn inputs_of_other_scales_are_requantized() {
        let mut graph = Graph::new("concat");
        let quants = [Quant::i8(0.5, 1), Quant::i8(0.25, -4), Quant::i8(0.5, 2)];
        let inputs: Vec<TensorId> = (0..3).map(|i| graph.input(&format!("x{i}"), &[2]).unwrap()).collect();
        for (&id, quant) in inputs.iter().zip(&quants) {
            graph[id].quant = Some(quant.clone());
        }
        let y = graph.apply("y", Concat { axis: 0 }, &inputs).unwrap();
        graph[y].quant = Some(Quant::i8(0.5, 1));
        graph.mark_output(y);
        let program = Program::compile(&graph).unwrap();
        assert_eq!(program.graph.nodes().len(), 3);
        // 2.5 and -1 in each scale.
        let stored = [vec![6, -1], vec![6, -8], vec![7, 0]].map(Data::I8);
        assert_eq!(program.run(&stored).unwrap(), [Data::I8(vec![6, -1, 6, -1, 6, -1])]);
    }
}
