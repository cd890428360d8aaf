//! What a network takes, before it is trained.

use std::fmt;

use super::Network;
use crate::passes::simplify;
use crate::quantize::{calibrate, quantize};
use crate::report::table;
use crate::{Program, Result};

/// A layer that computes.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSummary {
    /// Its path.
    pub name: String,
    /// Dimensions of its output for one sample, batch included.
    pub output: Vec<usize>,
    /// Numbers that it keeps.
    pub parameters: usize,
    /// Multiply-accumulates for one sample.
    pub macs: u64,
}

/// A network's layers, and what it will take on the device.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// In the order in which they run.
    pub layers: Vec<LayerSummary>,
    /// Bytes of the arena in int8: the planner's, which do not depend on the values of parameters.
    pub arena_bytes: usize,
    /// Bytes of the model's file in int8.
    pub model_bytes: usize,
}

impl Network {
    /// Shapes, parameters and multiply-accumulates of every layer, and the RAM and flash of the network in int8.
    ///
    /// # Errors
    /// If an operator has no int8 form; names it.
    pub fn summary(&self) -> Result<Summary> {
        let mut graph = self.inference_graph(1)?;
        let mut parameters: Vec<_> = self.parameters().iter().collect();
        let mut layers = Vec::new();
        for node in graph.nodes() {
            let types: Vec<_> = node.inputs.iter().map(|&id| graph[id].ty).collect();
            // A parameter belongs to the node that reads it first.
            let own = |name: &str| node.inputs.iter().any(|&id| graph[id].name == name);
            let n_parameters = parameters.iter().filter(|p| own(&p.name)).map(|p| p.values.len()).sum();
            parameters.retain(|p| !own(&p.name));
            layers.push(LayerSummary {
                name: node.name.clone(),
                output: graph.dims(node.outputs[0]),
                parameters: n_parameters,
                macs: node.op.macs(&types),
            });
        }
        simplify(&mut graph)?;
        let n: usize = self.dims().iter().product();
        // Any values do: they decide scales, and no size.
        let sample: Vec<f32> = (0..n).map(|i| (i % 17) as f32 / 8.0 - 1.0).collect();
        let ranges = calibrate(&graph, &[self.inputs_of(&sample)])?;
        let program = Program::compile(&quantize(&graph, &ranges)?)?;
        Ok(Summary { layers, arena_bytes: program.plan.arena_bytes, model_bytes: program.bytes().len() })
    }
}

impl Summary {
    /// Numbers that the network keeps.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.parameters).sum()
    }

    /// Multiply-accumulates for one sample.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(|layer| layer.macs).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = table(&["layer", "output", "parameters", "MACs"], &[2, 3]);
        for layer in &self.layers {
            let output: Vec<String> = layer.output.iter().map(usize::to_string).collect();
            let row =
                [layer.name.clone(), output.join("×"), layer.parameters.to_string(), layer.macs.to_string()];
            lines.add_row(row);
        }
        lines.add_row([
            "total".to_string(),
            String::new(),
            self.parameters().to_string(),
            self.macs().to_string(),
        ]);
        writeln!(f, "{lines}")?;
        let (arena, model) = (self.arena_bytes, self.model_bytes);
        write!(f, "in int8: {arena} bytes of arena (RAM), a model of {model} bytes (flash)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{BatchNorm, Conv2d, Dense, Relu, Sequential, Softmax, Windowed};

    #[test]
    fn counts_what_is_kept_and_multiplied() {
        let layers = Sequential::new()
            .then(Conv2d::new(4, [3, 3]).same())
            .then(BatchNorm::new())
            .then(Relu)
            .then(Dense::new(10))
            .then(Softmax);
        let network = Network::new("n", &[8, 8, 1], layers, 1).unwrap();
        let summary = network.summary().unwrap();
        let kept: usize = network.parameters().iter().map(|p| p.values.len()).sum();
        assert_eq!(summary.parameters(), kept);
        assert_eq!(summary.macs(), 64 * 9 * 4 + 256 * 10);
        assert!(summary.arena_bytes >= 256 && summary.model_bytes > 2560, "{summary}");
        let text = summary.to_string();
        assert!(text.contains("conv2d") && text.contains("1×8×8×4") && text.contains("total"), "{text}");
    }
}
