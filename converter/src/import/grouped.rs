//! Convolutions in groups: each group of channels of the image has output channels of its own.

use std::ops::Range;

use dunlin::ops::{Concat, Conv2d, DepthwiseConv2d, Slice};

use crate::graph::{Data, Graph, Kind, Quant, TensorId};
use crate::ops::Op;
use crate::{Error, Result};

/// An operator of a file whose nodes are being appended to a graph.
pub trait Build {
    /// The graph.
    fn graph(&mut self) -> &mut Graph;
    /// Appends a node in between, whose output is quantized as `quant`.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    fn apply(
        &mut self,
        what: &str,
        op: impl Into<Op>,
        inputs: &[TensorId],
        quant: Option<Quant>,
    ) -> Result<TensorId>;
    /// Adds a constant.
    ///
    /// # Errors
    /// As [`Graph::constant`].
    fn constant(&mut self, what: &str, dims: &[usize], data: Data) -> Result<TensorId>;
    /// How the file says that the result is quantized.
    ///
    /// # Errors
    /// If the file is damaged there.
    fn output_quant(&self) -> Result<Option<Quant>>;
}

/// The last node of what computes `op` on `inputs`, an image, weights and perhaps a bias: a convolution, if the weights read
/// all channels; a depthwise one if they read one each; else what joins the outputs of one of a part of the channels for each
/// group, which are appended. Every output is the same sum in each of these.
///
/// # Errors
/// If the channels cannot be shared out evenly, or weights of groups are not constant.
pub fn last_node(cx: &mut impl Build, op: Conv2d, inputs: &[TensorId]) -> Result<(Op, Vec<TensorId>)> {
    let (image, weights) = (cx.graph().dims(inputs[0]), cx.graph().dims(inputs[1]));
    let (&[n, h, w, channels], &[c_out, kh, kw, taps]) = (&image[..], &weights[..]) else {
        return Ok((op.into(), inputs.to_vec()));
    };
    let n_groups = channels.checked_div(taps).unwrap_or(0);
    let is_whole = inputs[1..].iter().all(|&id| cx.graph().dims(id).first() == Some(&c_out));
    if n_groups <= 1 || n_groups * taps != channels || c_out % n_groups != 0 || !is_whole {
        // Its shape rule says what is wrong, if something is.
        return Ok((op.into(), inputs.to_vec()));
    }
    if taps == 1 {
        let weights = depthwise_weights(cx, inputs[1], [kh * kw, c_out], [1, kh, kw, c_out])?;
        let inputs = [&inputs[..1], &[weights], &inputs[2..]].concat();
        return Ok((DepthwiseConv2d { window: op.window, bounds: op.bounds }.into(), inputs));
    }
    let (x_quant, quant) = (cx.graph()[inputs[0]].quant.clone(), cx.output_quant()?);
    let mut parts = Vec::new();
    for group in 0..n_groups {
        let begin = [0, 0, 0, (group * taps) as u32];
        let slice = Slice { begin, len: [n, h, w, taps].map(|len| len as u32), stride: [1; 4] };
        let mut of_group = vec![cx.apply(&format!("image{group}"), slice, &inputs[..1], x_quant.clone())?];
        let rows = group * c_out / n_groups..(group + 1) * c_out / n_groups;
        for (&id, what) in inputs[1..].iter().zip(["weights", "bias"]) {
            of_group.push(part(cx, id, &format!("{what}{group}"), rows.clone())?);
        }
        parts.push(cx.apply(&format!("group{group}"), op, &of_group, quant.clone())?);
    }
    Ok((Concat { axis: 3 }.into(), parts))
}

/// Rows along the outermost dimension of a constant.
fn part(cx: &mut impl Build, id: TensorId, what: &str, rows: Range<usize>) -> Result<TensorId> {
    let (data, mut dims) = constant(cx, id)?;
    let row_bytes = data.bytes().len() / dims[0];
    let bytes = data.bytes()[rows.start * row_bytes..rows.end * row_bytes].to_vec();
    dims[0] = rows.len();
    let quant = cx.graph()[id].quant.clone().map(|quant| match quant.scales.get(rows) {
        Some(scales) if quant.scales.len() > 1 => Quant { scales: scales.to_vec(), ..quant },
        _ => quant,
    });
    with_quant(cx, id, what, &dims, Data::from_bytes(data.dtype(), &bytes), quant)
}

/// Weights `[c_out, kh, kw, 1]` as `[1, kh, kw, c_out]`.
fn depthwise_weights(
    cx: &mut impl Build,
    id: TensorId,
    [taps, c_out]: [usize; 2],
    dims: [usize; 4],
) -> Result<TensorId> {
    let (data, _) = constant(cx, id)?;
    let bytes = data.bytes();
    let size = bytes.len() / (taps * c_out);
    let element = |i: usize| &bytes[i * size..(i + 1) * size];
    let turned: Vec<u8> = (0..taps)
        .flat_map(|tap| (0..c_out).flat_map(move |c| element(c * taps + tap).iter().copied()))
        .collect();
    let quant = cx.graph()[id].quant.clone();
    let quant = quant.map(|quant| Quant { axis: quant.axis.map(|_| 3), ..quant });
    with_quant(cx, id, "weights", &dims, Data::from_bytes(data.dtype(), &turned), quant)
}

fn constant(cx: &mut impl Build, id: TensorId) -> Result<(Data, Vec<usize>)> {
    let graph = cx.graph();
    let dims = graph.dims(id);
    match &graph[id].kind {
        Kind::Constant(data) => Ok((data.clone(), dims)),
        _ => Err(Error::graph(&graph[id].name, "is read in groups and not constant")),
    }
}

/// A constant that stands for a part of constant `id`, with a quantization of its own.
fn with_quant(
    cx: &mut impl Build,
    id: TensorId,
    what: &str,
    dims: &[usize],
    data: Data,
    quant: Option<Quant>,
) -> Result<TensorId> {
    let made = cx.constant(what, dims, data)?;
    let graph = cx.graph();
    graph[made].ty.dtype = graph[id].ty.dtype;
    graph[made].quant = quant;
    Ok(made)
}
