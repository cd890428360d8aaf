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

#[test]
fn a_killed_training_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let recipe = format!("{RECIPES}/digits.toml");
    let args = |output| ["train", &recipe, "--epochs", "4", "--output", output].map(str::to_owned);
    let whole = args("whole.dunlin");
    assert!(dunlin(folder.path(), &whole.each_ref().map(String::as_str)).status.success());
    let mut child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
        .args(args("killed.dunlin"))
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !path("killed.safetensors").exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before its first checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!path("killed.dunlin").exists(), "it was killed too late");
    let resumed =
        dunlin(folder.path(), &["train", &recipe, "--epochs", "4", "-o", "killed.dunlin", "--resume"]);
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    let bytes = |name: &str| std::fs::read(path(name)).unwrap();
    assert_eq!(bytes("killed.dunlin"), bytes("whole.dunlin"));
    assert_eq!(bytes("killed.safetensors"), bytes("whole.safetensors"));
}
