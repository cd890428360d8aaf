//! A firmware project of the user's own, made from what the board's crate says: dependencies, memory map, linker scripts.

use std::{
    fs,
    path::{Path, PathBuf},
};

use dunlin::Model;
use toml::Table;

use super::{
    Error, Result,
    boards::{self, Board},
    create_dir, read_text, write,
};
use crate::write::operator_table;

const PLAIN: &str = include_str!("plain.rs.txt");
const EMBASSY: &str = include_str!("embassy.rs.txt");

/// The HALs with embassy's executor, and the feature that gives each a clock.
const EMBASSY_HALS: [(&str, &str); 3] = [
    ("embassy-nrf", "time-driver-rtc1"),
    ("embassy-stm32", "time-driver-any"),
    ("embassy-rp", "time-driver"),
];

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The project's folder; its last part is the package's name.
    pub path: &'a Path,
    /// The board's name.
    pub board: &'a str,
    /// A task of embassy's executor instead of a plain `main`.
    pub embassy: bool,
}

/// Makes a project around `model`, whose file's bytes are `file`; the paths that were written.
///
/// # Errors
/// If the folder is there already, its name is no package's, there is no such board, or embassy does not run on it.
pub fn create(request: &Request, file: &[u8], model: &Model) -> Result<Vec<PathBuf>> {
    let home = super::home()?;
    let board = boards::find(&boards::discover(&home)?, request.board)?.clone();
    let name = package_name(request.path)?;
    if request.path.exists() {
        return Err(wrong(request.path, "is there already: choose another name"));
    }
    let project = Project::of(&home, &board, request)?;
    let mut files = vec![
        ("Cargo.toml", project.manifest(&home, name)?),
        ("build.rs", project.build_script()),
        (".cargo/config.toml", project.cargo_config()),
        ("src/main.rs", project.main(name)),
        ("src/net.rs", operator_table(model)),
        (".gitignore", "/target\n".to_owned()),
    ];
    let memory = board.dir.join("memory.x");
    if memory.is_file() {
        files.push(("memory.x", read_text(&memory)?));
    }
    let mut written = Vec::new();
    for folder in ["src", ".cargo"] {
        create_dir(&request.path.join(folder))?;
    }
    for (name, text) in files {
        written.push(request.path.join(name));
        write(&request.path.join(name), text.as_bytes())?;
    }
    let model_path = request.path.join("src/net.dunlin");
    write(&model_path, file)?;
    written.push(model_path);
    Ok(written)
}

/// What the project takes from its board.
struct Project<'a> {
    board: &'a Board,
    embassy: bool,
    /// The board crate's dependencies but for Dunlin's own.
    dependencies: Table,
    /// The HAL with embassy's executor, and its feature for time.
    embassy_hal: Option<(&'static str, &'static str)>,
    /// Linker scripts beside the usual ones.
    linker_arguments: Vec<String>,
}

impl<'a> Project<'a> {
    fn of(home: &Path, board: &'a Board, request: &Request) -> Result<Project<'a>> {
        let manifest = parse(&board.dir.join("Cargo.toml"))?;
        let workspace = parse(&home.join("Cargo.toml"))?;
        let shared = workspace.get("workspace").and_then(|table| table.get("dependencies"));
        let mut dependencies = Table::new();
        for (name, value) in
            manifest.get("dependencies").and_then(|value| value.as_table()).into_iter().flatten()
        {
            let is_shared = value.get("workspace").is_some();
            let value = if is_shared { shared.and_then(|shared| shared.get(name)) } else { Some(value) };
            if let (false, Some(value)) = (name.starts_with("dunlin"), value) {
                dependencies.insert(name.clone(), value.clone());
            }
        }
        let embassy_hal = EMBASSY_HALS.into_iter().find(|(hal, _)| dependencies.contains_key(*hal));
        if request.embassy
            && (board.target.starts_with("riscv") || (embassy_hal.is_none() && !board.is_emulated()))
        {
            return Err(Error::Missing {
                what: format!("a template of an embassy task for {}", board.name),
                advice: "leave --embassy out".to_owned(),
            });
        }
        let script = read_text(&board.dir.join("build.rs"))?;
        let linker_arguments = match board.target.starts_with("riscv") && board.is_emulated() {
            true => vec!["-Tmemory.x".to_owned(), "-Tlink.x".to_owned()],
            false => match script.split('"').filter(|text| text.starts_with("-T")).collect::<Vec<_>>() {
                named if named.is_empty() => vec!["-Tlink.x".to_owned()],
                named => named.into_iter().map(str::to_owned).collect(),
            },
        };
        Ok(Project { board, embassy: request.embassy, dependencies, embassy_hal, linker_arguments })
    }

    fn manifest(&self, home: &Path, name: &str) -> Result<String> {
        let mut dependencies = self.dependencies.clone();
        let runtime = home.join("runtime").display().to_string();
        let mut add = |name: &str, value: &str| -> Result<()> {
            let value = toml::from_str::<Table>(&format!("it = {value}"))
                .map_err(|error| wrong(&self.board.dir, &error.to_string()))?;
            dependencies.extend(value.into_iter().map(|(_, value)| (name.to_owned(), value)));
            Ok(())
        };
        match self.board.is_emulated() {
            true => {
                add("dunlin", &format!("{{ path = {runtime:?} }}"))?;
                add("semihosting", r#"{ version = "0.1.25", features = ["stdio", "panic-handler"] }"#)?;
            }
            false => {
                add("dunlin", &format!("{{ path = {runtime:?}, features = [\"defmt\"] }}"))?;
                add("defmt", r#""1.2.0""#)?;
                add("defmt-rtt", r#""1.3.1""#)?;
                add("panic-probe", r#"{ version = "1.0.0", features = ["print-defmt"] }"#)?;
            }
        }
        if self.embassy {
            add(
                "embassy-executor",
                r#"{ version = "0.10.0", features = ["platform-cortex-m", "executor-thread"] }"#,
            )?;
            match self.embassy_hal {
                Some((hal, time)) => {
                    add("embassy-time", r#""0.5.1""#)?;
                    add_feature(&mut dependencies, hal, time);
                }
                // The executor sleeps by critical sections, which a HAL would bring.
                None => {
                    add("cortex-m", r#"{ version = "0.7.10", features = ["critical-section-single-core"] }"#)?
                }
            }
        }
        let mut text = format!(
            "[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n[dependencies]\n"
        );
        for (name, value) in &dependencies {
            text.push_str(&format!("{name} = {}\n", inline(value)));
        }
        text.push_str(&format!(
            "\n[[bin]]\nname = {name:?}\ntest = false\nbench = false\n\n[profile.release]\nopt-level = \"s\"\nlto = \
             \"fat\"\ncodegen-units = 1\ndebug = 2\npanic = \"abort\"\n\n# A workspace of its own, wherever it lies.\n\
             [workspace]\n"
        ));
        Ok(text)
    }

    fn build_script(&self) -> String {
        let mut arguments = self.linker_arguments.clone();
        arguments.push("--nmagic".to_owned());
        if !self.board.is_emulated() {
            arguments.push("-Tdefmt.x".to_owned());
        }
        format!(
            "//! How the firmware is linked: the memory map in this folder, and the scripts of the startup code.\nfn main() \
             {{\n    println!(\"cargo::rustc-link-search={{}}\", env!(\"CARGO_MANIFEST_DIR\"));\n    \
             println!(\"cargo::rerun-if-changed=memory.x\");\n    for argument in {arguments:?} {{\n        \
             println!(\"cargo::rustc-link-arg-bins={{argument}}\");\n    }}\n}}\n"
        )
    }

    fn cargo_config(&self) -> String {
        let Board { target, chip, emulator, .. } = self.board;
        let runner = match self.board.is_emulated() {
            true => format!(
                "{} -display none -monitor none -serial none -semihosting-config enable=on,target=native -kernel",
                emulator.join(" ")
            ),
            false => format!("probe-rs run --chip {chip}"),
        };
        let flags = match &self.board.cpu {
            Some(cpu) => format!("rustflags = [\"-Ctarget-cpu={cpu}\"]\n"),
            None => String::new(),
        };
        format!(
            "[build]\ntarget = {target:?}\n\n[target.{target}]\nrunner = {runner:?}\n{flags}\n[env]\nDEFMT_LOG = \"info\"\n"
        )
    }

    fn main(&self, name: &str) -> String {
        let emulated = self.board.is_emulated();
        let hal = self.embassy_hal.map(|(hal, _)| hal.replace('-', "_"));
        let is_esp = self.dependencies.contains_key("esp-hal");
        let uses = match (emulated, self.embassy, is_esp) {
            (true, true, _) => {
                "use cortex_m as _; // its critical sections\nuse semihosting::{println, process};\n"
            }
            (true, false, _) => "use semihosting::{eprintln, println, process};\n",
            (false, _, true) => {
                "use {defmt_rtt as _, panic_probe as _}; // logs and panics go through the probe\n"
            }
            (false, ..) => {
                "use {cortex_m as _, defmt_rtt as _, panic_probe as _}; // logs and panics go through the probe\n"
            }
        };
        let entry = match (is_esp, self.board.target.starts_with("riscv")) {
            (true, _) => "esp_hal::main",
            (false, true) => "riscv_rt::entry",
            (false, false) => "cortex_m_rt::entry",
        };
        let init = match (&hal, is_esp) {
            (Some(hal), _) => format!("let _peripherals = {hal}::init(Default::default());"),
            (None, true) => "let _peripherals = esp_hal::init(Default::default());".to_owned(),
            (None, false) => String::new(),
        };
        let (say_scores, say_error) = match emulated {
            true => ("println!(\"{scores:?}\")", "eprintln!(\"{_error}\")"),
            false => ("defmt::info!(\"{}\", scores)", "defmt::error!(\"{}\", _error)"),
        };
        let end =
            if emulated { "process::exit(0)" } else { "loop {\n        core::hint::spin_loop();\n    }" };
        let wait = if emulated { "process::exit(0)" } else { "embassy_time::Timer::after_secs(1).await;" };
        let uses = if is_esp {
            format!("{uses}\nesp_bootloader_esp_idf::esp_app_desc!();\n")
        } else {
            uses.to_owned()
        };
        let text = if self.embassy { EMBASSY } else { PLAIN };
        let say_error = if emulated && self.embassy { "println!(\"{_error}\")" } else { say_error };
        [
            ("    INIT\n", if init.is_empty() { String::new() } else { format!("    {init}\n") }),
            ("USES\n", format!("{uses}\n")),
            ("ENTRY", entry.to_owned()),
            ("SAY_SCORES", say_scores.to_owned()),
            ("SAY_ERROR", say_error.to_owned()),
            ("END", end.to_owned()),
            ("WAIT", wait.to_owned()),
            ("NAME", name.to_owned()),
        ]
        .iter()
        .fold(text.to_owned(), |text, (mark, by)| text.replace(mark, by))
    }
}

/// A dependency with one feature more.
fn add_feature(dependencies: &mut Table, name: &str, feature: &str) {
    let features = dependencies
        .get_mut(name)
        .and_then(|value| value.get_mut("features"))
        .and_then(|features| features.as_array_mut());
    if let Some(features) = features
        && !features.iter().any(|other| other.as_str() == Some(feature))
    {
        features.push(feature.into());
    }
}

/// A value on one line.
fn inline(value: &toml::Value) -> String {
    match value {
        toml::Value::Table(table) => {
            let entries: Vec<String> =
                table.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        toml::Value::Array(values) => {
            format!("[{}]", values.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        toml::Value::String(text) => format!("{text:?}"),
        toml::Value::Boolean(value) => value.to_string(),
        toml::Value::Integer(value) => value.to_string(),
        toml::Value::Float(value) => value.to_string(),
        toml::Value::Datetime(value) => value.to_string(),
    }
}

/// The last part of the path, if it may be a package's name.
fn package_name(path: &Path) -> Result<&str> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() && name.chars().all(is_letter) => Ok(name),
        _ => Err(wrong(path, "is no name of a package: use letters, digits, - and _, a letter first")),
    }
}

fn parse(path: &Path) -> Result<Table> {
    toml::from_str(&read_text(path)?).map_err(|error| wrong(path, &error.to_string()))
}

fn wrong(path: &Path, problem: &str) -> Error {
    Error::Content { path: path.to_owned(), problem: problem.to_owned() }
}

/// The network that a project gets if none is named: it reads handwritten digits.
///
/// # Errors
/// If the checkout is not complete.
pub fn default_model() -> Result<PathBuf> {
    let path = super::home()?.join("models/digits/digits.dunlin");
    match fs::exists(&path) {
        Ok(true) => Ok(path),
        _ => Err(wrong(&path, "is missing in the checkout: name a model with --model")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_packages() {
        assert_eq!(package_name(Path::new("a/blink-2")).unwrap(), "blink-2");
        for name in ["", "2d", "my app", "..", "ä"] {
            let error = package_name(Path::new(name)).unwrap_err().to_string();
            assert!(error.contains("letters, digits"), "{error}");
        }
    }
}
