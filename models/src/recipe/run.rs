//! From a recipe to a model.

use std::path::PathBuf;
use std::time::Instant;

use dunlin::frontend::{Axis, Config};
use dunlin_converter::data::{Augmented, Standardization};
use dunlin_converter::file::{self, ModelFile};
use dunlin_converter::nn::{
    Callback, ConfusionMatrix, FitOptions, History, Network, Predictions, Progress, Rounding, Source,
    TensorBoard,
};
use dunlin_converter::plan::Request;
use dunlin_converter::program::Rewrite;
use dunlin_converter::quantize::quantize_with;
use dunlin_converter::report::ModelReport;
use dunlin_converter::{Error, Graph, Program, Result, export};

use super::score::{Measure, Score, Threshold, predict, threshold};
use super::{LossSpec, Prepared, Recipe, TrainReport};

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
    /// For which kernels the weights are arranged, and whether dead channels stay.
    pub rewrite: Rewrite,
    /// What is shown while training.
    pub progress: Progress,
    /// The folder that TensorBoard is to read, if it is.
    pub tensorboard: Option<PathBuf>,
    /// Where a picture of the training goes (SVG), if it is wanted.
    pub curve: Option<PathBuf>,
    /// Where the quantized network goes as a `.tflite` file, if that is wanted, too.
    pub tflite: Option<PathBuf>,
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

    if options.tflite.is_some() {
        // What has no .tflite file is to be told before the training.
        export::tflite(&network.quantized(&data.calibration)?)?;
    }
    let checkpoint = options.output.with_extension("safetensors");
    prepare_checkpoint(&checkpoint, options.resume)?;
    let mut fit = recipe.training.fit_options(seed);
    fit.epochs = options.epochs.unwrap_or(fit.epochs);
    fit.progress = options.progress;
    fit.checkpoint = Some(checkpoint.clone());
    let start = Instant::now();
    let augmented = augmented(&data, recipe, seed)?;
    let source: &dyn Source = augmented.as_ref().map_or(&data.training, |augmented| augmented);
    let history = train(&mut network, &data, source, &fit, options)?;
    let training_seconds = start.elapsed().as_secs_f64();
    if let Some(path) = &options.curve {
        file::replace(path, history.picture(&recipe.name).as_bytes())?;
    }

    let loss = recipe.training.loss.loss();
    let measure = Measure { loss, metrics: &recipe.training.metrics, anomalies: data.anomalies.as_deref() };
    let real = measure.real(&network, &data.test)?;
    say(&format!("f32  {real}"));
    let job = Job { recipe, options, data: &data, seed };
    let Int8 { score, plain, written } = job.quantize(&network, source, &measure, say)?;
    let confusion = match loss.classifies() {
        true => Some(ConfusionMatrix::of(&written.predictions, &data.classes)?),
        false => None,
    };
    let threshold = written.threshold.zip(data.anomalies.as_deref());
    Ok(TrainReport {
        name: recipe.name.clone(),
        seed,
        epochs: history.epochs.len(),
        training_samples: data.training.len(),
        test_samples: data.test.len(),
        parameters,
        training_seconds,
        f32: real,
        int8: score,
        plain_int8: plain,
        confusion,
        threshold: threshold.map(|(error, is)| Threshold::of(error, &written.predictions, is)),
        standardization: data.standardization.clone(),
        file: options.output.clone(),
        checkpoint,
        model: ModelReport::of(&written.model.model()?)?,
    })
}

/// What is done with which data.
struct Job<'j> {
    recipe: &'j Recipe,
    options: &'j Options,
    data: &'j Prepared,
    seed: u64,
}

/// The network in int8.
struct Int8 {
    score: Score,
    /// Without training with rounding, where the recipe asks for that.
    plain: Option<Score>,
    written: Written,
}

impl Job<'_> {
    /// Quantizes the trained network, writes it, and trains it on with rounding where the recipe asks for it.
    fn quantize(
        &self,
        network: &Network,
        source: &dyn Source,
        measure: &Measure,
        say: &mut dyn FnMut(&str),
    ) -> Result<Int8> {
        let Job { recipe, options, data, seed } = *self;
        let (ranges, weight_max) = (network.ranges(&data.calibration)?, recipe.quantization.weight_max());
        let mut quantized = quantize_with(&network.simplified()?, &ranges, weight_max)?;
        let mut written = write(recipe, data, &quantized, options)?;
        let mut score = measure.score(&written.predictions)?;
        say(&format!("int8 {score}"));
        let mut plain = None;
        if let Some(aware) = &recipe.quantization.aware {
            let fit = FitOptions { progress: options.progress, ..recipe.training.aware_options(aware, seed) };
            let rounding = Rounding { ranges: &ranges, weight_max, learn_scales: aware.learn_scales };
            quantized = network.fit_quantized(&rounding, source, &fit)?;
            written = write(recipe, data, &quantized, options)?;
            plain = Some(score);
            score = measure.score(&written.predictions)?;
            say(&format!("int8 {score}, trained with rounding"));
        }
        if let Some(path) = &options.tflite {
            export::write_tflite(path, &quantized)?;
        }
        Ok(Int8 { score, plain, written })
    }
}

/// The training samples as each epoch changes them, if it does.
fn augmented(data: &Prepared, recipe: &Recipe, seed: u64) -> Result<Option<Augmented>> {
    if data.changes.is_empty() {
        return Ok(None);
    }
    let augmented = Augmented::new(data.training.clone(), data.changes.clone(), seed)?;
    Ok(Some(match recipe.training.loss {
        LossSpec::Reconstruction => augmented.reconstructing()?,
        LossSpec::CrossEntropy | LossSpec::MeanSquaredError => augmented,
    }))
}

fn train(
    network: &mut Network,
    data: &Prepared,
    source: &dyn Source,
    fit: &FitOptions,
    options: &Options,
) -> Result<History> {
    let mut tensorboard = options.tensorboard.as_deref().map(TensorBoard::new);
    let mut callbacks: Vec<&mut dyn Callback> = Vec::new();
    callbacks.extend(tensorboard.as_mut().map(|callback| callback as &mut dyn Callback));
    let validation = data.validation.as_ref().map(|validation| validation as &dyn Source);
    network.fit_with(source, validation, fit, &mut callbacks)
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

/// A model in its file, and what it does.
struct Written {
    model: ModelFile,
    /// Of the test.
    predictions: Predictions,
    /// Where anomalies are the question: the error above which one is reported.
    threshold: Option<f32>,
}

/// Plans and writes the quantized network.
fn write(recipe: &Recipe, data: &Prepared, quantized: &Graph, options: &Options) -> Result<Written> {
    let program = Program::compile_for(quantized, options.rewrite, &options.plan)?;
    let loss = recipe.training.loss.loss();
    let threshold = match data.anomalies {
        // Samples that it was not trained on say better what is to be expected.
        Some(_) => {
            let normal = data.validation.as_ref().unwrap_or(&data.calibration);
            Some(threshold(&predict(&program.model()?, normal, loss)?))
        }
        None => None,
    };
    let mut source = recipe.front_end().map_or(String::new(), front_end_source);
    if let Some(axes) = &data.axes {
        source += &axes_source(axes);
    } else if let Some(Standardization { mean, deviation }) = &data.standardization {
        let n = mean.len();
        source += &format!(
            "\n/// What is taken away from each channel of raw numbers, to make them the model's input.\n\
             pub const MEAN: [f32; {n}] = {mean:?};\n\
             /// What the rest is divided by.\n\
             pub const DEVIATION: [f32; {n}] = {deviation:?};\n"
        );
    }
    if let Some(threshold) = threshold {
        source += &format!(
            "\n/// Mean squared difference between the model's input and output above which the input is an anomaly.\n\
             pub const THRESHOLD: f32 = {threshold:?};\n"
        );
    }
    file::write_program_with(&options.output, &program, &source)?;
    let model = ModelFile::read(&options.output)?;
    let predictions = predict(&model.model()?, &data.test, loss)?;
    Ok(Written { model, predictions, threshold })
}

/// The Rust source of what the device does to a sensor's numbers.
fn axes_source(axes: &[Axis]) -> String {
    let each = axes.iter().map(|Axis { offset, factor_q16 }| {
        format!("dunlin::frontend::Axis {{ offset: {offset}, factor_q16: {factor_q16} }}")
    });
    format!(
        "\n/// What becomes of the sensor's numbers: for `dunlin::frontend::Windows`.\n\
         pub const AXES: [dunlin::frontend::Axis; {}] = [{}];\n",
        axes.len(),
        each.collect::<Vec<_>>().join(", ")
    )
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn recipe(name: &str) -> Recipe {
        Recipe::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes").join(name)).unwrap()
    }

    fn options(folder: &Path) -> Options {
        Options {
            data: ".".into(),
            output: folder.join("model.dunlin"),
            seed: None,
            epochs: None,
            resume: false,
            plan: Request::default(),
            rewrite: Rewrite::default(),
            progress: Progress::Quiet,
            tensorboard: None,
            curve: None,
            tflite: None,
        }
    }

    /// A network that ships is what its recipe gives on every machine.
    fn assert_shipped(name: &str, folder: &Path) {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let [own, shipped] =
            [&folder.join("model.dunlin"), &shipped].map(|path| std::fs::read(path).unwrap());
        assert!(own == shipped, "{name} is not what its recipe gives");
    }

    /// The windows are made up, so that most are told apart; int8 stays near f32, and one sample fits the device.
    #[test]
    fn the_motion_recipe_names_gestures() {
        let folder = tempfile::tempdir().unwrap();
        let report = run(&recipe("motion.toml"), &options(folder.path()), &mut |_| {}).unwrap();
        let [real, int8] = [report.f32, report.int8].map(|score| score.accuracy.unwrap());
        println!("f32 {real}, int8 {int8}, {} s", report.training_seconds);
        assert!(real > 0.97 && real - int8 < 0.01, "f32 {real}, int8 {int8}");
        assert_shipped("motion/motion.dunlin", folder.path());
    }

    /// The autoencoder that ships is what its recipe gives on every machine, and what it reports is so.
    #[test]
    fn the_shipped_autoencoder_is_the_recipes() {
        let folder = tempfile::tempdir().unwrap();
        let report = run(&recipe("anomaly.toml"), &options(folder.path()), &mut |_| {}).unwrap();
        assert_shipped("anomaly/anomaly.dunlin", folder.path());
        for score in [&report.f32, &report.int8] {
            assert!(score.accuracy.is_none() && score.metrics["auc"] > 0.975, "{score}");
        }
        assert!((report.f32.metrics["auc"] - report.int8.metrics["auc"]).abs() < 0.005, "{report}");
        let threshold = report.threshold.unwrap();
        assert!(threshold.found > 0.8 && threshold.false_alarms < 0.1, "{threshold:?}");
        let source = std::fs::read_to_string(folder.path().join("model.rs")).unwrap();
        assert!(source.contains(&format!("pub const THRESHOLD: f32 = {:?};", threshold.error)), "{source}");
    }

    #[test]
    fn what_anomalies_need_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut unknown = recipe("anomaly.toml");
        unknown.data.normal = Some(vec!["x".to_string()]);
        let error = run(&unknown, &options(folder.path()), &mut |_| {}).unwrap_err().to_string();
        assert_eq!(error, "`data.normal` has `x`; the classes are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9");
        unknown.data.normal = Some((0..10).map(|class| class.to_string()).collect());
        let error = run(&unknown, &options(folder.path()), &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("no anomaly in the test"), "{error}");
    }

    /// Three bits a weight: rounding a trained network loses more than a point, training with rounding gets most back,
    /// with the scales as they are and with learned ones.
    #[test]
    fn training_with_rounding_beats_rounding() {
        let mut recipe = recipe("digits_3bit.toml");
        for learn_scales in [false, true] {
            recipe.quantization.aware.as_mut().unwrap().learn_scales = learn_scales;
            let folder = tempfile::tempdir().unwrap();
            let options = options(folder.path());
            let report = run(&recipe, &options, &mut |_| {}).unwrap();
            let [real, aware, plain] = [Some(report.f32), Some(report.int8), report.plain_int8]
                .map(|score| score.unwrap().accuracy.unwrap());
            let all = format!("aware {aware}, plain {plain}, f32 {real}, learned scales: {learn_scales}");
            println!("{all}");
            assert!(real - plain > 0.01 && aware - plain > 0.01 && real - aware < 0.02, "{all}");
        }
    }
}
