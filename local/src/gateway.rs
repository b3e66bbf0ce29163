//! An API Gateway HTTP API in front of the functions, payload format 2.0 (API Gateway Developer Guide, *Create AWS
//! Lambda proxy integrations for HTTP APIs*).

mod authorizer;
pub(crate) mod cors;
mod event;
mod observer;
mod response;
mod routes;
mod throttle;

use std::{net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderName, HeaderValue, Request as HttpRequest, Response, StatusCode, request::Parts},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::observer::{Exchange, Observer};
use self::{
    authorizer::Authorizers,
    cors::CorsRules,
    routes::{RouteMatch, Routes},
    throttle::Throttles,
};
use crate::{
    lambda::{Invocation, InvokeError, Lambda},
    output::{Kind, Output},
    template::Template,
};

/// Maximum payload size (API Gateway Developer Guide, *Quotas for HTTP APIs*).
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;
/// Maximum combined size of the request line and header values (API Gateway Developer Guide, *Quotas for HTTP APIs*).
const MAX_HEADER_BYTES: usize = 10_240;
const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

struct Gateway {
    routes: Routes,
    throttles: Throttles,
    authorizers: Authorizers,
    cors: Option<CorsRules>,
    port: u16,
    lambda: Lambda,
    output: Output,
    observer: Option<Observer>,
}

/// Serves the template's HTTP API until `shutdown`, and reports each exchange to `observer`.
///
/// # Errors
/// Returns an error if the listener is unusable.
pub async fn serve(
    listener: std::net::TcpListener,
    template: &Template,
    lambda: Lambda,
    output: Output,
    observer: Option<Observer>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let gateway = Arc::new(Gateway {
        routes: Routes::new(&template.functions),
        throttles: Throttles::new(&template.http_api),
        authorizers: Authorizers::new(&template.http_api, lambda.clone()),
        cors: template.http_api.cors.clone().map(CorsRules::new),
        port: listener.local_addr()?.port(),
        lambda,
        output,
        observer,
    });
    let service =
        Router::new().fallback(handle).with_state(gateway).into_make_service_with_connect_info::<SocketAddr>();
    tokio::select! {
        result = axum::serve(listener, service) => result,
        () = shutdown.cancelled() => Ok(()),
    }
}

async fn handle(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let started = Instant::now();
    let (request, body) = request.into_parts();
    let request_line = format!("{} {}", request.method, path_and_parameter_names(&request.uri));
    let request_id = request_id();
    let mut logged = gateway.respond(&request, body, client, &request_id).await;
    if let (Some(cors), Some(origin)) = (&gateway.cors, request.headers.get("origin")) {
        cors.apply(logged.response.headers_mut(), origin);
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        logged.response.headers_mut().insert(REQUEST_ID, value);
    }
    let status = logged.response.status().as_u16();
    let duration_ms = started.elapsed().as_millis();
    gateway.output.line(Kind::Request, format!("{request_line} {status} {duration_ms} ms{}", logged.detail));
    match &gateway.observer {
        Some(observer) => {
            let path = event::decoded_path(request.uri.path());
            let matched = gateway.routes.find(request.method.as_str(), &path);
            let route = matched.map(|matched| matched.route.key());
            observer.report(route, HttpRequest::from_parts(request, logged.request_body), logged.response).await
        }
        None => logged.response,
    }
}

/// A response and its details for the output.
struct LoggedResponse {
    response: Response<Body>,
    detail: String,
    /// The body of the request; empty if the gateway responded without it.
    request_body: Bytes,
}

impl LoggedResponse {
    fn new(response: Response<Body>, detail: String) -> LoggedResponse {
        LoggedResponse { response, detail, request_body: Bytes::new() }
    }

    fn error(status: StatusCode, detail: &str) -> LoggedResponse {
        LoggedResponse::new(response::error(status), format!("  {detail}"))
    }
}

impl Gateway {
    async fn respond(&self, request: &Parts, body: Body, client: SocketAddr, request_id: &str) -> LoggedResponse {
        if headers_size(request) > MAX_HEADER_BYTES {
            return LoggedResponse::error(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers too large");
        }
        let path = event::decoded_path(request.uri.path());
        let matched = self.routes.find(request.method.as_str(), &path);
        // A preflight carries no credentials, so it fails on a route with an authorizer, as on AWS (API Gateway
        // Developer Guide, *Configure CORS for HTTP APIs*, on the `$default` route).
        let is_public = matched.as_ref().is_none_or(|matched| matched.route.authorizer.is_none());
        if let Some(response) = self.cors.as_ref().filter(|_| is_public).and_then(|cors| cors.preflight(request)) {
            return LoggedResponse::new(response, "  CORS preflight".to_owned());
        }
        let Some(matched) = matched else {
            return LoggedResponse::error(StatusCode::NOT_FOUND, "no route");
        };
        if !self.throttles.try_acquire(&matched.route.key(), Instant::now()) {
            return LoggedResponse::error(StatusCode::TOO_MANY_REQUESTS, "throttled");
        }
        let context = event::RequestContext { client, port: self.port, request_id, now: Timestamp::now(), path: &path };
        let mut event = event::build(request, &matched, &context);
        if let Some(authorizer) = &matched.route.authorizer {
            match self.authorizers.authorize(authorizer, &event, Instant::now()).await {
                Ok(context) => event::add_authorizer(&mut event, context),
                Err(status) => return LoggedResponse::error(status, authorizer),
            }
        }
        let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return LoggedResponse::error(StatusCode::PAYLOAD_TOO_LARGE, "body too large");
            }
            Err(_) => return LoggedResponse::error(StatusCode::BAD_REQUEST, "incomplete body"),
        };
        event::add_body(&mut event, request, &body);
        let invocation = self.lambda.invoke_measured(matched.function, event.to_string().into());
        let logged = match tokio::time::timeout(matched.route.timeout, invocation).await {
            Ok(invocation) => from_invocation(&matched, invocation),
            Err(_) => {
                let detail =
                    format!("{}  no response within {} s", matched.function, matched.route.timeout.as_secs_f64());
                LoggedResponse::error(StatusCode::SERVICE_UNAVAILABLE, &detail)
            }
        };
        LoggedResponse { request_body: body, ..logged }
    }
}

fn from_invocation(matched: &RouteMatch<'_>, invocation: Invocation) -> LoggedResponse {
    let response = match &invocation.result {
        Ok(payload) => response::from_function(payload),
        Err(_) => None,
    };
    let problem = match (&invocation.result, &response) {
        (Err(error), _) => format!("  {}", summary(error)),
        (Ok(_), None) => "  invalid response format".to_owned(),
        (Ok(_), Some(_)) => String::new(),
    };
    let start = if invocation.cold { "cold" } else { "warm" };
    let detail = format!("  {} {start}  dynamodb: {}{problem}", matched.function, invocation.usage);
    let response = response.unwrap_or_else(|| response::error(StatusCode::INTERNAL_SERVER_ERROR));
    LoggedResponse::new(response, detail)
}

/// Summarizes the failure. The output shows the full error separately.
fn summary(error: &InvokeError) -> &'static str {
    match error {
        InvokeError::Handled { .. } => "failed",
        InvokeError::TimedOut { .. } => "timed out",
        InvokeError::Crashed { .. } => "crashed",
        InvokeError::Init { .. } => "start failed",
        InvokeError::TooLarge { .. } => "event too large",
        InvokeError::Unknown { .. } => "no such function",
        InvokeError::Stopped => "stopping",
    }
}

/// Returns the path and the names of the query parameters. Values are omitted because they include the verify token.
fn path_and_parameter_names(uri: &axum::http::Uri) -> String {
    let names: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), names.join("&")) }
}

fn headers_size(request: &Parts) -> usize {
    let line = request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let headers: usize = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    line + headers
}

/// Returns an ID in API Gateway's format: 15 characters and a `=`.
fn request_id() -> String {
    STANDARD.encode(&Uuid::new_v4().as_bytes()[..11])
}

#[cfg(test)]
mod tests;
