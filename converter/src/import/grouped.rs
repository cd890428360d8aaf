//! Operators of a file that become several nodes: convolutions in groups, of which each group of channels of the image has output
//! channels of its own, and joins of more tensors than the device takes at once.

use std::ops::Range;

use dunlin::ops::{Concat, Conv2d, DepthwiseConv2d, MAX_INPUTS, Slice};

use crate::graph::{Data, Graph, Kind, Quant, TensorId};
use crate::ops::Op;
use crate::{Error, Result};

/// An operator of a file whose nodes are being appended to a graph.
pub struct Parts<'g> {
    /// The graph.
    pub graph: &'g mut Graph,
    /// What the names of the nodes begin with.
    pub name: String,
    /// How the file says that the result is quantized.
    pub quant: Option<Quant>,
}

impl Parts<'_> {
    /// Joins the first ones of `inputs` until as many are left as the device takes at once.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn join_first(&mut self, op: Concat, mut inputs: Vec<TensorId>) -> Result<Vec<TensorId>> {
        while inputs.len() > MAX_INPUTS {
            let rest = inputs.split_off(MAX_INPUTS);
            let joined = self.apply(&format!("first{}", rest.len()), op, &inputs, self.quant.clone())?;
            inputs = [vec![joined], rest].concat();
        }
        Ok(inputs)
    }

    /// The last node of what computes `op` on `inputs`, an image, weights and perhaps a bias: a convolution, if the weights read
    /// all channels; a depthwise one if they read one each; else what joins the outputs of one of a part of the channels for
    /// each group, which are appended. Every output is the same sum in each of these.
    ///
    /// # Errors
    /// If the channels cannot be shared out evenly, or weights of groups are not constant.
    pub fn last_node(&mut self, op: Conv2d, inputs: &[TensorId]) -> Result<(Op, Vec<TensorId>)> {
        let (image, weights) = (self.graph.dims(inputs[0]), self.graph.dims(inputs[1]));
        let (&[_, _, _, channels], &[c_out, kh, kw, taps]) = (&image[..], &weights[..]) else {
            return Ok((op.into(), inputs.to_vec()));
        };
        let n_groups = channels.checked_div(taps).unwrap_or(0);
        let is_whole = inputs[1..].iter().all(|&id| self.graph.dims(id).first() == Some(&c_out));
        if n_groups <= 1 || n_groups * taps != channels || c_out % n_groups != 0 || !is_whole {
            // Its shape rule says what is wrong, if something is.
            return Ok((op.into(), inputs.to_vec()));
        }
        if taps == 1 {
            let weights = self.depthwise_weights(inputs[1], [kh * kw, c_out], [1, kh, kw, c_out])?;
            let inputs = [&inputs[..1], &[weights], &inputs[2..]].concat();
            return Ok((DepthwiseConv2d { window: op.window, bounds: op.bounds }.into(), inputs));
        }
        Ok((Concat { axis: 3 }.into(), self.of_groups(op, inputs, n_groups)?))
    }

    /// Appends `op` on each of `n_groups` parts of the channels of an image `[n, h, w, c]`, of the rows of weights, and of a
    /// bias, if there is one.
    ///
    /// # Errors
    /// If weights are not constant, or the image is none.
    pub fn of_groups(
        &mut self,
        op: impl Into<Op> + Copy,
        inputs: &[TensorId],
        n_groups: usize,
    ) -> Result<Vec<TensorId>> {
        let dims = self.graph.dims(inputs[0]);
        let &[n, h, w, channels] = &dims[..] else {
            return Err(Error::Invalid(format!("reads {dims:?} in groups, not an image")));
        };
        let taps = channels / n_groups;
        let (x_quant, quant) = (self.graph[inputs[0]].quant.clone(), self.quant.clone());
        let mut parts = Vec::new();
        for group in 0..n_groups {
            let begin = [0, 0, 0, (group * taps) as u32];
            let slice = Slice { begin, len: [n, h, w, taps].map(|len| len as u32), stride: [1; 4] };
            let image = self.apply(&format!("image{group}"), slice, &inputs[..1], x_quant.clone())?;
            let mut of_group = vec![image];
            for (&id, what) in inputs[1..].iter().zip(["weights", "bias"]) {
                let len = self.graph.dims(id)[0] / n_groups;
                let rows = group * len..(group + 1) * len;
                of_group.push(self.part(id, &format!("{what}{group}"), rows)?);
            }
            parts.push(self.apply(&format!("group{group}"), op, &of_group, quant.clone())?);
        }
        Ok(parts)
    }

    fn apply(
        &mut self,
        what: &str,
        op: impl Into<Op>,
        inputs: &[TensorId],
        quant: Option<Quant>,
    ) -> Result<TensorId> {
        let made = self.graph.apply(&format!("{}/{what}", self.name), op, inputs)?;
        self.graph[made].quant = quant;
        Ok(made)
    }

    /// Rows along the outermost dimension of a constant.
    fn part(&mut self, id: TensorId, what: &str, rows: Range<usize>) -> Result<TensorId> {
        let (data, mut dims) = self.constant(id)?;
        let row_bytes = data.bytes().len() / dims[0];
        let bytes = data.bytes()[rows.start * row_bytes..rows.end * row_bytes].to_vec();
        dims[0] = rows.len();
        let quant = self.graph[id].quant.clone().map(|quant| match quant.scales.get(rows) {
            Some(scales) if quant.scales.len() > 1 => Quant { scales: scales.to_vec(), ..quant },
            _ => quant,
        });
        self.instead(id, what, &dims, Data::from_bytes(data.dtype(), &bytes), quant)
    }

    /// Weights `[c_out, kh, kw, 1]` as `[1, kh, kw, c_out]`.
    fn depthwise_weights(
        &mut self,
        id: TensorId,
        [taps, c_out]: [usize; 2],
        dims: [usize; 4],
    ) -> Result<TensorId> {
        let (data, _) = self.constant(id)?;
        let bytes = data.bytes();
        let size = bytes.len() / (taps * c_out);
        let element = |i: usize| &bytes[i * size..(i + 1) * size];
        let turned: Vec<u8> = (0..taps)
            .flat_map(|tap| (0..c_out).flat_map(move |c| element(c * taps + tap).iter().copied()))
            .collect();
        let quant = self.graph[id].quant.clone();
        let quant = quant.map(|quant| Quant { axis: quant.axis.map(|_| 3), ..quant });
        self.instead(id, "weights", &dims, Data::from_bytes(data.dtype(), &turned), quant)
    }

    fn constant(&self, id: TensorId) -> Result<(Data, Vec<usize>)> {
        match &self.graph[id].kind {
            Kind::Constant(data) => Ok((data.clone(), self.graph.dims(id))),
            _ => Err(Error::graph(&self.graph[id].name, "is read in groups and not constant")),
        }
    }

    /// A constant that stands for a part of constant `id`, with a quantization of its own.
    fn instead(
        &mut self,
        id: TensorId,
        what: &str,
        dims: &[usize],
        data: Data,
        quant: Option<Quant>,
    ) -> Result<TensorId> {
        let made = self.graph.constant(&format!("{}/{what}", self.name), dims, data)?;
        self.graph[made].ty.dtype = self.graph[id].ty.dtype;
        self.graph[made].quant = quant;
        Ok(made)
    }
}
