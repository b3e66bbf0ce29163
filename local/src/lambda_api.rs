//! A fake of the Lambda API with one operation: `Invoke`, by which a function invokes another, or itself.

mod queue;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

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
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::queue::RETRY_DELAYS;
use self::queue::{Context, EventQueue, Full, MAX_EVENTS};
use crate::{
    iam::{self, Access, Roles},
    lambda::{Invocation, InvokeError, Lambda},
    output::{Kind, Output},
    template::Function,
};

/// The maximum size of the event of an asynchronous invocation (Lambda developer guide, "Lambda quotas").
const EVENT_LIMIT: usize = 1024 * 1024;
/// The qualifier of the unpublished version, the only one.
const LATEST: &str = ":$LATEST";

struct Api {
    roles: Roles,
    /// Each function, by its package name and by the name that CloudFormation generates.
    functions: BTreeMap<String, Arc<Target>>,
    context: Arc<Context>,
}

/// A function that can be invoked.
struct Target {
    /// The package name.
    name: String,
    arn: String,
    queue: Arc<EventQueue>,
}

/// An error response (Lambda API Reference, "Invoke", "Errors").
struct ApiError {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

/// Serves `Invoke` for `functions` until `shutdown`. Returns when all invocations in progress have ended. The queued events
/// are lost. A failed asynchronous invocation is repeated after `retry_delays`, as often as the function's configuration
/// allows.
///
/// # Errors
/// If the listener can't be used.
pub async fn serve(
    listener: std::net::TcpListener,
    functions: &[Function],
    retry_delays: [Duration; 2],
    lambda: Lambda,
    output: Output,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let running = TaskTracker::new();
    let context = Context { lambda, output, retry_delays, running: running.clone(), shutdown: shutdown.clone() };
    let names = functions.iter().flat_map(|function| {
        let queue = Arc::new(EventQueue::new(function));
        let target = Arc::new(Target { name: function.name.clone(), arn: function.arn(), queue });
        [(function.generated_name(), Arc::clone(&target)), (function.name.clone(), target)]
    });
    let api = Api { roles: Roles::new(functions), functions: names.collect(), context: Arc::new(context) };
    let app = Router::new()
        .route("/2015-03-31/functions/{function}/invocations", post(invoke))
        // Lambda's limits depend on the invocation type.
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(api));
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
    let target = match api.find(&function, iam::access_key(&headers)) {
        Ok(target) => target,
        Err(error) => return error.into_response(),
    };
    let invoked = match kind {
        "RequestResponse" => api.synchronously(target, event).await,
        "Event" => api.asynchronously(target, event),
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
    async fn synchronously(&self, target: &Target, event: Bytes) -> Result<Response, ApiError> {
        let (name, event) = (&target.name, event_of(event)?);
        let Context { lambda, output, .. } = &*self.context;
        let Invocation { result, usage, duration, .. } = lambda.invoke_measured(name, event).await;
        let took = duration.as_millis();
        let executed = ("x-amz-executed-version", "$LATEST");
        match result {
            Ok(answer) => {
                output.line(Kind::Function, format!("{name} invoked, {took} ms, {usage}"));
                Ok((StatusCode::OK, [executed], answer).into_response())
            }
            Err(error @ InvokeError::TooLarge { .. }) => Err(ApiError::too_large(error.to_string())),
            Err(error @ InvokeError::Stopped) => {
                Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", error.to_string()))
            }
            Err(error) => {
                output.line(Kind::Problem, format!("{name} invoked: {error}, {took} ms"));
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

    /// Queues an event and returns 202.
    fn asynchronously(&self, target: &Target, event: Bytes) -> Result<Response, ApiError> {
        if event.len() > EVENT_LIMIT {
            let message = format!("{} byte payload is too large for the Event invocation type", event.len());
            return Err(ApiError::too_large(message));
        }
        match target.queue.push(event_of(event)?, &self.context) {
            Ok(()) => Ok(StatusCode::ACCEPTED.into_response()),
            Err(Full) => {
                let message = format!("{MAX_EVENTS} events of {} are queued", target.name);
                Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", message))
            }
        }
    }

    /// Returns the function with this name, partial ARN, or ARN, each with or without the version `$LATEST`, if the holder
    /// of the access key may invoke it.
    fn find(&self, function: &str, access_key: &str) -> Result<&Target, ApiError> {
        let unqualified = function.strip_suffix(LATEST);
        let name = unqualified.unwrap_or(function);
        let name = name.rsplit_once(":function:").map_or(name, |(_, name)| name);
        let Some(target) = self.functions.get(name) else {
            let message = format!("Function not found: {function}");
            return Err(ApiError::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", message));
        };
        // A policy that names the function doesn't cover its versions (Lambda developer guide, "Fine-tuning the Resources
        // and Conditions sections of policies").
        let qualifier = unqualified.map_or("", |_| LATEST);
        let resource = format!("{}{qualifier}", target.arn);
        let access = Access { action: "lambda:InvokeFunction".to_owned(), resource, leading_keys: Vec::new() };
        match self.roles.check(access_key, [access]) {
            Ok(()) => Ok(target),
            Err(denied) => {
                self.context.output.line(Kind::Problem, format!("missing permission in the template: {denied}"));
                Err(ApiError::new(StatusCode::FORBIDDEN, "AccessDeniedException", denied.to_string()))
            }
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
