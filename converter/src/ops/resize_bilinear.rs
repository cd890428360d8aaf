//! Bilinear resizing: see the runtime's operator of this name.

use dunlin::ops::ResizeBilinear;
use dunlin::ops::resize::Resize;

use super::{Backward, HostOperator, OutputQuant};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for ResizeBilinear {
    const TFLITE: &'static [Rule] = &[Rule::new("RESIZE_BILINEAR", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        Err(cx.none("no operator adds up what pixels give to their neighbours"))
    }

    /// The device copies stored numbers.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::SameAs(0)
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.emit_copying(node, *self)
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    use schema::resize_bilinear::*;
    let (align_corners, half_pixel_centers) = (cx.flag(ALIGN_CORNERS)?, cx.flag(HALF_PIXEL_CENTERS)?);
    let size = cx.image_size(1)?;
    cx.emit_unary(ResizeBilinear(Resize { size, align_corners, half_pixel_centers }))
}
