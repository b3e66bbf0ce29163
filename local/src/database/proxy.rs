//! The public endpoint of the database. Rejects requests that a function may not send, forwards all others, records
//! their cost per access key, and injects faults.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{
        Response, StatusCode, Uri, Version,
        header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING},
        request, response,
    },
};
use futures_util::stream;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

use super::{
    capacity,
    faults::{Fault, Faults},
    key_limits::KeyLimits,
    permissions::{self, Permissions},
    usage::{Units, UsageMeter},
};
use crate::{
    iam,
    output::{Kind, Output},
    template::{Function, Table},
};

/// DynamoDB's maximum request size: 16 MB for batches (*Service, account, and table quotas*).
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;
/// An upper bound for responses: 16 MB of items plus JSON overhead.
const MAX_RESPONSE_BYTES: usize = 64 * 1024 * 1024;
const CRC32: HeaderName = HeaderName::from_static("x-amz-crc32");
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

struct Proxy {
    client: Client<HttpConnector, Body>,
    database: SocketAddr,
    meter: UsageMeter,
    faults: Faults,
    rules: Rules,
    output: Output,
}

/// The reasons to reject a request that the embedded database would accept.
pub(super) struct Rules {
    permissions: Permissions,
    key_limits: KeyLimits,
}

impl Rules {
    pub(super) fn new(table: &Table, functions: &[Function]) -> Rules {
        Rules { permissions: Permissions::new(table, functions), key_limits: KeyLimits::new(table) }
    }
}

/// Serves every route of the database at `database`.
pub(super) fn router(database: SocketAddr, meter: UsageMeter, faults: Faults, rules: Rules, output: Output) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http();
    Router::new().fallback(handle).with_state(Arc::new(Proxy { client, database, meter, faults, rules, output }))
}

async fn handle(State(proxy): State<Arc<Proxy>>, request: Request) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_REQUEST_BYTES).await else {
        return error(413, &json!({"__type": "com.amazon.coral.service#RequestEntityTooLargeException"}));
    };
    let Some(operation) = operation(&head.headers) else {
        return match proxy.forward(head, body).await {
            Ok((head, body)) => Response::from_parts(head, body.into()),
            Err(response) => response,
        };
    };
    let access_key = iam::access_key(&head.headers).to_owned();
    if let Err(denied) = proxy.rules.permissions.check(&access_key, &operation, &body) {
        proxy.meter.record(&access_key, &operation, Units::default());
        proxy.output.line(Kind::Problem, format!("missing permission in the template: {denied}"));
        return error(400, &permissions::error(&denied));
    }
    if let Err(invalid) = proxy.rules.key_limits.check(&body) {
        proxy.meter.record(&access_key, &operation, Units::default());
        return error(400, &invalid);
    }
    let fault = proxy.faults.next(&operation, &access_key);
    if fault == Some(Fault::Hang) {
        // Dropped with the connection when the client disconnects.
        return std::future::pending().await;
    }
    if let Some(fault) = fault.filter(|fault| !fault.is_after_commit()) {
        proxy.meter.record(&access_key, &operation, Units::default());
        let (status, body) = fault.error(&operation, &body);
        return error(status, &body);
    }

    let capacity_request = capacity::request_capacity(&operation, &body);
    head.headers.remove(CONTENT_LENGTH);
    let (mut response, response_body) =
        match proxy.forward(head, capacity_request.clone().unwrap_or_else(|| body.clone())).await {
            Ok(response) => response,
            Err(response) => return response,
        };
    proxy.meter.record(&access_key, &operation, capacity::consumed_units(&operation, &body, &response_body));
    match fault {
        Some(Fault::ConnectionLostAfterCommit) => incomplete_response(response_body.len()),
        Some(fault) => {
            let (status, body) = fault.error(&operation, &body);
            error(status, &body)
        }
        None => match capacity_request.and_then(|_| capacity::strip_capacity(&response_body)) {
            None => Response::from_parts(response, response_body.into()),
            Some(stripped) => {
                // Both describe the original body. SDKs verify the checksum only if it is present.
                response.headers.remove(CRC32);
                response.headers.remove(CONTENT_LENGTH);
                Response::from_parts(response, stripped.into())
            }
        },
    }
}

impl Proxy {
    async fn forward(&self, mut head: request::Parts, body: Bytes) -> Result<(response::Parts, Bytes), Response<Body>> {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("http://{}{path}", self.database).parse::<Uri>().unwrap_or_default();
        head.version = Version::HTTP_11;
        remove_hop_by_hop(&mut head.headers);
        let unavailable = |cause: String| {
            error(500, &json!({"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": cause}))
        };
        let response = self
            .client
            .request(Request::from_parts(head, body.into()))
            .await
            .map_err(|cause| unavailable(format!("the embedded database does not respond: {cause}")))?;
        let (mut head, body) = response.into_parts();
        remove_hop_by_hop(&mut head.headers);
        let body = to_bytes(Body::new(body), MAX_RESPONSE_BYTES)
            .await
            .map_err(|cause| unavailable(format!("the response of the embedded database is incomplete: {cause}")))?;
        Ok((head, body))
    }
}

/// Removes headers that apply to a single connection.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
}

/// Returns the operation from `X-Amz-Target: DynamoDB_20120810.PutItem` (Developer Guide, *DynamoDB low-level API*).
fn operation(headers: &HeaderMap) -> Option<String> {
    let (service, operation) = headers.get(TARGET)?.to_str().ok()?.rsplit_once('.')?;
    service.starts_with("DynamoDB").then(|| operation.to_owned())
}

fn error(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}

/// Returns a response whose body fails before its first byte, which makes the server close the connection.
fn incomplete_response(length: usize) -> Response<Body> {
    let lost = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let mut response = Response::new(Body::from_stream(stream::iter([Err::<Bytes, _>(lost)])));
    response.headers_mut().insert(CONTENT_LENGTH, length.max(1).into());
    response
}
