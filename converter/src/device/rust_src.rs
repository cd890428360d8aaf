//! Where rustup cannot reach its server: Rust's `core` and `alloc` for a target, built from Debian's package of the
//! compiler's own sources.
//!
//! The package `rust-src` must be of exactly the installed compiler's version; Debian's suites have several. It is
//! looked up through the mirror that apt is configured for, with lists of our own, so that apt's state stays as it is.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Error, Result, build_dir, create_dir, process, write};

/// Where the compiler's version may be, most likely first: stable releases of Rust come to the backports.
const SUITES: [&str; 4] = ["trixie-backports", "trixie", "forky", "sid"];

/// The crates without `std` that firmware links.
const CRATES: [&str; 3] = ["core", "alloc", "compiler_builtins"];

const DEBIAN_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where a toolchain keeps the libraries of a target.
pub fn target_lib_dir(sysroot: &Path, target: &str) -> PathBuf {
    sysroot.join("lib").join("rustlib").join(target).join("lib")
}

/// Builds `core`, `alloc` and `compiler_builtins` for each target and puts them into the toolchain.
pub fn install(home: &Path, targets: &[&str], report: &mut dyn FnMut(&str)) -> Result<()> {
    let sysroot = super::setup::sysroot()?;
    let work = tempfile::tempdir().map_err(file_error("create a folder in", &std::env::temp_dir()))?;
    let library = download(work.path(), &compiler_version()?, report)?;
    let _link = SourceLink::new(&sysroot, &library)?;
    let empty_crate = write_empty_crate(work.path())?;
    for target in targets {
        report(&format!("building core for {target} (about 16 s)"));
        build_target(&sysroot, &empty_crate, target)?;
        // Cargo does not notice that `core` changed under what it has built.
        for stale in [build_dir(home).join(target), home.join("target").join(target)] {
            if stale.is_dir() {
                fs::remove_dir_all(&stale).map_err(file_error("remove", &stale))?;
            }
        }
    }
    Ok(())
}

/// The compiler's version, such as `1.95.0`.
fn compiler_version() -> Result<String> {
    let text = process::run_checked(Command::new("rustc").arg("-vV"), process::SHORT)?;
    text.lines().find_map(|line| line.strip_prefix("release: ")).map(str::to_owned).ok_or_else(|| {
        Error::Tool {
            command: "rustc -vV".to_owned(),
            problem: format!("does not tell its release:\n{text}"),
        }
    })
}

/// Fetches and unpacks `rust-src`; the path of its `library` folder.
fn download(work: &Path, version: &str, report: &mut dyn FnMut(&str)) -> Result<PathBuf> {
    let mirror = debian_mirror()?;
    for suite in SUITES {
        report(&format!("looking for rust-src {version} in Debian's {suite}"));
        let apt = Apt::new(work, &mirror, suite)?;
        // A mirror need not carry every suite.
        let Ok(_) = process::run_checked(apt.command("apt-get").arg("update"), process::DOWNLOAD) else {
            continue;
        };
        let table =
            process::run_checked(apt.command("apt-cache").args(["madison", "rust-src"]), process::SHORT)?;
        let Some(package_version) = matching_version(&table, version) else { continue };
        report(&format!("downloading rust-src {package_version}"));
        let package = format!("rust-src={package_version}");
        process::run_checked(apt.command("apt-get").args(["download", &package]), process::DOWNLOAD)?;
        return unpack(work, version);
    }
    Err(Error::Missing {
        what: format!("rust-src {version} in Debian's suites {}", SUITES.join(", ")),
        advice: "use a compiler whose sources Debian has, or a network that reaches rustup's server"
            .to_owned(),
    })
}

fn unpack(work: &Path, version: &str) -> Result<PathBuf> {
    let package = fs::read_dir(work)
        .map_err(file_error("read", work))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = package.ok_or_else(|| Error::Content {
        path: work.to_owned(),
        problem: "apt-get downloaded no package into this folder".to_owned(),
    })?;
    process::run_checked(Command::new("dpkg").arg("-x").arg(&package).arg(work), process::LONG)?;
    let library = work.join("usr/src").join(format!("rustc-{version}")).join("library");
    match library.join("core").is_dir() {
        true => Ok(library),
        false => {
            Err(Error::Content { path: package, problem: format!("expected {} in it", library.display()) })
        }
    }
}

/// The address of the Debian archive that apt is configured for.
fn debian_mirror() -> Result<String> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);
    let text = process::run_checked(&mut command, process::SHORT)?;
    mirror_among(&text).ok_or_else(|| Error::Missing {
        what: "a Debian mirror in apt's sources".to_owned(),
        advice: "install the targets with rustup on a network that reaches its server".to_owned(),
    })
}

/// Of apt's archives, that of Debian itself: not its security updates, nor other vendors'.
fn mirror_among(repositories: &str) -> Option<String> {
    repositories
        .lines()
        .map(str::trim)
        .find(|uri| uri.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
}

/// The version of the package that holds the sources of compiler `version`, in the table of `apt-cache madison`.
fn matching_version<'a>(table: &'a str, version: &str) -> Option<&'a str> {
    table.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim).find(|candidate| {
        candidate.strip_prefix(version).is_some_and(|rest| rest.starts_with(['+', '-', '~']))
    })
}

/// apt with a sources list, package lists and a cache of our own.
struct Apt<'a> {
    work: &'a Path,
}

impl Apt<'_> {
    fn new<'a>(work: &'a Path, mirror: &str, suite: &str) -> Result<Apt<'a>> {
        for folder in ["lists/partial", "cache/archives/partial"] {
            create_dir(&work.join(folder))?;
        }
        let source = format!("deb [signed-by={DEBIAN_KEYRING}] {mirror} {suite} main\n");
        write(&work.join("sources.list"), source.as_bytes())?;
        Ok(Apt { work })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.work);
        let own = |name: &str| self.work.join(name).display().to_string();
        for option in [
            format!("Dir::Etc::sourcelist={}", own("sources.list")),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::Lists={}", own("lists")),
            format!("Dir::Cache={}", own("cache")),
            // The user to whom root's apt would step down cannot write into our folder.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command
    }
}

/// The sources, where Cargo looks for them, for as long as this lives.
struct SourceLink {
    link: Option<PathBuf>,
}

impl SourceLink {
    #[cfg(unix)]
    fn new(sysroot: &Path, library: &Path) -> Result<SourceLink> {
        let dir = sysroot.join("lib/rustlib/src/rust");
        let link = dir.join("library");
        if link.join("core").is_dir() {
            // The component rust-src is installed: the same sources.
            return Ok(SourceLink { link: None });
        }
        create_dir(&dir)?;
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(file_error("remove", &link)(error));
            }
            _ => {}
        }
        std::os::unix::fs::symlink(library, &link).map_err(file_error("create", &link))?;
        Ok(SourceLink { link: Some(link) })
    }

    #[cfg(not(unix))]
    fn new(_sysroot: &Path, library: &Path) -> Result<SourceLink> {
        Err(Error::Content { path: library.to_owned(), problem: "this way needs Debian".to_owned() })
    }
}

impl Drop for SourceLink {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            // A link that stays behind leads nowhere and is replaced by the next run.
            let _ = fs::remove_file(link);
        }
    }
}

/// A crate with nothing in it: building it builds `core`.
fn write_empty_crate(work: &Path) -> Result<PathBuf> {
    let dir = work.join("empty");
    create_dir(&dir.join("src"))?;
    write(&dir.join("Cargo.toml"), b"[package]\nname = \"empty\"\nedition = \"2024\"\n\n[workspace]\n")?;
    write(&dir.join("src/lib.rs"), b"#![no_std]\n")?;
    Ok(dir)
}

fn build_target(sysroot: &Path, empty_crate: &Path, target: &str) -> Result<()> {
    let mut cargo = process::cargo(empty_crate);
    cargo.args(["build", "--quiet", "--release", "-Zbuild-std=core,alloc", "--target", target]);
    // Firmware is linked with LTO, which needs the bitcode.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Cembed-bitcode=yes");
    process::run_checked(&mut cargo, process::LONG)?;

    let built = empty_crate.join("target").join(target).join("release/deps");
    let lib_dir = target_lib_dir(sysroot, target);
    create_dir(&lib_dir)?;
    // `core` last: its presence says that the target is complete.
    for name in CRATES.iter().rev() {
        let rlib = find_rlib(&built, name)?;
        let destination = lib_dir.join(rlib.file_name().unwrap_or_default());
        fs::copy(&rlib, &destination).map_err(file_error("write", &destination))?;
    }
    Ok(())
}

fn find_rlib(dir: &Path, name: &str) -> Result<PathBuf> {
    let prefix = format!("lib{name}-");
    let found = fs::read_dir(dir).map_err(file_error("read", dir))?.flatten().find(|entry| {
        let file_name = entry.file_name().to_string_lossy().into_owned();
        file_name.starts_with(&prefix) && file_name.ends_with(".rlib")
    });
    found.map(|entry| entry.path()).ok_or_else(|| Error::Content {
        path: dir.to_owned(),
        problem: format!("expected {prefix}*.rlib among what Cargo built"),
    })
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_compiler_version_matches() {
        let table =
            "  rust-src | 1.96.1+dfsg1-2~bpo13+1 | mirror\n  rust-src | 1.95.0+dfsg1-2~bpo13+1 | mirror\n";
        assert_eq!(matching_version(table, "1.95.0"), Some("1.95.0+dfsg1-2~bpo13+1"));
        assert_eq!(matching_version(table, "1.96.0"), None);
        assert_eq!(matching_version(table, "1.9"), None);
        assert_eq!(matching_version("", "1.95.0"), None);
    }

    #[test]
    fn debian_itself_is_the_mirror() {
        let text = "http://a.example/debian-security/\nhttp://b.example/node/\nhttp://c.example/debian/\n";
        assert_eq!(mirror_among(text).as_deref(), Some("http://c.example/debian/"));
        assert_eq!(mirror_among("http://a.example/ubuntu/\n"), None);
    }
}
