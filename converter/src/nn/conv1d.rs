//! Convolution along time.

use dunlin::ops;
use dunlin::ops::bounds::Bounds;

use super::weighted::Sliding;
use super::{Initializer, Layer, Trace, Windowed};
use crate::{Result, TensorId};

/// 1-D convolution on sequences `[n, t, c_in]`, with bias: a convolution of an image one row high. Weights
/// `[filters, 1, taps, c_in]` start as He's normal.
#[derive(Clone, Debug)]
pub struct Conv1d {
    filters: usize,
    taps: usize,
    sliding: Sliding,
}

impl Conv1d {
    /// `filters` output channels, `taps` steps at a time.
    pub fn new(filters: usize, taps: usize) -> Conv1d {
        Conv1d { filters, taps, sliding: Sliding::new([1, taps], [1, 1]) }
    }
}

impl Windowed for Conv1d {
    fn sliding_mut(&mut self) -> &mut Sliding {
        &mut self.sliding
    }
}

impl Layer for Conv1d {
    fn kind(&self) -> &'static str {
        "conv1d"
    }

    fn forward(&self, cx: &mut Trace, x: TensorId) -> Result<TensorId> {
        let [n, t, c_in] = cx.dims(x)[..] else {
            return Err(cx.error(format!("takes sequences [n, t, c], not {:?}", cx.dims(x))));
        };
        let name = cx.name("");
        let image = cx.graph.reshape(&format!("{name}/image"), x, &[n, 1, t, c_in])?;
        let window = self.sliding.window(cx, image)?;
        let (dims, fans) = ([self.filters, 1, self.taps, c_in], [self.taps * c_in, self.taps * self.filters]);
        let weights = cx.parameter("weights", &dims, Initializer::HeNormal, fans)?;
        let bias = cx.parameter("bias", &[self.filters], Initializer::Zeros, [1, 1])?;
        let y = cx.apply(ops::Conv2d { window, bounds: Bounds::None }, &[image, weights, bias])?;
        let t = cx.dims(y)[2];
        cx.graph.reshape(&format!("{name}/sequence"), y, &[n, t, self.filters])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Network, Sequential};
    use crate::{Data, Program};

    #[test]
    fn slides_along_time() {
        let layers = Sequential::new().then(Conv1d::new(1, 3).same().stride(2));
        let network = Network::new("n", &[5, 1], layers, 1).unwrap();
        let w = network.parameters()[0].values.clone();
        let program = Program::compile(&network.inference_graph(1).unwrap()).unwrap();
        let Data::F32(y) = &program.run(&[Data::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0])]).unwrap()[0] else {
            panic!("f32 in, f32 out");
        };
        let expected = [w[1] + 2.0 * w[2], 2.0 * w[0] + 3.0 * w[1] + 4.0 * w[2], 4.0 * w[0] + 5.0 * w[1]];
        assert!(y.iter().zip(expected).all(|(y, e)| (y - e).abs() < 1e-5), "{y:?} is not {expected:?}");
    }
}
