//! API Gateway events, made safe for `lambda_http`.

use std::collections::{BTreeMap, HashMap};

use aws_lambda_events::apigw::{ApiGatewayRequestAuthorizer, ApiGatewayV2httpRequest};
use base64::{Engine, prelude::BASE64_STANDARD};
use lambda_http::{
    aws_lambda_events::query_map::QueryMap,
    http::{HeaderName, HeaderValue},
};
use serde::Deserialize;

/// The fields that Qasid uses of an API Gateway event with payload format 2.0 (AWS, *Create AWS Lambda proxy integrations
/// for HTTP APIs*).
///
/// `lambda_http` panics on events that any client can cause: a space in the query string, a body that isn't the base64
/// that it claims to be, an invalid `Host`, a header that isn't ASCII. This type accepts all of them, and
/// [`GatewayEvent::sanitized`] passes to `lambda_http` only what it can read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GatewayEvent {
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
    domain_name: Option<String>,
    #[serde(default)]
    api_id: Option<String>,
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
    /// Converts the event to one that `lambda_http` reads without a panic.
    pub(crate) fn sanitized(self) -> ApiGatewayV2httpRequest {
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
        // A body that isn't the base64 that it claims to be is passed on as text.
        request.is_base64_encoded =
            self.is_base64_encoded && self.body.as_deref().is_some_and(|body| BASE64_STANDARD.decode(body).is_ok());
        request.body = self.body;
        request.request_context.request_id = self.request_context.request_id;
        request.request_context.route_key = self.request_context.route_key;
        request.request_context.domain_name = self.request_context.domain_name;
        request.request_context.apiid = self.request_context.api_id;
        request.request_context.authorizer = self.request_context.authorizer;
        request.request_context.http.method = self.request_context.http.method.parse().unwrap_or_default();
        request
    }
}

/// Percent-encodes what a URI can't contain and leaves everything else unchanged, invalid escapes included.
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
    use lambda_http::{Request, RequestExt, request::LambdaRequest};
    use proptest::prelude::*;

    use super::*;
    use crate::http::{Query, api_request, query::percent_decoded};

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
            let query = Query::new(request.uri().query().unwrap_or_default(), &["sessionId"]);
            query.one("sessionId").ok();
            query.check_names().ok();
            request.path_parameters().first("messageId").map(percent_decoded);
            api_request::request_id(&request);
        }
    }

    #[test]
    fn a_base64_body_is_decoded() {
        let request = request(serde_json::json!({"rawPath": "/", "body": "/wA=", "isBase64Encoded": true}));
        assert_eq!(request.body().to_vec(), [0xff, 0x00]);
    }
}
