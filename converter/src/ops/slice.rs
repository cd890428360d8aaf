//! A part of a tensor: see the runtime's operator of this name. It also serves operators that split.

use dunlin::ops::{Concat, Pad, Slice};

use super::reshape::reshape_to;
use super::{Backward, Channels, HostOperator, OutputQuant};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Error, Node, Result, TensorId};

impl HostOperator for Slice {
    const TFLITE: &'static [Rule] = &[
        Rule::new("SLICE", import_slice),
        Rule::new("STRIDED_SLICE", import_strided),
        Rule::new("SPLIT", import_split),
        Rule::new("SPLIT_V", import_split_v),
        Rule::new("UNPACK", import_unpack),
        Rule::new("REVERSE_V2", import_reverse),
        Rule::new("MIRROR_PAD", import_mirror_pad),
    ];

    /// Zeros around the part; where indices are skipped or reversed, a product with the matrix that picks them.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let dims = cx.graph.dims(cx.input(0));
        let (mut pads, mut grad) = ([[0u16; 2]; 4], cx.grad()?);
        for (axis, &dim) in dims.iter().enumerate() {
            let (begin, len) = (self.begin[axis], self.len[axis]);
            if len > 1 && self.stride[axis] != 1 {
                let name = cx.name("picked");
                let identity = cx.graph.identity(&name, dim)?;
                let stride = [self.stride[axis], 1, 1, 1];
                let pick = Slice { begin: [begin, 0, 0, 0], len: [len, dim as u32, 1, 1], stride };
                let picks = cx.graph.apply(&name, pick, &[identity])?;
                grad = cx.graph.along(&name, grad, axis, picks)?;
                continue;
            }
            let around = [begin, dim as u32 - begin - len].map(u16::try_from);
            let [Ok(before), Ok(after)] = around else {
                return Err(cx.none("more than 65535 elements are cut off"));
            };
            pads[axis] = [before, after];
        }
        Ok(vec![Some(cx.apply("dx", Pad { pads }, &[grad])?)])
    }

    /// The device copies stored numbers.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::SameAs(0)
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Mixed
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.emit_copying(node, *self)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        use schema::strided_slice::*;
        let rank = cx.graph.dims(node.inputs[0]).len();
        let (x, output) = (cx.tensor(node.inputs[0])?, cx.output(node)?);
        let begin: Vec<i32> = self.begin[..rank].iter().map(|&i| i as i32).collect();
        let len: Vec<i32> = self.len[..rank].iter().map(|&i| i as i32).collect();
        let first = cx.ints(node, "begin", &[rank], &begin)?;
        if (0..rank).all(|axis| self.stride[axis] == 1) {
            let len = cx.ints(node, "len", &[rank], &len)?;
            cx.operator(("SLICE", 2), &[x, first, len], &[output], None);
            return Ok(());
        }
        let (mut ends, mut end_mask) = (Vec::new(), 0);
        for axis in 0..rank {
            let stride = self.stride[axis];
            let end = begin[axis] + (len[axis] - 1) * stride + stride.signum();
            // Negative ends would count from behind: those in front of the first element are left open.
            end_mask |= i32::from(end < 0) << axis;
            ends.push(end);
        }
        let end = cx.ints(node, "end", &[rank], &ends)?;
        let stride = cx.ints(node, "stride", &[rank], &self.stride[..rank])?;
        let options = Table::new().with(END_MASK, end_mask);
        let options = Some((schema::options::STRIDED_SLICE, options));
        cx.operator(("STRIDED_SLICE", 2), &[x, first, end, stride], &[output], options);
        Ok(())
    }
}

/// SLICE: first indices and numbers of them; -1 is all that follow.
fn import_slice(cx: &mut Operator) -> Result<()> {
    let x = cx.input(0)?;
    let (begin, len) = (cx.ints(1)?, cx.ints(2)?);
    let shape = cx.graph()[x].ty.shape;
    if [begin.len(), len.len()] != [shape.rank(); 2] {
        let what = format!("has {} and {} numbers for {} dimensions", begin.len(), len.len(), shape.rank());
        return Err(Error::Invalid(what));
    }
    let mut op = Slice::all(&shape);
    for (axis, (&begin, &len)) in begin.iter().zip(&len).enumerate() {
        op.begin[axis] = index(begin.into())?;
        op.len[axis] = match len {
            -1 => index(shape.dim(axis) as i64 - begin as i64)?,
            _ => index(len.into())?,
        };
    }
    cx.emit(op, &[x])
}

/// STRIDED_SLICE: a range with a step along each of the outer dimensions; some of them are dropped after.
fn import_strided(cx: &mut Operator) -> Result<()> {
    use schema::strided_slice::*;
    let x = cx.input(0)?;
    let shape = cx.graph()[x].ty.shape;
    let (begin, end, stride) = (cx.ints(1)?, cx.ints(2)?, cx.ints(3)?);
    let n_axes = begin.len();
    if [end.len(), stride.len()] != [n_axes; 2] || n_axes > shape.rank() {
        return Err(Error::Invalid(format!("has ranges that do not fit {} dimensions", shape.rank())));
    }
    if cx.option(ELLIPSIS_MASK, 0i32)? != 0 || cx.option(NEW_AXIS_MASK, 0i32)? != 0 || cx.flag(OFFSET)? {
        let what = "has an ellipsis, a new axis or ends by offset: write out the ranges, and reshape";
        return Err(Error::Invalid(what.to_string()));
    }
    let (begin_mask, end_mask) = (cx.option(BEGIN_MASK, 0i32)?, cx.option(END_MASK, 0i32)?);
    let dropped: i32 = cx.option(SHRINK_AXIS_MASK, 0)?;
    let mut op = Slice::all(&shape);
    for axis in 0..n_axes {
        let is_set = |mask: i32| mask >> axis & 1 != 0;
        let range = Range {
            begin: (!is_set(begin_mask)).then_some(begin[axis].into()),
            end: (!is_set(end_mask)).then_some(end[axis].into()),
            stride: stride[axis].into(),
        };
        let size = shape.dim(axis) as i64;
        let (first, len) = if is_set(dropped) { (range.first(size), 1) } else { range.indices(size)? };
        (op.begin[axis], op.len[axis]) = (index(first)?, index(len)?);
        op.stride[axis] = if len > 1 { stride[axis] } else { 1 };
    }
    if dropped == 0 {
        return cx.emit(op, &[x]);
    }
    let quant = cx.output_quant(0)?;
    let part = cx.apply("part", op, &[x], quant)?;
    let dims = cx.output_dims(0)?;
    cx.emit(reshape_to(&dims)?, &[part])
}

/// A range along one dimension as TensorFlow writes it: negative ends count from behind, absent ones reach
/// as far as there are elements.
struct Range {
    begin: Option<i64>,
    end: Option<i64>,
    stride: i64,
}

impl Range {
    /// The first index of a dimension of `size`.
    fn first(&self, size: i64) -> i64 {
        let absent = if self.stride > 0 { 0 } else { size - 1 };
        self.begin.map_or(absent, |begin| self.clamp(begin, size))
    }

    /// The first index, and the number of indices.
    fn indices(&self, size: i64) -> Result<(i64, i64)> {
        if self.stride == 0 {
            return Err(Error::Invalid("has a stride of 0".to_string()));
        }
        let first = self.first(size);
        let absent = if self.stride > 0 { size } else { -1 };
        let span = self.end.map_or(absent, |end| self.clamp(end, size)) - first;
        // The quotient rounded up.
        Ok((first, (span + self.stride - self.stride.signum()) / self.stride))
    }

    fn clamp(&self, i: i64, size: i64) -> i64 {
        let i = if i < 0 { i + size } else { i };
        if self.stride > 0 { i.clamp(0, size) } else { i.clamp(-1, size - 1) }
    }
}

/// SPLIT: equal parts along an axis.
fn import_split(cx: &mut Operator) -> Result<()> {
    let (axis, x) = (cx.ints(0)?, cx.input(1)?);
    let axis = split_axis(cx, x, &axis)?;
    let (n_parts, size) = (cx.n_outputs(), cx.graph().dims(x)[axis]);
    if n_parts == 0 || size % n_parts != 0 {
        return Err(Error::Invalid(format!("splits {size} elements into {n_parts} equal parts")));
    }
    emit_parts(cx, x, axis, &vec![(size / n_parts) as u32; n_parts])
}

/// SPLIT_V: parts of given lengths along an axis; -1 is what is left.
fn import_split_v(cx: &mut Operator) -> Result<()> {
    let (x, lens, axis) = (cx.input(0)?, cx.ints(1)?, cx.ints(2)?);
    let axis = split_axis(cx, x, &axis)?;
    let given: i64 = lens.iter().filter(|&&len| len != -1).map(|&len| len as i64).sum();
    let rest = cx.graph().dims(x)[axis] as i64 - given;
    let lens = lens.iter().map(|&len| index(if len == -1 { rest } else { len.into() }));
    let lens: Vec<u32> = lens.collect::<Result<_>>()?;
    if lens.len() != cx.n_outputs() {
        return Err(Error::Invalid(format!("has {} lengths for {} outputs", lens.len(), cx.n_outputs())));
    }
    emit_parts(cx, x, axis, &lens)
}

/// UNPACK: every index along an axis, which is dropped.
fn import_unpack(cx: &mut Operator) -> Result<()> {
    let (x, dims, quant) = (cx.input(0)?, cx.dims(0)?, cx.input_quant(0)?);
    let axis = cx.axis(cx.option(schema::unpack::AXIS, 0)?, dims.len())?;
    if dims[axis] != cx.n_outputs() {
        return Err(Error::Invalid(format!("unpacks {} parts into {} outputs", dims[axis], cx.n_outputs())));
    }
    let mut op = Slice::all(&cx.graph()[x].ty.shape);
    op.len[axis] = 1;
    for i in 0..dims[axis] {
        op.begin[axis] = i as u32;
        let part = cx.apply(&format!("part{i}"), op, &[x], quant.clone())?;
        let dims = cx.output_dims(i)?;
        cx.emit_output(i, reshape_to(&dims)?, &[part])?;
    }
    Ok(())
}

/// REVERSE_V2: backwards along axes.
fn import_reverse(cx: &mut Operator) -> Result<()> {
    let x = cx.input(0)?;
    let shape = cx.graph()[x].ty.shape;
    let mut op = Slice::all(&shape);
    for axis in cx.ints(1)? {
        let axis = cx.axis(axis, shape.rank())?;
        (op.begin[axis], op.stride[axis]) = (op.len[axis] - 1, -1);
    }
    cx.emit(op, &[x])
}

/// MIRROR_PAD: around the tensor what lies behind its border, as in a mirror; with the border itself in mode 1.
fn import_mirror_pad(cx: &mut Operator) -> Result<()> {
    let (mut x, rank, quant) = (cx.input(0)?, cx.dims(0)?.len(), cx.input_quant(0)?);
    let (pads, border) = (cx.ints(1)?, u32::from(cx.flag(schema::mirror_pad::MODE)?));
    if pads.len() != 2 * rank || pads.iter().all(|&pad| pad == 0) {
        return Err(Error::Invalid(format!("has the paddings {pads:?} for {rank} dimensions")));
    }
    let padded: Vec<usize> = (0..rank).filter(|&axis| pads[2 * axis..][..2] != [0; 2]).collect();
    for &axis in &padded {
        let all = Slice::all(&cx.graph()[x].ty.shape);
        let size = all.len[axis];
        let mut parts = Vec::new();
        for (end, what) in ["before", "behind"].into_iter().enumerate() {
            let pad = u32::try_from(pads[2 * axis + end]).ok().filter(|&pad| pad < size + border);
            let pad =
                pad.ok_or_else(|| Error::Invalid(format!("pads by {pads:?}, further than it mirrors")))?;
            let mut op = all;
            op.len[axis] = pad;
            op.stride[axis] = if pad > 1 { -1 } else { 1 };
            op.begin[axis] =
                if end == 0 { (pad - pad.min(1)) + 1 - border } else { (size + border).saturating_sub(2) };
            let mirrored = (pad > 0).then(|| cx.apply(&format!("{what}{axis}"), op, &[x], quant.clone()));
            parts.extend(mirrored.transpose()?);
            parts.extend((end == 0).then_some(x));
        }
        let op = Concat { axis: axis as u8 };
        if Some(&axis) == padded.last() {
            return cx.emit(op, &parts);
        }
        x = cx.join(&format!("padded{axis}"), op, parts)?;
    }
    Ok(())
}

fn split_axis(cx: &mut Operator, x: TensorId, axis: &[i32]) -> Result<usize> {
    let rank = cx.graph().dims(x).len();
    match axis {
        &[axis] => cx.axis(axis, rank),
        _ => Err(Error::Invalid(format!("has {} axes where one is split", axis.len()))),
    }
}

/// One slice an output, side by side.
fn emit_parts(cx: &mut Operator, x: TensorId, axis: usize, lens: &[u32]) -> Result<()> {
    let mut op = Slice::all(&cx.graph()[x].ty.shape);
    for (i, &len) in lens.iter().enumerate() {
        op.len[axis] = len;
        cx.emit_output(i, op, &[x])?;
        op.begin[axis] = op.begin[axis].saturating_add(len);
    }
    Ok(())
}

fn index(i: i64) -> Result<u32> {
    u32::try_from(i).map_err(|_| Error::Invalid(format!("takes the elements from or up to index {i}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        Case::of(Slice { begin: [0, 1, 0, 2], len: [2, 1, 2, 1], stride: [1; 4] }, &[&[2, 2, 3, 3]]).check();
        let reversed = Slice { begin: [1, 2, 0, 2], len: [1, 2, 2, 2], stride: [1, -2, 1, -1] };
        Case::of(reversed, &[&[2, 3, 2, 3]]).check();
    }

    #[test]
    fn ranges_are_those_of_python() {
        let indices = |begin, end, stride| Range { begin, end, stride }.indices(5).unwrap();
        assert_eq!(indices(None, None, 1), (0, 5));
        assert_eq!(indices(Some(1), Some(-1), 2), (1, 2));
        assert_eq!(indices(Some(-2), Some(99), 1), (3, 2));
        assert_eq!(indices(None, None, -1), (4, 5));
        assert_eq!(indices(Some(3), Some(0), -2), (3, 2));
        assert_eq!(indices(Some(99), Some(-99), -4), (4, 2));
        assert_eq!(indices(Some(3), Some(3), 1), (3, 0));
        assert!(Range { begin: None, end: None, stride: 0 }.indices(5).is_err());
    }
}
