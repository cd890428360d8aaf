//! From a recipe to a model.

use std::path::PathBuf;
use std::time::Instant;

use dunlin::frontend::Config;
use dunlin_converter::file::{self, ModelFile};
use dunlin_converter::nn::{Dataset, Progress, Rounding};
use dunlin_converter::npy::Array;
use dunlin_converter::pack::Packing;
use dunlin_converter::plan::Request;
use dunlin_converter::quantize::{calibrate, quantize_with};
use dunlin_converter::report::ModelReport;
use dunlin_converter::samples::{self, Samples};
use dunlin_converter::{Data, Error, Graph, Program, Result};

use super::{Recipe, Score, TrainReport};
use crate::demo;

/// What to do with a recipe.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that the recipe's paths are relative to.
    pub data: PathBuf,
    /// Where the model goes; the Rust source and the checkpoint go beside it.
    pub output: PathBuf,
    /// In place of the recipe's.
    pub seed: Option<u64>,
    /// In place of the recipe's.
    pub epochs: Option<usize>,
    /// Whether to go on from the checkpoint.
    pub resume: bool,
    /// How the arena is planned.
    pub plan: Request,
    /// For which kernels the weights are arranged.
    pub packing: Packing,
    /// What is shown while training.
    pub progress: Progress,
}

/// Trains, quantizes, plans, writes and tests. `say` is told each result as it comes, in lines for people.
///
/// # Errors
/// If the data are not what the recipe says, training fails (names epoch and batch), or a file cannot be written.
pub fn run(recipe: &Recipe, options: &Options, say: &mut dyn FnMut(&str)) -> Result<TrainReport> {
    let seed = options.seed.unwrap_or(recipe.training.seed);
    let data = recipe.prepare(&options.data, seed)?;
    let mut network = recipe.network(&data, seed)?;
    let parameters: usize = network.parameters().iter().filter(|p| p.trainable).map(|p| p.values.len()).sum();
    say(&format!(
        "{}: {parameters} parameters, {} samples to train on, {} held out",
        recipe.name,
        data.training.len(),
        data.test.len()
    ));

    let checkpoint = options.output.with_extension("safetensors");
    prepare_checkpoint(&checkpoint, options.resume)?;
    let mut fit = recipe.training.fit_options(seed);
    fit.epochs = options.epochs.unwrap_or(fit.epochs);
    fit.progress = options.progress;
    fit.checkpoint = Some(checkpoint.clone());
    let start = Instant::now();
    let history = network.fit(&data.training, &fit)?;
    let training_seconds = start.elapsed().as_secs_f64();

    let loss = recipe.training.loss.loss();
    let score =
        |metrics: dunlin_converter::nn::Metrics| Score { loss: metrics.loss, accuracy: metrics.accuracy };
    let real = score(network.evaluate(&data.test, loss)?);
    say(&format!("f32  {real}"));
    let classifies = recipe.training.loss.classifies();
    let simple = demo::simplified(&network)?;
    let ranges = calibrate(&simple, &calibration(&data.calibration))?;
    let plain = quantize_with(&simple, &ranges, recipe.quantization.weight_max())?;
    let mut model = write(recipe, &plain, options)?;
    let mut int8 = quantized_score(&model, &data.test, classifies)?;
    say(&format!("int8 {int8}"));
    let mut plain_int8 = None;
    if let Some(aware) = &recipe.quantization.aware {
        let fit = recipe.training.aware_options(aware, seed);
        let weight_max = recipe.quantization.weight_max();
        let rounding = Rounding { ranges: &ranges, weight_max, learn_scales: aware.learn_scales };
        let tuned = network.fit_quantized(&rounding, &data.training, &fit)?;
        model = write(recipe, &tuned, options)?;
        plain_int8 = Some(int8);
        int8 = quantized_score(&model, &data.test, classifies)?;
        say(&format!("int8 {int8}, trained with rounding"));
    }
    Ok(TrainReport {
        name: recipe.name.clone(),
        seed,
        epochs: history.epochs.len(),
        training_samples: data.training.len(),
        test_samples: data.test.len(),
        parameters,
        training_seconds,
        f32: real,
        int8,
        plain_int8,
        file: options.output.clone(),
        checkpoint,
        model: ModelReport::of(&model.model()?)?,
    })
}

/// Without `resume`, training starts anew; with it, there must be something to go on from.
fn prepare_checkpoint(path: &PathBuf, resume: bool) -> Result<()> {
    match (resume, path.exists()) {
        (true, false) => {
            let what = "there is no checkpoint to resume from: leave --resume out to train from the start";
            Err(Error::File { path: path.clone(), what: what.to_string() })
        }
        (false, true) => std::fs::remove_file(path).map_err(Error::io(path)),
        _ => Ok(()),
    }
}

fn calibration(data: &Dataset) -> Vec<Vec<Data>> {
    (0..data.len()).map(|i| vec![Data::F32(data.sample(i).to_vec())]).collect()
}

/// Plans and writes the quantized network; what was written.
fn write(recipe: &Recipe, quantized: &Graph, options: &Options) -> Result<ModelFile> {
    let program = Program::compile_with(quantized, options.packing, |graph| options.plan.plan(graph))?;
    file::write_program_with(
        &options.output,
        &program,
        &recipe.front_end().map_or(String::new(), front_end_source),
    )?;
    ModelFile::read(&options.output)
}

/// The Rust source of a front end, for the device.
fn front_end_source(config: Config) -> String {
    let debug =
        format!("{config:#?}").replace(" Mfcc", " Features::Mfcc").replace(" LogMel", " Features::LogMel");
    let paths = debug
        .replace("Config {", "dunlin::frontend::Config {")
        .replace("Features::", "dunlin::frontend::Features::");
    format!(
        "\n/// How sound becomes the model's input.\npub const FRONT_END: dunlin::frontend::Config = {paths};\n"
    )
}

/// How the model in the file does on the test, with the runtime's arithmetic.
fn quantized_score(file: &ModelFile, test: &Dataset, classifies: bool) -> Result<Score> {
    let model = file.model()?;
    let dims = [&[test.len()][..], test.dims()].concat();
    let x = (0..test.len()).flat_map(|i| test.sample(i)).copied().collect();
    let samples = Samples::of(&model, &[Array { dims, data: Data::F32(x) }])?;
    let stored = samples::run(&model, &samples)?;
    let port = model.output(0).map_err(|source| Error::Model { what: "the output".to_string(), source })?;
    let real = |&byte: &u8| port.scale * (i32::from(byte as i8) - port.zero_point) as f32;
    let outputs: Vec<f32> = stored.iter().map(real).collect();
    let rows = || outputs.chunks_exact(outputs.len() / test.len()).enumerate();
    let best = |row: &[f32]| (0..row.len()).rev().max_by(|&a, &b| row[a].total_cmp(&row[b]));
    let n_right = rows().filter(|&(i, row)| best(row) == Some(test.label(i))).count();
    let accuracy = classifies.then(|| n_right as f64 / test.len() as f64);
    let loss = match classifies {
        true => rows().map(|(i, row)| -f64::from(row[test.label(i)].max(port.scale / 2.0)).ln()).sum::<f64>(),
        false => {
            let squares = |(i, row): (usize, &[f32])| {
                let differences = row.iter().zip(test.target(i)).map(|(y, t)| f64::from(y - t).powi(2));
                differences.sum::<f64>() / row.len() as f64
            };
            rows().map(squares).sum()
        }
    };
    Ok(Score { loss: loss / test.len() as f64, accuracy })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The windows are made up, so that most are told apart; int8 stays near f32, and one sample fits the device.
    #[test]
    fn the_motion_recipe_names_gestures() {
        let recipe =
            Recipe::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/motion.toml")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            data: ".".into(),
            output: folder.path().join("motion.dunlin"),
            seed: None,
            epochs: None,
            resume: false,
            plan: Request::default(),
            packing: Packing::Portable,
            progress: Progress::Quiet,
        };
        let report = run(&recipe, &options, &mut |_| {}).unwrap();
        let [real, int8] = [report.f32, report.int8].map(|score| score.accuracy.unwrap());
        println!("f32 {real}, int8 {int8}, {} s", report.training_seconds);
        assert!(real > 0.97 && real - int8 < 0.01, "f32 {real}, int8 {int8}");
    }

    /// Three bits a weight: rounding a trained network loses more than a point, training with rounding gets most back,
    /// with the scales as they are and with learned ones.
    #[test]
    fn training_with_rounding_beats_rounding() {
        let mut recipe =
            Recipe::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/digits_3bit.toml")).unwrap();
        for learn_scales in [false, true] {
            recipe.quantization.aware.as_mut().unwrap().learn_scales = learn_scales;
            let folder = tempfile::tempdir().unwrap();
            let options = Options {
                data: ".".into(),
                output: folder.path().join("digits.dunlin"),
                seed: None,
                epochs: None,
                resume: false,
                plan: Request::default(),
                packing: Packing::Portable,
                progress: Progress::Quiet,
            };
            let report = run(&recipe, &options, &mut |_| {}).unwrap();
            let [real, aware, plain] = [Some(report.f32), Some(report.int8), report.plain_int8]
                .map(|score| score.unwrap().accuracy.unwrap());
            let all = format!("aware {aware}, plain {plain}, f32 {real}, learned scales: {learn_scales}");
            println!("{all}");
            assert!(real - plain > 0.01 && aware - plain > 0.01 && real - aware < 0.02, "{all}");
        }
    }
}
