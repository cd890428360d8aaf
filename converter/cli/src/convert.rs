use std::path::PathBuf;

use clap::ValueEnum;
use dunlin_converter::device::boards;
use dunlin_converter::device::fit::Fit;
use dunlin_converter::pack::{Expansion, Packing, expansions_text};
use dunlin_converter::post_training::{QuantizationReport, Quantized, quantize_with_samples};
use dunlin_converter::report::ModelReport;
use dunlin_converter::{Error, Graph, Program, Result, export, file, import};
use serde::Serialize;

use crate::plan_args::PlanArgs;
use crate::{print, print_json};

/// Convert a .tflite or .onnx file to a .dunlin file, with the Rust source of its arena and operators beside it
///
/// Integer models give byte for byte what TensorFlow Lite Micro gives; float32 models are quantized to int8 with --samples of
/// their inputs, and what is printed first is how near int8 comes to float32 on these. Then follows what the device needs:
/// every operator, and the planned arena. PyTorch exports .onnx files with torch.onnx.export(model.eval(), x, "net.onnx");
/// images in and out of such a network have their channels last on the device, see --input-layout.
#[derive(clap::Args)]
pub struct Args {
    /// The file to convert, told by its contents
    file: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    /// Quantize a float32 file to int8: samples of an input as .npy, some hundred of those that the network will meet, as the
    /// first dimension; once for each of the model's inputs, in their order. Channels may be first or last
    #[arg(long, value_name = "X.npy")]
    samples: Vec<PathBuf>,
    /// Where the result goes; FILE with the extension of its format if not given. The Rust source goes beside it
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// The format of the result; tflite is the imported network, simplified, for TensorFlow Lite (Micro)
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Dunlin)]
    to: Format,
    /// Arrange the weights for the kernels of a core, such as cortex-m4, and show how the flash and the RAM of its board
    /// compare with the model and the arena; the result runs on every core
    #[arg(long, value_name = "CORE")]
    target: Option<String>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Dunlin,
    Tflite,
}

pub fn convert(args: &Args) -> Result<()> {
    let packing = args.target.as_deref().map_or(Ok(Packing::Portable), boards::packing_for)?;
    let (graph, quantization) = graph(args)?;
    let (request, rewrite) = (args.plan.request(), args.plan.rewrite(packing));
    let program = Program::compile_for(&graph, rewrite, &request).map_err(import::in_file(&args.file))?;
    let report = ModelReport::of(&program.model()?)?
        .with_scales(&program.graph)
        .with_dead_channels(program.dead_channels.without_proofs())
        .with_proof(&program.graph, &program.plan);
    let fit = args.target.as_ref().map(|core| Fit::of(core, &report)).transpose()?;
    let written = match args.to {
        Format::Dunlin => {
            let path = output_path(args, "dunlin")?;
            let source = file::write_program(&path, &program)?;
            format!("{} and {}", path.display(), source.display())
        }
        Format::Tflite => {
            let path = output_path(args, "tflite")?;
            export::write_tflite(&path, &graph)?;
            path.display().to_string()
        }
    };
    if args.json {
        let (target, expansions) = (fit.as_ref(), &program.expansions[..]);
        return print_json(&Converted { report: &report, expansions, target, quantization });
    }
    if let Some(quantization) = quantization {
        print(&quantization.to_string())?;
    }
    print(&format!("{report}"))?;
    if args.plan.has_flash() {
        print(&expansions_text(&program.expansions))?;
    }
    if let Some(fit) = fit {
        print(&fit.to_string())?;
    }
    print(&format!("{written} written"))
}

/// The network, and what quantization cost if it took place.
fn graph(args: &Args) -> Result<(Graph, Option<QuantizationReport>)> {
    let real = import::load_simplified_with(&args.file, args.plan.layout())?;
    if args.samples.is_empty() {
        return Ok((real, None));
    }
    match quantize_with_samples(&real, &args.samples) {
        Ok(Quantized { graph, report }) => Ok((graph, Some(report))),
        Err(error @ Error::File { .. }) => Err(error),
        Err(error) => Err(import::in_file(&args.file)(error)),
    }
}

/// What is printed for programs.
#[derive(Serialize)]
struct Converted<'a> {
    #[serde(flatten)]
    report: &'a ModelReport,
    /// The layers that can have more bytes of weights, and which do.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    expansions: &'a [Expansion],
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a Fit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantization: Option<QuantizationReport>,
}

/// Where the result goes: never over what it is made from, unless that is asked for.
fn output_path(args: &Args, extension: &str) -> Result<PathBuf> {
    let beside = || args.file.with_extension(extension);
    match &args.output {
        Some(path) => Ok(path.clone()),
        None if beside() == args.file => Err(Error::File {
            path: args.file.clone(),
            what: format!("would be overwritten: say with -o OUT.{extension} where the result goes"),
        }),
        None => Ok(beside()),
    }
}
