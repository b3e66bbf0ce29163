//! The function binaries: built once per process with the profile of this very crate, and found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::console::{Console, Kind};

/// Why there are no binaries.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Cargo is not there.
    #[error("cannot run {program}")]
    Cargo {
        /// What was run.
        program: String,
        /// Why it could not be.
        source: std::io::Error,
    },
    /// The compiler's own words have gone to standard error.
    #[error("the functions do not build ({status}); cargo says why above")]
    Failed {
        /// Cargo's exit status.
        status: String,
    },
    /// The template names a function that no package builds.
    #[error("{path}: the workspace has no binary {name:?}")]
    Missing {
        /// Where the template names it.
        path: String,
        /// The name.
        name: String,
    },
}

/// Variables that cargo sets for the programs it runs. Left in, they would change the fingerprint of build scripts that
/// look at them, and cargo would build those packages again.
const SET_BY_CARGO: &[&str] =
    &["CARGO_BIN_", "CARGO_CRATE_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PRIMARY_", "OUT_DIR"];

static BINARIES: OnceCell<BTreeMap<String, PathBuf>> = OnceCell::const_new();

/// The binaries of the workspace by name, built by the first call.
///
/// # Errors
/// When cargo cannot be run, or when the build fails.
pub async fn build(console: &Console) -> Result<&'static BTreeMap<String, PathBuf>, BuildError> {
    BINARIES.get_or_try_init(|| run_cargo(console)).await
}

/// The folder of the workspace, with `template.yaml`.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

#[allow(clippy::disallowed_methods, reason = "cargo tells in the environment which cargo it is")]
async fn run_cargo(console: &Console) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    console.line(Kind::Local, "building the functions");
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(&program);
    // Resolves the same features as `cargo run -p local` and `cargo test --workspace`, so that Cargo compiles each
    // dependency once; `.ci/one-dependency-set` checks this.
    command.args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| SET_BY_CARGO.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    let output = command
        .current_dir(workspace())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| BuildError::Cargo { program, source })?;
    if !output.status.success() {
        return Err(BuildError::Failed { status: output.status.to_string() });
    }
    Ok(executables(&output.stdout))
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

/// Cargo reference, "External tools", "Artifact messages"; messages of other kinds have no `executable`.
fn executables(messages: &[u8]) -> BTreeMap<String, PathBuf> {
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Message>(line).ok())
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_found_in_cargos_messages() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"shared"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"qr","kind":["bin"]},"executable":"/t/debug/qr"}
not json
{"reason":"build-finished","success":true}
"#;
        assert_eq!(executables(messages), BTreeMap::from([("qr".to_owned(), PathBuf::from("/t/debug/qr"))]));
    }
}
