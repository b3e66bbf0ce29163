//! Delivers webhooks as Meta does: signed, concurrently, and at least once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use serde::Serialize;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    WhatsAppError, apps,
    clock::unix_now,
    journal::{Journal, JournalEntry, Webhook},
    numbers::Numbers,
    registry::Registry,
    webhook::sign,
};
use crate::{
    error_chain,
    output::{Kind, Output},
};

/// The timeout of Meta's Messenger webhooks (Messenger Platform, *Webhooks*). Meta publishes none for WhatsApp.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);
/// Meta retries webhooks for up to 7 days (Meta, *Throughput*).
const RETRY_PERIOD_SECONDS: i64 = 7 * 24 * 60 * 60;
const MAX_RETRY_DELAY_SECONDS: u64 = 60;
/// Per app. Each delivery uses a socket here and one in the gateway. Processes are often limited to 1,024 sockets.
const MAX_CONCURRENT_DELIVERIES: usize = 64;

/// The result of one attempt to deliver a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct DeliveryAttempt {
    /// The HTTP status; `None` without a response.
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl DeliveryAttempt {
    /// Only status 200 confirms a delivery (Meta, *Webhooks overview*).
    fn succeeded(&self) -> bool {
        self.status == Some(200)
    }
}

/// Webhook counts since startup, including undelivered webhooks of an earlier run.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookCounts {
    pub(super) queued: u64,
    pub(super) delivered: u64,
    pub(super) failed_attempts: u64,
    pub(super) given_up: u64,
    pub(super) pending: u64,
}

/// A handle to the deliveries. Cheap to clone.
#[derive(Clone)]
pub(super) struct WebhookDispatcher {
    inner: Arc<Inner>,
}

struct Inner {
    client: reqwest::Client,
    /// Qasid's webhook URL.
    url: String,
    /// Headers for Qasid's webhook URL.
    added_headers: BTreeMap<String, String>,
    numbers: Arc<Numbers>,
    apps: Arc<Registry<apps::State>>,
    journal: Journal,
    output: Output,
    held: watch::Sender<bool>,
    /// Permits to deliver by app ID, so that an app that hangs doesn't delay the others.
    permits: Mutex<BTreeMap<String, Arc<Semaphore>>>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    queued: AtomicU64,
    delivered: AtomicU64,
    failed_attempts: AtomicU64,
    given_up: AtomicU64,
}

impl WebhookDispatcher {
    pub(super) fn new(
        url: String,
        added_headers: BTreeMap<String, String>,
        numbers: Arc<Numbers>,
        apps: Arc<Registry<apps::State>>,
        journal: Journal,
        output: Output,
        shutdown: CancellationToken,
    ) -> Result<WebhookDispatcher, WhatsAppError> {
        let client = http_client()?;
        let inner = Inner {
            client,
            url,
            added_headers,
            numbers,
            apps,
            journal,
            output,
            held: watch::Sender::new(false),
            permits: Mutex::default(),
            tasks: TaskTracker::new(),
            shutdown,
            queued: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            failed_attempts: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        };
        Ok(WebhookDispatcher { inner: Arc::new(inner) })
    }

    /// Delivers `groups` after `delay`, to each app sequentially, and the webhooks within a group concurrently. Returns
    /// the first attempts. Failed webhooks are retried in the background and don't delay the next group.
    pub(super) fn dispatch(
        &self,
        groups: Vec<Vec<Webhook>>,
        delay: Duration,
    ) -> oneshot::Receiver<Vec<DeliveryAttempt>> {
        let count: usize = groups.iter().map(Vec::len).sum();
        self.inner.queued.fetch_add(count as u64, Ordering::Relaxed);
        let (first_attempts, receiver) = oneshot::channel();
        let dispatcher = self.clone();
        self.spawn(async move {
            // A sleep of no time takes up to a millisecond.
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let apps = by_app(groups).into_values().map(|groups| dispatcher.deliver_all(groups));
            let attempts = join_all(apps).await;
            // The receiver may be dropped: status webhooks ignore the result.
            let _ = first_attempts.send(attempts.concat());
        });
        receiver
    }

    /// Pauses (`true`) or resumes deliveries. Attempts in progress continue.
    pub(super) fn hold(&self, held: bool) {
        self.inner.held.send_replace(held);
    }

    pub(super) fn counts(&self) -> WebhookCounts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (delivered, given_up) = (load(&self.inner.delivered), load(&self.inner.given_up));
        // Read this last: a webhook is counted as queued before it is counted as anything else.
        let queued = load(&self.inner.queued);
        WebhookCounts {
            queued,
            delivered,
            failed_attempts: load(&self.inner.failed_attempts),
            given_up,
            pending: queued.saturating_sub(delivered + given_up),
        }
    }

    /// Waits for the deliveries to end after shutdown was requested.
    pub(super) async fn wait_until_stopped(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.inner.shutdown.clone();
        self.inner.tasks.spawn(async move {
            shutdown.run_until_cancelled(task).await;
        });
    }

    async fn deliver_all(&self, groups: Vec<Vec<Webhook>>) -> Vec<DeliveryAttempt> {
        let mut attempts = Vec::new();
        for group in groups {
            let group = join_all(group.into_iter().map(|webhook| self.deliver(webhook))).await;
            attempts.extend(group.into_iter().flatten());
        }
        attempts
    }

    async fn deliver(&self, webhook: Webhook) -> Option<DeliveryAttempt> {
        let attempt = self.attempt(&webhook, 0).await?;
        if !attempt.succeeded() {
            let dispatcher = self.clone();
            self.spawn(async move { dispatcher.retry(webhook).await });
        }
        Some(attempt)
    }

    async fn retry(self, webhook: Webhook) {
        for retry in 1.. {
            tokio::time::sleep(retry_delay(retry)).await;
            if unix_now() - webhook.queued_at > RETRY_PERIOD_SECONDS {
                self.give_up(&webhook, "abandoned after 7 days");
                return;
            }
            if self.attempt(&webhook, retry).await.is_none_or(|attempt| attempt.succeeded()) {
                return;
            }
        }
    }

    fn give_up(&self, webhook: &Webhook, reason: &str) {
        self.settle(webhook);
        self.inner.given_up.fetch_add(1, Ordering::Relaxed);
        self.problem(format!("webhook {}: {reason}", webhook.id));
    }

    /// Attempts a delivery. Returns `None` if it gives up, because the app has no webhook anymore.
    async fn attempt(&self, webhook: &Webhook, retry: u32) -> Option<DeliveryAttempt> {
        let inner = &*self.inner;
        // Neither can fail: the sender and the semaphore live as long as `inner`.
        let _ = inner.held.subscribe().wait_for(|held| !held).await;
        let permits = self.permits(&webhook.app_id);
        let _permit = permits.acquire().await;
        let Some((url, secret)) = self.destination(webhook) else {
            self.give_up(webhook, "abandoned, because its app has no webhook anymore");
            return None;
        };
        let attempt = self.post(webhook, url, &secret).await;
        if attempt.succeeded() {
            self.settle(webhook);
            inner.delivered.fetch_add(1, Ordering::Relaxed);
            if retry > 0 {
                let text = format!("webhook {}: delivered on attempt {}", webhook.id, retry + 1);
                inner.output.line(Kind::WhatsApp, text);
            }
        } else {
            inner.failed_attempts.fetch_add(1, Ordering::Relaxed);
            let outcome = match (&attempt.status, &attempt.error) {
                (Some(status), _) => format!("status {status}"),
                (None, error) => error.clone().unwrap_or_default(),
            };
            let delay = retry_delay(retry + 1).as_secs();
            let next = if delay == 0 { "now".to_owned() } else { format!("in {delay} s") };
            self.problem(format!("webhook {}: {outcome} on attempt {}; retrying {next}", webhook.id, retry + 1));
        }
        Some(attempt)
    }

    fn permits(&self, app_id: &str) -> Arc<Semaphore> {
        let mut permits = self.inner.permits.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Semaphore::new(MAX_CONCURRENT_DELIVERIES));
        Arc::clone(permits.entry(app_id.to_owned()).or_insert_with(new))
    }

    /// Returns the callback URL that the app of a webhook has now, and the app's secret.
    fn destination(&self, webhook: &Webhook) -> Option<(String, String)> {
        let inner = &*self.inner;
        let number = inner.numbers.of_webhook(&webhook.body).map(|registered| registered.number);
        inner.apps.read(|apps| {
            let app = apps.app(&webhook.app_id)?;
            let callback = match number {
                Some(number) => apps.destination(&app.id, &number.waba_id, &number.phone_number_id)?,
                // Overrides are for messages only (Meta, *Override webhooks*).
                None => app.callback.as_ref()?,
            };
            Some((callback.url.clone(), app.secret.clone()))
        })
    }

    async fn post(&self, webhook: &Webhook, url: String, secret: &str) -> DeliveryAttempt {
        let inner = &*self.inner;
        let mut request = inner.client.post(&url);
        if url == inner.url {
            for (name, value) in &inner.added_headers {
                request = request.header(name, value);
            }
        }
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "facebookexternalua")
            .header("X-Hub-Signature-256", sign(secret, webhook.body.as_bytes()))
            .body(webhook.body.clone());
        match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                // Read the entire response, so that the connection can be reused.
                let _ = response.bytes().await;
                DeliveryAttempt { status: Some(status), error: None }
            }
            Err(error) if error.is_timeout() => DeliveryAttempt {
                status: None,
                error: Some(format!("no response within {} s", RESPONSE_TIMEOUT.as_secs())),
            },
            Err(error) if error.is_connect() => {
                DeliveryAttempt { status: None, error: Some("no connection to the webhook".to_owned()) }
            }
            Err(_) => {
                DeliveryAttempt { status: None, error: Some("the connection closed before a response".to_owned()) }
            }
        }
    }

    fn settle(&self, webhook: &Webhook) {
        if let Err(error) = self.inner.journal.append(&JournalEntry::Settled { id: webhook.id }) {
            self.problem(format!(
                "webhook {}: {}; it is delivered again after a restart",
                webhook.id,
                error_chain(&error)
            ));
        }
    }

    fn problem(&self, text: String) {
        self.inner.output.line(Kind::Problem, text);
    }
}

/// Splits groups of webhooks by app, in order.
fn by_app(groups: Vec<Vec<Webhook>>) -> BTreeMap<String, Vec<Vec<Webhook>>> {
    let mut apps: BTreeMap<String, Vec<Vec<Webhook>>> = BTreeMap::new();
    for group in groups {
        let mut group_by_app: BTreeMap<String, Vec<Webhook>> = BTreeMap::new();
        for webhook in group {
            group_by_app.entry(webhook.app_id.clone()).or_default().push(webhook);
        }
        for (app_id, group) in group_by_app {
            apps.entry(app_id).or_default().push(group);
        }
    }
    apps
}

/// Creates an HTTP client that, like Meta, follows no redirects, and that bypasses proxies.
pub(super) fn http_client() -> Result<reqwest::Client, WhatsAppError> {
    // The webhook uses plain HTTP, but the client requires a TLS configuration. Its default fails if no root
    // certificates are installed.
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(WhatsAppError::Tls)?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(RESPONSE_TIMEOUT)
        .build()
        .map_err(WhatsAppError::Client)
}

/// Returns the delay before a retry, counted from 1. Meta retries immediately and then with decreasing frequency (Meta,
/// *Create a webhook endpoint*). The schedule is not published; these delays are short for local use.
fn retry_delay(retry: u32) -> Duration {
    let seconds = match retry {
        0 | 1 => 0,
        _ => 2_u64.saturating_pow(retry - 2).min(MAX_RETRY_DELAY_SECONDS),
    };
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests;
