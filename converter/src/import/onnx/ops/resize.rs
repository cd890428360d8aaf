//! Images in another size.

use dunlin::ops::resize::Resize;
use dunlin::ops::{ResizeBilinear, ResizeNearest};

use super::super::operator::Operator;
use super::conv::{Image, emit_image, image};
use crate::{Error, Result};

/// How ONNX samples: the place in the image of pixel `i` of `to` made of `from`.
struct Sampling {
    mode: String,
    nearest: String,
}

impl Sampling {
    fn place(&self, i: usize, from: usize, to: usize, scale: f64) -> Result<f64> {
        let x = i as f64;
        Ok(match &self.mode[..] {
            "asymmetric" => x / scale,
            "half_pixel" => (x + 0.5) / scale - 0.5,
            "pytorch_half_pixel" if to > 1 => (x + 0.5) / scale - 0.5,
            "pytorch_half_pixel" => 0.0,
            "align_corners" if to > 1 => x * (from as f64 - 1.0) / (to as f64 - 1.0),
            "align_corners" => 0.0,
            other => {
                return Err(Error::Invalid(format!("samples in the mode {other}, which is not computed")));
            }
        })
    }

    fn rounded(&self, place: f64) -> f64 {
        match &self.nearest[..] {
            "floor" => place.floor(),
            "ceil" => place.ceil(),
            "round_prefer_ceil" => (place + 0.5).floor(),
            _ => (place - 0.5).ceil(),
        }
    }

    /// What the device samples there: see [`Resize`].
    fn device(resize: &Resize, i: usize, from: usize, to: usize, is_nearest: bool) -> f64 {
        let x = i as f64 + if resize.half_pixel_centers { 0.5 } else { 0.0 };
        let scale = match resize.align_corners && to > 1 {
            true => (from as f64 - 1.0) / (to as f64 - 1.0),
            false => from as f64 / to as f64,
        };
        match (is_nearest, resize.half_pixel_centers) {
            (true, _) if resize.align_corners => (x * scale).round(),
            (true, _) => (x * scale).floor(),
            (false, true) => x * scale - 0.5,
            (false, false) => x * scale,
        }
    }

    /// Whether `resize` samples everywhere as this.
    fn is(
        &self,
        resize: &Resize,
        sizes: [[usize; 2]; 2],
        scales: [f64; 2],
        is_nearest: bool,
    ) -> Result<bool> {
        for ([from, to], scale) in sizes.into_iter().zip(scales) {
            for i in 0..to {
                let inside = |place: f64| place.clamp(0.0, from as f64 - 1.0);
                let mut place = self.place(i, from, to, scale)?;
                if is_nearest {
                    place = self.rounded(place);
                }
                if (inside(place) - inside(Sampling::device(resize, i, from, to, is_nearest))).abs() > 1e-4 {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// `Upsample`, which came before, has scales as input 1; `Resize` has them as input 2 and sizes as input 3, and 1 before
/// version 11.
pub fn import(cx: &mut Operator) -> Result<()> {
    let Image { id, dims: [_, h, w, _], rank } = image(cx)?;
    let (is_new, mode) = (cx.kind() == "Resize" && cx.version() >= 11, cx.text("mode", "nearest")?);
    let scales_at = if is_new { 2 } else { 1 };
    let (sizes, scales) = targets(cx, rank, [h, w], scales_at)?;
    let sampling = Sampling {
        mode: cx.text("coordinate_transformation_mode", if is_new { "half_pixel" } else { "asymmetric" })?,
        nearest: cx.text("nearest_mode", if is_new { "round_prefer_floor" } else { "floor" })?,
    };
    let is_nearest = match &mode[..] {
        "nearest" => true,
        "linear" | "bilinear" => false,
        other => return Err(Error::Invalid(format!("resizes in the mode {other}: nearest and linear are"))),
    };
    if cx.int("antialias", 0)? != 0 || cx.int("exclude_outside", 0)? != 0 {
        return Err(Error::Invalid("smooths before it resizes, which is not computed".to_string()));
    }
    let size = sizes.map(|[_, to]| to as u16);
    for (align_corners, half_pixel_centers) in [(false, false), (false, true), (true, false)] {
        let resize = Resize { size, align_corners, half_pixel_centers };
        if sampling.is(&resize, sizes, scales, is_nearest)? {
            let made = match is_nearest {
                true => cx.apply("", ResizeNearest(resize), &[id])?,
                false => cx.apply("", ResizeBilinear(resize), &[id])?,
            };
            return emit_image(cx, made, rank);
        }
    }
    let what = format!(
        "samples in the mode {} ({}) at places where the device does not: try align_corners, or a whole factor",
        sampling.mode, sampling.nearest
    );
    Err(Error::Invalid(what))
}

/// `[from, to]` along both axes, and the scales.
fn targets(
    cx: &mut Operator,
    rank: usize,
    from: [usize; 2],
    scales_at: usize,
) -> Result<([[usize; 2]; 2], [f64; 2])> {
    if cx.text("keep_aspect_ratio_policy", "stretch")? != "stretch" || cx.ints("axes")?.is_some() {
        return Err(Error::Invalid("resizes some axes, or by a ratio: give sizes of all".to_string()));
    }
    let refuse = || Error::Invalid("resizes other axes than those of the pixels, or to nothing".to_string());
    let spatial = |all: Vec<f64>, keeps: [f64; 2]| match all[..] {
        [n, c, x] if rank == 3 && [n, c] == keeps => Ok([None, Some(x)]),
        [n, c, y, x] if rank == 4 && [n, c] == keeps => Ok([Some(y), Some(x)]),
        _ => Err(refuse()),
    };
    let dims = cx.dims(0)?;
    let sizes = match scales_at {
        2 => cx.wholes(3)?.filter(|sizes| !sizes.is_empty()),
        _ => None,
    };
    let (mut scales, mut to) = ([1.0; 2], from);
    if let Some(sizes) = sizes {
        let sizes = sizes.into_iter().map(|size| size as f64).collect();
        for (axis, size) in spatial(sizes, [dims[0] as f64, dims[1] as f64])?.into_iter().enumerate() {
            to[axis] = size.map_or(from[axis], |size| size as usize);
            scales[axis] = to[axis] as f64 / from[axis] as f64;
        }
    } else {
        let given = match cx.floats("scales")? {
            Some(scales) => scales,
            None => cx.reals(scales_at)?,
        };
        let given = given.into_iter().map(f64::from).collect();
        for (axis, scale) in spatial(given, [1.0; 2])?.into_iter().enumerate() {
            scales[axis] = scale.unwrap_or(1.0);
            to[axis] = (from[axis] as f64 * scales[axis]).floor() as usize;
        }
    }
    if to.iter().any(|&to| to == 0 || to > u16::MAX.into()) || scales.iter().any(|&scale| scale <= 0.0) {
        return Err(refuse());
    }
    Ok(([[from[0], to[0]], [from[1], to[1]]], scales))
}
