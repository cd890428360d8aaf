//! Bilinear resizing: see the runtime's operator of this name.

use dunlin::ops::ResizeBilinear;
use dunlin::ops::resize::Resize;

use super::{Backward, Channels, HostOperator, OutputQuant, resized};
use crate::export::tflite::{Table, Writer};
use crate::import::tflite::{Operator, Rule, schema};
use crate::lower::Lowering;
use crate::{Node, Result, TensorId};

impl HostOperator for ResizeBilinear {
    const TFLITE: &'static [Rule] = &[Rule::new("RESIZE_BILINEAR", import)];

    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        resized::gradient(cx, self.0, |resize| ResizeBilinear(resize).into())
    }

    /// The device copies stored numbers.
    fn output_quant(&self) -> OutputQuant {
        OutputQuant::SameAs(0)
    }

    fn channels(&self, _rank: usize) -> Channels {
        Channels::Same
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        cx.emit_copying(node, *self)
    }

    fn export_tflite(&self, cx: &mut Writer, node: &Node) -> Result<()> {
        use schema::resize_bilinear::*;
        let size = cx.ints(node, "size", &[2], &self.0.size.map(i32::from))?;
        let (x, output) = (cx.tensor(node.inputs[0])?, cx.output(node)?);
        let options = Table::new()
            .with(ALIGN_CORNERS, self.0.align_corners)
            .with(HALF_PIXEL_CENTERS, self.0.half_pixel_centers);
        let options = Some((schema::options::RESIZE_BILINEAR, options));
        cx.operator(("RESIZE_BILINEAR", 3), &[x, size], &[output], options);
        Ok(())
    }
}

fn import(cx: &mut Operator) -> Result<()> {
    use schema::resize_bilinear::*;
    let (align_corners, half_pixel_centers) = (cx.flag(ALIGN_CORNERS)?, cx.flag(HALF_PIXEL_CENTERS)?);
    let size = cx.image_size(1)?;
    cx.emit_unary(ResizeBilinear(Resize { size, align_corners, half_pixel_centers }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        for (size, align_corners, half_pixel_centers) in
            [([5, 4], false, false), ([5, 7], true, false), ([6, 3], false, true), ([2, 2], false, false)]
        {
            let op = ResizeBilinear(Resize { size, align_corners, half_pixel_centers });
            Case::of(op, &[&[2, 3, 2, 2]]).check();
        }
    }
}
