//! The command line as a user meets it: results on stdout, one message on stderr, exit codes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use dunlin::ops::FullyConnected;
use dunlin::ops::bounds::Bounds;
use dunlin_converter::device::{self, boards, setup};
use dunlin_converter::npy::{self, Array};
use dunlin_converter::{Data, Graph, Program, Quant};

/// A folder with `net.dunlin`: int8, `[1, 3]` to `[1, 2]`, y0 = x0 + x1, y1 = max(x2, 0) in real numbers.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let mut g = Graph::new("sums");
        let x = g.input("x", &[1, 3]).unwrap();
        let w = g.constant("w", &[2, 3], Data::I8(vec![2, 2, 0, 0, 0, 2])).unwrap();
        g[w].ty = g[w].ty.with_dtype(dunlin::DType::F32);
        g[x].quant = Some(Quant::i8(0.5, 1));
        g[w].quant = Some(Quant { axis: Some(0), scales: vec![0.5, 0.5], ..Quant::i8(0.5, 0) });
        let y = g.apply("y", FullyConnected::new(Bounds::RELU), &[x, w]).unwrap();
        g[y].quant = Some(Quant::i8(0.25, -128));
        g.mark_output(y);
        let folder = Folder(tempfile::tempdir().unwrap());
        std::fs::write(folder.path("net.dunlin"), Program::compile(&g).unwrap().bytes()).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn dunlin(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_dunlin")).args(args).current_dir(&self.0).output().unwrap()
    }

    /// The one message of a command that must fail.
    fn error(&self, args: &[&str]) -> String {
        let output = self.dunlin(args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
        assert!(message.starts_with("error: ") && message.trim_end().lines().count() == 1, "{message}");
        message
    }

    /// What a command that must succeed prints.
    fn prints(&self, args: &[&str]) -> String {
        let output = self.dunlin(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn write(&self, name: &str, dims: &[usize], data: Data) {
        npy::write(&self.path(name), &Array { dims: dims.to_vec(), data }).unwrap();
    }
}

fn read(path: &Path) -> Array {
    npy::read(path).unwrap()
}

const RUN: [&str; 6] = ["run", "net.dunlin", "--input", "x.npy", "--output", "y.npy"];

#[test]
fn inspect_prints_tables_or_json() {
    let folder = Folder::new();
    let text = folder.prints(&["inspect", "net.dunlin"]);
    for part in ["sums", "fully_connected", "1×2", "MACs", "optimal"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&folder.prints(&["inspect", "net.dunlin", "--json"])).unwrap();
    assert_eq!(json["name"], "sums");
    assert_eq!(json["inputs"][0]["shape"], serde_json::json!([1, 3]));
    assert_eq!(json["inputs"][0]["scale"], 0.5);
    assert_eq!(json["inputs"][0]["zero_point"], 1);
    assert_eq!(json["operators"][0]["operator"], "fully_connected");
    assert_eq!(json["operators"][0]["macs"], 6);
    assert_eq!(json["operators"][0]["weight_bytes"], 6 + 2 * 3 * 4);
    // Three bytes in, two out, both rounded up to a word; two words of scratch memory.
    assert_eq!(json["operators"][0]["live_bytes"], 16);
    assert_eq!(json["plan"]["arena_bytes"], 16);
    assert_eq!(json["plan"]["arena_lower_bound_bytes"], 16);
}

#[test]
fn run_quantizes_real_numbers_and_takes_stored_ones() {
    let folder = Folder::new();
    folder.write("x.npy", &[2, 3], Data::F32(vec![1.0, 2.0, 3.0, -1.0, 4.0, -2.0]));
    folder.prints(&RUN);
    let real = Array { dims: vec![2, 2], data: Data::I8(vec![-128 + 12, -128 + 12, -128 + 12, -128]) };
    assert_eq!(read(&folder.path("y.npy")), real);
    folder.write("x.npy", &[2, 1, 3], Data::I8(vec![3, 5, 7, -1, 9, -3]));
    folder.prints(&RUN);
    assert_eq!(read(&folder.path("y.npy")), real);
    folder.write("x.npy", &[1, 3], Data::I8(vec![3, 5, 7]));
    folder.prints(&RUN);
    assert_eq!(read(&folder.path("y.npy")).dims, [1, 2]);
}

#[test]
fn convert_quantizes_with_samples() {
    let folder = Folder::new();
    let mut g = Graph::new("real");
    let x = g.input("x", &[1, 3]).unwrap();
    let w = g.constant("w", &[2, 3], Data::F32(vec![1.0, -1.0, 0.5, 0.25, 0.0, 2.0])).unwrap();
    let y = g.apply("y", FullyConnected::new(Bounds::None), &[x, w]).unwrap();
    g.mark_output(y);
    dunlin_converter::export::write_tflite(&folder.path("real.tflite"), &g).unwrap();
    let quantize = ["convert", "real.tflite", "--samples", "x.npy"];
    folder.write("x.npy", &[2, 3], Data::F32(vec![1.0, 2.0, f32::NAN, -1.0, 0.5, -2.0]));
    let error = folder.error(&quantize);
    assert!(error.contains("real.tflite: x: is NaN on calibration data"), "{error}");
    folder.write("x.npy", &[2, 3], Data::F32(vec![1.0, 2.0, 3.0, -1.0, 0.5, -2.0]));
    let text = folder.prints(&quantize);
    assert!(text.contains("2 of 2") && text.contains("real.dunlin and real.rs written"), "{text}");
    folder.prints(&["convert", "real.tflite", "--samples", "x.npy", "--to", "tflite", "-o", "int8.tflite"]);
    folder.prints(&["run", "int8.tflite", "--input", "x.npy", "--output", "y.npy"]);
    assert_eq!(read(&folder.path("y.npy")).data.dtype(), dunlin::DType::I8);
    let error = folder.error(&["convert", "int8.tflite", "--samples", "x.npy"]);
    assert!(error.contains("int8.tflite") && error.contains("already"), "{error}");
    folder.write("x.npy", &[2, 4], Data::F32(vec![0.0; 8]));
    let error = folder.error(&quantize);
    assert!(error.contains("x.npy") && error.contains("[2, 4]"), "{error}");
}

#[test]
fn bad_input_is_one_message_that_names_the_file() {
    let folder = Folder::new();
    let contains = |message: &str, parts: &[&str]| {
        for part in parts {
            assert!(message.contains(part), "no {part:?} in {message}");
        }
    };
    contains(&folder.error(&["inspect", "missing.dunlin"]), &["missing.dunlin", "No such file"]);
    contains(&folder.error(&RUN), &["x.npy", "No such file"]);
    std::fs::write(folder.path("x.npy"), "1, 2, 3").unwrap();
    contains(&folder.error(&RUN), &["x.npy", "not a .npy file", "numpy.save"]);
    contains(&folder.error(&["inspect", "x.npy"]), &["x.npy", "give it a .dunlin, .tflite or .onnx file"]);
    folder.write("x.npy", &[3, 2], Data::F32(vec![0.0; 6]));
    contains(&folder.error(&RUN), &["x.npy", "[3, 2]", "`x` (i8 1×3)", "[N, 3]"]);
    folder.write("x.npy", &[3], Data::I32(vec![0; 3]));
    contains(&folder.error(&RUN), &["x.npy", "[3]"]);
    folder.write("x.npy", &[1, 3], Data::I32(vec![0; 3]));
    contains(&folder.error(&RUN), &["x.npy", "i32", "takes i8, or f32"]);
    folder.write("x.npy", &[1, 3], Data::I8(vec![0; 3]));
    let two = ["run", "net.dunlin", "--input", "x.npy", "--input", "x.npy", "--output", "y.npy"];
    contains(&folder.error(&two), &["2 inputs given", "takes 1", "`x` (i8 1×3)"]);
    let nowhere = ["run", "net.dunlin", "--input", "x.npy", "--output", "nowhere/y.npy"];
    contains(&folder.error(&nowhere), &["nowhere/y.npy"]);
    let damaged: Vec<u8> =
        std::fs::read(folder.path("net.dunlin")).unwrap().iter().rev().skip(4).rev().copied().collect();
    std::fs::write(folder.path("net.dunlin"), damaged).unwrap();
    contains(&folder.error(&RUN), &["net.dunlin", "truncated"]);
    contains(&folder.error(&["emulate", "net.dunlin"]), &["net.dunlin", "truncated"]);
    assert!(!folder.path("y.npy").exists());
}

/// Held while firmware is built: two builds of one board at a time disturb each other.
static FIRMWARE: Mutex<()> = Mutex::new(());

/// Whether the board of `core` can be built and emulated here; what is missing is told.
fn can_emulate(core: &str) -> bool {
    let boards = boards::discover(&device::home().unwrap()).unwrap();
    let board = boards::find(&boards, core).unwrap();
    let status = setup::status(std::slice::from_ref(board)).unwrap();
    if !status.is_complete() {
        eprintln!("not tested: something is missing (`dunlin setup` gets it)\n{status}");
    }
    status.is_complete()
}

#[test]
fn emulate_measures_and_compares() {
    if !can_emulate("cortex-m4") {
        return;
    }
    let _alone = FIRMWARE.lock();
    let folder = Folder::new();
    folder.write("x.npy", &[2, 3], Data::F32(vec![1.0, 2.0, 3.0, -1.0, 4.0, -2.0]));
    let args = ["emulate", "net.dunlin", "--input", "x.npy", "--output", "y.npy", "--json"];
    let json: serde_json::Value = serde_json::from_str(&folder.prints(&args)).unwrap();
    assert_eq!(json["host_device_equal"], true);
    assert_eq!(json["samples_compared"], 2);
    assert_eq!(json["arena_bytes"], 16); // the symbol's size: a multiple of its alignment
    let file_bytes = folder.path("net.dunlin").metadata().unwrap().len();
    assert_eq!(json["model_bytes"].as_u64(), Some(file_bytes.next_multiple_of(16)));
    assert!(json["instructions"].as_u64().unwrap() > 50 && json["code_bytes"].as_u64().unwrap() > 500);
    assert_eq!(read(&folder.path("y.npy")).data, Data::I8(vec![-128 + 12, -128 + 12, -128 + 12, -128]));
    let text = folder.prints(&["emulate", "net.dunlin", "--core", "cortex-m4"]);
    assert!(text.contains("instructions per inference") && text.contains("yes"), "{text}");
    let unknown = folder.error(&["emulate", "net.dunlin", "--core", "z80"]);
    assert!(unknown.contains("z80") && unknown.contains("cortex-m4"), "{unknown}");
}

#[test]
fn the_demo_keeps_its_promises() {
    let folder = Folder::new();
    let demo = |output: &str, path: Option<&Path>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        command
            .args(["demo", "--json", "--output", output, "--tflite", "digits.tflite"])
            .current_dir(&folder.0);
        if let Some(path) = path {
            command.env("PATH", path);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    // Without any tool: the host's part, and what is missing.
    let alone = demo("alone.dunlin", Some(folder.0.path()));
    let (f32, int8) = (alone["f32_accuracy"].as_f64().unwrap(), alone["int8_accuracy"].as_f64().unwrap());
    assert!(f32 >= 0.97 && int8 >= f32 - 0.005, "f32 {f32}, int8 {int8}");
    assert!(alone["host_device_equal"].is_null() && alone["instructions"].is_null());
    assert_eq!(alone["samples_compared"], 0);
    assert!(alone["missing"].as_str().unwrap().contains("setup"), "{}", alone["missing"]);
    assert_eq!(alone["arena_bytes"], alone["arena_lower_bound_bytes"]);
    let bytes = |name: &str| std::fs::read(folder.path(name)).unwrap();
    folder.prints(&["convert", "digits.tflite", "-o", "back.dunlin", "--target", "cortex-m4"]);
    assert!(bytes("alone.dunlin") == bytes("back.dunlin"), "the exported network is the same");
    if !can_emulate("cortex-m4") {
        return;
    }
    let _alone = FIRMWARE.lock();
    let whole = demo("whole.dunlin", None);
    assert_eq!(whole["host_device_equal"], true);
    assert!(whole["samples_compared"].as_u64().unwrap() >= 100);
    // The fast kernels take 7 KB of it; the goal is 24.
    assert!(whole["code_bytes"].as_u64().unwrap() < 27 * 1024, "{}", whole["code_bytes"]);
    assert!(bytes("alone.dunlin") == bytes("whole.dunlin"), "the same seed writes the same bytes");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let folder = Folder::new();
    assert_eq!(folder.dunlin(&["run", "net.dunlin"]).status.code(), Some(2));
    assert_eq!(folder.dunlin(&["no-such-command"]).status.code(), Some(2));
    assert!(folder.prints(&["run", "--help"]).contains("rounded half to even"));
}

#[test]
fn plan_prints_the_ways_to_run_and_draws_one() {
    let folder = Folder::new();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/digits/digits_int8.tflite");
    std::fs::copy(model, folder.path("net.tflite")).unwrap();
    let plan = ["plan", "net.tflite", "--effort", "1"];
    let with = |more: &[&'static str]| [&plan[..], more].concat();
    let text = folder.prints(&plan);
    assert!(text.contains("rows-fed") && text.contains("no order of rows"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&folder.prints(&with(&["--json"]))).unwrap();
    let bytes = |i: usize| json[i]["arena_bytes"].as_u64().unwrap();
    assert_eq!((&json[0]["plan"], &json[2]["plan"]), (&"whole".into(), &"rows".into()));
    assert!(bytes(2) < bytes(0) && json[2]["bound_bytes"].as_u64().unwrap() <= bytes(2), "{json}");

    let json: serde_json::Value =
        serde_json::from_str(&folder.prints(&with(&["--core", "cortex-m4", "--json"]))).unwrap();
    let of = |weights: &str| -> Vec<&serde_json::Value> {
        json.as_array().unwrap().iter().filter(|way| way["weights"] == weights).collect()
    };
    let (plain, packed) = (of("plain"), of("for DSP"));
    assert_eq!((plain.len(), packed.len()), (5, 5));
    let instructions = |way: &serde_json::Value| way["estimated_instructions"].as_u64().unwrap();
    assert!(instructions(packed[0]) < instructions(plain[0]), "packed weights take fewer");
    // Depthwise layers grow by it: with the plain ones the file is the smaller one.
    assert!(packed[0]["best"] == true, "{json}");
    let text = folder.prints(&with(&["--core", "cortex-m55"]));
    assert!(text.contains("for vectors") && text.contains("kernels of the Cortex-M4F alone"), "{text}");

    let text = folder.prints(&with(&["--ram", "1m", "--picture", "net.svg"]));
    assert!(text.contains("fits: whole, ") && text.contains("net.svg: whole drawn"), "{text}");
    assert!(std::fs::read_to_string(folder.path("net.svg")).unwrap().contains("bytes alive"));
    let error = folder.error(&with(&["--ram", "16"]));
    assert!(error.contains("does not fit 16 bytes of RAM") && error.contains("rows needs"), "{error}");
    // The same words wherever a file is planned.
    let convert = folder.error(&["convert", "net.tflite", "--effort", "1", "--ram", "16"]);
    assert_eq!(error, convert);
    let error = folder.error(&["convert", "net.tflite", "--effort", "1", "--flash", "1k"]);
    assert!(error.contains("does not fit 1024 bytes of flash: the model file has "), "{error}");
    let text = folder.prints(&with(&["--core", "cortex-m4", "--flash", "64k"]));
    assert!(text.contains("no layer has weights that take more bytes"), "{text}");
    assert_eq!(folder.dunlin(&with(&["--plan", "columns"])).status.code(), Some(2));
    assert_eq!(folder.dunlin(&with(&["--ram", "much"])).status.code(), Some(2));
}

#[test]
fn a_tflite_file_is_converted_or_taken_as_it_is() {
    let folder = Folder::new();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/digits/digits_int8.tflite");
    std::fs::copy(model, folder.path("net.tflite")).unwrap();
    let text = folder.prints(&["convert", "net.tflite"]);
    assert!(text.contains("fully_connected") && text.contains("net.rs written"), "{text}");
    assert!(std::fs::read_to_string(folder.path("net.rs")).unwrap().contains("ARENA_BYTES"));
    let inspect = |name: &str| -> serde_json::Value {
        serde_json::from_str(&folder.prints(&["inspect", name, "--json"])).unwrap()
    };
    let (imported, written) = (inspect("net.tflite"), inspect("net.dunlin"));
    assert_eq!((&imported["plan"], &imported["inputs"]), (&written["plan"], &written["inputs"]));
    let last = |report: &serde_json::Value| report["operators"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last(&imported)["scale"], &last(&imported)["zero_point"]),
        (&(1.0 / 256.0).into(), &(-128).into())
    );
    // A model file holds no scales but those of its ports.
    assert_eq!((&last(&written)["scale"], &last(&written)["zero_point"]), (&().into(), &(-128).into()));
    assert_eq!(last(&imported)["input_shapes"], serde_json::json!([[1, 10]]));
    // Nothing in it is constant; and a model file is as it is.
    let text = folder.prints(&["inspect", "net.tflite", "--proof"]);
    assert!(text.contains("no channel is known to be the same for every input"), "{text}");
    let error = folder.error(&["inspect", "net.dunlin", "--keep-dead-channels"]);
    assert!(error.contains("net.dunlin: is converted and planned already"), "{error}");
    let text = folder.prints(&["convert", "net.tflite", "--target", "cortex-m0"]);
    assert!(text.contains("on qemu-cortex-m0 the model takes") && text.contains("bytes of RAM"), "{text}");
    let unknown = folder.error(&["convert", "net.tflite", "--target", "z80"]);
    assert!(unknown.contains("z80") && unknown.contains("cortex-m4"), "{unknown}");
    let json = folder.prints(&["convert", "net.tflite", "--target", "cortex-m7", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["target"]["core"], &json["target"]["fits"]), (&"cortex-m7".into(), &true.into()));
    let text = folder.prints(&["convert", "net.tflite", "--to", "tflite", "-o", "again.tflite"]);
    assert!(text.contains("again.tflite written"), "{text}");
    assert_eq!(inspect("again.tflite")["operators"], imported["operators"]);
    let error = folder.error(&["convert", "net.tflite", "--to", "tflite"]);
    assert!(error.contains("net.tflite: would be overwritten") && error.contains("-o"), "{error}");
    let error = folder.error(&["convert", "net.dunlin", "--to", "tflite"]);
    assert!(error.contains("net.dunlin: is a .dunlin file"), "{error}");
    std::fs::write(folder.path("cut.tflite"), &std::fs::read(folder.path("net.tflite")).unwrap()[..900])
        .unwrap();
    let error = folder.error(&["convert", "cut.tflite", "-o", "cut.dunlin"]);
    assert!(error.contains("cut.tflite") && error.contains("truncated or damaged"), "{error}");
    assert!(!folder.path("cut.dunlin").exists(), "nothing is written");
}

#[test]
fn a_board_runs_and_times_a_model_over_its_line() {
    let folder = Folder::new();
    folder.write("x.npy", &[2, 3], Data::F32(vec![1.0, 2.0, 3.0, -1.0, 4.0, -2.0]));
    let with = |more: &[&'static str]| [&RUN[..], more].concat();
    let error = folder.error(&with(&["--board", "pico"]));
    assert!(error.contains("the port of pico is missing") && error.contains("--port"), "{error}");
    let error = folder.error(&with(&["--port", "/dev/no-such-port"]));
    assert!(error.contains("/dev/no-such-port"), "{error}");
    if !can_emulate("cortex-m4") {
        return;
    }
    let _alone = FIRMWARE.lock();
    let text = folder.prints(&with(&["--board", "cortex-m4"]));
    assert!(text.contains("on the emulated qemu-cortex-m4"), "{text}");
    assert!(text.contains("every byte as on this machine"), "{text}");
    let bench = ["bench", "net.dunlin", "--port", "emulator", "--board", "cortex-m4"];
    assert!(folder.prints(&bench).contains("ticks per inference"));
    let json: serde_json::Value =
        serde_json::from_str(&folder.prints(&[&bench[..], &["--json"]].concat())).unwrap();
    assert_eq!(json["identity"]["model"]["name"], "sums");
    assert!(json["instructions"].as_u64().unwrap() > 100, "{json}");
}

#[test]
fn flash_and_new_say_what_they_do() {
    let folder = Folder::new();
    let text = folder.prints(&["new", "app", "--board", "cortex-m4", "--model", "net.dunlin"]);
    assert!(text.contains("src/main.rs") && text.contains("cargo run --release"), "{text}");
    assert!(folder.path("app/src/net.rs").is_file());
    assert!(folder.error(&["new", "app", "--board", "cortex-m4"]).contains("is there already"));
    let flash = |board| folder.error(&["flash", "net.dunlin", "--dry-run", "--board", board]);
    assert!(flash("cortex-m4").contains("dunlin run MODEL --board cortex-m4"));
    assert!(flash("arduino").contains("there is no board \"arduino\""));
    if !can_emulate("microbit") {
        return;
    }
    let _alone = FIRMWARE.lock();
    let plan = ["flash", "net.dunlin", "--board", "microbit", "--dry-run"];
    assert!(folder.prints(&plan).contains("microbit (nRF52833_xxAA): "));
    let json = folder.prints(&[&plan[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["chip"], &json["fits"]), (&"nRF52833_xxAA".into(), &true.into()));
    let numbers = ["sectors", "pages", "bytes", "flash_bytes_free", "ram_bytes_free"];
    assert!(numbers.iter().all(|key| json[key].as_u64().is_some_and(|n| n > 0)), "{json}");
}
