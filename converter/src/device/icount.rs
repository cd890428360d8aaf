//! The instruction counter: a plugin for the emulator, built when it is first needed.

use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    path::{Path, PathBuf},
    process::Command,
};

use dunlin_timing::Tally;
use serde::Deserialize;

use super::{Error, Result, build_dir, process};

/// Instructions that the emulated core executed, by their classes; the markers of the regions are not counted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Counts {
    /// From reset to exit.
    pub total: Tally,
    /// In each marked region, in order.
    pub regions: Vec<Tally>,
}

/// The plugin interfaces that `boards/icount` speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interface {
    /// QEMU 6.0 to 8.2.
    V1,
    /// QEMU 9.1 and later.
    V3,
}

/// Builds the plugin for this emulator; its path.
pub fn plugin(home: &Path, emulator: &str) -> Result<PathBuf> {
    let version = process::run_checked(Command::new(emulator).arg("--version"), process::SHORT)?;
    let interface = interface(emulator, &version)?;
    let target_dir = build_dir(home).join(format!("icount-{interface:?}").to_lowercase());
    let mut cargo = process::cargo(home);
    cargo
        .args(["build", "--quiet", "--release", "--package", "dunlin-icount"])
        .arg("--target-dir")
        .arg(&target_dir);
    if interface == Interface::V3 {
        cargo.args(["--features", "api-v3"]);
    }
    process::run_checked(&mut cargo, process::LONG)?;
    Ok(target_dir.join("release").join(format!("{DLL_PREFIX}dunlin_icount{DLL_SUFFIX}")))
}

/// The interface of an emulator that answers `--version` with this text.
fn interface(emulator: &str, version_text: &str) -> Result<Interface> {
    let mut numbers = version_text
        .split_once("version ")
        .map_or("", |(_, rest)| rest)
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(6..=8), Some(_)) => Ok(Interface::V1),
        (Some(9), Some(1..)) | (Some(10..), Some(_)) => Ok(Interface::V3),
        _ => Err(Error::Tool {
            command: format!("{emulator} --version"),
            problem: format!(
                "says {:?}: instructions can be counted with QEMU 6.0 to 8.2 and from 9.1 on; install one of these",
                version_text.lines().next().unwrap_or("")
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_follows_the_version() {
        let of = |version: &str| {
            interface("qemu-system-arm", &format!("QEMU emulator version {version} (Debian)")).ok()
        };
        assert_eq!(of("7.2.22"), Some(Interface::V1));
        assert_eq!(of("8.2.0"), Some(Interface::V1));
        assert_eq!(of("9.1.0"), Some(Interface::V3));
        assert_eq!(of("10.0.2"), Some(Interface::V3));
        assert_eq!((of("9.0.0"), of("5.2.0"), of("unknown")), (None, None, None));
    }
}
