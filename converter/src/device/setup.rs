//! What building and emulating firmware needs beside a stable Rust: Rust's `core` for the boards' targets, and QEMU.
//!
//! [`status`] looks without changing anything; [`install`] gets what is missing, and can be run again at any time.

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Result, boards::Board, process, rust_src};

/// One thing that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Such as `thumbv7em-none-eabihf` or `qemu-system-arm`.
    pub name: String,
    /// Whether it is there.
    pub found: bool,
    /// How to get it by hand.
    pub by_hand: String,
}

/// What is there and what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Rust's `core` for each target of the boards.
    pub targets: Vec<Item>,
    /// The boards' emulators.
    pub emulators: Vec<Item>,
}

impl Status {
    /// Everything that is missing.
    pub fn missing(&self) -> impl Iterator<Item = &Item> {
        self.targets.iter().chain(&self.emulators).filter(|item| !item.found)
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.missing().next().is_none()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for item in self.targets.iter().chain(&self.emulators) {
            match item.found {
                true => writeln!(f, "  {:<30} installed", item.name)?,
                false => writeln!(f, "  {:<30} missing: {}", item.name, item.by_hand)?,
            }
        }
        Ok(())
    }
}

/// What these boards need, and whether it is there.
pub fn status(boards: &[Board]) -> Result<Status> {
    let sysroot = sysroot()?;
    let targets = unique(boards.iter().map(|board| board.target.as_str()));
    let emulators = unique(boards.iter().filter_map(Board::emulator_program));
    Ok(Status {
        targets: targets
            .into_iter()
            .map(|target| Item {
                found: target_installed(&sysroot, target),
                by_hand: format!("rustup target add {target}"),
                name: target.to_owned(),
            })
            .collect(),
        emulators: emulators
            .into_iter()
            .map(|program| Item {
                found: emulator_installed(program),
                by_hand: emulator_by_hand(program),
                name: program.to_owned(),
            })
            .collect(),
    })
}

/// Gets what these boards miss, as far as this machine allows; `report` is told each step in one line. What could not
/// be got is still missing in the returned status, which says how to get it by hand.
pub fn install(home: &Path, boards: &[Board], report: &mut dyn FnMut(&str)) -> Result<Status> {
    let before = status(boards)?;
    let targets: Vec<&str> = missing_names(&before.targets);
    if !targets.is_empty() {
        install_targets(home, &targets, report);
    }
    for program in missing_names(&before.emulators) {
        if let Err(error) = install_emulator(program, report) {
            report(&format!("cannot install {program} with apt: {error}"));
        }
    }
    status(boards)
}

/// The folder of the Rust toolchain in use.
pub fn sysroot() -> Result<PathBuf> {
    let answer = process::run_checked(Command::new("rustc").args(["--print", "sysroot"]), process::SHORT)?;
    Ok(PathBuf::from(answer.trim()))
}

/// Whether a toolchain has `core` for a target.
pub fn target_installed(sysroot: &Path, target: &str) -> bool {
    let Ok(entries) = fs::read_dir(rust_src::target_lib_dir(sysroot, target)) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    })
}

fn install_targets(home: &Path, targets: &[&str], report: &mut dyn FnMut(&str)) {
    report(&format!("rustup target add {}", targets.join(" ")));
    let mut rustup = Command::new("rustup");
    // Not in the repository's folder, whose settings are for building.
    rustup.args(["target", "add"]).args(targets).current_dir("/");
    let Err(rustup_error) = process::run_checked(&mut rustup, process::DOWNLOAD) else { return };
    report(&format!("{rustup_error}"));
    report("building Rust's core from Debian's sources of this compiler instead");
    if let Err(error) = rust_src::install(home, targets, report) {
        report(&format!("cannot build Rust's core: {error}"));
    }
}

fn install_emulator(program: &str, report: &mut dyn FnMut(&str)) -> Result<()> {
    report("apt-get update");
    // Of several sources one may be out of reach: whether the package is known counts, and that is asked next.
    process::run(as_root("apt-get").args(["update", "--quiet"]), process::DOWNLOAD)?;
    for package in debian_packages(program) {
        let known = process::run(
            Command::new("apt-cache").args(["show", "--no-all-versions", package]),
            process::SHORT,
        )?;
        if !known.success() {
            continue;
        }
        report(&format!("apt-get install {package}"));
        let mut apt = as_root("apt-get");
        apt.args(["install", "--yes", "--quiet", "--no-install-recommends", package]);
        process::run_checked(apt.env("DEBIAN_FRONTEND", "noninteractive"), process::LONG)?;
        if emulator_installed(program) {
            return Ok(());
        }
    }
    Ok(())
}

/// The program, run with root's rights where we do not have them already and may get them without being asked.
fn as_root(program: &str) -> Command {
    let is_root =
        process::run_checked(Command::new("id").arg("-u"), process::SHORT).is_ok_and(|id| id.trim() == "0");
    if is_root {
        return Command::new(program);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["--non-interactive", program]);
    sudo
}

fn emulator_installed(program: &str) -> bool {
    process::run(Command::new(program).arg("--version"), process::SHORT)
        .is_ok_and(|finished| finished.success())
}

/// The Debian packages that may hold an emulator: later releases split them up.
fn debian_packages(program: &str) -> &'static [&'static str] {
    match program {
        "qemu-system-arm" => &["qemu-system-arm"],
        "qemu-system-riscv32" => &["qemu-system-riscv", "qemu-system-misc"],
        _ => &[],
    }
}

fn emulator_by_hand(program: &str) -> String {
    let packages = debian_packages(program).last().copied().unwrap_or(program);
    format!(
        "Debian, Ubuntu: `sudo apt-get install {packages}`; Fedora: `sudo dnf install qemu`; macOS: \
         `brew install qemu`; others: https://www.qemu.org/download"
    )
}

fn missing_names(items: &[Item]) -> Vec<&str> {
    items.iter().filter(|item| !item.found).map(|item| item.name.as_str()).collect()
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(target: &str, program: &str) -> Board {
        Board {
            name: "x".into(),
            description: String::new(),
            core: "x".into(),
            chip: "x".into(),
            target: target.into(),
            cpu: None,
            emulator: vec![program.into()],
            memory: None,
            has_usb: false,
            dir: PathBuf::new(),
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_remedy() {
        let boards =
            [board("z80-unknown-none", "qemu-system-z80"), board("z80-unknown-none", "qemu-system-z80")];
        let status = status(&boards).unwrap();
        assert!(!status.is_complete());
        assert_eq!(status.missing().count(), 2);
        let text = status.to_string();
        assert!(
            text.contains("rustup target add z80-unknown-none") && text.contains("qemu-system-z80"),
            "{text}"
        );
    }

    #[test]
    fn what_is_there_is_found() {
        let host =
            process::run_checked(Command::new("rustc").args(["--print", "host-tuple"]), process::SHORT)
                .unwrap();
        assert!(target_installed(&sysroot().unwrap(), host.trim()));
        assert!(emulator_installed("rustc"));
    }
}
