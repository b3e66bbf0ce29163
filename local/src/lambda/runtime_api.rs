//! The Lambda Runtime API, version 2018-06-01 (Lambda Developer Guide, *Using the Lambda runtime API*), on one loopback
//! port. Each instance has its own path prefix in `AWS_LAMBDA_RUNTIME_API`, which Lambda's Rust runtime preserves.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State, rejection::BytesRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

/// Maximum size of events and responses of synchronous invocations: 6 MB plus some room (Lambda Developer Guide,
/// *Lambda quotas*).
pub(super) const MAX_PAYLOAD_BYTES: usize = 6_291_556;

/// An event for the function.
pub(super) struct NextEvent {
    pub(super) request_id: String,
    /// Unix time in milliseconds.
    pub(super) deadline_ms: i64,
    pub(super) function_arn: String,
    pub(super) trace_id: String,
    pub(super) event: Bytes,
}

/// A call of an instance's process. Dropping `reply` rejects the call.
pub(super) enum RuntimeCall {
    Next { reply: oneshot::Sender<NextEvent> },
    Response { request_id: String, body: Bytes, reply: oneshot::Sender<()> },
    Error { request_id: String, error: FunctionError, reply: oneshot::Sender<()> },
    InitError { error: FunctionError, reply: oneshot::Sender<()> },
}

/// An error as reported by a function. Missing members are empty.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FunctionError {
    pub(super) error_type: String,
    pub(super) error_message: String,
}

type Instances = Arc<Mutex<HashMap<String, mpsc::Sender<RuntimeCall>>>>;

/// A handle to the running server.
#[derive(Clone)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    instances: Instances,
}

/// A registered instance. Dropping it removes the registration.
pub(super) struct Registration {
    name: String,
    instances: Instances,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

impl RuntimeApi {
    pub(super) async fn start(stop: CancellationToken) -> std::io::Result<RuntimeApi> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let instances = Instances::default();
        let router = Router::new()
            .route("/{instance}/2018-06-01/runtime/invocation/next", get(next))
            .route("/{instance}/2018-06-01/runtime/invocation/{request_id}/response", post(response))
            .route("/{instance}/2018-06-01/runtime/invocation/{request_id}/error", post(error))
            .route("/{instance}/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(MAX_PAYLOAD_BYTES))
            .with_state(Arc::clone(&instances));
        // Not a graceful shutdown: the open connections are long polls that never end.
        tokio::spawn(async move {
            tokio::select! {
                _ = axum::serve(listener, router) => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(RuntimeApi { address, instances })
    }

    /// Registers an instance. Returns its `AWS_LAMBDA_RUNTIME_API` value and the calls of its process.
    pub(super) fn register(&self, name: &str) -> (String, mpsc::Receiver<RuntimeCall>, Registration) {
        let (sender, calls) = mpsc::channel(8);
        self.instances.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), sender);
        let registration = Registration { name: name.to_owned(), instances: Arc::clone(&self.instances) };
        // The runtime reads a path only from a URL with a scheme.
        (format!("http://{}/{name}", self.address), calls, registration)
    }
}

async fn next(State(instances): State<Instances>, Path(instance): Path<String>) -> Response {
    match call(&instances, &instance, |reply| RuntimeCall::Next { reply }).await {
        Some(next) => {
            let headers = [
                ("lambda-runtime-aws-request-id", next.request_id),
                ("lambda-runtime-deadline-ms", next.deadline_ms.to_string()),
                ("lambda-runtime-invoked-function-arn", next.function_arn),
                ("lambda-runtime-trace-id", next.trace_id),
                ("content-type", "application/json".to_owned()),
            ];
            (headers, next.event).into_response()
        }
        None => rejected("InvalidStateTransition"),
    }
}

async fn response(
    State(instances): State<Instances>,
    Path((instance, request_id)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => {
            let status = rejection.status();
            let error = FunctionError {
                error_type: "Function.ResponseSizeTooLarge".to_owned(),
                error_message: format!("the response is larger than {MAX_PAYLOAD_BYTES} bytes"),
            };
            call(&instances, &instance, |reply| RuntimeCall::Error { request_id, error, reply }).await;
            return status.into_response();
        }
    };
    accepted(call(&instances, &instance, |reply| RuntimeCall::Response { request_id, body, reply }).await)
}

async fn error(
    State(instances): State<Instances>,
    Path((instance, request_id)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let error = serde_json::from_slice(&body).unwrap_or_default();
    accepted(call(&instances, &instance, |reply| RuntimeCall::Error { request_id, error, reply }).await)
}

async fn init_error(State(instances): State<Instances>, Path(instance): Path<String>, body: Bytes) -> Response {
    let error = serde_json::from_slice(&body).unwrap_or_default();
    accepted(call(&instances, &instance, |reply| RuntimeCall::InitError { error, reply }).await)
}

/// Passes a call to the instance and returns its reply. Returns `None` if the instance does not exist or rejects the
/// call.
async fn call<T>(
    instances: &Instances,
    instance: &str,
    call: impl FnOnce(oneshot::Sender<T>) -> RuntimeCall,
) -> Option<T> {
    let sender = instances.lock().unwrap_or_else(PoisonError::into_inner).get(instance).cloned()?;
    let (reply, response) = oneshot::channel();
    sender.send(call(reply)).await.ok()?;
    response.await.ok()
}

fn accepted(reply: Option<()>) -> Response {
    match reply {
        Some(()) => (StatusCode::ACCEPTED, axum::Json(json!({"status": "OK"}))).into_response(),
        None => rejected("InvalidRequestID"),
    }
}

fn rejected(error_type: &str) -> Response {
    let body = json!({"errorMessage": "the call is not valid in the state of the instance", "errorType": error_type});
    (StatusCode::FORBIDDEN, axum::Json(body)).into_response()
}
