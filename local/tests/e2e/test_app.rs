//! A running local deployment, and the helpers to drive and inspect it.

use std::{collections::BTreeMap, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use local::{
    Options, Ready, Stack,
    database::{Fault, Injection, Storage},
};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use shared::http::origin_guard;
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The limit for one wait or request. Only a failing test reaches it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How often a wait checks its condition.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Limits how many deployments run at once. Each has many processes with real timeouts, which would expire if sixteen
/// deployments shared two cores.
static DEPLOYMENTS: Semaphore = Semaphore::const_new(3);

/// A local deployment with its own table, and an HTTP client for it.
pub struct TestApp {
    pub ready: Ready,
    running: Stack,
    http: reqwest::Client,
    /// The data folder, if this deployment has its own.
    _data: Option<TempDir>,
    _permit: SemaphorePermit<'static>,
}

/// An HTTP response; `json` is null if the body isn't JSON.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub bytes: Vec<u8>,
    pub json: Value,
}

impl Response {
    /// Returns a header's value, or an empty string without the header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl TestApp {
    /// Starts a deployment with an empty table in memory.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a deployment with a paired session of owner `ada`, and returns the session's id.
    pub async fn connected() -> (Self, String) {
        let app = Self::start().await;
        let session_id = app.connect("ada").await;
        (app, session_id)
    }

    /// Starts a deployment with these values for parameters of the template.
    pub async fn start_with(parameters: &[(&str, &str)]) -> Self {
        Self::start_from(Options { parameters: owned(parameters), ..Options::default() }).await
    }

    /// Starts a deployment from an edited copy of `template.yaml`.
    pub async fn start_with_template(edit: impl Fn(&str) -> String, parameters: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let original = std::fs::read_to_string(local::functions::workspace().join("template.yaml")).unwrap();
        let edited = edit(&original);
        assert_ne!(edited, original, "the edit applies");
        let template = folder.path().join("template.yaml");
        std::fs::write(&template, edited).unwrap();
        Self::start_from(Options { template, parameters: owned(parameters), ..Options::default() }).await
    }

    /// Starts a deployment whose secret of the Meta app has these values.
    pub async fn start_with_secrets(app_secret: &str, verify_token: &str, access_token: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let secret = json!({"appSecret": app_secret, "verifyToken": verify_token, "accessToken": access_token});
        std::fs::write(data.path().join("secrets.json"), secret.to_string()).unwrap();
        let storage = Storage::Directory(data.path().to_owned());
        let app = Self::start_from(Options { storage, ..Options::default() }).await;
        Self { _data: Some(data), ..app }
    }

    pub async fn start_from(options: Options) -> Self {
        let permit = DEPLOYMENTS.acquire().await.expect("the semaphore stays open");
        let running = local::start(options).await.expect("the deployment starts");
        Self { ready: running.ready().clone(), running, http: client(), _data: None, _permit: permit }
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }

    pub fn running(&self) -> &Stack {
        &self.running
    }

    /// Returns the console output, which includes the functions' logs.
    pub fn log_lines(&self) -> Vec<String> {
        self.running.console().output()
    }

    /// Whether the console output has a line that contains all of these texts.
    pub fn has_logged(&self, texts: &[&str]) -> bool {
        self.log_lines().iter().any(|line| texts.iter().all(|text| line.contains(text)))
    }

    /// Invokes a function directly, and returns its JSON output.
    pub async fn invoke(&self, function: &str, event: &Value) -> Value {
        let output = self.running.lambda().invoke(function, event.to_string().into()).await;
        serde_json::from_slice(&output.unwrap_or_else(|error| panic!("{function}: {error}"))).unwrap()
    }

    /// Invokes `deliver` as its schedule does.
    pub async fn run_delivery_schedule(&self) {
        self.invoke("deliver", &json!({"source": "aws.events", "detail-type": "Scheduled Event"})).await;
    }

    /// Sends a request with the operator's key, unless `headers` have an `authorization`, and with the origin header if
    /// the deployment needs one.
    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let key = format!("Bearer {}", self.ready.api_key);
        let mut headers = headers.to_vec();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            headers.push(("authorization", &key));
        }
        if let Some(origin) = &self.ready.origin
            && !headers.iter().any(|(name, _)| *name == origin_guard::HEADER)
        {
            headers.push((origin_guard::HEADER, origin));
        }
        self.anonymous(method, path, &headers, body).await
    }

    /// Sends a request with these headers and no key.
    pub async fn anonymous(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let url = format!("{}{path}", self.ready.api);
        self.send_request(method, &url, headers, body).await
    }

    /// Sends a request with this key; a null body is empty.
    pub async fn with_key(&self, key: &str, method: &str, path: &str, body: &Value) -> Response {
        self.request(method, path, &[("authorization", &format!("Bearer {key}"))], bytes(body)).await
    }

    async fn send_request(&self, method: &str, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let mut request = self.http.request(method.parse().unwrap(), url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        let response = request.body(body).send().await.expect("a response");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("a complete response").to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        Response { status, headers, bytes, json }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.request("POST", path, &[], bytes(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Response {
        self.request("PUT", path, &[], bytes(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Response {
        self.request("PATCH", path, &[], bytes(body)).await
    }

    pub async fn delete(&self, path: &str) -> Response {
        self.request("DELETE", path, &[], Vec::new()).await
    }

    /// Reads all pages of a list, and returns them. `path` has a query.
    pub async fn pages(&self, path: &str) -> Vec<Value> {
        let (mut pages, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{cursor}")).await;
            assert_eq!((page.status, &page.json["success"]), (200, &json!(true)), "{path}: {}", page.json);
            let next = page.json["nextCursor"].as_str().map(|next| format!("&cursor={next}"));
            pages.push(page.json);
            match next {
                Some(next) => cursor = next,
                None => return pages,
            }
        }
    }

    /// Reads all pages of a list, and returns the items of all of them.
    pub async fn all(&self, path: &str, member: &str) -> Vec<Value> {
        let pages = self.pages(path).await;
        pages.iter().flat_map(|page| page[member].as_array().expect("a list").clone()).collect()
    }

    /// Creates a key of an owner, and returns the key's JSON and its secret.
    pub async fn create_key(&self, owner: &str, scopes: &[&str]) -> (Value, String) {
        let body = json!({"name": format!("{owner}'s"), "ownerId": owner, "scopes": scopes});
        let response = self.post("/api/keys", &body).await;
        assert_eq!(response.status, 200, "{}", response.json);
        (response.json["key"].clone(), response.json["secret"].as_str().unwrap().to_owned())
    }

    pub async fn create_session(&self, owner: &str) -> Value {
        let response = self.post("/api/session/create", &json!({"userId": owner})).await;
        assert_eq!(response.status, 200, "{}", response.json);
        response.json["session"].clone()
    }

    pub async fn session_status(&self, session_id: &str) -> Value {
        let response = self.get(&format!("/api/session/status?sessionId={session_id}")).await;
        assert_eq!(response.status, 200, "{}", response.json);
        response.json["session"].clone()
    }

    /// Creates a session, pairs it, and returns its id.
    pub async fn connect(&self, owner: &str) -> String {
        let session = self.create_session(owner).await;
        self.scan(session["qr"].as_str().unwrap(), "201009999999").await;
        session["id"].as_str().unwrap().to_owned()
    }

    /// Creates a session whose owner resends messages of unknown outcome, pairs it, and returns its id.
    pub async fn connect_with_resend(&self) -> String {
        let response = self.post("/api/session/create", &json!({"userId": "ada", "unknownPolicy": "resend"})).await;
        let session = &response.json["session"];
        assert_eq!(session["unknown_policy"], "resend", "{}", response.json);
        self.scan(session["qr"].as_str().unwrap(), "201009999999").await;
        session["id"].as_str().unwrap().to_owned()
    }

    /// Reports the connection state of a linked-device worker.
    pub async fn set_worker_state(&self, session_id: &str, is_connected: bool) -> Response {
        let body = json!({"sessionId": session_id, "isConnected": is_connected, "isReady": is_connected});
        self.put("/api/session/state", &body).await
    }

    pub async fn send(&self, session_id: &str, to: &str, text: &str) -> Response {
        self.post("/api/messages/send", &json!({"sessionId": session_id, "to": to, "message": text})).await
    }

    /// Simulates a phone that scans a QR code and sends its text. Returns after the webhook has responded.
    pub async fn scan(&self, qr: &str, from: &str) {
        self.simulator("POST", "/simulator/scan", &json!({"qr": qr, "from": from})).await;
    }

    /// Simulates a message of a customer. Returns after the webhook has responded.
    pub async fn inbound(&self, message: &Value) {
        self.simulator("POST", "/simulator/messages", message).await;
    }

    pub async fn set_faults(&self, faults: &Value) {
        self.simulator("POST", "/simulator/faults", faults).await;
    }

    pub async fn clear_faults(&self) {
        self.simulator("DELETE", "/simulator/faults", &Value::Null).await;
    }

    /// Returns the messages that WhatsApp accepted for delivery, in order.
    pub async fn accepted(&self) -> Vec<Value> {
        self.accepted_from(0).await
    }

    /// Returns the accepted messages without the first ones.
    pub async fn accepted_from(&self, first: usize) -> Vec<Value> {
        let path = format!("/simulator/messages?from={first}");
        let response = self.simulator("GET", &path, &Value::Null).await;
        response["messages"].as_array().expect("a list").clone()
    }

    /// Waits until WhatsApp has accepted `count` messages, and returns the texts of all accepted ones.
    pub async fn accepted_texts(&self, count: usize) -> Vec<String> {
        self.wait_until("the messages are accepted", async || self.accepted().await.len() >= count).await;
        let accepted = self.accepted().await;
        accepted.iter().map(|message| message["body"]["text"]["body"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub async fn simulator(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.ready.whatsapp);
        let response = self.send_request(method, &url, &[], bytes(body)).await;
        assert_eq!(response.status, 200, "{}", response.json);
        response.json
    }

    /// Returns the `metadata` of the simulated number's webhooks.
    pub fn metadata(&self) -> Value {
        json!({"display_phone_number": self.ready.display_phone_number, "phone_number_id": self.ready.phone_number_id})
    }

    /// Returns a webhook body with these messages for the simulated number.
    pub fn webhook_body(&self, messages: &Value) -> Value {
        self.webhook_field("messages", json!({"messages": messages}))
    }

    /// Returns a webhook body of any field for the simulated number.
    pub fn webhook_field(&self, field: &str, mut value: Value) -> Value {
        value["messaging_product"] = json!("whatsapp");
        value["metadata"] = self.metadata();
        let change = json!({"field": field, "value": value});
        json!({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]})
    }

    /// Delivers a signed webhook.
    pub async fn webhook(&self, body: &Value) -> Response {
        self.webhook_bytes(body.to_string().into_bytes()).await
    }

    pub async fn webhook_bytes(&self, body: Vec<u8>) -> Response {
        let signature = self.signature(&body);
        self.anonymous("POST", "/api/webhook", &[("X-Hub-Signature-256", &signature)], body).await
    }

    /// Delivers a signed webhook, which must be accepted.
    pub async fn deliver_webhook(&self, body: &Value) {
        let response = self.webhook(body).await;
        assert_eq!(response.status, 200, "{body}: {}; {:#?}", response.json, self.log_lines());
    }

    /// Delivers these messages for the simulated number in one webhook, which must be accepted.
    pub async fn deliver_messages(&self, messages: &Value) {
        self.deliver_webhook(&self.webhook_body(messages)).await;
    }

    pub fn signature(&self, body: &[u8]) -> String {
        sign(&self.ready.app_secret, body)
    }

    /// Puts a value into the secret with this id.
    pub async fn put_secret_value(&self, id: &str, value: &Value) {
        let request = json!({"SecretId": id, "SecretString": value.to_string()}).to_string();
        let headers = [("x-amz-target", "secretsmanager.PutSecretValue")];
        let response = self.send_request("POST", &self.ready.secrets_manager, &headers, request.into_bytes()).await;
        assert_eq!(response.status, 200, "{}", response.json);
    }

    /// Makes the next `times` requests of any function for this DynamoDB operation fail.
    pub fn inject_fault(&self, operation: &str, fault: Fault, times: u32) {
        self.inject(None, operation, fault, times);
    }

    /// Makes the next `times` requests of one function for this DynamoDB operation fail.
    pub fn inject_function_fault(&self, function: &str, operation: &str, fault: Fault, times: u32) {
        self.inject(Some(function.to_owned()), operation, fault, times);
    }

    fn inject(&self, function: Option<String>, operation: &str, fault: Fault, times: u32) {
        let injection = Injection { operation: operation.to_owned(), function, times, fault };
        self.running.database().faults().inject(injection);
    }

    pub fn clear_injected_faults(&self) {
        self.running.database().faults().clear();
    }

    /// Returns every item of one entity as plain JSON.
    pub async fn items(&self, entity: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut scan = json!({"TableName": self.ready.table, "ConsistentRead": true});
            if !start.is_null() {
                scan["ExclusiveStartKey"] = start;
            }
            let page = self.dynamodb("Scan", &scan).await;
            items.extend(page["Items"].as_array().expect("items").iter().map(plain));
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
        items.retain(|item| item["entity"] == entity);
        items
    }

    /// Returns one item in DynamoDB's typed JSON.
    pub async fn item(&self, pk: &str, sk: &str) -> Value {
        let key = json!({"pk": {"S": pk}, "sk": {"S": sk}});
        let get = json!({"TableName": self.ready.table, "Key": key, "ConsistentRead": true});
        self.dynamodb("GetItem", &get).await["Item"].clone()
    }

    /// Returns the number of items in the `due` index.
    pub async fn due_count(&self) -> u64 {
        let scan = json!({"TableName": self.ready.table, "IndexName": "due", "Select": "COUNT"});
        self.dynamodb("Scan", &scan).await["Count"].as_u64().expect("a count")
    }

    /// Sets a string attribute of an existing item.
    pub async fn set_attribute(&self, pk: &str, sk: &str, attribute: &str, value: &str) {
        let update = json!({
            "TableName": self.ready.table,
            "Key": {"pk": {"S": pk}, "sk": {"S": sk}},
            "UpdateExpression": format!("SET {attribute} = :value"),
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeValues": {":value": {"S": value}},
        });
        self.dynamodb("UpdateItem", &update).await;
    }

    /// Sets a string attribute of an item that [`TestApp::items`] has returned.
    pub async fn set_item_attribute(&self, item: &Value, attribute: &str, value: &str) {
        self.set_attribute(item["pk"].as_str().unwrap(), item["sk"].as_str().unwrap(), attribute, value).await;
    }

    pub async fn set_session_attribute(&self, session_id: &str, attribute: &str, value: &str) {
        self.set_attribute(&format!("SESSION#{session_id}"), "SESSION", attribute, value).await;
    }

    async fn dynamodb(&self, operation: &str, request: &Value) -> Value {
        let target = format!("DynamoDB_20120810.{operation}");
        let authorization = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0";
        let headers =
            [("x-amz-target", target.as_str()), ("authorization", authorization), ("x-amz-date", "20260101T000000Z")];
        let response = self.send_request("POST", &self.ready.dynamodb, &headers, bytes(request)).await;
        assert_eq!(response.status, 200, "{}", response.json);
        response.json
    }

    /// Waits for an outbound message that fulfills the condition, and returns its item.
    pub async fn wait_for_message(&self, expected: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + TIMEOUT;
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        loop {
            ticks.tick().await;
            let messages = self.items("message").await;
            if let Some(message) = messages.iter().find(|message| message["from_me"] == true && condition(message)) {
                return message.clone();
            }
            assert!(tokio::time::Instant::now() < deadline, "timed out waiting for {expected}; {messages:#?}");
        }
    }

    /// Waits for an outbound message with this status, and returns its item.
    pub async fn wait_for_status(&self, status: &str) -> Value {
        self.wait_for_message(&format!("a message with status {status}"), |message| message["status"] == status).await
    }

    /// Waits until `condition` holds.
    pub async fn wait_until(&self, expected: &str, condition: impl AsyncFn() -> bool) {
        self.wait_within(TIMEOUT, expected, condition).await;
    }

    /// Waits until `condition` holds, up to `timeout`.
    pub async fn wait_within(&self, timeout: Duration, expected: &str, condition: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        loop {
            ticks.tick().await;
            if condition().await {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "timed out waiting until {expected}; output: {:#?}",
                self.log_lines()
            );
        }
    }
}

fn owned(parameters: &[(&str, &str)]) -> BTreeMap<String, String> {
    parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Serializes a body; null is empty.
fn bytes(body: &Value) -> Vec<u8> {
    if body.is_null() { Vec::new() } else { body.to_string().into_bytes() }
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(TIMEOUT).build().unwrap()
}

/// Returns a webhook's signature under an app secret.
pub fn sign(app_secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()).unwrap();
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// Returns a customer's text message in WhatsApp's shape.
pub fn text_message(id: &str, from: &str, text: &str) -> Value {
    json!({"from": from, "id": id, "timestamp": "1749416383", "type": "text", "text": {"body": text}})
}

/// Returns a stream event with one inserted item; `record` has the `Keys` and the `NewImage`.
pub fn insert_event(record: &Value) -> Value {
    let stream = json!({
        "ApproximateCreationDateTime": 1_779_194_045.0, "SequenceNumber": "100", "SizeBytes": 1,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    });
    json!({"Records": [{
        "eventID": "1", "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1", "dynamodb": merge(stream, record),
    }]})
}

/// Adds the members of one object to another; they replace members of the same name.
pub fn merge(mut object: Value, members: &Value) -> Value {
    object.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    object
}

/// Returns the current time in seconds since 1970.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

pub fn is_uuid(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 36 && uuid::Uuid::parse_str(text).is_ok())
}

/// Decodes the QR code in a PNG file.
pub fn scan_png(file: &[u8]) -> String {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let (width, height) = (info.width as usize, info.height as usize);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * width + x]);
    image.detect_grids()[0].decode().unwrap().1
}

/// Converts an item from DynamoDB's typed JSON to plain JSON.
fn plain(item: &Value) -> Value {
    let attributes = item.as_object().expect("an item").iter();
    Value::Object(attributes.map(|(name, value)| (name.clone(), plain_value(value))).collect::<Map<_, _>>())
}

fn plain_value(value: &Value) -> Value {
    let (kind, inner) = value.as_object().and_then(|value| value.iter().next()).expect("a typed value");
    match kind.as_str() {
        "N" => serde_json::from_str(inner.as_str().unwrap()).unwrap(),
        "M" => plain(inner),
        "L" => inner.as_array().unwrap().iter().map(plain_value).collect(),
        _ => inner.clone(),
    }
}
