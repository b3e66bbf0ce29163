//! A running system and ways to drive and inspect it.

use std::{collections::BTreeMap, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use local::{
    Options, Ready, Running,
    database::{Fault, Injection},
};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use shared::http::origin_guard;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long anything may take. Only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Systems that run at once, however many tests do. Each has many processes, and the functions' own timeouts are real:
/// on a machine that runs sixteen systems on two cores they would run out.
static ROOM: Semaphore = Semaphore::const_new(3);

pub struct System {
    pub ready: Ready,
    running: Running,
    http: reqwest::Client,
    _room: SemaphorePermit<'static>,
}

/// An answer; `json` is null when the body is no JSON.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub bytes: Vec<u8>,
    pub json: Value,
}

impl Answer {
    /// A header's value; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl System {
    /// A system with an empty table in memory.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with other values for some of the template's parameters.
    pub async fn start_with(parameters: &[(&str, &str)]) -> Self {
        let parameters: BTreeMap<_, _> = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Self::start_from(Options { parameters, ..Options::default() }).await
    }

    pub async fn start_from(options: Options) -> Self {
        let room = ROOM.acquire().await.expect("it is never closed");
        let running = local::start(options).await.expect("the system starts");
        Self { ready: running.ready().clone(), running, http: client(), _room: room }
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }

    pub fn running(&self) -> &Running {
        &self.running
    }

    /// What the system has told its user.
    pub fn lines(&self) -> Vec<String> {
        self.running.console().lines()
    }

    /// A request with the run's own key, unless `headers` have an `authorization`, and through the firewall, where there is
    /// one.
    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
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

    /// A request with these headers and no key.
    pub async fn anonymous(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let url = format!("{}{path}", self.ready.api);
        self.send_request(method, &url, headers, body).await
    }

    /// A request with this key.
    pub async fn with_key(&self, key: &str, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.request(method, path, &[("authorization", &format!("Bearer {key}"))], body).await
    }

    /// A new key of an owner: its row, and the secret.
    pub async fn key(&self, owner: &str, scopes: &[&str]) -> (Value, String) {
        let body = json!({"name": format!("{owner}'s"), "ownerId": owner, "scopes": scopes});
        let answer = self.post("/api/keys", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        (answer.json["key"].clone(), answer.json["secret"].as_str().unwrap().to_owned())
    }

    async fn send_request(&self, method: &str, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = self.http.request(method.parse().unwrap(), url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        let response = request.body(body).send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("a whole answer").to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status, headers, bytes, json }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, &[], body.to_string().into_bytes()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.request("PUT", path, &[], body.to_string().into_bytes()).await
    }

    /// A new session.
    pub async fn create(&self, owner: &str) -> Value {
        let answer = self.post("/api/session/create", &json!({"userId": owner})).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        answer.json["session"].clone()
    }

    /// A new session, paired; its id.
    pub async fn connect(&self, owner: &str) -> String {
        let session = self.create(owner).await;
        self.scan(session["qr"].as_str().unwrap(), "201009999999").await;
        session["id"].as_str().unwrap().to_owned()
    }

    pub async fn send(&self, session_id: &str, to: &str, text: &str) -> Answer {
        self.post("/api/messages/send", &json!({"sessionId": session_id, "to": to, "message": text})).await
    }

    /// Somebody scans a QR code and presses send; returns when the webhook has answered.
    pub async fn scan(&self, qr: &str, from: &str) {
        self.simulator("POST", "/simulator/scan", &json!({"qr": qr, "from": from})).await;
    }

    /// A customer writes; returns when the webhook has answered.
    pub async fn customer(&self, message: &Value) {
        self.simulator("POST", "/simulator/messages", message).await;
    }

    pub async fn faults(&self, faults: &Value) {
        self.simulator("POST", "/simulator/faults", faults).await;
    }

    pub async fn clear_faults(&self) {
        self.simulator("DELETE", "/simulator/faults", &Value::Null).await;
    }

    /// What WhatsApp accepted for delivery, in order.
    pub async fn accepted(&self) -> Vec<Value> {
        self.accepted_from(0).await
    }

    /// The same without the first ones.
    pub async fn accepted_from(&self, first: usize) -> Vec<Value> {
        let path = format!("/simulator/messages?from={first}");
        let answer = self.simulator("GET", &path, &Value::Null).await;
        answer["messages"].as_array().expect("a list").clone()
    }

    pub async fn simulator(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.ready.whatsapp);
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = self.send_request(method, &url, &[], body).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        answer.json
    }

    /// A webhook body with these messages for the simulated number.
    pub fn webhook_body(&self, messages: &Value) -> Value {
        let value = json!({
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": self.ready.display_phone_number, "phone_number_id": self.ready.phone_number_id},
            "messages": messages,
        });
        let change = json!({"field": "messages", "value": value});
        json!({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]})
    }

    /// Delivers a signed webhook.
    pub async fn webhook(&self, body: &Value) -> Answer {
        self.webhook_bytes(body.to_string().into_bytes()).await
    }

    pub async fn webhook_bytes(&self, body: Vec<u8>) -> Answer {
        let signature = self.signature(&body);
        self.anonymous("POST", "/api/webhook", &[("X-Hub-Signature-256", &signature)], body).await
    }

    pub fn signature(&self, body: &[u8]) -> String {
        sign(&self.ready.app_secret, body)
    }

    /// Puts another value into the secret of the Meta app.
    pub async fn put_secret(&self, value: &Value) {
        self.put_secret_of(&self.ready.secret_id, value).await;
    }

    /// Puts another value into a secret, named by its id.
    pub async fn put_secret_of(&self, id: &str, value: &Value) {
        let request = json!({"SecretId": id, "SecretString": value.to_string()}).to_string();
        let headers = [("x-amz-target", "secretsmanager.PutSecretValue")];
        let answer = self.send_request("POST", &self.ready.secrets_manager, &headers, request.into_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
    }

    /// The next `times` requests of any function for this DynamoDB operation suffer `fault`.
    pub fn table_fails(&self, operation: &str, fault: Fault, times: u32) {
        let injection = Injection { operation: operation.to_owned(), function: None, times, fault };
        self.running.database().faults().inject(injection);
    }

    pub fn function_table_fails(&self, function: &str, operation: &str, fault: Fault, times: u32) {
        let injection =
            Injection { operation: operation.to_owned(), function: Some(function.to_owned()), times, fault };
        self.running.database().faults().inject(injection);
    }

    pub fn clear_table_faults(&self) {
        self.running.database().faults().clear();
    }

    /// Every item of one kind, as plain JSON.
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

    /// One item, as DynamoDB writes it.
    pub async fn item(&self, pk: &str, sk: &str) -> Value {
        let key = json!({"pk": {"S": pk}, "sk": {"S": sk}});
        let get = json!({"TableName": self.ready.table, "Key": key, "ConsistentRead": true});
        self.dynamodb("GetItem", &get).await["Item"].clone()
    }

    /// How much `deliver` still has to look at.
    pub async fn due(&self) -> u64 {
        let scan = json!({"TableName": self.ready.table, "IndexName": "due", "Select": "COUNT"});
        self.dynamodb("Scan", &scan).await["Count"].as_u64().expect("a count")
    }

    /// Sets a string attribute of an item.
    pub async fn set_string(&self, pk: &str, sk: &str, attribute: &str, value: &str) {
        let update = json!({
            "TableName": self.ready.table,
            "Key": {"pk": {"S": pk}, "sk": {"S": sk}},
            "UpdateExpression": format!("SET {attribute} = :value"),
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeValues": {":value": {"S": value}},
        });
        self.dynamodb("UpdateItem", &update).await;
    }

    async fn dynamodb(&self, operation: &str, request: &Value) -> Value {
        let target = format!("DynamoDB_20120810.{operation}");
        let authorization = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
        let headers =
            [("x-amz-target", target.as_str()), ("authorization", authorization), ("x-amz-date", "20260101T000000Z")];
        let answer = self.send_request("POST", &self.ready.dynamodb, &headers, request.to_string().into_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        answer.json
    }

    /// The first outbound message that `wanted` likes, as soon as there is one.
    pub async fn message_with(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut found = Value::Null;
        let found_it = &mut found;
        let look = async || {
            let rows = self.items("message").await;
            rows.into_iter().find(|row| row["from_me"] == true && wanted(row))
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut ticks = tokio::time::interval(LOOK_AGAIN);
        loop {
            ticks.tick().await;
            if let Some(row) = look().await {
                *found_it = row;
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "waited for {what}; {:#?}", self.items("message").await);
        }
    }

    /// Waits until `condition` holds.
    pub async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        self.until_within(PATIENCE, what, condition).await;
    }

    /// The same for what takes longer.
    pub async fn until_within(&self, patience: Duration, what: &str, condition: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + patience;
        let mut ticks = tokio::time::interval(LOOK_AGAIN);
        loop {
            ticks.tick().await;
            if condition().await {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "waited until {what}; lines: {:#?}", self.lines());
        }
    }
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(PATIENCE).build().unwrap()
}

/// A webhook's signature under an app secret.
pub fn sign(app_secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()).unwrap();
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// A customer's text as WhatsApp writes it.
pub fn text_message(id: &str, from: &str, text: &str) -> Value {
    json!({"from": from, "id": id, "timestamp": "1749416383", "type": "text", "text": {"body": text}})
}

pub fn is_uuid(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 36 && uuid::Uuid::parse_str(text).is_ok())
}

/// What a scanner reads in a picture.
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

/// DynamoDB's typed JSON as plain JSON.
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
