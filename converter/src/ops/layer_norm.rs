//! Layer normalization: see the runtime's operator of this name.

use dunlin::ops::LayerNorm;
use dunlin::ops::layer_norm::{GAMMA_MAX, NORMALIZED_BITS};

use super::{Backward, HostOperator, InputRole};
use crate::export::tflite::Writer;
use crate::lower::{Lowering, factor};
use crate::{Data, Error, Node, Result, TensorId};

impl HostOperator for LayerNorm {
    /// With x' the normalized x and g = dy * gamma: `dx = (g - mean(g) - x' * mean(g * x')) / deviation`.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let LayerNorm::F32 { epsilon } = *self else { return Err(cx.none("it is in device form")) };
        let (x, gamma, dy) = (cx.input(0), cx.input(1), cx.grad()?);
        let last = [cx.graph.dims(x).len() - 1];
        let name = cx.name("grad");
        let graph = &mut *cx.graph;
        let mean = graph.mean(&name, x, &last)?;
        let centred = graph.sub(&name, x, mean)?;
        let squares = graph.mul(&name, centred, centred)?;
        let variance = graph.mean(&name, squares, &last)?;
        let epsilon = graph.filled(&name, &[1], epsilon)?;
        let variance = graph.add(&name, variance, epsilon)?;
        let inverse = graph.rsqrt(&name, variance)?;
        let normalized = graph.mul(&name, centred, inverse)?;
        let g = graph.mul(&name, dy, gamma)?;
        let dims = graph.dims(gamma);
        let dx = cx.when_wanted(0, |cx| {
            let graph = &mut *cx.graph;
            let mean = graph.mean(&name, g, &last)?;
            let product = graph.mul(&name, g, normalized)?;
            let slope = graph.mean(&name, product, &last)?;
            let along = graph.mul(&name, normalized, slope)?;
            let rest = graph.sub(&name, g, mean)?;
            let rest = graph.sub(&name, rest, along)?;
            graph.mul(&name, rest, inverse)
        })?;
        let dgamma = cx.when_wanted(1, |cx| {
            let product = cx.mul("dgamma", dy, normalized)?;
            cx.sum_to("dgamma", product, &dims)
        })?;
        let dbeta = cx.when_wanted(2, |cx| cx.sum_to("dbeta", dy, &dims))?;
        Ok(vec![dx, dgamma, dbeta])
    }

    fn input_role(&self, i: usize) -> InputRole {
        if i == 0 { InputRole::Activation } else { InputRole::Parameter }
    }

    fn lower_i8(&self, cx: &mut Lowering, node: &Node) -> Result<()> {
        let LayerNorm::F32 { epsilon } = *self else {
            return Err(Error::graph(&node.name, "is in device form already"));
        };
        let parameter = |i: usize| match cx.real.constant_data(node.inputs[i]).and_then(Data::as_f32) {
            Some(values) => Ok(values),
            None => Err(Error::graph(&node.name, "its gamma and beta must be constants of f32")),
        };
        let (gamma, beta) = (parameter(1)?, parameter(2)?);
        let (x, out) = (cx.quant(node, node.inputs[0])?.scale(), cx.quant(node, node.outputs[0])?.scale());
        let greatest = gamma.iter().fold(0f32, |greatest, g| greatest.max(g.abs()));
        let unit = if greatest > 0.0 { f64::from(greatest) / f64::from(GAMMA_MAX) } else { 1.0 };
        // What an accumulator counts.
        let step = unit / f64::from(1u32 << NORMALIZED_BITS);
        let mut table = Vec::with_capacity(2 * gamma.len());
        for (&gamma, &beta) in gamma.iter().zip(beta) {
            let beta = (f64::from(beta) / step).round();
            if beta.abs() >= f64::from(1 << 30) {
                let what = format!("its beta {beta} is too great beside its gammas: scale them");
                return Err(Error::graph(&node.name, what));
            }
            table.extend([(f64::from(gamma) / unit).round() as i32, beta as i32]);
        }
        let squares = (gamma.len() as f64 / f64::from(x)).powi(2);
        let op = LayerNorm::I8 {
            epsilon: (f64::from(epsilon) * squares).round() as u64,
            factor: factor(node, step / f64::from(out))?,
        };
        let table = cx.constant(&format!("{}/table", node.name), &[gamma.len(), 2], Data::I32(table))?;
        let x = cx.stored(node.inputs[0])?;
        cx.emit(node, op, &[x, table])
    }

    fn export_tflite(&self, _cx: &mut Writer, node: &Node) -> Result<()> {
        Err(Error::graph(&node.name, "TensorFlow Lite has no layer normalization: write a .dunlin"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Case;

    #[test]
    fn gradient() {
        Case::of(LayerNorm::F32 { epsilon: 0.1 }, &[&[3, 4], &[4], &[4]]).shifted(1, 1.5).check();
        Case::of(LayerNorm::F32 { epsilon: 0.01 }, &[&[2, 1, 3, 4], &[4], &[4]]).check();
    }
}
