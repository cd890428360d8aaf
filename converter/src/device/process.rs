//! Running other programs: with a limit of time, with their output kept, and without inherited settings that are not
//! theirs.

use std::{
    io::{ErrorKind, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use super::{Error, Result};

/// Settings of the caller's own build that would change, or break, a build for another target.
const CARGO_SETTINGS: [&str; 9] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "RUSTC_BOOTSTRAP",
];

/// How long a build, a download or an installation may take. They report their own troubles; this is for a network
/// that swallows packets.
pub const LONG: Duration = Duration::from_secs(30 * 60);

/// How long a program may take that mostly downloads.
pub const DOWNLOAD: Duration = Duration::from_secs(5 * 60);

/// How long a question to a program (its version, say) may take.
pub const SHORT: Duration = Duration::from_secs(60);

/// What a program left.
pub struct Finished {
    /// How it ended; `None` when it was ended at the limit of time.
    pub status: Option<ExitStatus>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Finished {
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// `cargo`, to be run in the repository, without the settings of the build that the caller may be part of.
pub fn cargo(home: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(home);
    for name in CARGO_SETTINGS {
        command.env_remove(name);
    }
    command
}

/// Runs a program to its end, or ends it at the limit. An error means that it did not start.
pub fn run(command: &mut Command, limit: Duration) -> Result<Finished> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::Missing {
            what: format!("the program {}", command.get_program().display()),
            advice: "install it (`dunlin setup` gets what boards need)".to_owned(),
        },
        _ => tool_error(command, format!("did not start: {error}")),
    })?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status =
        wait(&mut child, limit).map_err(|error| tool_error(command, format!("got lost: {error}")))?;
    Ok(Finished { status, stdout: received(&stdout), stderr: received(&stderr) })
}

/// Runs a program that must succeed; its standard output as text.
pub fn run_checked(command: &mut Command, limit: Duration) -> Result<String> {
    let finished = run(command, limit)?;
    if finished.success() {
        return Ok(String::from_utf8_lossy(&finished.stdout).into_owned());
    }
    let ending = match finished.status {
        Some(status) => format!("failed ({status})"),
        None => format!("did not end within {} s", limit.as_secs()),
    };
    Err(tool_error(command, format!("{ending}:\n{}", String::from_utf8_lossy(&finished.stderr).trim_end())))
}

/// The command line as a person would type it.
pub fn command_line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

fn tool_error(command: &Command, problem: String) -> Error {
    Error::Tool { command: command_line(command), problem }
}

/// Reads a pipe in a thread, so that the program never waits for us.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is the best there is to show.
            let _ = pipe.read_to_end(&mut bytes);
        }
        // The receiver is gone only when nobody wants the output any more.
        let _ = sender.send(bytes);
    });
    receiver
}

/// The pipe's content. A child of an ended program may hold the pipe open: it is not waited for.
fn received(pipe: &Receiver<Vec<u8>>) -> Vec<u8> {
    pipe.recv_timeout(Duration::from_secs(5)).unwrap_or_default()
}

fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn keeps_output_and_status() {
        let finished = run(&mut shell("echo out; echo err >&2; exit 3"), SHORT).unwrap();
        assert_eq!(finished.status.and_then(|status| status.code()), Some(3));
        assert_eq!((&finished.stdout[..], &finished.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    }

    #[test]
    fn ends_a_program_at_the_limit() {
        let finished = run(&mut shell("exec sleep 60"), Duration::from_millis(50)).unwrap();
        assert!(finished.status.is_none());
    }

    #[test]
    fn errors_name_the_command_and_its_words() {
        let error = run_checked(&mut shell("echo no such thing >&2; exit 1"), SHORT).unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains("no such thing"), "{error}");
        let error = run_checked(&mut Command::new("dunlin-no-such-program"), SHORT).unwrap_err().to_string();
        assert!(error.contains("dunlin-no-such-program") && error.contains("missing"), "{error}");
    }
}
