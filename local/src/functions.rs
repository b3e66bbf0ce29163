//! Builds the function binaries, once per process and with the profile of this crate.

use std::{
    collections::BTreeMap,
    fmt,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    sync::OnceCell,
    time::{Instant, interval_at},
};

use crate::output::{Kind, Output};

/// Why there are no binaries.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Cargo can't be run.
    #[error("cannot run {program}")]
    Cargo {
        /// The program.
        program: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The build failed. Cargo wrote the compiler's errors to standard error.
    #[error("the functions do not build ({status}); see cargo's output above")]
    Failed {
        /// Cargo's exit status.
        status: String,
    },
    /// The template names a function that no package builds.
    #[error("{path}: the workspace has no binary {name:?}")]
    Missing {
        /// The path in the template.
        path: String,
        /// The name.
        name: String,
    },
}

/// Variables that Cargo sets for the programs it runs. They would change the fingerprint of build scripts that read
/// them, and Cargo would build those packages again.
const SET_BY_CARGO: &[&str] =
    &["CARGO_BIN_", "CARGO_CRATE_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PRIMARY_", "OUT_DIR"];

/// How often a build reports its progress.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

static BINARIES: OnceCell<BTreeMap<String, PathBuf>> = OnceCell::const_new();

/// Returns the binaries of the workspace by name. The first call builds them.
///
/// # Errors
/// If Cargo can't be run, or the build fails.
pub async fn build(output: &Output) -> Result<&'static BTreeMap<String, PathBuf>, BuildError> {
    BINARIES.get_or_try_init(|| run_cargo(output)).await
}

/// The folder of the workspace, with `template.yaml`.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Returns the command `cargo build` in the workspace, with the profile of this crate.
#[allow(clippy::disallowed_methods, reason = "Cargo passes its own path in the environment")]
pub fn cargo_build() -> Command {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.arg("build");
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| SET_BY_CARGO.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command.current_dir(workspace()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run_cargo(output: &Output) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    output.line(Kind::Local, "building the functions");
    let mut command = cargo_build();
    // Resolves the same features as `cargo run -p local` and `cargo test --workspace`, so that Cargo compiles each
    // dependency once; `.ci/one-dependency-set` checks this.
    command.args(["--workspace", "--bins", "--message-format=json-render-diagnostics"]).stdout(Stdio::piped());
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let failed = |source| BuildError::Cargo { program: program.clone(), source };
    let mut child = command.spawn().map_err(failed)?;
    let mut binaries = BTreeMap::new();
    if let Some(messages) = child.stdout.take() {
        let mut messages = BufReader::new(messages).lines();
        let mut report = interval_at(Instant::now() + REPORT_INTERVAL, REPORT_INTERVAL);
        let mut progress = Progress::new(count_functions());
        loop {
            tokio::select! {
                message = messages.next_line() => match message.map_err(failed)? {
                    Some(message) => binaries.extend(progress.read(&message)),
                    None => break,
                },
                // On a terminal, Cargo draws a progress bar.
                _ = report.tick(), if !std::io::stderr().is_terminal() => {
                    output.line(Kind::Local, progress.to_string());
                }
            }
        }
    }
    let status = child.wait().await.map_err(failed)?;
    if !status.success() {
        return Err(BuildError::Failed { status: status.to_string() });
    }
    Ok(binaries)
}

/// The number of binaries below `functions/`; 0 if the folder can't be read.
fn count_functions() -> usize {
    let folders = std::fs::read_dir(workspace().join("functions"));
    folders.map_or(0, |folders| folders.flatten().filter(|folder| folder.path().join("Cargo.toml").exists()).count())
}

/// How far a build is. `Display` writes a line for the output.
struct Progress {
    functions: usize,
    built: usize,
    last: Option<String>,
}

impl Progress {
    fn new(functions: usize) -> Progress {
        Progress { functions, built: 0, last: None }
    }

    /// The name and path of the binary that `message` reports (Cargo reference, "External tools", "Artifact messages").
    fn read(&mut self, message: &str) -> Option<(String, PathBuf)> {
        let Message { executable, target } = serde_json::from_str(message).ok()?;
        let name = target?.name;
        self.last = Some(name.clone());
        let path = executable?;
        self.built += usize::from(name != env!("CARGO_PKG_NAME"));
        Some((name, path))
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "building the functions: {} of {}", self.built, self.functions)?;
        self.last.as_ref().map_or(Ok(()), |name| write!(f, ", last compiled {name}"))
    }
}

#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifact_messages_give_binaries_and_progress() {
        let mut progress = Progress::new(2);
        assert_eq!(progress.to_string(), "building the functions: 0 of 2");
        let artifact = |name: &str, executable: &str| {
            format!(r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"executable":{executable}}}"#)
        };
        assert_eq!(progress.read(&artifact("shared", "null")), None);
        assert_eq!(progress.to_string(), "building the functions: 0 of 2, last compiled shared");
        let binary = progress.read(&artifact("qr", r#""/t/debug/qr""#));
        assert_eq!(binary, Some(("qr".to_owned(), PathBuf::from("/t/debug/qr"))));
        assert!(progress.read(&artifact("local", r#""/t/debug/local""#)).is_some());
        for other in ["not json", r#"{"reason":"build-finished","success":true}"#] {
            assert_eq!(progress.read(other), None, "{other}");
        }
        assert_eq!(progress.to_string(), "building the functions: 1 of 2, last compiled local");
    }
}
