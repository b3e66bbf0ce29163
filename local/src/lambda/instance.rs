//! A function process.

use std::{
    process::{ExitStatus, Stdio},
    sync::{Arc, Weak},
    time::Duration,
};

use axum::body::Bytes;
use jiff::Timestamp;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Deployment, InvokeError, RuntimeContext, environment, log_line,
    runtime_api::{NextEvent, Registration, RuntimeCall},
};
use crate::output::{Kind, Output};

/// The limit of the init phase (Lambda Developer Guide, *Lambda execution environment*).
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of a log line. Lambda's limit is 256 KiB.
const MAX_LINE_BYTES: u64 = 16 * 1024;

/// A process that handles one invocation at a time. Killed when dropped.
pub(super) struct Instance {
    name: String,
    function: String,
    timeout: Duration,
    child: Child,
    calls: mpsc::Receiver<RuntimeCall>,
    /// The process's pending request for an event.
    poll: Option<oneshot::Sender<NextEvent>>,
    output: Vec<JoinHandle<()>>,
    killed: Arc<CancellationToken>,
    _registration: Registration,
}

impl Instance {
    /// Starts the process as instance `number` of its function.
    pub(super) fn spawn(
        deployment: &Deployment,
        context: &RuntimeContext,
        number: u64,
    ) -> Result<Instance, InvokeError> {
        let function = deployment.function.name.clone();
        let name = format!("{function}.{number}");
        let (runtime_api, calls, registration) = context.runtime_api.register(&name);
        let mut child = Command::new(&deployment.binary)
            .env_clear()
            .envs(environment::variables(deployment, &context.endpoints, &name, &runtime_api))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C reaches only the local run, which then ends its children in order. If the local run is killed
            // instead, the Runtime API requests of the children fail, and Lambda's runtime crate exits.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| InvokeError::Init { reason: format!("{}: {error}", deployment.binary.display()) })?;
        // Lambda filters only JSON logs.
        let minimum = deployment.function.json_logs.then(|| deployment.function.log_level.clone());
        let output = || (function.clone(), minimum.clone(), context.output.clone());
        let stdout = child.stdout.take().map(|pipe| tokio::spawn(forward(pipe, output())));
        let stderr = child.stderr.take().map(|pipe| tokio::spawn(forward(pipe, output())));
        let output = stdout.into_iter().chain(stderr).collect();
        let timeout = deployment.function.timeout;
        let killed = Arc::default();
        Ok(Instance { name, function, timeout, child, calls, poll: None, output, killed, _registration: registration })
    }

    /// Returns the token that kills the process, like a crash, while it waits for an event or runs.
    pub(super) fn killer(&self) -> Weak<CancellationToken> {
        Arc::downgrade(&self.killed)
    }

    /// Returns the instance's name, which is also its access key.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the process ID; 0 after the process has ended.
    pub(super) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Waits until the process requests an event.
    pub(super) async fn ready(&mut self) -> Result<(), InvokeError> {
        let deadline = Instant::now() + INIT_TIMEOUT;
        while self.poll.as_ref().is_none_or(oneshot::Sender::is_closed) {
            let reason = tokio::select! {
                biased;
                call = self.calls.recv() => match call {
                    Some(RuntimeCall::Next { reply }) => {
                        self.poll = Some(reply);
                        continue;
                    }
                    Some(RuntimeCall::InitError { error, reply }) => {
                        let _ = reply.send(());
                        format!("{}: {}", error.error_type, error.error_message)
                    }
                    Some(RuntimeCall::Response { .. } | RuntimeCall::Error { .. }) => continue,
                    None => return Err(InvokeError::Stopped),
                },
                status = self.child.wait() => {
                    self.finish_output().await;
                    format!("the process ended: {}", describe(status))
                }
                () = self.killed.cancelled() => "the process was killed".to_owned(),
                () = sleep_until(deadline) => format!("no request for an event within {} s", INIT_TIMEOUT.as_secs()),
            };
            return Err(InvokeError::Init { reason });
        }
        Ok(())
    }

    /// Passes the event to the waiting process and waits for its response.
    pub(super) async fn invoke(&mut self, event: Bytes) -> Result<Bytes, InvokeError> {
        let request_id = Uuid::new_v4().to_string();
        let timeout = self.timeout;
        let deadline = Instant::now() + timeout;
        let now = Timestamp::now().as_millisecond();
        let next = NextEvent {
            request_id: request_id.clone(),
            deadline_ms: now + i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX / 2),
            function_arn: environment::function_arn(&self.function),
            trace_id: trace_id(now),
            event,
        };
        let handed_over = self.poll.take().is_some_and(|poll| poll.send(next).is_ok());
        if !handed_over {
            return Err(InvokeError::Crashed { status: "it stopped waiting for an event".to_owned() });
        }
        loop {
            let call = tokio::select! {
                biased;
                call = self.calls.recv() => call.ok_or(InvokeError::Stopped)?,
                status = self.child.wait() => {
                    self.finish_output().await;
                    return Err(InvokeError::Crashed { status: describe(status) });
                }
                () = self.killed.cancelled() => {
                    return Err(InvokeError::Crashed { status: "it was killed".to_owned() });
                }
                () = sleep_until(deadline) => return Err(InvokeError::TimedOut { after: timeout }),
            };
            match call {
                RuntimeCall::Response { request_id: id, body, reply } if id == request_id => {
                    let _ = reply.send(());
                    return Ok(body);
                }
                RuntimeCall::Error { request_id: id, error, reply } if id == request_id => {
                    let _ = reply.send(());
                    return Err(InvokeError::Handled { error_type: error.error_type, message: error.error_message });
                }
                // Drop the call, which rejects it: a response to another invocation, or a request for an event before
                // this invocation's response.
                RuntimeCall::Response { .. }
                | RuntimeCall::Error { .. }
                | RuntimeCall::InitError { .. }
                | RuntimeCall::Next { .. } => {}
            }
        }
    }

    /// Returns the exit status if the process has ended, or why it may not be used.
    pub(super) fn ended(&mut self) -> Option<String> {
        if self.killed.is_cancelled() {
            return Some("it was killed".to_owned());
        }
        self.child.try_wait().transpose().map(describe)
    }

    /// Kills the process and waits until it has ended.
    pub(super) async fn kill(mut self) {
        // Fails only if the process has already ended.
        let _ = self.child.kill().await;
        self.finish_output().await;
    }

    /// Waits for the remaining output of an ended process, so that it precedes the report of its end.
    async fn finish_output(&mut self) {
        for reader in self.output.drain(..) {
            let _ = reader.await;
        }
    }
}

fn describe(status: std::io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// Returns a trace header with version, time, and 96 random bits (AWS X-Ray Developer Guide, *Tracing header*).
fn trace_id(now_ms: i64) -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("Root=1-{:08x}-{};Sampled=0", now_ms / 1_000, &random[..24])
}

/// Writes the lines of a process to the output: those of at least the given level, if any.
async fn forward(pipe: impl AsyncRead + Unpin, (function, minimum, output): (String, Option<String>, Output)) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() && minimum.as_ref().is_none_or(|minimum| log_line::passes(text, minimum)) {
            output.line(Kind::Function, format!("{function}: {}", log_line::readable(text)));
        }
    }
}
