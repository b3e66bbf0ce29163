//! An API Gateway HTTP API in front of the functions, payload format 2.0 (API Gateway Developer Guide, *Create AWS
//! Lambda proxy integrations for HTTP APIs*).

mod authorizer;
mod cors;
mod event;
mod response;
mod routes;
mod throttle;

use std::{net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderName, HeaderValue, Response, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    authorizer::Authorizers,
    cors::CorsRules,
    routes::{Match, Routes},
    throttle::Throttles,
};
use crate::{
    console::{Console, Kind},
    lambda::{Invocation, InvokeError, Lambda},
    template::Template,
};

/// Maximum payload size (API Gateway Developer Guide, *Quotas for HTTP APIs*).
const BODY_LIMIT: usize = 10 * 1024 * 1024;
/// Maximum combined size of the request line and header values (API Gateway Developer Guide, *Quotas for HTTP APIs*).
const HEADERS_LIMIT: usize = 10_240;
const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

struct Gateway {
    routes: Routes,
    throttles: Throttles,
    authorizers: Authorizers,
    cors: Option<CorsRules>,
    port: u16,
    lambda: Lambda,
    console: Console,
}

/// Serves the template's HTTP API until `shutdown`.
///
/// # Errors
/// Returns an error if the listener is unusable.
pub async fn serve(
    listener: std::net::TcpListener,
    template: &Template,
    lambda: Lambda,
    console: Console,
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
        console,
    });
    let service =
        Router::new().fallback(handle).with_state(gateway).into_make_service_with_connect_info::<SocketAddr>();
    tokio::select! {
        result = axum::serve(listener, service) => result,
        () = shutdown.cancelled() => Ok(()),
    }
}

#[allow(clippy::disallowed_methods, reason = "the local run is where a laptop's clock and randomness come in")]
async fn handle(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let started = Instant::now();
    let summary = format!("{} {}", request.method(), path_and_keys(request.uri()));
    let request_id = request_id();
    let origin = request.headers().get("origin").cloned();
    let mut outcome = gateway.answer(request, client, &request_id).await;
    if let (Some(cors), Some(origin)) = (&gateway.cors, &origin) {
        cors.decorate(outcome.response.headers_mut(), origin);
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        outcome.response.headers_mut().insert(REQUEST_ID, value);
    }
    let status = outcome.response.status().as_u16();
    let took = started.elapsed().as_millis();
    gateway.console.line(Kind::Request, format!("{summary} {status} {took} ms{}", outcome.detail));
    outcome.response
}

/// A response and its details for the console.
struct Outcome {
    response: Response<Body>,
    detail: String,
}

impl Outcome {
    fn refusal(status: StatusCode, detail: &str) -> Outcome {
        Outcome { response: response::refusal(status), detail: format!("  {detail}") }
    }
}

impl Gateway {
    #[allow(clippy::disallowed_methods, reason = "the local run is where a laptop's clock and randomness come in")]
    async fn answer(&self, request: Request, client: SocketAddr, request_id: &str) -> Outcome {
        if headers_size(&request) > HEADERS_LIMIT {
            return Outcome::refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers too large");
        }
        let path = event::decoded_path(request.uri().path());
        let found = self.routes.find(request.method().as_str(), &path);
        // A preflight carries no credentials, so it fails on a route with an authorizer, as on AWS (API Gateway
        // Developer Guide, *Configure CORS for HTTP APIs*, on the `$default` route).
        let is_open = found.as_ref().is_none_or(|found| found.route.authorizer.is_none());
        if let Some(response) = self.cors.as_ref().filter(|_| is_open).and_then(|cors| cors.preflight(&request)) {
            return Outcome { response, detail: "  CORS preflight".to_owned() };
        }
        let Some(found) = found else {
            return Outcome::refusal(StatusCode::NOT_FOUND, "no route");
        };
        if !self.throttles.admit(&found.route.key(), Instant::now()) {
            return Outcome::refusal(StatusCode::TOO_MANY_REQUESTS, "throttled");
        }
        let (parts, body) = request.into_parts();
        let context = event::Context { client, port: self.port, request_id, now: Timestamp::now(), path: &path };
        let mut event = event::build(&parts, &found, &context);
        if let Some(authorizer) = &found.route.authorizer {
            match self.authorizers.ask(authorizer, &event, Instant::now()).await {
                Ok(context) => event::add_authorizer(&mut event, context),
                Err(status) => return Outcome::refusal(status, authorizer),
            }
        }
        let body = match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Outcome::refusal(StatusCode::PAYLOAD_TOO_LARGE, "body too large");
            }
            Err(_) => return Outcome::refusal(StatusCode::BAD_REQUEST, "body ended early"),
        };
        event::add_body(&mut event, &parts, &body);
        let invocation = self.lambda.invoke_measured(found.function, event.to_string().into());
        match tokio::time::timeout(found.route.timeout, invocation).await {
            Ok(invocation) => from_invocation(&found, invocation),
            Err(_) => {
                let detail = format!("{}  no answer within {} s", found.function, found.route.timeout.as_secs_f64());
                Outcome::refusal(StatusCode::SERVICE_UNAVAILABLE, &detail)
            }
        }
    }
}

fn from_invocation(found: &Match<'_>, invocation: Invocation) -> Outcome {
    let response = match &invocation.result {
        Ok(payload) => response::from_function(payload),
        Err(_) => None,
    };
    let problem = match (&invocation.result, &response) {
        (Err(error), _) => format!("  {}", short(error)),
        (Ok(_), None) => "  its answer is none that API Gateway takes".to_owned(),
        (Ok(_), Some(_)) => String::new(),
    };
    let start = if invocation.cold { "cold" } else { "warm" };
    let detail = format!("  {} {start}  dynamodb: {}{problem}", found.function, invocation.usage);
    Outcome { response: response.unwrap_or_else(|| response::refusal(StatusCode::INTERNAL_SERVER_ERROR)), detail }
}

/// Summarizes the failure. The console shows the full error on a line of its own.
fn short(error: &InvokeError) -> &'static str {
    match error {
        InvokeError::Handled { .. } => "failed",
        InvokeError::TimedOut { .. } => "timed out",
        InvokeError::Crashed { .. } => "crashed",
        InvokeError::Init { .. } => "did not start",
        InvokeError::TooLarge { .. } => "the event is larger than Lambda takes",
        InvokeError::Unknown { .. } => "no such function",
        InvokeError::Stopped => "stopping",
    }
}

/// Returns the path and the names of the query parameters. Values are omitted because they include the verify token.
fn path_and_keys(uri: &axum::http::Uri) -> String {
    let keys: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key))
        .filter(|key| !key.is_empty())
        .collect();
    if keys.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), keys.join("&")) }
}

fn headers_size(request: &Request) -> usize {
    let line = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    line + headers
}

/// Returns an ID in API Gateway's format: 15 characters and a `=`.
#[allow(clippy::disallowed_methods, reason = "the local run is where a laptop's clock and randomness come in")]
fn request_id() -> String {
    STANDARD.encode(&Uuid::new_v4().as_bytes()[..11])
}

#[cfg(test)]
mod tests;
