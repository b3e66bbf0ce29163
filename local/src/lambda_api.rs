//! A fake of the Lambda API with one operation: `Invoke`, by which a function invokes another, or itself.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{
    console::{Console, Kind},
    lambda::{Invocation, InvokeError, Lambda},
};

/// The maximum number of unfinished asynchronous invocations of a function. Lambda has a queue; here, a function that
/// invokes itself endlessly would occupy all processes.
const PENDING_LIMIT: usize = 4;
/// The maximum size of the event of an asynchronous invocation (Lambda developer guide, "Lambda quotas").
const EVENT_LIMIT: usize = 1024 * 1024;

struct Api {
    lambda: Lambda,
    /// The remaining asynchronous invocations of each function, by its package name.
    functions: BTreeMap<String, Arc<Semaphore>>,
    running: TaskTracker,
    console: Console,
}

/// An error response (Lambda API Reference, "Invoke", "Errors").
struct ApiError {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

/// Serves `Invoke` for `functions` (package names) until `shutdown`. Returns when all asynchronous invocations have
/// ended. Unlike Lambda, it doesn't retry a failed one.
///
/// # Errors
/// If the listener can't be used.
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
        // Lambda's limits depend on the invocation type.
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
        _ => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValueException",
            format!("the local run doesn't support the invocation type {kind:?}"),
        )),
    };
    invoked.unwrap_or_else(ApiError::into_response)
}

impl Api {
    /// Invokes a function and returns its response, or its error with the header `x-amz-function-error`. Both have the
    /// status 200.
    async fn synchronously(&self, function: &str, event: Bytes) -> Result<Response, ApiError> {
        let (name, _) = self.find(function)?;
        let event = event_of(event)?;
        let Invocation { result, usage, duration, .. } = self.lambda.invoke_measured(name, event).await;
        let took = duration.as_millis();
        let executed = ("x-amz-executed-version", "$LATEST");
        match result {
            Ok(answer) => {
                self.console.line(Kind::Function, format!("{name} invoked, {took} ms, {usage}"));
                Ok((StatusCode::OK, [executed], answer).into_response())
            }
            Err(error @ InvokeError::TooLarge { .. }) => Err(ApiError::too_large(error.to_string())),
            Err(error @ InvokeError::Stopped) => {
                Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", error.to_string()))
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

    /// Starts an invocation and returns 202.
    fn asynchronously(&self, function: &str, event: Bytes) -> Result<Response, ApiError> {
        let (name, pending) = self.find(function)?;
        if event.len() > EVENT_LIMIT {
            let message = format!("{} byte payload is too large for the Event invocation type", event.len());
            return Err(ApiError::too_large(message));
        }
        let event = event_of(event)?;
        let Ok(permit) = Arc::clone(pending).try_acquire_owned() else {
            let message = format!("{PENDING_LIMIT} asynchronous invocations of {name} have not ended");
            return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", message));
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
                Err(error) => {
                    console.line(Kind::Problem, format!("{name} invoked asynchronously: {error}, {took} ms"));
                }
            }
            drop(permit);
        });
        Ok(StatusCode::ACCEPTED.into_response())
    }

    /// Returns the function with this name, partial ARN, or ARN, each with or without the version `$LATEST`.
    fn find(&self, function: &str) -> Result<(&str, &Arc<Semaphore>), ApiError> {
        let unqualified = function.strip_suffix(":$LATEST").unwrap_or(function);
        let name = unqualified.rsplit_once(":function:").map_or(unqualified, |(_, name)| name);
        match self.functions.get_key_value(name) {
            Some((name, pending)) => Ok((name, pending)),
            None => Err(ApiError::new(
                StatusCode::NOT_FOUND,
                "ResourceNotFoundException",
                format!("Function not found: {function}"),
            )),
        }
    }
}

/// Returns the body as an event: `{}` if it is empty.
fn event_of(event: Bytes) -> Result<Bytes, ApiError> {
    if event.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<IgnoredAny>(&event) {
        Ok(_) => Ok(event),
        Err(error) => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "InvalidRequestContentException",
            format!("Could not parse request body into json: {error}"),
        )),
    }
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: String) -> ApiError {
        ApiError { status, kind, message }
    }

    fn too_large(message: String) -> ApiError {
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message)
    }

    fn into_response(self) -> Response {
        let body = json!({"Type": "User", "Message": self.message}).to_string();
        let headers = [(CONTENT_TYPE.as_str(), "application/json"), ("x-amzn-errortype", self.kind)];
        (self.status, headers, body).into_response()
    }
}

#[cfg(test)]
mod tests;
