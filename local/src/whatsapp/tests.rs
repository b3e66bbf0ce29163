//! Tests the simulated WhatsApp over HTTP, with a webhook receiver that responds as configured.

mod business;
mod callbacks;
mod calls;
mod control;
mod deliveries;
mod faults;
mod graph;
mod limits;
mod media;
mod phone_page;
mod phones;
mod receiver;
mod refusals;
mod service_window;
mod targets;
mod templates;

use std::{
    collections::{BTreeMap, VecDeque},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{DEFAULT_APP_ID, Settings, WhatsAppError, dispatcher::http_client, serve, webhook::sign};
use crate::{output::Output, secrets::BotCredentials};

const TOKEN: &str = "token";
const SECRET: &str = "secret";
const BOT_TOKEN: &str = "bot-token";
const BOT_SECRET: &str = "bot-secret";
const PHONE_NUMBER_ID: &str = "106540352242922";
const TIMEOUT: Duration = Duration::from_secs(60);

/// A webhook receiver. Yields the text of each correctly signed body, in order of arrival.
struct Receiver {
    url: String,
    bodies: UnboundedReceiver<String>,
    /// The statuses of the next responses; 200 once the queue is empty.
    responses: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    async fn start() -> Receiver {
        let (sender, bodies) = unbounded_channel();
        let responses: Arc<Mutex<VecDeque<u16>>> = Arc::default();
        let next = Arc::clone(&responses);
        let handler = move |headers: HeaderMap, body: Bytes| async move {
            let is_signed = headers["x-hub-signature-256"] == sign(SECRET, &body)
                && headers["content-type"] == "application/json"
                && headers["user-agent"] == "facebookexternalua";
            if !is_signed {
                return StatusCode::UNAUTHORIZED;
            }
            sender.send(String::from_utf8(body.to_vec()).unwrap()).unwrap();
            StatusCode::from_u16(next.lock().unwrap().pop_front().unwrap_or(200)).unwrap()
        };
        let router = Router::new().route("/webhook", post(handler)).layer(axum::extract::DefaultBodyLimit::disable());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { url, bodies, responses }
    }

    fn respond_with(&self, statuses: &[u16]) {
        self.responses.lock().unwrap().extend(statuses);
    }

    async fn text(&mut self) -> String {
        tokio::time::timeout(TIMEOUT, self.bodies.recv()).await.unwrap().unwrap()
    }

    /// Returns the `value` of the next webhook.
    async fn value(&mut self) -> Value {
        let body: Value = serde_json::from_str(&self.text().await).unwrap();
        assert_eq!(body["object"], "whatsapp_business_account");
        body["entry"][0]["changes"][0]["value"].clone()
    }

    /// Returns the only status of the next webhook.
    async fn status(&mut self) -> Value {
        self.value().await["statuses"][0].clone()
    }
}

/// A running simulator.
struct Simulator {
    address: SocketAddr,
    client: reqwest::Client,
    output: Output,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), WhatsAppError>>,
}

impl Simulator {
    fn start(webhook_url: &str) -> Simulator {
        Simulator::start_with(webhook_url, None)
    }

    fn start_with(webhook_url: &str, journal: Option<PathBuf>) -> Simulator {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Settings {
            url: format!("http://{address}"),
            webhook_url: webhook_url.to_owned(),
            added_headers: BTreeMap::new(),
            phone_number_id: PHONE_NUMBER_ID.to_owned(),
            display_phone_number: "15550783881".to_owned(),
            waba_id: "102290129340398".to_owned(),
            app_secret: SECRET.to_owned(),
            access_token: TOKEN.to_owned(),
            verify_token: "verify".to_owned(),
            bot: BotCredentials { app_secret: BOT_SECRET.to_owned(), access_token: BOT_TOKEN.to_owned() },
            graph_api_version: "v26.0".to_owned(),
            throughput: 80,
            journal,
        };
        let (output, shutdown) = (Output::captured(), CancellationToken::new());
        let running = tokio::spawn(serve(listener, settings, None, output.clone(), shutdown.clone()));
        Simulator { address, client: http_client().unwrap(), output, shutdown, running }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(TIMEOUT, self.running).await.unwrap().unwrap().unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a Graph API request with a valid token.
    async fn graph(&self, body: &Value) -> Result<(StatusCode, Value), reqwest::Error> {
        let url = self.url(&format!("/v26.0/{PHONE_NUMBER_ID}/messages"));
        let response = self.client.post(url).bearer_auth(TOKEN).json(body).send().await?;
        Ok((response.status(), response.json().await?))
    }

    /// Sends a customer's message, so that the business can send them any message, and takes its webhook.
    async fn open_window(&self, receiver: &mut Receiver, from: &str) {
        let (status, response) = self.post("/simulator/messages", &json!({"from": from, "text": "hi"})).await;
        assert_eq!(status, 200, "{response}");
        assert_eq!(receiver.value().await["messages"][0]["id"], response["ids"][0]);
    }

    /// Sends a text and returns its ID.
    async fn send_text(&self, to: &str) -> String {
        let (status, response) = self.graph(&text_to(to)).await.unwrap();
        assert_eq!(status, 200, "{response}");
        response["messages"][0]["id"].as_str().unwrap().to_owned()
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let response = self.client.post(self.url(path)).body(body.to_string()).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        self.client.get(self.url(path)).send().await.unwrap().json().await.unwrap()
    }

    /// Sets valid faults.
    async fn faults(&self, faults: Value) {
        let (status, response) = self.post("/simulator/faults", &faults).await;
        assert_eq!(status, 200, "{response}");
    }

    /// Waits until all webhooks are delivered.
    async fn all_delivered(&self) -> Value {
        let settled = async {
            loop {
                let counts = self.get("/simulator/webhooks").await;
                if counts["pending"] == 0 {
                    return counts;
                }
            }
        };
        tokio::time::timeout(TIMEOUT, settled).await.unwrap()
    }
}

fn text_to(to: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": to, "type": "text",
        "text": {"body": "Wie geht's, Zoë?"}, "biz_opaque_callback_data": "key-1"})
}
