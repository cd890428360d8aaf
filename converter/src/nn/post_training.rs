//! Quantization of a trained network, without training it further.

use super::{Network, Source};
use crate::passes::simplify;
use crate::quantize::{Ranges, calibrate, quantize};
use crate::{Data, Graph, Result};

impl Network {
    /// [`Network::inference_graph`] of one sample, simplified: with batch normalization folded and activations fused, as it
    /// is quantized.
    ///
    /// # Errors
    /// If the tensors are too large.
    pub fn simplified(&self) -> Result<Graph> {
        self.simplified_for(1)
    }

    /// The same of `batch` samples.
    pub(super) fn simplified_for(&self, batch: usize) -> Result<Graph> {
        let mut graph = self.inference_graph(batch)?;
        simplify(&mut graph)?;
        Ok(graph)
    }

    /// What the tensors of [`Network::simplified`] hold on `samples`.
    ///
    /// # Errors
    /// If the samples do not fit the network, or a number becomes infinite on them.
    pub fn ranges(&self, samples: &dyn Source) -> Result<Ranges> {
        self.check_dims(samples)?;
        let mut x = vec![0.0; samples.dims().iter().product()];
        let mut target = vec![0.0; samples.target_dims().iter().product()];
        let sample = |i| {
            samples.read(i, 0, &mut x, &mut target)?;
            Ok(self.inputs_of(&x))
        };
        let all = (0..samples.len()).map(sample).collect::<Result<Vec<Vec<Data>>>>()?;
        calibrate(&self.simplified()?, &all)
    }

    /// The network for one sample in int8, for the ranges that `samples` show: what [`Program::compile`] and
    /// [`export::tflite`] take.
    ///
    /// # Errors
    /// As [`Network::ranges`], and if an operator has no int8 form; names it.
    ///
    /// [`Program::compile`]: crate::Program::compile
    /// [`export::tflite`]: crate::export::tflite()
    pub fn quantized(&self, samples: &dyn Source) -> Result<Graph> {
        quantize(&self.simplified()?, &self.ranges(samples)?)
    }
}
