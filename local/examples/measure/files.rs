//! Files that customers send, in a whole local run: the cost of a file, and the time and the memory for a large one.

use std::time::{Duration, Instant};

use local::{Options, Stack};
use serde_json::{Value, json};

use crate::{
    Result, process,
    report::{Table, mebibytes, print},
    webhooks::before,
};

/// Files of the measurement of the cost, the bytes of each, and the time between two webhooks.
const FILES: usize = 200;
const SIZE: usize = 100_000;
const INTERVAL: Duration = Duration::from_millis(400);

/// The size of the largest file that WhatsApp delivers, in bytes.
const LARGE: usize = 100 * 1024 * 1024;

/// AWS's list prices in us-east-1 in US dollars: per million DynamoDB units, invocations, `PutObject` requests, and
/// GB-seconds on arm64.
const READ_UNITS: f64 = 0.125;
const WRITE_UNITS: f64 = 0.625;
const INVOCATIONS: f64 = 0.20;
const PUTS: f64 = 5.0;
const GB_SECONDS: f64 = 13.333_4;

/// The memory of the functions, in GB.
const MEMORY: f64 = 0.5;

/// A deployment with a session.
struct Deployment {
    stack: Stack,
    http: reqwest::Client,
}

/// What a function used for each message.
#[derive(Default)]
struct Share {
    invocations: f64,
    milliseconds: f64,
    read_units: f64,
    write_units: f64,
}

pub(crate) async fn measure() -> Result<()> {
    let deployment = Deployment::start().await?;
    deployment.send("first", 1, 1, "image", SIZE).await?;
    let header = ["messages", "`relay`", "`media-fetch`", "USD per million", "without the file"];
    let mut table = Table::new(&header);
    for (title, per_webhook) in [("one at a time", 1), ("ten in one webhook", 10)] {
        let [relay, _] = deployment.shares("text", per_webhook).await?;
        let without = relay.cost();
        let [relay, fetch] = deployment.shares("image", per_webhook).await?;
        let cost = relay.cost() + fetch.cost() + PUTS;
        table.row([
            title.to_owned(),
            relay.to_string(),
            fetch.to_string(),
            format!("{cost:.2}"),
            format!("{without:.2}"),
        ]);
    }
    print(&format!("### Files of customers\n\n{table}"))?;

    let mut table = Table::new(&["files of 100 MiB", "time until stored, s", "peak resident, MiB"]);
    for count in [1, 4] {
        deployment.simulator("kill", &json!({"function": "media-fetch"})).await?;
        let took = deployment.send(&format!("large.{count}"), count, count, "document", LARGE).await?;
        let peaks = deployment.processes()?.into_iter().map(process::resident).collect::<Result<Vec<_>>>()?;
        let peak = peaks.iter().map(|resident| resident.peak).max().ok_or("no process of media-fetch")?;
        table.row([count.to_string(), format!("{:.2}", took.as_secs_f64()), mebibytes(peak)]);
    }
    print(&format!("### Large files\n\n{table}"))?;
    deployment.stack.stop().await;
    Ok(())
}

impl Share {
    fn cost(&self) -> f64 {
        let gb_seconds = self.milliseconds / 1_000.0 * MEMORY;
        self.read_units * READ_UNITS
            + self.write_units * WRITE_UNITS
            + self.invocations * INVOCATIONS
            + gb_seconds * GB_SECONDS
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Share { invocations, milliseconds, read_units, write_units } = self;
        write!(
            f,
            "{invocations:.2} invocations, {milliseconds:.1} ms, {read_units:.2} read units, {write_units:.2} write units"
        )
    }
}

impl Deployment {
    async fn start() -> Result<Deployment> {
        let stack = local::start(Options::default()).await?;
        // Another section may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let deployment = Deployment { stack, http: reqwest::Client::builder().build()? };
        let ready = deployment.stack.ready();
        let request = deployment.http.post(format!("{}/api/session/create", ready.api)).bearer_auth(&ready.api_key);
        let request = request.header("content-type", "application/json").body(json!({"userId": "ada"}).to_string());
        let created: Value = request.send().await?.error_for_status()?.json().await?;
        let scan = json!({"qr": created["session"]["qr"], "from": "201009999999"});
        deployment.simulator("scan", &scan).await?;
        Ok(deployment)
    }

    async fn simulator(&self, path: &str, body: &Value) -> Result<()> {
        let url = format!("{}/simulator/{path}", self.stack.ready().whatsapp);
        self.http.post(url).body(body.to_string()).send().await?.error_for_status()?;
        Ok(())
    }

    /// Sends messages as customers. Returns what `relay` and `media-fetch` use for each.
    async fn shares(&self, kind: &str, per_webhook: usize) -> Result<[Share; 2]> {
        let first_line = self.stack.output().lines().len();
        self.send(&format!("{kind}.{per_webhook}"), FILES, per_webhook, kind, SIZE).await?;
        // The lines of the invocations are written after their end.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let lines = self.stack.output().lines().split_off(first_line);
        Ok(["relay", "media-fetch"].map(|function| share(&lines, function, FILES)))
    }

    /// Sends messages as customers, each of another one of a webhook, at least 10 seconds apart by their timestamps.
    /// Returns the time until they are processed completely.
    async fn send(&self, name: &str, count: usize, per_webhook: usize, kind: &str, size: usize) -> Result<Duration> {
        let url = format!("{}/simulator/media", self.stack.ready().whatsapp);
        let mime_type = if kind == "image" { "image/jpeg" } else { "application/pdf" };
        let mut ticks = tokio::time::interval(INTERVAL);
        let mut took = Duration::ZERO;
        let now = jiff::Timestamp::now().as_second();
        for first in (0..count).step_by(per_webhook) {
            ticks.tick().await;
            let mut messages = Vec::new();
            for number in first..first + per_webhook {
                let object = if kind == "text" {
                    json!({"body": "hello"})
                } else {
                    let mut content = vec![0; size];
                    fastrand::fill(&mut content);
                    content[..4].copy_from_slice(if kind == "image" { b"\xff\xd8\xff\xe0" } else { b"%PDF" });
                    let stored = self.http.post(&url).header("content-type", mime_type).body(content).send().await?;
                    json!({"id": stored.json::<Value>().await?["id"]})
                };
                let (from, timestamp) = (format!("20100{:07}", number - first), now + 10 * first as i64);
                messages.push(json!({"from": from, "id": format!("wamid.{name}.{number}"), "name": "Mona",
                    "timestamp": timestamp.to_string(), "type": kind, kind: object}));
            }
            let started = Instant::now();
            let messages = json!({"messages": messages});
            self.simulator("messages", &messages).await?;
            if kind != "text" {
                for message in messages["messages"].as_array().into_iter().flatten() {
                    self.wait_until_stored(message["id"].as_str().unwrap_or_default()).await?;
                }
            }
            took = started.elapsed();
        }
        Ok(took)
    }

    async fn wait_until_stored(&self, wamid: &str) -> Result<()> {
        let ready = self.stack.ready();
        let url = format!("{}/api/messages/{wamid}", ready.api);
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            let response = self.http.get(&url).bearer_auth(&ready.api_key).send().await?;
            if response.json::<Value>().await?["message"]["media"]["state"] == "stored" {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("{wamid} isn't stored").into())
    }

    /// Returns the processes of `media-fetch`.
    fn processes(&self) -> Result<Vec<u32>> {
        let endpoint = format!("AWS_ENDPOINT_URL_S3={}", self.stack.ready().s3);
        let mut processes = Vec::new();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let has = |expected: &str| environment.split(|byte| *byte == 0).any(|found| found == expected.as_bytes());
            if has("AWS_LAMBDA_FUNCTION_NAME=media-fetch") && has(&endpoint) {
                processes.extend(entry.file_name().to_str().and_then(|pid| pid.parse::<u32>().ok()));
            }
        }
        Ok(processes)
    }
}

/// Returns what a function used for each of `messages`, from the lines of its invocations.
fn share(lines: &[String], function: &str, messages: usize) -> Share {
    let mut share = Share::default();
    for line in lines.iter().filter(|line| line.split_whitespace().nth(1) == Some(function)) {
        let Some(took) = before(line, " ms") else { continue };
        share.invocations += 1.0;
        share.milliseconds += took;
        share.read_units += before(line, " read units").unwrap_or_default();
        share.write_units += before(line, " write units").unwrap_or_default();
    }
    let messages = messages as f64;
    Share {
        invocations: share.invocations / messages,
        milliseconds: share.milliseconds / messages,
        read_units: share.read_units / messages,
        write_units: share.write_units / messages,
    }
}
