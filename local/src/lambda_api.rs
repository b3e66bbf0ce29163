//! A stand-in for the Lambda API that knows one operation, `Invoke`: how a function invokes another, or itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{
    console::{Console, Kind},
    lambda::{Invocation, InvokeError, Lambda},
};

/// Asynchronous invocations of one function that have not ended. Lambda queues as many as come; a laptop has few
/// processes, and a function that invokes itself without end would take them all.
const PENDING_LIMIT: usize = 4;
/// An event of an asynchronous invocation: 1 MB (Lambda developer guide, "Lambda quotas").
const EVENT_LIMIT: usize = 1024 * 1024;

struct Api {
    lambda: Lambda,
    /// What each function, by its package name, may still have pending.
    functions: BTreeMap<String, Arc<Semaphore>>,
    running: TaskTracker,
    console: Console,
}

/// An error in the API's shape ("Invoke", "Errors", in the Lambda API Reference).
struct Refusal {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

/// Serves `Invoke` for `functions` (package names) until `shutdown`, and returns when the asynchronous invocations that
/// were begun have ended. Unlike Lambda, it does not repeat one that fails.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(
    listener: std::net::TcpListener,
    functions: Vec<String>,
    lambda: Lambda,
    console: Console,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let functions = functions.into_iter().map(|name| (name, Arc::new(Semaphore::new(PENDING_LIMIT)))).collect();
    let running = TaskTracker::new();
    let api = Arc::new(Api { lambda, functions, running: running.clone(), console });
    let app = Router::new()
        .route("/2015-03-31/functions/{function}/invocations", post(invoke))
        // The limits are Lambda's own, and differ by the kind of invocation.
        .layer(DefaultBodyLimit::disable())
        .with_state(api);
    axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await?;
    running.close();
    running.wait().await;
    Ok(())
}

async fn invoke(
    State(api): State<Arc<Api>>,
    Path(function): Path<String>,
    headers: HeaderMap,
    event: Bytes,
) -> Response {
    let kind = headers.get("x-amz-invocation-type").map_or("RequestResponse", |kind| kind.to_str().unwrap_or_default());
    let invoked = match kind {
        "RequestResponse" => api.synchronously(&function, event).await,
        "Event" => api.asynchronously(&function, event),
        _ => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValueException",
            format!("a local run cannot honour the invocation type {kind:?}"),
        )),
    };
    invoked.unwrap_or_else(Refusal::into_response)
}

impl Api {
    /// The function's answer, or what it failed with, in the body: both are 200, told apart by a header.
    async fn synchronously(&self, function: &str, event: Bytes) -> Result<Response, Refusal> {
        let (name, _) = self.known(function)?;
        let event = event_of(event)?;
        let Invocation { result, usage, duration, .. } = self.lambda.invoke_measured(name, event).await;
        let took = duration.as_millis();
        let executed = ("x-amz-executed-version", "$LATEST");
        match result {
            Ok(answer) => {
                self.console.line(Kind::Function, format!("{name} invoked, {took} ms, {usage}"));
                Ok((StatusCode::OK, [executed], answer).into_response())
            }
            Err(error @ InvokeError::TooLarge { .. }) => Err(Refusal::too_large(error.to_string())),
            Err(error @ InvokeError::Stopped) => {
                Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", error.to_string()))
            }
            Err(error) => {
                self.console.line(Kind::Problem, format!("{name} invoked: {error}, {took} ms"));
                let body = match error {
                    InvokeError::Handled { error_type, message } => {
                        json!({"errorType": error_type, "errorMessage": message})
                    }
                    other => json!({"errorMessage": other.to_string()}),
                };
                let headers = [executed, ("x-amz-function-error", "Unhandled")];
                Ok((StatusCode::OK, headers, body.to_string()).into_response())
            }
        }
    }

    /// 202 at once; the invocation goes on by itself.
    fn asynchronously(&self, function: &str, event: Bytes) -> Result<Response, Refusal> {
        let (name, pending) = self.known(function)?;
        if event.len() > EVENT_LIMIT {
            let message = format!("{} byte payload is too large for the Event invocation type", event.len());
            return Err(Refusal::too_large(message));
        }
        let event = event_of(event)?;
        let Ok(slot) = Arc::clone(pending).try_acquire_owned() else {
            let message = format!("{PENDING_LIMIT} asynchronous invocations of {name} have not ended yet");
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", message));
        };
        let (lambda, console, name) = (self.lambda.clone(), self.console.clone(), name.to_owned());
        self.running.spawn(async move {
            let invocation = lambda.invoke_measured(&name, event).await;
            let took = invocation.duration.as_millis();
            match invocation.result {
                Ok(_) => {
                    let usage = invocation.usage;
                    console.line(Kind::Function, format!("{name} invoked asynchronously, {took} ms, {usage}"));
                }
                Err(InvokeError::Stopped) => {}
                Err(problem) => {
                    console.line(Kind::Problem, format!("{name} invoked asynchronously: {problem}, {took} ms"));
                }
            }
            drop(slot);
        });
        Ok(StatusCode::ACCEPTED.into_response())
    }

    /// The function of this name, partial ARN or ARN, each with or without the one version there is here.
    fn known(&self, function: &str) -> Result<(&str, &Arc<Semaphore>), Refusal> {
        let unqualified = function.strip_suffix(":$LATEST").unwrap_or(function);
        let name = unqualified.rsplit_once(":function:").map_or(unqualified, |(_, name)| name);
        match self.functions.get_key_value(name) {
            Some((name, pending)) => Ok((name, pending)),
            None => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "ResourceNotFoundException",
                format!("Function not found: {function}"),
            )),
        }
    }
}

/// No event is an empty one.
fn event_of(event: Bytes) -> Result<Bytes, Refusal> {
    if event.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<IgnoredAny>(&event) {
        Ok(_) => Ok(event),
        Err(error) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            format!("Could not parse request body into json: {error}"),
        )),
    }
}

impl Refusal {
    fn new(status: StatusCode, kind: &'static str, message: String) -> Refusal {
        Refusal { status, kind, message }
    }

    fn too_large(message: String) -> Refusal {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message)
    }

    fn into_response(self) -> Response {
        let body = json!({"Type": "User", "Message": self.message}).to_string();
        let headers = [(CONTENT_TYPE.as_str(), "application/json"), ("x-amzn-errortype", self.kind)];
        (self.status, headers, body).into_response()
    }
}

#[cfg(test)]
mod tests;
