//! Files that customers send, and files that the business sends, in a whole local run: the cost of a file, and the time and
//! the memory for a large one.

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

/// AWS's list prices in us-east-1 in US dollars: per million DynamoDB units, invocations, `PutObject` and `CopyObject`
/// requests, `GetObject` requests, and GB-seconds on arm64.
const READ_UNITS: f64 = 0.125;
const WRITE_UNITS: f64 = 0.625;
const INVOCATIONS: f64 = 0.20;
const PUTS: f64 = 5.0;
const GETS: f64 = 0.4;
const GB_SECONDS: f64 = 13.333_4;

/// The memory of the functions, in GB.
const MEMORY: f64 = 0.5;

/// The number of messages that are sent for the cost of one.
const SENT: usize = 100;

/// A deployment with a session.
struct Deployment {
    stack: Stack,
    http: reqwest::Client,
    session_id: Value,
}

/// What a message of the business contains.
enum SentFile {
    /// Text only.
    None,
    /// A file that is uploaded for this message.
    New,
    /// A file that was uploaded before.
    Known(String),
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
        table.row([
            count.to_string(),
            format!("{:.2}", took.as_secs_f64()),
            mebibytes(deployment.peak("media-fetch")?),
        ]);
    }
    print(&format!("### Large files\n\n{table}"))?;

    deployment.simulator("faults", &json!({"window": false})).await?;
    let header = ["messages", "`create-media`", "`send-message`", "`deliver`", "USD per million", "as text"];
    let mut table = Table::new(&header);
    let text = deployment.sent(SENT, &SentFile::None).await?;
    let file = deployment.upload(SIZE).await?;
    for (title, kind, requests) in [
        ("each with its own file", SentFile::New, 2.0 * PUTS + GETS),
        ("all with one file", SentFile::Known(file), 0.0),
    ] {
        let shares = deployment.sent(SENT, &kind).await?;
        let cost = |shares: &[Share; 3]| shares.iter().map(Share::cost).sum::<f64>();
        let [create, send, deliver] = shares.each_ref().map(Share::to_string);
        let total = cost(&shares) + requests;
        table.row([title.to_owned(), create, send, deliver, format!("{total:.2}"), format!("{:.2}", cost(&text))]);
    }
    print(&format!("### Files that the business sends\n\n{table}"))?;

    let mut table = Table::new(&["file of 100 MiB", "time until accepted, s", "peak resident of `deliver`, MiB"]);
    let file = deployment.upload(LARGE).await?;
    deployment.simulator("kill", &json!({"function": "deliver"})).await?;
    let started = Instant::now();
    deployment.send_file(&file, "201009000000").await?;
    let took = started.elapsed().as_secs_f64();
    table.row(["1".to_owned(), format!("{took:.2}"), mebibytes(deployment.peak("deliver")?)]);
    print(&format!("### A large file that the business sends\n\n{table}"))?;
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
        let mut deployment = Deployment { stack, http: reqwest::Client::builder().build()?, session_id: Value::Null };
        let ready = deployment.stack.ready();
        let request = deployment.http.post(format!("{}/api/session/create", ready.api)).bearer_auth(&ready.api_key);
        let request = request.header("content-type", "application/json").body(json!({"userId": "ada"}).to_string());
        let created: Value = request.send().await?.error_for_status()?.json().await?;
        let scan = json!({"qr": created["session"]["qr"], "from": "201009999999"});
        deployment.simulator("scan", &scan).await?;
        deployment.session_id = created["session"]["id"].clone();
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

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let ready = self.stack.ready();
        let request = self.http.post(format!("{}{path}", ready.api)).bearer_auth(&ready.api_key);
        let request = request.header("content-type", "application/json").body(body.to_string());
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Uploads a document of `size` bytes, and returns its ID.
    async fn upload(&self, size: usize) -> Result<String> {
        let mut content = vec![0; size];
        fastrand::fill(&mut content);
        content[..4].copy_from_slice(b"%PDF");
        let new = json!({"sessionId": self.session_id, "mimeType": "application/pdf", "size": size});
        let announced = self.post("/api/media", &new).await?;
        let url = announced["upload"]["url"].as_str().unwrap_or_default();
        let request = self.http.put(url).header("content-type", "application/pdf").body(content);
        request.send().await?.error_for_status()?;
        Ok(announced["media"]["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Sends a file, and waits until WhatsApp has accepted the message.
    async fn send_file(&self, media: &str, to: &str) -> Result<()> {
        self.send_content(&json!({"type": "document", "document": {"media": media}}), to).await
    }

    async fn send_content(&self, content: &Value, to: &str) -> Result<()> {
        let mut body = content.clone();
        body["sessionId"] = self.session_id.clone();
        body["to"] = json!(to);
        let sent = self.post("/api/messages/send", &body).await?;
        let ready = self.stack.ready();
        let url = format!("{}/api/messages/{}", ready.api, sent["message"]["id"].as_str().unwrap_or_default());
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            let response = self.http.get(&url).bearer_auth(&ready.api_key).send().await?;
            let message = response.json::<Value>().await?["message"].take();
            if message["wamid"].is_string() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("the message isn't sent".into())
    }

    /// Sends messages to as many contacts. Returns what each function uses for one.
    async fn sent(&self, count: usize, file: &SentFile) -> Result<[Share; 3]> {
        let prefix = match file {
            SentFile::None => "201001",
            SentFile::New => "201002",
            SentFile::Known(_) => "201003",
        };
        let to = |number: usize| format!("{prefix}{number:06}");
        // The first message to a contact creates the chat.
        for number in 0..count {
            self.send_content(&json!({"message": "hello"}), &to(number)).await?;
        }
        let first_line = self.stack.output().lines().len();
        for number in 0..count {
            let id = match file {
                SentFile::None => {
                    self.send_content(&json!({"message": "hello"}), &to(number)).await?;
                    continue;
                }
                SentFile::New => self.upload(SIZE).await?,
                SentFile::Known(id) => id.clone(),
            };
            self.send_file(&id, &to(number)).await?;
        }
        // The lines of the invocations are written after their end.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let lines = self.stack.output().lines().split_off(first_line);
        Ok(["create-media", "send-message", "deliver"].map(|function| share(&lines, function, count)))
    }

    /// Returns the peak memory of the processes of a function.
    fn peak(&self, function: &str) -> Result<u64> {
        let peaks = self.processes(function)?.into_iter().map(process::resident).collect::<Result<Vec<_>>>()?;
        peaks.iter().map(|resident| resident.peak).max().ok_or_else(|| format!("no process of {function}").into())
    }

    /// Returns the processes of a function.
    fn processes(&self, function: &str) -> Result<Vec<u32>> {
        let endpoint = format!("AWS_ENDPOINT_URL_S3={}", self.stack.ready().s3);
        let mut processes = Vec::new();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let has = |expected: &str| environment.split(|byte| *byte == 0).any(|found| found == expected.as_bytes());
            if has(&format!("AWS_LAMBDA_FUNCTION_NAME={function}")) && has(&endpoint) {
                processes.extend(entry.file_name().to_str().and_then(|pid| pid.parse::<u32>().ok()));
            }
        }
        Ok(processes)
    }
}

/// Returns what a function used for each of `messages`, from the lines of its invocations.
fn share(lines: &[String], function: &str, messages: usize) -> Share {
    let mut share = Share::default();
    // The line of a request names the function after its method, path, status, and time.
    for line in lines.iter().filter(|line| line.split_whitespace().take(7).any(|word| word == function)) {
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
