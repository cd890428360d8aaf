//! Every command of `models/TUTORIAL.md`, in its order, with one epoch of training in place of ten.

use std::path::Path;
use std::process::Command;

/// What the commands write cargo's part of their line as.
const DUNLIN: &str = "cargo run --release -- ";

#[test]
fn every_command_of_the_tutorial_works() {
    let Some(assets) = std::env::var_os("DUNLIN_ASSETS") else {
        println!("skipped: DUNLIN_ASSETS does not name the folder with the recordings (data/fsdd)");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("models/TUTORIAL.md")).unwrap();
    let commands: Vec<&str> = text
        .split("```sh\n")
        .skip(1)
        .flat_map(|block| block.split("```").next().unwrap().lines())
        .map(|line| line.strip_prefix(DUNLIN).unwrap_or_else(|| panic!("not a command of dunlin: {line}")))
        .collect();
    assert!(commands.len() >= 6, "{commands:?}");

    let folder = tempfile::tempdir().unwrap();
    let (data, models) = (Path::new(&assets).join("data"), root.join("models"));
    let mut printed = String::new();
    for command in commands {
        let mut args: Vec<String> =
            command.split_whitespace().map(|arg| placed(arg, &data, &models)).collect();
        match args[0].as_str() {
            // What it installs is there where tests run, or the commands below say what is missing.
            "setup" => args.push("--check".into()),
            "train" => args.extend(["--epochs".into(), "1".into()]),
            _ => {}
        }
        let output =
            Command::new(env!("CARGO_BIN_EXE_dunlin")).args(&args).current_dir(&folder).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        let board_is_needed = args[0] == "setup" || args[0] == "emulate";
        if board_is_needed
            && !output.status.success()
            && std::env::var_os("DUNLIN_REQUIRE_EMULATION").is_none()
        {
            println!("not run: {command}: {message}");
            continue;
        }
        assert!(output.status.success(), "{command}: {message}");
        printed += &String::from_utf8_lossy(&output.stdout);
    }
    // Two recordings, decided twice; with one epoch not always rightly.
    assert!(printed.matches("decided: ").count() >= 1, "{printed}");
    assert!(printed.contains("words.npy: f32 [2, 49, 10, 1]"), "{printed}");
    for file in [
        "spoken_digits.dunlin",
        "spoken_digits.rs",
        "spoken_digits.safetensors",
        "scores.npy",
        "listener/Cargo.toml",
    ] {
        assert!(folder.path().join(file).exists(), "{file} is missing");
    }
}

/// Where the tutorial's paths are here.
fn placed(arg: &str, data: &Path, models: &Path) -> String {
    let below = |folder: &Path, rest: &str| folder.join(rest.trim_start_matches('/')).display().to_string();
    match (arg.strip_prefix("data"), arg.strip_prefix("models")) {
        (Some(rest), _) if rest.is_empty() || rest.starts_with('/') => below(data, rest),
        (_, Some(rest)) if rest.starts_with('/') => below(models, rest),
        _ => arg.to_string(),
    }
}
