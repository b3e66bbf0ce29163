//! From an API Gateway event to a handler and back.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
};

use aws_lambda_events::apigw::{ApiGatewayRequestAuthorizer, ApiGatewayV2httpRequest};
use base64::{Engine, prelude::BASE64_STANDARD};
use lambda_http::{
    Adapter, LambdaEvent, Request, RequestExt,
    aws_lambda_events::query_map::QueryMap,
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    request::{LambdaRequest, RequestContext},
    service_fn,
    tower::util::MapRequest,
};
use serde::Deserialize;

use super::{ApiError, ApiResponse, Body, Query, input::percent_decoded};
use crate::{
    domain::id::ChatId,
    http::access::{Access, Caller, Route, route_of},
};

/// A request as a handler sees it.
#[derive(Debug)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// Who calls; nobody at the paths that are open.
    caller: Option<Caller>,
    /// The variables of the path.
    path_parameters: QueryMap,
    /// The query string.
    pub query: Query,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decoded from base64 where API Gateway encoded it.
    pub body: Body,
}

impl ApiRequest {
    /// Who calls. 401 when the request did not come through the authorizer.
    pub fn caller(&self) -> Result<&Caller, ApiError> {
        self.caller.as_ref().ok_or_else(unauthenticated)
    }

    /// The value of a variable of the path. 400 when it is empty or its percent-encoding does not decode.
    pub fn path_parameter(&self, name: &str) -> Result<String, ApiError> {
        let value = self.path_parameters.first(name).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| ApiError::bad_request("missing_field", format!("{name} is required")))?;
        percent_decoded(value)
            .ok_or_else(|| ApiError::bad_request("invalid_path", format!("{name} is not percent-encoded UTF-8")))
    }

    /// The chat that the path names. An id that is none names no chat: 404.
    pub fn chat_id(&self) -> Result<ChatId, ApiError> {
        self.path_parameter("chatId")?.parse().map_err(|_| ApiError::chat_not_found())
    }

    /// A header's value; 400 when it is not plain text.
    pub fn header(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let Some(value) = self.headers.get(name) else { return Ok(None) };
        let value = value.to_str();
        value.map(Some).map_err(|_| ApiError::bad_request("invalid_header", format!("{name} must be visible ASCII")))
    }
}

/// Serves a path's requests until Lambda ends the process. The handler sees those whose method the path knows, and whose
/// caller has the scope that the method needs.
pub async fn serve<H, F>(route: &'static Route, handler: H) -> Result<(), lambda_runtime::Error>
where
    H: Fn(ApiRequest) -> F + Clone + Send + 'static,
    F: Future<Output = Result<ApiResponse, ApiError>> + Send + 'static,
{
    run(move |request| {
        let handler = handler.clone();
        async move {
            match admit(route, request) {
                Ok(request) => handler(request).await,
                Err(refusal) => Err(refusal),
            }
        }
    })
    .await
}

/// Serves what no other function does, until Lambda ends the process: methods that a path does not know, paths that the
/// API does not know, and the questions of browsers which methods there are.
pub async fn serve_fallback() -> Result<(), lambda_runtime::Error> {
    run(|request| async move {
        match route_of(request.uri().path()).map(Route::allow) {
            Some(allow) if request.method() == Method::OPTIONS => Ok(ApiResponse::no_content(&allow)),
            Some(allow) => Err(ApiError::method_not_allowed(&allow)),
            None => Err(ApiError::not_found("path_not_found", "There is nothing at this path")),
        }
    })
    .await
}

async fn run<H, F>(handler: H) -> Result<(), lambda_runtime::Error>
where
    H: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Result<ApiResponse, ApiError>> + Send + 'static,
{
    let service = service_fn(move |request: Request| {
        let handler = handler.clone();
        async move { Ok::<_, std::convert::Infallible>(respond(handler, request).await) }
    });
    lambda_runtime::run_concurrent(MapRequest::new(Adapter::from(service), |event: LambdaEvent<GatewayEvent>| {
        LambdaEvent::new(LambdaRequest::ApiGatewayV2(event.payload.sanitized()), event.context)
    }))
    .await
}

async fn respond<H, F>(handler: H, request: Request) -> lambda_http::Response<lambda_http::Body>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<ApiResponse, ApiError>>,
{
    let request_id = request_id(&request);
    let method = request.method().clone();
    let (route, caller) = (route(&request), caller(&request));
    let answer = match handler(request).await {
        Ok(answer) => answer,
        Err(error) => {
            if let Some(cause) = error.cause() {
                tracing::error!(request_id, error = cause, "request failed");
            }
            error.into_api_response(&request_id)
        }
    };
    let key_id = caller.map(|caller| caller.key_id);
    tracing::info!(request_id, %method, route, key_id, status = answer.status(), "request");
    answer.into_response(&request_id)
}

/// The request, when the path knows its method and its caller may use it.
fn admit(route: &Route, request: Request) -> Result<ApiRequest, ApiError> {
    // API Gateway takes GET /api/messages/send for a message, because that path has no GET of its own.
    if let Some(other) = route_of(request.uri().path()).filter(|other| other.path != route.path) {
        return Err(ApiError::method_not_allowed(&other.allow()));
    }
    let caller = match route.access(request.method()) {
        None => return Err(ApiError::method_not_allowed(&route.allow())),
        Some(Access::Open) => None,
        Some(Access::Needs(scope)) => {
            let caller = caller(&request).ok_or_else(unauthenticated)?;
            caller.require(scope)?;
            Some(caller)
        }
    };
    let path_parameters = request.path_parameters();
    let (parts, body) = request.into_parts();
    Ok(ApiRequest {
        method: parts.method,
        caller,
        path_parameters,
        query: Query::new(parts.uri.query().unwrap_or_default()),
        headers: parts.headers,
        body: Body::new(body.to_vec()),
    })
}

/// API Gateway answers such a request by itself; only a function that is invoked without it gets here.
fn unauthenticated() -> ApiError {
    ApiError::unauthorized("unauthenticated", "This needs an API key: send the header Authorization: Bearer <key>")
}

/// Who calls, in the authorizer's words.
fn caller(request: &Request) -> Option<Caller> {
    let context = request.request_context_ref()?.authorizer()?;
    Caller::from_context(&context.fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The template's path, not the caller's: that may hold a wamid, and a wamid a phone number.
fn route(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.clone().unwrap_or_default(),
        _ => String::new(),
    }
}

/// API Gateway's own id of the request, which its access log shows too; else Lambda's.
fn request_id(request: &Request) -> String {
    let gateway = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    gateway
        .unwrap_or_else(|| request.lambda_context_ref().map(|context| context.request_id.clone()).unwrap_or_default())
}

/// What we read of an API Gateway event with payload format 2.0 (AWS: "Create AWS Lambda proxy integrations for HTTP
/// APIs").
///
/// `lambda_http` panics on events that hold what any client can send: a blank in the query string, a body that is not
/// the base64 that it claims to be, a `Host` that is no host, a header that is not ASCII. This type takes them all, and
/// [`GatewayEvent::sanitized`] gives `lambda_http` only what it can read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GatewayEvent {
    #[serde(default)]
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    path_parameters: HashMap<String, String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    #[serde(default)]
    request_context: Context,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    route_key: Option<String>,
    #[serde(default)]
    http: Http,
    #[serde(default)]
    authorizer: Option<ApiGatewayRequestAuthorizer>,
}

#[derive(Debug, Default, Deserialize)]
struct Http {
    #[serde(default)]
    method: String,
}

impl GatewayEvent {
    fn sanitized(self) -> ApiGatewayV2httpRequest {
        let mut request = ApiGatewayV2httpRequest::default();
        request.raw_path = Some(escaped(&self.raw_path));
        request.raw_query_string = Some(escaped(&self.raw_query_string));
        request.query_string_parameters = QueryMap::default();
        request.path_parameters = self.path_parameters;
        request.headers = self
            .headers
            .iter()
            .filter(|(name, _)| !matches!(name.to_ascii_lowercase().as_str(), "host" | "x-forwarded-proto"))
            .filter_map(|(name, value)| {
                Some((HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
            })
            .collect();
        // A body that is not the base64 it claims to be goes on as the text it is.
        request.is_base64_encoded =
            self.is_base64_encoded && self.body.as_deref().is_some_and(|body| BASE64_STANDARD.decode(body).is_ok());
        request.body = self.body;
        request.request_context.request_id = self.request_context.request_id;
        request.request_context.route_key = self.request_context.route_key;
        request.request_context.authorizer = self.request_context.authorizer;
        request.request_context.http.method = self.request_context.http.method.parse().unwrap_or_default();
        request
    }
}

/// Escapes what a URI cannot hold, and leaves the rest, escapes that do not decode included, as it came.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!' | b'$'..=b';' | b'=' | b'?'..=b'[' | b']' | b'_' | b'a'..=b'z' | b'~' => {
                escaped.push(char::from(byte))
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(event: serde_json::Value) -> Request {
        let event: GatewayEvent = serde_json::from_value(event).unwrap();
        LambdaRequest::ApiGatewayV2(event.sanitized()).into()
    }

    proptest! {
        #[test]
        fn no_event_panics(path in any::<String>(), query in any::<String>(), header in any::<String>(), body in any::<String>(), base64 in any::<bool>(), method in any::<String>()) {
            let request = request(serde_json::json!({
                "rawPath": format!("/{path}"), "rawQueryString": query, "pathParameters": {"messageId": path},
                "headers": {"host": header, "x-forwarded-proto": header, "idempotency-key": header, header.clone(): "x"},
                "body": body, "isBase64Encoded": base64,
                "requestContext": {"requestId": header, "http": {"method": method}},
            }));
            Query::new(request.uri().query().unwrap_or_default()).one("sessionId").ok();
            request.path_parameters().first("messageId").map(percent_decoded);
            super::request_id(&request);
        }
    }

    #[test]
    fn a_base64_body_is_decoded() {
        let request = request(serde_json::json!({"rawPath": "/", "body": "/wA=", "isBase64Encoded": true}));
        assert_eq!(request.body().to_vec(), [0xff, 0x00]);
    }
}
