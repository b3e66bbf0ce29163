//! A running local deployment, and the helpers to drive and inspect it.

mod api;
pub mod contract;
mod table;
mod webhooks;
mod whatsapp;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use local::{Options, Ready, Stack, database::Storage};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

use self::contract::Violations;
pub use table::insert_event;
pub use webhooks::change;
pub use whatsapp::{sign, text_message};

/// The limit for one wait or request. Only a failing test reaches it.
const TIMEOUT: Duration = Duration::from_secs(180);

/// How often a wait checks its condition.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Limits how many deployments run at once. Each has many processes with real timeouts, which would expire if sixteen
/// deployments shared two cores.
static DEPLOYMENTS: Semaphore = Semaphore::const_new(3);

/// A local deployment with its own table, and an HTTP client for it.
pub struct TestApp {
    pub ready: Ready,
    running: Stack,
    /// What the exchanges with the API violated of `openapi.yaml`.
    violations: Violations,
    http: reqwest::Client,
    /// The data folder, if this deployment has its own.
    data: Option<TempDir>,
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

    /// Starts a deployment with a paired session of owner `ada`, and returns the session's id. These contacts wrote to
    /// the number before it was paired: WhatsApp accepts any message to them, but they have no chat yet.
    pub async fn connected_with(contacts: &[&str]) -> (Self, String) {
        let app = Self::start().await;
        app.open_windows(contacts).await;
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

    /// Starts a deployment whose secret of the Meta app has these values, with these values for parameters of the
    /// template.
    pub async fn start_with_secrets(
        app_secret: &str,
        verify_token: &str,
        access_token: &str,
        parameters: &[(&str, &str)],
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        let secret = json!({"appSecret": app_secret, "verifyToken": verify_token, "accessToken": access_token});
        std::fs::write(data.path().join("secrets.json"), secret.to_string()).unwrap();
        let storage = Storage::Directory(data.path().to_owned());
        let app = Self::start_from(Options { storage, parameters: owned(parameters), ..Options::default() }).await;
        Self { data: Some(data), ..app }
    }

    /// Starts a deployment with a data folder, and with these values for parameters of the template.
    pub async fn start_with_data(parameters: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let storage = Storage::Directory(data.path().to_owned());
        let app = Self::start_from(Options { storage, parameters: owned(parameters), ..Options::default() }).await;
        Self { data: Some(data), ..app }
    }

    /// Returns the data folder of a deployment that has one.
    pub fn data(&self) -> &Path {
        self.data.as_ref().expect("a data folder").path()
    }

    /// Returns the keys and the files of the objects in the buckets of a deployment with a data folder.
    pub fn objects(&self) -> BTreeMap<String, PathBuf> {
        let buckets = std::fs::read_dir(self.data().join("s3")).unwrap().map(|entry| entry.unwrap().path());
        let (mut objects, mut folders) = (BTreeMap::new(), Vec::new());
        folders.extend(buckets.filter(|path| path.is_dir()).map(|bucket| (bucket.clone(), bucket)));
        while let Some((bucket, folder)) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push((bucket.clone(), path));
                } else {
                    let key = path.strip_prefix(&bucket).unwrap().to_str().unwrap().to_owned();
                    objects.insert(key, path);
                }
            }
        }
        objects
    }

    pub async fn start_from(options: Options) -> Self {
        let permit = DEPLOYMENTS.acquire().await.expect("the semaphore stays open");
        let violations = Violations::default();
        let options = Options { observer: Some(violations.observer()), ..options };
        let running = local::start(options).await.expect("the deployment starts");
        let ready = running.ready().clone();
        Self { ready, running, violations, http: client(), data: None, _permit: permit }
    }

    /// Allows responses that violate openapi.yaml at the place with this text.
    pub fn allow_violations(&self, part: &'static str) {
        self.violations.allow(part);
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }

    pub fn running(&self) -> &Stack {
        &self.running
    }

    /// Returns the output, which includes the functions' logs.
    pub fn log_lines(&self) -> Vec<String> {
        self.running.output().lines()
    }

    /// Whether the output has a line that contains all of these texts.
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

    pub async fn send_request(&self, method: &str, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let mut request = self.http.request(method.parse().unwrap(), url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        let response = request.body(body).send().await.expect("a response");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("a complete response").to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        self.violations.assert_none();
        Response { status, headers, bytes, json }
    }

    /// Puts a value into the secret with this id.
    pub async fn put_secret_value(&self, id: &str, value: &Value) {
        let request = json!({"SecretId": id, "SecretString": value.to_string()}).to_string();
        let headers = [("x-amz-target", "secretsmanager.PutSecretValue")];
        let response = self.send_request("POST", &self.ready.secrets_manager, &headers, request.into_bytes()).await;
        assert_eq!(response.status, 200, "{}", response.json);
    }

    /// Waits until `condition` holds.
    pub async fn wait_until(&self, expected: &str, condition: impl AsyncFn() -> bool) {
        self.wait_within(TIMEOUT, expected, condition).await;
    }

    /// Waits until `condition` holds, up to `timeout`.
    pub async fn wait_within(&self, timeout: Duration, expected: &str, condition: impl AsyncFn() -> bool) {
        self.wait_for(timeout, expected, async || condition().await.then_some(())).await;
    }

    /// Waits until `find` returns a value, up to `timeout`, and returns the value.
    async fn wait_for<T>(&self, timeout: Duration, expected: &str, find: impl AsyncFn() -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut ticks = tokio::time::interval(POLL_INTERVAL);
        loop {
            ticks.tick().await;
            if let Some(found) = find().await {
                return found;
            }
            if tokio::time::Instant::now() > deadline {
                let messages = self.items("message").await;
                panic!("timed out: {expected}; output: {:#?}; messages: {messages:#?}", self.log_lines());
            }
        }
    }
}

fn owned(parameters: &[(&str, &str)]) -> BTreeMap<String, String> {
    parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Serializes a body; null is empty.
pub fn bytes(body: &Value) -> Vec<u8> {
    if body.is_null() { Vec::new() } else { body.to_string().into_bytes() }
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A redirect is a response to verify.
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.timeout(TIMEOUT).build().unwrap()
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
