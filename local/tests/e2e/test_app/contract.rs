//! Validates each exchange of a deployment against `openapi.yaml`: the answer, and the request if it was accepted. What is
//! wrong fails the test that made the request.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    sync::{Arc, LazyLock, Mutex},
    thread,
};

use flate2::read::GzDecoder;
use hyper::HeaderMap;
use local::gateway::{Exchange, Observer};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::openapi::{
    document::{Document, Node, Operation},
    schemas::{Direction, Schemas},
};

/// The description, which all tests of the process share.
static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    // The operations refer to the document for as long as the process runs.
    let document: &'static Document = Box::leak(Box::new(Document::load()));
    let operations = document.operations().into_iter().map(|operation| (operation.key.clone(), operation)).collect();
    let webhooks = document.operations_of("webhooks").into_iter();
    let webhooks = webhooks.map(|webhook| (webhook.key.trim_start_matches("POST ").to_owned(), webhook)).collect();
    let schema = |name: &str| document.root().get("components").unwrap().get("schemas").unwrap().get(name).unwrap();
    let errors = [schema("Error"), schema("GatewayError")];
    let schemas = Schemas::new(document);
    Contract { operations, webhooks, errors, schemas }
});

/// What the exchanges of a deployment violated. Dropping it fails the test if something wasn't reported yet, such as what
/// a request of the simulated WhatsApp violated.
#[derive(Default)]
pub struct Violations {
    found: Arc<Mutex<BTreeSet<String>>>,
    allowed: Arc<Mutex<Option<&'static str>>>,
}

impl Violations {
    /// Returns an observer that records violations.
    pub fn observer(&self) -> Observer {
        let found = self.found.clone();
        Observer::new(move |exchange| {
            let violations = CONTRACT.check(exchange);
            found.lock().unwrap().extend(violations);
        })
    }

    /// Allows violations that contain a text, such as the place of content that WhatsApp doesn't send.
    pub fn allow(&self, part: &'static str) {
        *self.allowed.lock().unwrap() = Some(part);
    }

    /// Records what is wrong with a request to a webhook's URL.
    pub fn record_delivery(&self, headers: &HeaderMap, body: &Value) {
        self.found.lock().unwrap().extend(CONTRACT.check_delivery(headers, body));
    }

    /// Fails the test if an exchange or a delivery violated the description.
    pub fn assert_none(&self) {
        let found = std::mem::take(&mut *self.found.lock().unwrap());
        let allowed = *self.allowed.lock().unwrap();
        let is_allowed = |violation: &String| allowed.is_some_and(|part| violation.contains(part));
        let found: Vec<String> = found.into_iter().filter(|violation| !is_allowed(violation)).collect();
        assert!(found.is_empty(), "not as openapi.yaml describes it:\n{}", found.join("\n"));
    }
}

impl Drop for Violations {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.assert_none();
        }
    }
}

struct Contract {
    operations: BTreeMap<String, Operation<'static>>,
    /// The formats of webhooks by their name.
    webhooks: BTreeMap<String, Operation<'static>>,
    /// The schemas of Qasid's and API Gateway's errors.
    errors: [Node<'static>; 2],
    schemas: Schemas,
}

impl Contract {
    fn check(&self, exchange: &Exchange) -> Vec<String> {
        // A route of an edited template, which isn't the API's, and what isn't part of the API.
        let Some(route) = exchange.route.as_deref().filter(|route| !is_outside(route)) else { return Vec::new() };
        let path = percent_decode_str(exchange.request.uri().path()).decode_utf8_lossy();
        let key = match route {
            _ if path == "/api/webhook/" => format!("{} /api/webhook", exchange.request.method()),
            _ => route.to_owned(),
        };
        let key = match key.strip_prefix("HEAD ") {
            Some(path) => format!("GET {path}"),
            None => key,
        };
        let status = exchange.response.status().as_u16();
        let body = body(exchange);
        let code = body.as_ref().and_then(|body| body["code"].as_str());
        let violations = match (self.operations.get(&key), code) {
            // A path or a method that the API doesn't have.
            (_, Some("path_not_found" | "method_not_allowed")) | (None, _) if status >= 400 => {
                self.check_error(exchange, body.as_ref())
            }
            (None, _) => vec!["is no operation of openapi.yaml".to_owned()],
            (Some(operation), _) => {
                let mut violations = self.check_response(operation, exchange, body.as_ref());
                if status < 400 {
                    violations.extend(self.check_request(operation, exchange, &path));
                }
                violations
            }
        };
        violations.into_iter().map(|violation| format!("{key} ({status}): {violation}")).collect()
    }

    /// Checks a response to a request for no operation.
    fn check_error(&self, exchange: &Exchange, body: Option<&Value>) -> Vec<String> {
        if is_head(exchange) {
            return Vec::new();
        }
        let Some(body) = body else { return vec!["the response isn't JSON".to_owned()] };
        let violations =
            self.errors.each_ref().map(|schema| self.schemas.violations(Direction::Response, schema, body));
        let [own, gateway] = violations;
        if gateway.is_empty() { gateway } else { own }
    }

    fn check_response(&self, operation: &Operation<'_>, exchange: &Exchange, body: Option<&Value>) -> Vec<String> {
        let status = exchange.response.status().as_str().to_owned();
        let Some(response) = operation.response(&status) else {
            return vec![format!("the response has an undocumented status: {}", shown(exchange))];
        };
        let content = response.get("content").map(|content| content.members()).unwrap_or_default();
        let content: BTreeMap<String, Node<'_>> = content.into_iter().collect();
        if is_head(exchange) {
            return Vec::new();
        }
        if content.is_empty() || exchange.response.body().is_empty() {
            let as_described = content.is_empty() && exchange.response.body().is_empty();
            return if as_described { Vec::new() } else { vec![format!("the body must be {:?}", content.keys())] };
        }
        let media_type = media_type(exchange);
        let Some(media) = content.get(media_type) else {
            return vec![format!("the response has the undocumented content type {media_type:?}")];
        };
        let mut violations = Vec::new();
        if media_type == "application/json" {
            let Some(body) = body else { return vec!["the response isn't JSON".to_owned()] };
            let schema = media.get("schema").expect("a schema for JSON");
            let found = self.schemas.violations(Direction::Response, &schema, body);
            violations.extend(found.into_iter().map(|violation| format!("in the response, {violation}")));
            if let Some(code) = body["code"].as_str().filter(|_| status.starts_with(['4', '5']))
                && !operation.texts("x-error-codes").unwrap_or_default().contains(&code)
            {
                violations.push(format!("x-error-codes lacks {code}"));
            }
        }
        violations
    }

    /// Checks a request that the API accepted.
    fn check_request(&self, operation: &Operation<'_>, exchange: &Exchange, path: &str) -> Vec<String> {
        let mut violations = Vec::new();
        let template = operation.key.split_once(' ').expect("a method and a path").1;
        let segments: Vec<(&str, &str)> = template.split('/').zip(path.split('/')).collect();
        let query: Vec<(Cow<'_, str>, Cow<'_, str>)> =
            form_urlencoded::parse(exchange.request.uri().query().unwrap_or_default().as_bytes()).collect();
        for parameter in &operation.parameters {
            let name = parameter.text("name");
            let value: Option<Cow<'_, str>> = match parameter.text("in") {
                "path" => {
                    let variable = format!("{{{name}}}");
                    segments.iter().find(|(segment, _)| *segment == variable).map(|(_, value)| Cow::Borrowed(*value))
                }
                // An empty parameter counts as absent.
                "query" => {
                    query.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.clone())
                }
                "header" => exchange.request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes())),
                other => panic!("{}: parameters in {other} aren't checked", parameter.pointer),
            };
            let schema = parameter.get("schema").expect("a parameter has a schema");
            match value {
                Some(value) => {
                    let found = self.schemas.violations(Direction::Request, &schema, &typed(&schema, &value));
                    violations.extend(found.into_iter().map(|violation| format!("the parameter {name}: {violation}")));
                }
                None if parameter.is("required") => violations.push(format!("accepted without the parameter {name}")),
                None => {}
            }
        }
        let is_open = operation.texts("x-scopes").is_none();
        let names: BTreeSet<&str> = operation.parameters.iter().map(|parameter| parameter.text("name")).collect();
        for (name, _) in query.iter().filter(|(name, _)| !is_open && !names.contains(&**name)) {
            violations.push(format!("accepted with the undocumented parameter {name}"));
        }
        violations.extend(self.check_request_body(operation, exchange));
        violations
    }

    fn check_request_body(&self, operation: &Operation<'_>, exchange: &Exchange) -> Vec<String> {
        let bytes = exchange.request.body();
        let body: Option<Value> = (!bytes.is_empty()).then(|| serde_json::from_slice(bytes).unwrap_or_default());
        match (request_schema(operation), body) {
            (Some(schema), Some(body)) => {
                let found = self.schemas.violations(Direction::Request, &schema, &body);
                found.into_iter().map(|violation| format!("the accepted request: {violation}")).collect()
            }
            (Some(_), None) => {
                let is_required = operation.node.get("requestBody").is_some_and(|body| body.is("required"));
                if is_required { vec!["accepted without a body".to_owned()] } else { Vec::new() }
            }
            // The info of the description says that an empty body may be an empty object or null.
            (None, Some(Value::Object(members))) if members.is_empty() => Vec::new(),
            (None, None | Some(Value::Null)) => Vec::new(),
            (None, Some(body)) => vec![format!("accepted with the undocumented body {body}")],
        }
    }

    /// Checks a request to a webhook's URL. Only the Cloud API's format has the signature of a hub. A request without a
    /// signature is a verification.
    fn check_delivery(&self, headers: &HeaderMap, body: &Value) -> Vec<String> {
        let name = match headers {
            _ if headers.contains_key("x-hub-signature-256") => "cloudApiNotification",
            _ if headers.contains_key("webhook-signature") => "change",
            _ => return Vec::new(),
        };
        let operation = &self.webhooks[name];
        let schema = request_schema(operation).expect("a webhook has a body");
        let violations = self.schemas.violations(Direction::Response, &schema, body);
        let missing = operation.parameters.iter().map(|parameter| parameter.text("name"));
        let missing = missing.filter(|header| !headers.contains_key(*header)).map(|header| format!("lacks {header}"));
        missing.chain(violations).map(|violation| format!("the webhook {name}: {violation}")).collect()
    }
}

/// Returns the schema of the request body, if the operation takes one.
fn request_schema<'a>(operation: &Operation<'a>) -> Option<Node<'a>> {
    operation.node.get("requestBody")?.get("content")?.get("application/json")?.get("schema")
}

/// Whether a route isn't part of the API: the console, and preflights of browsers.
fn is_outside(route: &str) -> bool {
    route.contains(" /console") || route.starts_with("OPTIONS ")
}

fn is_head(exchange: &Exchange) -> bool {
    exchange.request.method() == "HEAD"
}

/// Returns the media type of the response without its parameters.
fn media_type(exchange: &Exchange) -> &str {
    let value = exchange.response.headers().get("content-type").and_then(|value| value.to_str().ok());
    value.and_then(|value| value.split(';').next()).unwrap_or_default()
}

/// Returns the JSON of the response.
fn body(exchange: &Exchange) -> Option<Value> {
    let bytes = exchange.response.body();
    match exchange.response.headers().get("content-encoding") {
        Some(_) => {
            let mut plain = Vec::new();
            GzDecoder::new(&bytes[..]).read_to_end(&mut plain).ok()?;
            serde_json::from_slice(&plain).ok()
        }
        None => serde_json::from_slice(bytes).ok(),
    }
}

fn shown(exchange: &Exchange) -> String {
    String::from_utf8_lossy(exchange.response.body()).chars().take(300).collect()
}

/// Converts the text of a parameter to the type of its schema. Text that isn't of the type stays text, which its schema
/// then refuses.
fn typed(schema: &Node<'_>, text: &str) -> Value {
    let value = match schema.text("type") {
        "integer" | "number" => text.parse::<i64>().ok().map(Value::from),
        "boolean" => text.parse::<bool>().ok().map(Value::from),
        "array" => Some(text.split(',').map(Value::from).collect()),
        _ => None,
    };
    value.unwrap_or_else(|| Value::from(text))
}
