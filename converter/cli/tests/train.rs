//! `dunlin train` as a user meets it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const RECIPES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/recipes");

/// Images of 4×4 pixels whose left or right half is bright, and a recipe that tells them apart.
fn halves(folder: &Path) {
    let n = 40u8;
    let pixel = |i: u8, p: u8| if (p % 4 < 2) == i.is_multiple_of(2) { 200 + i % 7 } else { i % 11 };
    let images: Vec<u8> = (0..n).flat_map(|i| (0..16).map(move |p| pixel(i, p))).collect();
    let labels: Vec<u8> = (0..n).map(|i| i % 2).collect();
    let idx = |dims: &[u8], elements: &[u8]| {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        dims.iter().for_each(|&dim| bytes.extend([0, 0, 0, dim]));
        bytes.extend(elements);
        bytes
    };
    std::fs::write(folder.join("images"), idx(&[n, 4, 4], &images)).unwrap();
    std::fs::write(folder.join("labels"), idx(&[n], &labels)).unwrap();
    let recipe = r#"
        name = "halves"
        labels = ["left", "right"]
        layers = [{ conv2d = { filters = 2, kernel = [3, 3] } }, "relu", "flatten", { dense = { units = 2 } }, "softmax"]
        [data]
        source = { idx = { images = "images", labels = "labels" } }
        test = { last = 10 }
        [training]
        epochs = 8
        batch_size = 8
        optimizer = { sgd = { rate = 0.1, momentum = 0.9 } }
    "#;
    std::fs::write(folder.join("halves.toml"), recipe).unwrap();
}

fn dunlin(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dunlin")).args(args).current_dir(folder).output().unwrap()
}

fn error(folder: &Path, args: &[&str]) -> String {
    let output = dunlin(folder, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap().lines().last().unwrap_or_default().to_string()
}

#[test]
fn a_recipe_becomes_a_model() {
    let folder = tempfile::tempdir().unwrap();
    halves(folder.path());
    let output = dunlin(folder.path(), &["train", "halves.toml", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["training_samples"], &report["test_samples"]), (&30.into(), &10.into()));
    assert_eq!((&report["f32"]["accuracy"], &report["int8"]["accuracy"]), (&1.0.into(), &1.0.into()));
    assert_eq!(report["model"]["labels"], serde_json::json!(["left", "right"]));
    assert_eq!(report["model"]["inputs"][0]["shape"], serde_json::json!([1, 4, 4, 1]));
    let written = std::fs::metadata(folder.path().join("halves.dunlin")).unwrap().len();
    assert_eq!(report["model"]["model_bytes"], written);
    let text = String::from_utf8(dunlin(folder.path(), &["train", "halves.toml"]).stdout).unwrap();
    for part in ["fully_connected", "f32 100.00 % right", "int8 100.00 % right", "MACs:", "flash:", "arena:"]
    {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    let folder = tempfile::tempdir().unwrap();
    halves(folder.path());
    let change = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(folder.path().join("halves.toml")).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(folder.path().join(name), text.replacen(from, to, 1)).unwrap();
        error(folder.path(), &["train", name])
    };
    let cases = [
        (
            change("a.toml", "momentum", "momentun"),
            "unknown field `momentun`, expected one of `rate`, `momentum`",
        ),
        (
            change("b.toml", "\"labels\" }", "\"lables\" }"),
            "lables: is not there: name the folder of the recipe's data",
        ),
        (change("c.toml", "last = 10", "last = 40"), "of 40 samples leaves 0 to train on"),
        (change("d.toml", "[3, 3]", "[5, 5]"), "conv2d: conv2d does not take inputs"),
        (change("e.toml", ", \"softmax\"", ""), "cross-entropy needs a network that ends in a Softmax"),
        (change("f.toml", "rate = 0.1", "rate = 1e30"), "lower the learning rate"),
        (error(folder.path(), &["train", "none.toml"]), "none.toml"),
        (error(folder.path(), &["train", "halves.toml", "--resume"]), "no checkpoint to resume from"),
    ];
    for (error, part) in cases {
        assert!(error.starts_with("error: ") && error.contains(part), "no `{part}` in {error}");
    }
    assert!(!folder.path().join("halves.dunlin").exists());
}

/// Runs `args`, which train `killed.dunlin`, until the first checkpoint is there.
fn kill_in_training(folder: &Path, args: &[String]) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
        .args(args)
        .current_dir(folder)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !folder.join("killed.safetensors").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before its first checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!folder.join("killed.dunlin").exists(), "it was killed too late");
}

#[test]
fn a_killed_training_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let recipe = format!("{RECIPES}/digits.toml");
    let args = |output| ["train", &recipe, "--epochs", "4", "--output", output].map(str::to_owned);
    let whole = args("whole.dunlin");
    assert!(dunlin(folder.path(), &whole.each_ref().map(String::as_str)).status.success());
    kill_in_training(folder.path(), &args("killed.dunlin"));
    let resumed =
        dunlin(folder.path(), &["train", &recipe, "--epochs", "4", "-o", "killed.dunlin", "--resume"]);
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    let bytes = |name: &str| std::fs::read(path(name)).unwrap();
    assert_eq!(bytes("killed.dunlin"), bytes("whole.dunlin"));
    assert_eq!(bytes("killed.safetensors"), bytes("whole.safetensors"));
}

/// What every test below trains: two classes.
const LAYERS: &str = r#"layers = ["flatten", { dense = { units = 2 } }, "softmax"]"#;

fn recipe(folder: &Path, name: &str, data: &str, training: &str) {
    let text = format!(
        "name = \"{name}\"\n{LAYERS}\n[training]\nepochs = 12\nbatch_size = 8\n\
         optimizer = {{ adam = {{ rate = 0.05 }} }}\n{training}\n[data]\n{data}\n"
    );
    std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
}

fn report(folder: &Path, args: &[&str]) -> serde_json::Value {
    let output = dunlin(folder, &[&["train"], args, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn arrays_and_folders_of_images_become_models() {
    use dunlin_files::{NpyArray, write_npz};
    let folder = tempfile::tempdir().unwrap();
    let pixel = |i: usize, p: usize| if (p % 4 < 2) == i.is_multiple_of(2) { 200 + (i % 7) as u8 } else { 9 };
    let images: Vec<u8> = (0..40).flat_map(|i| (0..16).map(move |p| pixel(i, p))).collect();
    for (i, image) in images.chunks_exact(16).enumerate() {
        let class = ["left", "right"][i % 2];
        std::fs::create_dir_all(folder.path().join("images").join(class)).unwrap();
        let file = std::fs::File::create(folder.path().join(format!("images/{class}/{i}.png"))).unwrap();
        let mut encoder = png::Encoder::new(file, 4, 4);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(image).unwrap();
    }
    let labels = NpyArray { dims: vec![40], elements: (0..40).map(|i| i % 2).collect::<Vec<i64>>().into() };
    let images = NpyArray { dims: vec![40, 4, 4], elements: images.into() };
    write_npz(&folder.path().join("data.npz"), [("x", images), ("y", labels)]).unwrap();
    let training = r#"metrics = ["f1", "auc", { top_k = 1 }]"#;
    let augment = "augment = { images = { shift_pixels = 1, flip_upside_down = true, noise = 0.01 } }";
    let npz = format!("source = {{ npz = {{ file = \"data.npz\" }} }}\ntest = {{ last = 10 }}\n{augment}");
    recipe(folder.path(), "npz", &npz, training);
    let png = format!("source = {{ png = {{ folder = \"images\" }} }}\ntest = {{ every = 4 }}\n{augment}");
    recipe(folder.path(), "png", &png, training);
    for name in ["npz.toml", "png.toml"] {
        let report = report(folder.path(), &[name]);
        assert_eq!(report["model"]["inputs"][0]["shape"], serde_json::json!([1, 4, 4, 1]));
        assert_eq!(report["int8"]["accuracy"], 1.0, "{name}");
        assert_eq!(report["int8"]["metrics"], serde_json::json!({ "auc": 1.0, "f1": 1.0, "top_1": 1.0 }));
        assert_eq!(report["confusion"]["counts"], serde_json::json!([[5, 0], [0, 5]]), "{name}");
    }
    recipe(folder.path(), "wrong", &npz.replace("npz = { file", "npz = { x = \"z\", file"), "");
    let error = error(folder.path(), &["train", "wrong.toml"]);
    assert!(error.ends_with("data.npz: has no array `z`; it has x, y"), "{error}");
}

/// 900 images from a `.npz` file, others in each epoch.
#[test]
fn the_fashion_recipe_learns() {
    let Some(assets) = std::env::var_os("DUNLIN_ASSETS") else {
        println!("skipped: DUNLIN_ASSETS does not name the folder with data/fashion_mnist");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let data = Path::new(&assets).join("data");
    let recipe = format!("{RECIPES}/fashion.toml");
    let report = report(folder.path(), &[&recipe, "--data", data.to_str().unwrap()]);
    let [real, int8] = ["f32", "int8"].map(|key| report[key]["accuracy"].as_f64().unwrap());
    assert!(real > 0.7 && (real - int8).abs() < 0.05, "{real}, {int8}");
    assert_eq!(report["model"]["labels"][9], "boot");
    let shipped = std::fs::read(format!("{RECIPES}/../fashion/fashion.dunlin")).unwrap();
    assert!(std::fs::read(folder.path().join("fashion.dunlin")).unwrap() == shipped, "it is not what ships");
}

/// Windows of two axes, slow and fast.
fn motion(folder: &Path) -> String {
    std::fs::create_dir_all(folder.join("motion")).unwrap();
    for (label, speed) in [("fast", 1.1f32), ("slow", 0.3)] {
        for take in 0..4 {
            let row = |t: i32| {
                let angle = speed * t as f32 + take as f32;
                format!("{t},{},{}\n", 100.0 * angle.sin() + 500.0, 3.0 * angle.cos())
            };
            let rows: String = (0..80).map(row).collect();
            std::fs::write(folder.join(format!("motion/{label}_{take}.csv")), format!("t,x,y\n{rows}"))
                .unwrap();
        }
    }
    r#"
        test = { field = { name = "take", values = ["3"] } }
        validation = { field = { name = "take", values = ["2"] } }
        standardize = true
        augment = { motion = { warp = 0.1, scale = 0.1, noise = 0.02, shift_rows = 1 } }
        [data.source.csv]
        path = "motion"
        name = "{label}_{take}.csv"
        columns = ["x", "y"]
        windows = { rows = 20, hop = 5 }
    "#
    .to_string()
}

#[test]
fn windows_of_motion_become_a_model_with_what_standardizes_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = motion(folder.path());
    let layers = r#"{ conv1d = { filters = 6, taps = 5 } }, "relu", "flatten""#;
    recipe(folder.path(), "motion", &data, "");
    let path = folder.path().join("motion.toml");
    let text = std::fs::read_to_string(&path).unwrap().replacen("\"flatten\"", layers, 1);
    std::fs::write(&path, text).unwrap();
    let report = report(folder.path(), &["motion.toml"]);
    assert_eq!(report["int8"]["accuracy"], 1.0, "{report}");
    let mean = report["standardization"]["mean"][0].as_f64().unwrap();
    assert!((mean - 500.0).abs() < 20.0, "{mean}");
    let source = std::fs::read_to_string(folder.path().join("motion.rs")).unwrap();
    assert!(
        source.contains("pub const MEAN: [f32; 2] = [") && source.contains("pub const DEVIATION: [f32; 2]")
    );
    // From a sensor with 50 units for 1, as the device computes it.
    let text = std::fs::read_to_string(&path).unwrap();
    let sensor = text.replacen("standardize = true", "standardize = true\nsensor_units = 50", 1);
    std::fs::write(folder.path().join("sensor.toml"), sensor).unwrap();
    let report = self::report(folder.path(), &["sensor.toml", "-o", "sensor.dunlin"]);
    assert_eq!(report["int8"]["accuracy"], 1.0, "{report}");
    let source = std::fs::read_to_string(folder.path().join("sensor.rs")).unwrap();
    assert!(
        source.contains("pub const AXES: [dunlin::frontend::Axis; 2] = [dunlin::frontend::Axis { offset: 2"),
        "{source}"
    );
    std::fs::write(folder.path().join("motion/slow_9.csv"), "t,x,y\n1,2,NaN\n").unwrap();
    let error = error(folder.path(), &["train", "motion.toml"]);
    assert!(error.contains("slow_9.csv: line 2: column `y` is NaN"), "{error}");
}

/// Numbers in place of classes: a line through points, in f32 and int8.
#[test]
fn numbers_are_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..200)
        .map(|i| ((i * 37 % 41) as f32 / 20.0 - 1.0, (i * 23 % 31) as f32 / 15.0 - 1.0))
        .map(|(a, b)| format!("{a},{b},{}\n", 2.0 * a - b + 0.5))
        .collect();
    std::fs::write(folder.path().join("line.csv"), format!("a,b,y\n{rows}")).unwrap();
    let text = "name = \"line\"\nlayers = [{ dense = { units = 1 } }]\n[data]\ntest = { every = 4 }\n\
                source = { csv = { path = \"line.csv\", columns = [\"a\", \"b\"], targets = [\"y\"] } }\n\
                [training]\nepochs = 30\nbatch_size = 8\noptimizer = { adam = { rate = 0.05 } }\n";
    let loss = "loss = \"mean_squared_error\"\nmetrics = [\"mean_absolute_error\"]\n";
    std::fs::write(folder.path().join("line.toml"), format!("{text}{loss}")).unwrap();
    let report = report(folder.path(), &["line.toml", "--tflite", "line.tflite"]);
    let off = |key: &str| report[key]["metrics"]["mean_absolute_error"].as_f64().unwrap();
    assert!(off("f32") < 1e-3 && off("int8") < 0.05, "{report}");
    assert!(report["f32"]["accuracy"].is_null() && report["confusion"].is_null(), "{report}");
    let run = |model: &str| dunlin(folder.path(), &["inspect", model]);
    assert!(run("line.tflite").status.success() && run("line.dunlin").status.success());
    std::fs::write(folder.path().join("line.toml"), text).unwrap();
    let error = error(folder.path(), &["train", "line.toml"]);
    assert!(error.contains("and no classes: training.loss = \"mean_squared_error\""), "{error}");
}

/// Killed with everything on that has a state: what TensorBoard reads is whole, too.
#[test]
fn a_killed_training_with_all_of_it_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let training = "metrics = [\"auc\"]\nclip_norm = 1.0\nearly_stopping = { patience = 50 }\n\
                    schedule = { plateau = { factor = 0.9, patience = 1 } }";
    recipe(folder.path(), "motion", &motion(folder.path()), training);
    let args = |name: &str| {
        let args =
            ["train", "motion.toml", "--epochs", "150", "--tensorboard", name, "-o"].map(str::to_owned);
        [&args[..], &[format!("{name}.dunlin")]].concat()
    };
    let run = |name: &str, more: &[&str]| {
        let args = args(name);
        let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let output = dunlin(folder.path(), &args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run("whole", &["--curve", "curve.svg"]);
    assert!(std::fs::read_to_string(path("curve.svg")).unwrap().starts_with("<svg"));
    kill_in_training(folder.path(), &args("killed"));
    let forgotten =
        error(folder.path(), &["train", "motion.toml", "--epochs", "150", "-o", "killed.dunlin", "--resume"]);
    assert!(forgotten.contains("with 1 callbacks (such as TensorBoard's), now there are 0"), "{forgotten}");
    // As if it had been killed between an epoch's events and its checkpoint.
    let events = |name: &str, run: &str| {
        let mut files = std::fs::read_dir(path(name).join(run)).unwrap().map(|entry| entry.unwrap().path());
        let first = files.next().unwrap();
        assert!(files.next().is_none() && first.to_string_lossy().contains("tfevents"));
        first
    };
    let file = events("killed", "training");
    let longer = [std::fs::read(&file).unwrap(), b"half an event".to_vec()].concat();
    std::fs::write(&file, longer).unwrap();
    run("killed", &["--resume"]);
    assert_eq!(std::fs::read(path("killed.dunlin")).unwrap(), std::fs::read(path("whole.dunlin")).unwrap());
    for run in ["training", "validation"] {
        let [whole, killed] = ["whole", "killed"].map(|name| std::fs::read(events(name, run)).unwrap());
        assert_eq!(untimed(&whole), untimed(&killed), "{run}");
        assert!(untimed(&whole).len() > 50, "{} records", untimed(&whole).len());
    }
}

/// The records of an event file, without their times of day (the eight bytes behind the first key).
fn untimed(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
        let length = u64::from_le_bytes(*length) as usize;
        records.push(rest[4..][9..length].to_vec());
        bytes = &rest[4 + length + 4..];
    }
    records
}
