//! Outgoing webhooks of a whole local run: latency, throughput of a receiver that catches up, and cost of a change.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, routing::post};
use local::{Options, Stack};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{
    Result,
    report::{Table, print, quantile},
};

/// Messages of the measurement of latency, and the time between two.
const MESSAGES: usize = 300;
const INTERVAL: Duration = Duration::from_millis(200);

/// Messages in one webhook for the measurement of batches.
const BATCH: usize = 10;

/// Changes to catch up with.
const BEHIND: usize = 5_000;

/// AWS's list prices in us-east-1 in US dollars: per million DynamoDB units, invocations, and GB-seconds on arm64.
const READ_UNITS: f64 = 0.125;
const WRITE_UNITS: f64 = 0.625;
const INVOCATIONS: f64 = 0.20;
const GB_SECONDS: f64 = 13.333_4;

/// The memory of both functions in GB.
const MEMORY: [(&str, f64); 2] = [("relay", 0.5), ("notify", 0.25)];

/// A deployment with a session and a receiver.
struct Deployment {
    stack: Stack,
    http: reqwest::Client,
    session_id: String,
    webhook_id: String,
    /// The texts of the received messages, each with the time of its arrival.
    arrivals: UnboundedReceiver<(String, Instant)>,
}

pub(crate) async fn measure() -> Result<()> {
    let mut deployment = Deployment::start().await?;
    deployment.send(0, 20, 1, INTERVAL).await?;
    let mut table = Table::new(&["messages", "median, ms", "p99, ms", "USD per million changes", "of which"]);
    for (title, per_webhook) in [("one at a time", 1), ("10 in one webhook", BATCH)] {
        let first_line = deployment.stack.output().lines().len();
        let mut times = deployment.send(1_000 * per_webhook, MESSAGES, per_webhook, INTERVAL).await?;
        // The lines of the invocations are written after their end.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let lines = deployment.stack.output().lines().split_off(first_line);
        let (cost, parts) = cost(&lines, MESSAGES);
        let milliseconds = |share, times: &mut [Duration]| quantile(times, share).as_millis().to_string();
        let (median, p99) = (milliseconds(0.5, &mut times), milliseconds(0.99, &mut times));
        table.row([title.to_owned(), median, p99, format!("{cost:.2}"), parts]);
    }
    let rate = deployment.catch_up().await?;
    print(&format!(
        "### Outgoing webhooks\n\n{table}\nCatching up with {BEHIND} changes: {rate:.0} changes per second\n"
    ))?;
    deployment.stack.stop().await;
    Ok(())
}

impl Deployment {
    async fn start() -> Result<Deployment> {
        let (sender, arrivals) = unbounded_channel();
        let receive = move |body: Bytes| async move {
            let event: Value = serde_json::from_slice(&body).unwrap_or_default();
            let text = event["data"]["message"]["body"].as_str().unwrap_or_default().to_owned();
            // The measurement may have ended.
            let _ = sender.send((text, Instant::now()));
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(receive))).await });

        let stack = local::start(Options::default()).await?;
        // Another section may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().build()?;
        let mut deployment = Deployment { stack, http, session_id: String::new(), webhook_id: String::new(), arrivals };
        let created = deployment.api("POST", "/api/session/create", &json!({"userId": "ada"})).await?;
        let session = &created["session"];
        deployment.session_id = session["id"].as_str().ok_or("a session without an ID")?.to_owned();
        deployment.simulator("scan", &json!({"qr": session["qr"], "from": "201009999999"})).await?;
        let webhook = json!({"sessionId": deployment.session_id, "url": url, "events": ["message.received"]});
        let created = deployment.api("POST", "/api/webhooks", &webhook).await?;
        deployment.webhook_id = created["webhook"]["id"].as_str().ok_or("a webhook without an ID")?.to_owned();
        Ok(deployment)
    }

    async fn api(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let ready = self.stack.ready();
        let request = self.http.request(method.parse()?, format!("{}{path}", ready.api)).bearer_auth(&ready.api_key);
        let response = request.header("content-type", "application/json").body(body.to_string()).send().await?;
        if !response.status().is_success() {
            return Err(format!("{method} {path}: {}", response.text().await?).into());
        }
        Ok(response.json().await?)
    }

    async fn simulator(&self, path: &str, body: &Value) -> Result<()> {
        let url = format!("{}/simulator/{path}", self.stack.ready().whatsapp);
        self.http.post(url).body(body.to_string()).send().await?.error_for_status()?;
        Ok(())
    }

    /// Delivers messages with the numbers from `first` as texts, each of them from another contact of the webhook.
    /// Returns the time from WhatsApp's webhook to the outgoing one for each.
    async fn send(
        &mut self,
        first: usize,
        count: usize,
        per_webhook: usize,
        interval: Duration,
    ) -> Result<Vec<Duration>> {
        let mut sent: HashMap<String, Instant> = HashMap::new();
        let mut ticks = tokio::time::interval(interval);
        for start in (first..first + count).step_by(per_webhook) {
            ticks.tick().await;
            let texts: Vec<String> = (start..start + per_webhook).map(|number| number.to_string()).collect();
            sent.extend(texts.iter().map(|text| (text.clone(), Instant::now())));
            self.write(&texts).await?;
        }
        let mut times = Vec::with_capacity(count);
        while let Some((text, arrived)) = tokio::time::timeout(Duration::from_secs(60), self.arrivals.recv()).await? {
            times.extend(sent.remove(&text).map(|sent| arrived - sent));
            if sent.is_empty() {
                break;
            }
        }
        Ok(times)
    }

    async fn write(&self, texts: &[String]) -> Result<()> {
        let message = |(contact, text)| json!({"from": format!("20100{contact:07}"), "name": "Mona", "text": text});
        let messages: Vec<Value> = texts.iter().enumerate().map(message).collect();
        self.simulator("messages", &json!({"messages": messages})).await
    }

    /// Returns the changes per second of a receiver that was disabled for a while.
    async fn catch_up(&mut self) -> Result<f64> {
        let path = format!("/api/webhooks/{}", self.webhook_id);
        self.api("PATCH", &path, &json!({"enabled": false})).await?;
        let changes = format!("/api/changes?sessionId={}", self.session_id);
        let end = async || -> Result<u64> {
            Ok(self.api("GET", &changes, &Value::Null).await?["next"].as_u64().ok_or("no position")?)
        };
        let before = end().await?;
        for start in (0..BEHIND).step_by(500) {
            let texts: Vec<String> = (start..start + 500).map(|number| format!("late {number}")).collect();
            self.write(&texts).await?;
        }
        while end().await? < before + BEHIND as u64 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.api("PATCH", &path, &json!({"enabled": true})).await?;
        let (mut first, mut last, mut count) = (None, Instant::now(), 0);
        while count < BEHIND {
            let Some((text, arrived)) = tokio::time::timeout(Duration::from_secs(120), self.arrivals.recv()).await?
            else {
                break;
            };
            if text.starts_with("late") {
                first.get_or_insert(arrived);
                (last, count) = (arrived, count + 1);
            }
        }
        let took = first.map_or(Duration::ZERO, |first| last - first);
        Ok(BEHIND as f64 / took.as_secs_f64())
    }
}

/// Returns the cost of a million changes, and its parts, from the lines of the invocations.
fn cost(lines: &[String], changes: usize) -> (f64, String) {
    let mut total = 0.0;
    let mut parts = Vec::new();
    for (function, memory) in MEMORY {
        let (mut invocations, mut milliseconds, mut reads, mut writes) = (0.0, 0.0, 0.0, 0.0);
        for line in lines.iter().filter(|line| line.split_whitespace().nth(1) == Some(function)) {
            let Some(took) = before(line, " ms") else { continue };
            invocations += 1.0;
            milliseconds += took;
            reads += before(line, " read units").unwrap_or_default();
            writes += before(line, " write units").unwrap_or_default();
        }
        let gb_seconds = milliseconds / 1_000.0 * memory;
        let cost = reads * READ_UNITS + writes * WRITE_UNITS + invocations * INVOCATIONS + gb_seconds * GB_SECONDS;
        let share = |value: f64| value / changes as f64;
        total += share(cost);
        parts.push(format!(
            "{function}: {:.2} invocations, {:.1} ms, {:.2} read units, {:.2} write units",
            share(invocations),
            share(milliseconds),
            share(reads),
            share(writes)
        ));
    }
    (total, parts.join("; "))
}

/// Returns the number in front of `unit`.
pub(crate) fn before(line: &str, unit: &str) -> Option<f64> {
    line.split(unit).next().filter(|start| start.len() < line.len())?.rsplit([' ', ',']).next()?.parse().ok()
}
