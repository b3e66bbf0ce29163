//! `session-status` beside what a user would write instead: the same `GetItem` in a bare `lambda_http` handler, and in
//! JavaScript with the AWS SDK.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use local::functions;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    Result, events,
    harness::Harness,
    process,
    report::{Table, mebibytes, milliseconds, print, quantile},
};

const FUNCTION: &str = "session-status";
const STARTS: usize = 30;
const REQUESTS: usize = 1_000;
const NODE_MAJOR: u32 = 20;

pub(crate) async fn measure(harness: &Harness) -> Result<()> {
    let functions = harness.functions().await?;
    let (session_id, _) = harness.connect(&functions).await?;
    let folder = TempDir::new()?;
    let mut handlers = vec![
        ("Qasid's `session-status`".to_owned(), harness.binary(FUNCTION)?.clone()),
        ("`lambda_http` and the AWS SDK for Rust".to_owned(), build_bare().await?),
    ];
    match node().await {
        Some((version, node)) => {
            let handler = build_node(&node, folder.path()).await?;
            handlers.push((format!("Node.js {version} and the AWS SDK for JavaScript, bundled"), handler));
        }
        None => print(&format!(
            "Node.js {NODE_MAJOR} or later isn't installed, so its handler isn't measured. To install it on Debian: \
             `apt-get install nodejs npm`.\n"
        ))?,
    }
    let header = ["handler", "start, ms", "first request, ms", "CPU time per request, ms", "resident, MiB"];
    let mut table = Table::new(&header);
    for (name, binary) in handlers {
        table.row([name].into_iter().chain(handler(harness, &binary, &session_id).await?));
    }
    print(&format!(
        "### The same `GetItem`: medians of {STARTS} starts, then {REQUESTS} requests to one process\n\n{table}"
    ))
}

/// Measures the handler in `binary`.
async fn handler(harness: &Harness, binary: &Path, session_id: &str) -> Result<[String; 4]> {
    let (mut starts, mut first_requests) = (Vec::with_capacity(STARTS), Vec::with_capacity(STARTS));
    for _ in 0..STARTS {
        let functions = harness.functions_with(FUNCTION, binary).await?;
        starts.push(functions.lambda.provision(FUNCTION).await?.init);
        let first = functions.lambda.invoke_measured(FUNCTION, events::session_status(session_id)?).await;
        first_requests.push(first.duration);
        functions.lambda.stop().await;
    }
    let functions = harness.functions_with(FUNCTION, binary).await?;
    let pid = functions.lambda.provision(FUNCTION).await?.pid;
    // The first requests compile JavaScript.
    for _ in 0..REQUESTS {
        functions.json(FUNCTION, events::session_status(session_id)?).await?;
    }
    let before = process::processor_time(pid)?;
    for _ in 0..REQUESTS {
        functions.json(FUNCTION, events::session_status(session_id)?).await?;
    }
    let per_request = (process::processor_time(pid)? - before) / REQUESTS as u32;
    let resident = mebibytes(process::resident(pid)?.now);
    functions.lambda.stop().await;
    let [start, first] = [&mut starts, &mut first_requests].map(|times| milliseconds(quantile(times, 0.5)));
    Ok([start, first, milliseconds(per_request), resident])
}

/// Builds the example `bare`, and returns its path.
async fn build_bare() -> Result<PathBuf> {
    run(functions::cargo_build().args(["--package", "local", "--example", "bare"])).await?;
    Ok(std::env::current_exe()?.with_file_name("bare"))
}

/// Returns the version and path of Node.js, if it is recent enough.
async fn node() -> Option<(String, String)> {
    let output =
        Command::new("node").args(["--print", "`${process.versions.node} ${process.execPath}`"]).output().await;
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    let (version, path) = text.trim().split_once(' ')?;
    let major: u32 = version.split('.').next()?.parse().ok()?;
    (major >= NODE_MAJOR).then(|| (version.to_owned(), path.to_owned()))
}

/// Bundles the handler in `node/` below `folder`, and returns a program that runs it.
async fn build_node(node: &str, folder: &Path) -> Result<PathBuf> {
    let sources = functions::workspace().join("local/examples/measure/node");
    for name in ["package.json", "package-lock.json", "index.js"] {
        fs::copy(sources.join(name), folder.join(name))?;
    }
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder)).await?;
    run(Command::new("npm").args(["run", "build"]).current_dir(folder)).await?;
    let program = folder.join("program");
    fs::write(&program, format!("#!/bin/sh\nexec '{node}' '{}'\n", folder.join("dist/index.js").display()))?;
    fs::set_permissions(&program, Permissions::from_mode(0o755))?;
    Ok(program)
}

/// Runs a command, and shows its output only if it fails.
async fn run(command: &mut Command) -> Result<()> {
    let output = command.output().await?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr)).into())
}
