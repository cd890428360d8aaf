//! Rounding with a gradient: see the runtime's operator of this name.

use dunlin::ops::{StraightThrough, StraightThroughGrad};

use super::{Backward, HostOperator};
use crate::{Result, TensorId};

impl HostOperator for StraightThrough {
    /// Of the real numbers and of the scales; what they were rounded to has none.
    fn gradient(&self, cx: &mut Backward) -> Result<Vec<Option<TensorId>>> {
        let inputs = [cx.grad()?, cx.input(0), cx.input(1), cx.input(2)];
        let name = cx.name("dx");
        let grads = cx.graph.apply_all(&name, StraightThroughGrad { of: *self }, &inputs)?;
        Ok(vec![Some(grads[0]), None, Some(grads[1])])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::gradients;
    use crate::{Data, Graph, Program};

    /// The estimator is no derivative, so differences cannot tell; its definition can.
    #[test]
    fn gradient() {
        let mut graph = Graph::new("rounding");
        let [x, rounded] = ["x", "rounded"].map(|name| graph.input(name, &[3]).unwrap());
        let scale = graph.input("scale", &[1]).unwrap();
        let op = StraightThrough { axis: 0, lo: -2.0, hi: 2.0 };
        let y = graph.apply("y", op, &[x, rounded, scale]).unwrap();
        let squares = graph.mul("squares", y, y).unwrap();
        let sum = graph.sum_to("sum", squares, &[1]).unwrap();
        for gradient in gradients(&mut graph, sum, &[x, scale]).unwrap() {
            graph.mark_output(gradient);
        }
        let inputs = [vec![0.3, -0.6, 9.0], vec![0.5, -0.5, 1.0], vec![0.5]].map(Data::F32);
        let outputs = Program::compile(&graph).unwrap().run(&inputs).unwrap();
        // 2 y where nothing was clipped; the sum of 2 y (y - x) / scale, and of 2 y y / scale where it was.
        assert_eq!(outputs[0].as_f32().unwrap(), [1.0, -1.0, 0.0]);
        let want = (1.0 * (0.5 - 0.3) - (-0.5 + 0.6) + 2.0 * 1.0) / 0.5;
        assert!((outputs[1].as_f32().unwrap()[0] - want).abs() < 1e-5);
    }
}
