//! Inputs for a number of runs of a model, and what it makes of them.

use std::path::{Path, PathBuf};

use dunlin::model::Port;
use dunlin::{DType, Model, Session};

use crate::npy::{self, Array};
use crate::program::{self, AlignedBytes};
use crate::quantize::{to_f32, to_i8};
use crate::{Data, Error, Result};

/// Inputs of one run or more, as the model stores them.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// The bytes of all inputs of a run, in order; then those of the next run.
    bytes: Vec<u8>,
    n_samples: usize,
    /// Whether the samples came as the first dimension of arrays.
    batched: bool,
}

impl Samples {
    /// One array an input, in the order of the model's. Each has either the shape of its input or a first
    /// dimension of samples, which stands before that shape or in place of its leading 1.
    ///
    /// An array whose samples have the shape of an input `[1, .., c]` but with the channels first, `[c, ..]`, as PyTorch has
    /// them, is turned. f32 numbers for an int8 input are quantized with its scale and zero point, rounded half to even and
    /// saturated; otherwise the elements must be those of the input.
    ///
    /// # Errors
    /// If an array does not fit its input; names it and what to try.
    pub fn of(model: &Model, arrays: &[Array]) -> Result<Samples> {
        Samples::fit(model, arrays, |_, what| Error::Invalid(what))
    }

    /// [`Samples::of`] the arrays in `.npy` files.
    ///
    /// # Errors
    /// If a file cannot be read or does not fit its input; names both and what to try.
    pub fn read(model: &Model, paths: &[PathBuf]) -> Result<Samples> {
        let arrays: Vec<Array> = paths.iter().map(|path| npy::read(path)).collect::<Result<_>>()?;
        Samples::fit(model, &arrays, |i, what| Error::File { path: paths[i].clone(), what })
    }

    fn fit(model: &Model, arrays: &[Array], refused: impl Fn(usize, String) -> Error) -> Result<Samples> {
        let ports = ports(model, Side::Inputs)?;
        if arrays.len() != ports.len() {
            let wanted: Vec<String> = ports.iter().map(ToString::to_string).collect();
            return Err(Error::Invalid(format!(
                "{} inputs given, the model takes {}: give one for each of {}",
                arrays.len(),
                ports.len(),
                wanted.join(", ")
            )));
        }
        let mut inputs = Vec::new();
        for (i, (array, port)) in arrays.iter().zip(&ports).enumerate() {
            let array = &port.channels_last(array);
            let n_samples = port.count_samples(&array.dims).map_err(|what| refused(i, what))?;
            inputs.push((n_samples, port.stored_bytes(&array.data).map_err(|what| refused(i, what))?));
        }
        let n_samples = inputs.first().map_or(Some(1), |&(n, _)| n);
        if let Some(i) = inputs.iter().position(|&(n, _)| n != n_samples) {
            return Err(refused(i, "holds another number of samples than the first input".to_string()));
        }
        let batched = n_samples.is_some();
        let n_samples = n_samples.unwrap_or(1);
        let bytes = interleave(&inputs.iter().map(|(_, bytes)| &bytes[..]).collect::<Vec<_>>(), n_samples);
        Ok(Samples { bytes, n_samples, batched })
    }

    /// Samples that come from no data: stored integers of every value, f32 between -1 and 1.
    ///
    /// # Errors
    /// If the runtime refuses what it took before: a bug.
    pub fn random(model: &Model, n_samples: usize, seed: u64) -> Result<Samples> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let ports = ports(model, Side::Inputs)?;
        let mut bytes = Vec::new();
        for port in (0..n_samples).flat_map(|_| &ports) {
            match port.port.ty.dtype {
                DType::F32 => (0..port.port.ty.shape.count())
                    .for_each(|_| bytes.extend((rng.f32() * 2.0 - 1.0).to_le_bytes())),
                DType::I8 | DType::I16 | DType::I32 => {
                    (0..port.port.ty.bytes()).for_each(|_| bytes.push(rng.u8(..)))
                }
            }
        }
        Ok(Samples { bytes, n_samples, batched: true })
    }

    /// The first `n_samples` of these, or all if there are fewer.
    pub fn first(&self, n_samples: usize) -> Samples {
        let n_samples = n_samples.min(self.n_samples);
        let run_bytes = self.bytes.len().checked_div(self.n_samples).unwrap_or(0);
        Samples { bytes: self.bytes[..run_bytes * n_samples].to_vec(), n_samples, ..*self }
    }

    /// The bytes of every input of each run.
    ///
    /// # Errors
    /// If the samples are another model's.
    pub(crate) fn inputs(&self, model: &Model) -> Result<Vec<Vec<&[u8]>>> {
        by_runs(&ports(model, Side::Inputs)?, &self.bytes, self.n_samples)
    }

    /// The inputs of each run.
    ///
    /// # Errors
    /// If the samples are another model's.
    pub fn runs(&self, model: &Model) -> Result<Vec<Vec<Data>>> {
        let ports = ports(model, Side::Inputs)?;
        let data = |(named, bytes): (&NamedPort, &[u8])| Data::from_bytes(named.port.ty.dtype, bytes);
        let run = |inputs: Vec<&[u8]>| ports.iter().zip(inputs).map(data).collect();
        Ok(by_runs(&ports, &self.bytes, self.n_samples)?.into_iter().map(run).collect())
    }

    /// How many runs.
    pub fn len(&self) -> usize {
        self.n_samples
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.n_samples == 0
    }

    /// The bytes of all runs.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Runs `model` on every sample and returns the bytes of all outputs, in order; then those of the next run.
///
/// # Errors
/// If the samples are another model's.
pub fn run(model: &Model, samples: &Samples) -> Result<Vec<u8>> {
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(model, &mut arena).map_err(refused)?;
    let mut outputs = Vec::new();
    for inputs in samples.inputs(model)? {
        program::run_on(&mut session, &inputs, |step| step.run()).map_err(refused)?;
        for i in 0..model.n_outputs() {
            outputs.extend(session.output_bytes(i).map_err(refused)?);
        }
    }
    Ok(outputs)
}

/// The outputs of [`run`] as one array an output. Where the inputs had a first dimension of samples, the
/// outputs have, too: before their shape, or in place of its leading 1.
///
/// # Errors
/// If `bytes` are not what `samples` give.
pub fn arrays(model: &Model, samples: &Samples, bytes: &[u8]) -> Result<Vec<Array>> {
    let ports = ports(model, Side::Outputs)?;
    let runs = by_runs(&ports, bytes, samples.n_samples)?;
    let array = |(i, port): (usize, &NamedPort)| {
        let mut dims = port.dims();
        if samples.batched {
            let outer = if dims.len() > 1 && dims[0] == 1 { 1 } else { 0 };
            dims.splice(..outer, [samples.len()]);
        }
        let bytes: Vec<u8> = runs.iter().flat_map(|run| run[i]).copied().collect();
        Array { dims, data: Data::from_bytes(port.port.ty.dtype, &bytes) }
    };
    Ok(ports.iter().enumerate().map(array).collect())
}

/// Writes the arrays: one to each path, or, if there is one path for several arrays, numbered beside it
/// (`y.npy` becomes `y.0.npy`, `y.1.npy`). Returns the paths written.
///
/// # Errors
/// If the number of paths fits neither, or a file cannot be written.
pub fn write(paths: &[PathBuf], arrays: &[Array]) -> Result<Vec<PathBuf>> {
    let paths = match paths {
        [path] if arrays.len() > 1 => (0..arrays.len()).map(|i| numbered(path, i)).collect(),
        paths if paths.len() == arrays.len() => paths.to_vec(),
        paths => {
            return Err(Error::Invalid(format!(
                "{} output files given, the model makes {}: give one --output for each, or one for all",
                paths.len(),
                arrays.len()
            )));
        }
    };
    for (path, array) in paths.iter().zip(arrays) {
        npy::write(path, array)?;
    }
    Ok(paths)
}

/// For a network that names classes, what it decides of each sample: the label of its first greatest score, and that score
/// as a real number. `array` is its first output, as [`arrays`] gives it.
///
/// # Errors
/// If the model has no output.
pub fn decisions(model: &Model, labels: &[String], array: &Array) -> Result<Vec<(String, f32)>> {
    let port = model.output(0).map_err(refused)?;
    let scores = match &array.data {
        Data::F32(scores) => scores.clone(),
        Data::I8(stored) => to_f32(stored, port.scale, port.zero_point),
        Data::I16(_) | Data::I32(_) => return Ok(Vec::new()),
    };
    if labels.is_empty() || port.ty.shape.count() != labels.len() {
        return Ok(Vec::new());
    }
    let best = |row: &[f32]| {
        let greatest = argmax(row);
        (labels[greatest].clone(), row[greatest])
    };
    Ok(scores.chunks_exact(labels.len()).map(best).collect())
}

/// Index of the first greatest element; 0 if there is none.
pub(crate) fn argmax(values: &[f32]) -> usize {
    let better = |best: usize, i: usize| if values[i] > values[best] { i } else { best };
    (0..values.len()).reduce(better).unwrap_or(0)
}

fn numbered(path: &Path, i: usize) -> PathBuf {
    match path.extension() {
        Some(extension) => path.with_extension(format!("{i}.{}", extension.display())),
        None => path.with_extension(i.to_string()),
    }
}

/// An input or output with its name.
struct NamedPort {
    name: String,
    port: Port,
}

impl std::fmt::Display for NamedPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ({} {})", self.name, self.port.ty.dtype.name(), self.port.ty.shape)
    }
}

impl NamedPort {
    fn dims(&self) -> Vec<usize> {
        self.port.ty.shape.dims().iter().map(|&dim| dim as usize).collect()
    }

    /// The array with its channels last, if that is what keeps it from fitting.
    fn channels_last(&self, array: &Array) -> Array {
        let mut dims = array.dims.clone();
        let n_axes = self.dims().len().saturating_sub(1);
        if self.count_samples(&dims).is_ok() || n_axes < 2 || dims.len() < n_axes {
            return array.clone();
        }
        let first = dims.len() - n_axes;
        dims[first..].rotate_left(1);
        if self.count_samples(&dims).is_err() {
            return array.clone();
        }
        let (c, pixels) = (dims[dims.len() - 1], dims[first..dims.len() - 1].iter().product::<usize>());
        fn turned<T: Copy>(elements: &[T], c: usize, pixels: usize) -> Vec<T> {
            let of_sample = |sample: &[T]| {
                (0..pixels)
                    .flat_map(|pixel| (0..c).map(move |c| c * pixels + pixel))
                    .map(|i| sample[i])
                    .collect()
            };
            elements
                .chunks_exact((c * pixels).max(1))
                .flat_map(|sample| -> Vec<T> { of_sample(sample) })
                .collect()
        }
        let data = match &array.data {
            Data::F32(x) => Data::F32(turned(x, c, pixels)),
            Data::I8(x) => Data::I8(turned(x, c, pixels)),
            Data::I16(x) => Data::I16(turned(x, c, pixels)),
            Data::I32(x) => Data::I32(turned(x, c, pixels)),
        };
        Array { dims, data }
    }

    /// How many samples an array of these dimensions holds; `None` if it is one without a dimension for it.
    fn count_samples(&self, dims: &[usize]) -> Result<Option<usize>, String> {
        let wanted = self.dims();
        if dims == wanted {
            return Ok(None);
        }
        let without_one = wanted.strip_prefix(&[1]).unwrap_or(&wanted);
        match dims {
            [n, rest @ ..] if *n > 0 && (rest == wanted || rest == without_one) => Ok(Some(*n)),
            [0, ..] => Err("holds no samples".to_string()),
            _ => Err(format!(
                "its shape is {dims:?}, input {self} takes {wanted:?}, or N samples as [N, {}]: reshape it",
                without_one.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            )),
        }
    }

    /// Elements as the model stores them.
    fn stored_bytes(&self, data: &Data) -> Result<Vec<u8>, String> {
        let Port { ty, scale, zero_point, .. } = self.port;
        match data {
            data if data.dtype() == ty.dtype => Ok(data.bytes()),
            Data::F32(real) if ty.dtype == DType::I8 && scale != 0.0 => {
                match real.iter().find(|x| x.is_nan()) {
                    Some(_) => Err(format!("holds NaN, which input {self} cannot")),
                    None => Ok(to_i8(real, scale, zero_point).into_iter().map(|q| q as u8).collect()),
                }
            }
            Data::F32(whole) if ty.dtype == DType::I32 && scale == 1.0 => {
                match whole.iter().find(|x| x.fract() != 0.0 || x.abs() > i32::MAX as f32) {
                    Some(x) => Err(format!("holds {x}, and input {self} takes whole numbers")),
                    None => Ok(whole.iter().flat_map(|&x| (x as i32 + zero_point).to_le_bytes()).collect()),
                }
            }
            data => Err(format!(
                "its elements are {}, input {self} takes {}{}: convert them with x.astype(...)",
                data.dtype().name(),
                ty.dtype.name(),
                if scale != 0.0 { ", or f32 to be quantized" } else { "" }
            )),
        }
    }
}

#[derive(Clone, Copy)]
enum Side {
    Inputs,
    Outputs,
}

fn ports(model: &Model, side: Side) -> Result<Vec<NamedPort>> {
    let (n, skipped_names) = match side {
        Side::Inputs => (model.n_inputs(), 1),
        Side::Outputs => (model.n_outputs(), 1 + model.n_inputs()),
    };
    let mut names = model.names().skip(skipped_names);
    (0..n)
        .map(|i| {
            let port = match side {
                Side::Inputs => model.input(i),
                Side::Outputs => model.output(i),
            };
            Ok(NamedPort { name: names.next().unwrap_or_default().to_string(), port: port.map_err(refused)? })
        })
        .collect()
}

/// The bytes of several inputs, run by run.
fn interleave(inputs: &[&[u8]], n_samples: usize) -> Vec<u8> {
    let sample = |bytes: &'_ [u8], k: usize| {
        let n = bytes.len() / n_samples;
        k * n..(k + 1) * n
    };
    (0..n_samples).flat_map(|k| inputs.iter().flat_map(move |b| b[sample(b, k)].iter().copied())).collect()
}

/// The bytes of each of the ports in each of `n_runs` runs, the reverse of [`interleave`].
fn by_runs<'b>(ports: &[NamedPort], mut bytes: &'b [u8], n_runs: usize) -> Result<Vec<Vec<&'b [u8]>>> {
    let mut next = |port: &NamedPort| bytes.split_off(..port.port.ty.bytes()).ok_or_else(other_model);
    let runs = (0..n_runs).map(|_| ports.iter().map(&mut next).collect()).collect::<Result<_>>()?;
    if bytes.is_empty() { Ok(runs) } else { Err(other_model()) }
}

fn refused(source: dunlin::Error) -> Error {
    Error::Model { what: "the model".to_string(), source }
}

fn other_model() -> Error {
    Error::Invalid("the samples are not of this model: read them for it".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Graph, Program};

    /// y = max(x, 0) on `[1, 3]`, and z = a + b: two inputs, two outputs.
    fn program() -> Program {
        use dunlin::ops::FullyConnected;
        use dunlin::ops::bounds::Bounds;
        let mut g = Graph::new("two");
        let x = g.input("x", &[1, 3]).unwrap();
        let t = g.input("t", &[2]).unwrap();
        let w = g.constant("w", &[1, 3], Data::F32(vec![1.0, 2.0, 3.0])).unwrap();
        let y = g.apply("y", FullyConnected::new(Bounds::RELU), &[x, w]).unwrap();
        g.mark_output(y);
        g.mark_output(t);
        Program::compile(&g).unwrap()
    }

    #[test]
    fn samples_of_several_inputs_and_outputs_stay_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let f32s = |n: i32| Data::F32((0..n).map(|i| i as f32).collect());
        npy::write(&path("x.npy"), &Array { dims: vec![2, 3], data: f32s(6) }).unwrap();
        npy::write(&path("t.npy"), &Array { dims: vec![2, 2], data: f32s(4) }).unwrap();
        let program = program();
        let model = program.model().unwrap();
        let samples = Samples::read(&model, &[path("x.npy"), path("t.npy")]).unwrap();
        let runs = samples.runs(&model).unwrap();
        assert_eq!(runs[1], [Data::F32(vec![3.0, 4.0, 5.0]), Data::F32(vec![2.0, 3.0])]);
        let outputs = arrays(&model, &samples, &run(&model, &samples).unwrap()).unwrap();
        assert_eq!(outputs[0], Array { dims: vec![2, 1], data: Data::F32(vec![8.0, 26.0]) });
        assert_eq!(outputs[1], Array { dims: vec![2, 2], data: f32s(4) });
        let written = write(&[path("out.npy")], &outputs).unwrap();
        assert_eq!(written, [path("out.0.npy"), path("out.1.npy")]);
        assert_eq!(npy::read(&written[0]).unwrap(), outputs[0]);
        let error = Samples::read(&model, &[path("x.npy")]).unwrap_err().to_string();
        assert!(error.contains("`x` (f32 1×3), `t` (f32 2)"), "{error}");
    }

    #[test]
    fn decisions_have_labels() {
        let mut g = Graph::new("scores");
        let x = g.input("x", &[1, 2]).unwrap();
        let y = g.apply("y", dunlin::ops::Softmax::F32 { beta: 1.0 }, &[x]).unwrap();
        g.mark_output(y);
        let program = Program::compile(&g).unwrap();
        let model = program.model().unwrap();
        let array = Array { dims: vec![3, 2], data: Data::F32(vec![0.25, 0.75, 0.5, 0.5, 1.0, 0.0]) };
        let labels = ["no", "yes"].map(str::to_owned);
        let decided = decisions(&model, &labels, &array).unwrap();
        assert_eq!(decided, [("yes".into(), 0.75), ("no".into(), 0.5), ("no".into(), 1.0)]);
        assert_eq!(decisions(&model, &labels[..1], &array).unwrap(), []);
    }

    fn port(dims: &[usize]) -> NamedPort {
        let ty = dunlin::TensorType::new(DType::I8, dunlin::Shape::new(dims).unwrap());
        NamedPort { name: "image".into(), port: Port { ty, scale: 0.5, zero_point: -3, offset: 0 } }
    }

    #[test]
    fn shapes_may_have_a_dimension_of_samples() {
        let image = port(&[1, 8, 8, 1]);
        assert_eq!(image.count_samples(&[1, 8, 8, 1]), Ok(None));
        assert_eq!(image.count_samples(&[5, 8, 8, 1]), Ok(Some(5)));
        assert_eq!(image.count_samples(&[5, 1, 8, 8, 1]), Ok(Some(5)));
        let error = image.count_samples(&[8, 8]).unwrap_err();
        assert!(error.contains("[8, 8]") && error.contains("`image` (i8 1×8×8×1)"), "{error}");
        assert_eq!(image.count_samples(&[0, 8, 8, 1]).unwrap_err(), "holds no samples");
    }

    #[test]
    fn channels_that_stand_first_are_turned() {
        let turned = |dims: &[usize], array: &[usize]| {
            let data = Data::I8((0..array.iter().product::<usize>() as i8).collect());
            port(dims).channels_last(&Array { dims: array.to_vec(), data })
        };
        let image = turned(&[1, 2, 2, 3], &[2, 3, 2, 2]);
        assert_eq!(image.dims, [2, 2, 2, 3]);
        assert_eq!(image.data.as_i8().unwrap()[..15], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, 12, 16, 20]);
        assert_eq!(turned(&[1, 2, 3], &[1, 3, 2]).data, Data::I8(vec![0, 2, 4, 1, 3, 5]));
        // What fits as it is, or not at all, stays.
        assert_eq!(turned(&[1, 2, 2, 2], &[1, 2, 2, 2]).data, Data::I8((0..8).collect()));
        assert_eq!(turned(&[1, 2, 3], &[4, 2]).dims, [4, 2]);
    }

    #[test]
    fn real_numbers_are_quantized_half_to_even_and_saturated() {
        let image = port(&[5]);
        let real = Data::F32(vec![0.25, 0.75, -0.25, 1e9, f32::NEG_INFINITY]);
        assert_eq!(image.stored_bytes(&real).unwrap(), [-3i8, -1, -3, 127, -128].map(|q| q as u8));
        assert_eq!(image.stored_bytes(&Data::I8(vec![-7])).unwrap(), [-7i8 as u8]);
        assert!(image.stored_bytes(&Data::F32(vec![f32::NAN])).unwrap_err().contains("NaN"));
        let error = image.stored_bytes(&Data::I32(vec![1])).unwrap_err();
        assert!(error.contains("i32") && error.contains("takes i8, or f32"), "{error}");
    }
}
