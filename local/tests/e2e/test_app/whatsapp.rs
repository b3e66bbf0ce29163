//! The simulated WhatsApp, and signed webhooks.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Response, TestApp, bytes};

impl TestApp {
    /// Simulates a phone that scans a QR code and sends its text. Returns after the webhook has responded.
    pub async fn scan(&self, qr: &str, from: &str) {
        self.post_webhooks("/simulator/scan", &json!({"qr": qr, "from": from})).await;
    }

    /// Simulates a message of a customer. Returns after the webhook has responded.
    pub async fn inbound(&self, message: &Value) {
        self.post_webhooks("/simulator/messages", message).await;
    }

    /// Makes WhatsApp post webhooks, and returns the responses to them. On a busy machine, a response can take longer
    /// than WhatsApp waits for it. This waits until WhatsApp has repeated such a webhook with success, and omits it.
    async fn post_webhooks(&self, path: &str, body: &Value) -> Vec<Value> {
        let mut deliveries: Vec<Value> =
            serde_json::from_value(self.simulator("POST", path, body).await["deliveries"].take()).expect("a list");
        let count = deliveries.len();
        let is_late =
            |delivery: &Value| delivery["error"].as_str().unwrap_or_default().starts_with("no response within");
        deliveries.retain(|delivery| !is_late(delivery));
        if deliveries.len() < count {
            let pending = async || self.simulator("GET", "/simulator/webhooks", &Value::Null).await["pending"].clone();
            self.wait_until("the webhook is repeated", async || pending().await == 0).await;
        }
        deliveries
    }

    /// Simulates a message of each of these contacts, which opens the customer service window: WhatsApp accepts any message
    /// to them for 24 hours. Before a session is paired, this creates no chats.
    pub async fn open_windows(&self, contacts: &[impl AsRef<str>]) {
        for contacts in contacts.chunks(1000) {
            let message = |contact: &str| json!({"from": contact, "text": "hello"});
            let messages: Vec<Value> = contacts.iter().map(|contact| message(contact.as_ref())).collect();
            self.inbound(&json!({"messages": messages})).await;
        }
    }

    pub async fn set_faults(&self, faults: &Value) {
        self.simulator("POST", "/simulator/faults", faults).await;
    }

    pub async fn clear_faults(&self) {
        self.simulator("DELETE", "/simulator/faults", &Value::Null).await;
    }

    /// Sets how many messages per second WhatsApp accepts from the number.
    pub async fn set_throughput(&self, messages_per_second: usize) {
        self.simulator("POST", "/simulator/numbers", &json!({"messagesPerSecond": messages_per_second})).await;
    }

    /// Returns how many sends WhatsApp refused with 130429 and with 131056.
    pub async fn refused_sends(&self) -> (u64, u64) {
        let refused = self.simulator("GET", "/simulator/limits", &Value::Null).await["refused"].clone();
        (refused["throughput"].as_u64().unwrap(), refused["pair"].as_u64().unwrap())
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

    /// Uploads a file as the business, and returns its ID.
    pub async fn upload(&self, mime_type: &str, content: &[u8]) -> String {
        let head = format!(
            "--b\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n--b\r\nContent-Disposition: \
             form-data; name=\"file\"; filename=\"file\"\r\nContent-Type: {mime_type}\r\n\r\n"
        );
        let form = [head.as_bytes(), content, b"\r\n--b--\r\n"].concat();
        let url = format!("{}/{}/media", self.ready.whatsapp, self.ready.phone_number_id);
        let token = format!("Bearer {}", self.ready.access_token);
        let request = self.http.post(url).header("authorization", token).body(form);
        let response = request.header("content-type", "multipart/form-data; boundary=b").send().await.unwrap();
        let response: Value = response.json().await.unwrap();
        response["id"].as_str().unwrap_or_else(|| panic!("no ID: {response}")).to_owned()
    }

    /// Creates a template, which WhatsApp approves.
    pub async fn create_template(&self, template: &Value) {
        let path = format!("{}/message_templates", self.ready.waba_id);
        let response = self.graph("POST", &path, template).await;
        assert_eq!(response.status, 200, "{}", response.json);
    }

    /// Sends a request to the Graph API with the deployment's access token.
    pub async fn graph(&self, method: &str, path: &str, body: &Value) -> Response {
        let url = format!("{}/v26.0/{path}", self.ready.whatsapp);
        let token = format!("Bearer {}", self.ready.access_token);
        self.send_request(method, &url, &[("authorization", &token)], bytes(body)).await
    }

    /// Changes a template as WhatsApp does, such as its status.
    pub async fn change_template(&self, change: &Value) {
        self.simulator("POST", "/simulator/templates", change).await;
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

    /// Lets WhatsApp deliver a webhook, which must be accepted.
    pub async fn deliver_webhook(&self, body: &Value) {
        let deliveries = self.post_webhooks("/simulator/messages", &json!({"webhook": body})).await;
        let is_accepted = deliveries.iter().all(|delivery| *delivery == json!({"status": 200}));
        assert!(is_accepted, "{deliveries:?}: {body}; {:#?}", self.log_lines());
    }

    /// Delivers these messages for the simulated number in one webhook, which must be accepted.
    pub async fn deliver_messages(&self, messages: &Value) {
        self.deliver_webhook(&self.webhook_body(messages)).await;
    }

    pub fn signature(&self, body: &[u8]) -> String {
        sign(&self.ready.app_secret, body)
    }
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
