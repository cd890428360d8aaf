//! From a network in f32 and samples of its inputs to one in int8, and how near the one comes to the other.

use std::path::PathBuf;

use serde::Serialize;

use crate::npy::Array;
use crate::quantize::{calibrate, quantize, to_f32};
use crate::samples::{self, Samples, argmax};
use crate::{Data, Error, Graph, Program, Result, report};

/// A network in int8.
pub struct Quantized {
    /// In real form: [`export::tflite`](crate::export::tflite()) writes it, [`Program::compile`] makes a program of it.
    pub graph: Graph,
    /// What quantization costs.
    pub report: QuantizationReport,
}

/// How near outputs in int8 come to those in f32.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuantizationReport {
    /// How many samples were run.
    pub n_samples: usize,
    /// Of each output.
    pub outputs: Vec<OutputReport>,
}

/// How near an output in int8 comes to that in f32.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputReport {
    /// Its name.
    pub name: String,
    /// Least and greatest number in f32.
    pub range: [f32; 2],
    /// The real difference of two stored numbers that are next to each other.
    pub scale: f32,
    /// Mean of the differences between int8 and f32.
    pub mean_error: f32,
    /// The greatest of them.
    pub max_error: f32,
    /// How many samples have their greatest number at the same place in both; absent for outputs of one number.
    pub same_greatest: Option<usize>,
}

/// Quantizes `graph` (in real form, f32) with the samples in `.npy` files, one an input of the graph, of which each holds
/// one sample or a first dimension of them; and runs both networks on all of them.
///
/// # Errors
/// If the graph is quantized already or an operator of it has no int8 form, or if a file cannot be read, does not fit its
/// input, or leads to numbers that are not finite.
pub fn quantize_with_samples(graph: &Graph, paths: &[PathBuf]) -> Result<Quantized> {
    if let Some(&id) = graph.inputs().iter().find(|&&id| graph[id].quant.is_some()) {
        return Err(Error::graph(&graph[id].name, "is quantized already: give the network in float32"));
    }
    let program = Program::compile(graph)?;
    let model = program.model()?;
    let samples = Samples::read(&model, paths)?;
    let quantized = quantize(graph, &calibrate(graph, &samples.runs(&model)?)?)?;
    let reals = samples::arrays(&model, &samples, &samples::run(&model, &samples)?)?;
    let report = compare(&quantized, paths, &reals, samples.len())?;
    Ok(Quantized { graph: quantized, report })
}

/// Runs the quantized graph on the samples of which `reals` are the outputs in f32.
fn compare(
    graph: &Graph,
    paths: &[PathBuf],
    reals: &[Array],
    n_samples: usize,
) -> Result<QuantizationReport> {
    let program = Program::compile(graph)?;
    let model = program.model()?;
    let samples = Samples::read(&model, paths)?;
    let made = samples::arrays(&model, &samples, &samples::run(&model, &samples)?)?;
    let mut outputs = Vec::new();
    for ((&id, made), real) in graph.outputs().iter().zip(&made).zip(reals) {
        let (Data::F32(real), Data::I8(stored), Some(quant)) = (&real.data, &made.data, &graph[id].quant)
        else {
            continue; // indices
        };
        let made = to_f32(stored, quant.scale(), quant.zero_point);
        outputs.push(output_report(&graph[id].name, quant.scale(), n_samples, real, &made));
    }
    Ok(QuantizationReport { n_samples, outputs })
}

fn output_report(name: &str, scale: f32, n_samples: usize, real: &[f32], made: &[f32]) -> OutputReport {
    let errors = || real.iter().zip(made).map(|(real, made)| (real - made).abs());
    let sample_len = real.len() / n_samples.max(1);
    let same = || {
        let both = real.chunks_exact(sample_len).zip(made.chunks_exact(sample_len));
        // Of stored numbers many may be the greatest: then any of them is right.
        both.filter(|(real, made)| made[argmax(real)] == made[argmax(made)]).count()
    };
    OutputReport {
        name: name.to_string(),
        range: [
            real.iter().copied().fold(f32::INFINITY, f32::min),
            real.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        ],
        scale,
        mean_error: (errors().map(f64::from).sum::<f64>() / real.len().max(1) as f64) as f32,
        max_error: errors().fold(0.0, f32::max),
        same_greatest: (sample_len > 1).then(same),
    }
}

impl std::fmt::Display for QuantizationReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let header =
            ["output", "f32 from", "to", "int8 step", "mean error", "greatest error", "same greatest"];
        let mut table = report::table(&header, &[1, 2, 3, 4, 5, 6]);
        for output in &self.outputs {
            let same = output.same_greatest.map(|same| format!("{same} of {}", self.n_samples));
            table.add_row([
                output.name.clone(),
                format!("{:.4}", output.range[0]),
                format!("{:.4}", output.range[1]),
                format!("{:.5}", output.scale),
                format!("{:.5}", output.mean_error),
                format!("{:.5}", output.max_error),
                same.unwrap_or_default(),
            ]);
        }
        write!(f, "{table}\nint8 beside f32 on the {} sample(s) that ranges were taken from", self.n_samples)
    }
}

#[cfg(test)]
mod tests {
    use dunlin::ops::FullyConnected;
    use dunlin::ops::bounds::Bounds;

    use super::*;

    /// y = 2 x0 + x1 and -x1, for two features.
    fn network() -> Graph {
        let mut graph = Graph::new("sums");
        let x = graph.input("x", &[1, 2]).unwrap();
        let w = graph.constant("w", &[2, 2], Data::F32(vec![2.0, 1.0, 0.0, -1.0])).unwrap();
        let y = graph.apply("y", FullyConnected::new(Bounds::None), &[x, w]).unwrap();
        graph.mark_output(y);
        graph
    }

    #[test]
    fn int8_is_within_steps_of_f32() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        let numbers: Vec<f32> = (0..80).map(|i| (i * 37 % 80) as f32 / 40.0 - 1.0).collect();
        crate::npy::write(&path, &Array { dims: vec![40, 2], data: Data::F32(numbers) }).unwrap();
        let Quantized { graph, report } =
            quantize_with_samples(&network(), std::slice::from_ref(&path)).unwrap();
        let output = &report.outputs[0];
        assert_eq!((report.n_samples, output.name.as_str()), (40, "y"));
        assert!(output.max_error > 0.0 && output.max_error < 3.0 * output.scale, "{output:?}");
        assert!(output.mean_error < output.max_error && output.same_greatest > Some(36), "{output:?}");
        let error = quantize_with_samples(&graph, &[path]).err().unwrap().to_string();
        assert!(error.contains("x: is quantized already"), "{error}");
    }

    #[test]
    fn the_greatest_may_be_shared() {
        let report = output_report("y", 0.5, 2, &[0.1, 0.4, 1.0, 0.0], &[0.5, 0.5, 0.0, 0.5]);
        assert_eq!(report.same_greatest, Some(1));
        assert_eq!((report.range, report.max_error), ([0.0, 1.0], 1.0));
        assert_eq!(output_report("y", 0.5, 2, &[0.1, 0.4], &[0.0, 0.5]).same_greatest, None);
    }
}
