//! Pooling of series and images.

use dunlin::ops::bounds::Bounds;
use dunlin::ops::pooling::Pooling;
use dunlin::ops::window::Window;
use dunlin::ops::{AveragePool2d, MaxPool2d, Pad};

use super::super::operator::Operator;
use super::conv::{Image, emit_image, image, pair, window};
use super::reduce;
use crate::{Error, Result};

pub fn max(cx: &mut Operator) -> Result<()> {
    if cx.has_output(1) {
        return Err(Error::Invalid(
            "gives indices of the greatest elements, which is not computed".to_string(),
        ));
    }
    let image = image(cx)?;
    let pooling = pooling(cx, &image)?;
    let made = cx.apply("", MaxPool2d(pooling), &[image.id])?;
    emit_image(cx, made, image.rank)
}

/// Where padding counts, it is computed before; what rounding up adds never counts.
pub fn average(cx: &mut Operator) -> Result<()> {
    let image = image(cx)?;
    let mut pooling = pooling(cx, &image)?;
    let mut id = image.id;
    if cx.int("count_include_pad", 0)? != 0 {
        if cx.text("auto_pad", "NOTSET")? != "NOTSET" {
            return Err(Error::Invalid("counts padding by a rule: export it with pads".to_string()));
        }
        let declared = super::conv::explicit_pads(cx, image.rank)?;
        let [top, left, bottom, right] = declared.map(u16::from);
        if declared != [0; 4] {
            id = cx.apply("padded", Pad { pads: [[0, 0], [top, bottom], [left, right], [0, 0]] }, &[id])?;
        }
        for (pad, counts) in pooling.window.pads.iter_mut().zip(declared) {
            *pad -= counts;
        }
    }
    let made = cx.apply("", AveragePool2d(pooling), &[id])?;
    emit_image(cx, made, image.rank)
}

fn pooling(cx: &Operator, image: &Image) -> Result<Pooling> {
    let kernel = pair(cx, "kernel_shape", image.rank)?;
    let size = [image.dims[1], image.dims[2]];
    let mut window = window(cx, image.rank, kernel.map(usize::from), size)?;
    if window.dilation != [1, 1] {
        return Err(Error::Invalid(format!("has dilations {:?}, which are not computed", window.dilation)));
    }
    if cx.int("ceil_mode", 0)? != 0 {
        round_up(&mut window, kernel, size);
    }
    Ok(Pooling { kernel, window, bounds: Bounds::None })
}

/// Pads so far behind that the last window, which begins inside, is whole.
fn round_up(window: &mut Window, kernel: [u8; 2], size: [usize; 2]) {
    for axis in 0..2 {
        let [before, behind] = [window.pads[axis], window.pads[axis + 2]].map(usize::from);
        let (kernel, stride) = (usize::from(kernel[axis]), usize::from(window.stride[axis]));
        let span = (size[axis] + before + behind).saturating_sub(kernel);
        let mut last = span.div_ceil(stride) * stride;
        if last >= size[axis] + before {
            last -= stride;
        }
        let wanted = (last + kernel).saturating_sub(size[axis] + before);
        window.pads[axis + 2] = wanted.max(behind).min(255) as u8;
    }
}

/// The mean of all pixels.
pub fn global_average(cx: &mut Operator) -> Result<()> {
    let image = image(cx)?;
    let name = cx.name();
    let made = cx.graph().mean(&name, image.id, &[1, 2])?;
    emit_image(cx, made, image.rank)
}

/// The greatest of all pixels.
pub fn global_max(cx: &mut Operator) -> Result<()> {
    let axes: Vec<i64> = (2..cx.dims(0)?.len() as i64).collect();
    reduce::greatest(cx, &axes, true)
}
