//! Delivers webhooks as Meta does: signed, many at once, at least once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
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
    WhatsAppError,
    clock::unix_now,
    journal::{Journal, Record, Webhook},
    numbers::Lines,
    webhook::sign,
};
use crate::console::{Console, Kind};

/// Meta publishes no figure for WhatsApp; this is the one of its other webhooks (Messenger
/// Platform, "Webhooks").
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Meta, "Throughput": webhooks are delivered again for up to 7 days.
const RETRY_SECONDS: i64 = 7 * 24 * 60 * 60;
const LONGEST_RETRY_DELAY: u64 = 60;
/// Every delivery in flight holds a socket here and one in the gateway; a process often has only
/// 1,024.
const MOST_AT_ONCE: usize = 64;

/// How one attempt to deliver a webhook ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Attempt {
    /// The HTTP status; `None` when there was no answer.
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Attempt {
    /// Only 200 counts (Meta, "Webhooks overview").
    fn succeeded(&self) -> bool {
        self.status == Some(200)
    }
}

/// What became of the webhooks since start, undelivered ones of an earlier run included.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    pub(super) queued: u64,
    pub(super) delivered: u64,
    pub(super) failed_attempts: u64,
    pub(super) given_up: u64,
    pub(super) pending: u64,
}

/// A cheap handle on the deliveries.
#[derive(Clone)]
pub(super) struct Courier {
    inner: Arc<Inner>,
}

struct Inner {
    client: reqwest::Client,
    url: String,
    added_headers: BTreeMap<String, String>,
    lines: Arc<Lines>,
    journal: Journal,
    console: Console,
    held: watch::Sender<bool>,
    permits: Semaphore,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    queued: AtomicU64,
    delivered: AtomicU64,
    failed_attempts: AtomicU64,
    given_up: AtomicU64,
}

impl Courier {
    pub(super) fn new(
        url: String,
        added_headers: BTreeMap<String, String>,
        lines: Arc<Lines>,
        journal: Journal,
        console: Console,
        shutdown: CancellationToken,
    ) -> Result<Courier, WhatsAppError> {
        let client = http_client()?;
        let inner = Inner {
            client,
            url,
            added_headers,
            lines,
            journal,
            console,
            held: watch::Sender::new(false),
            permits: Semaphore::new(MOST_AT_ONCE),
            tasks: TaskTracker::new(),
            shutdown,
            queued: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            failed_attempts: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        };
        Ok(Courier { inner: Arc::new(inner) })
    }

    /// Delivers `steps` one after the other, the webhooks of one step at the same time, and gives
    /// what came of each first attempt. Whatever failed is tried again meanwhile, and the next step
    /// does not wait for that.
    pub(super) fn dispatch(&self, steps: Vec<Vec<Webhook>>) -> oneshot::Receiver<Vec<Attempt>> {
        let count: usize = steps.iter().map(Vec::len).sum();
        self.inner.queued.fetch_add(count as u64, Ordering::Relaxed);
        let (first_attempts, receiver) = oneshot::channel();
        let courier = self.clone();
        self.spawn(async move {
            let mut attempts = Vec::new();
            for step in steps {
                attempts.extend(join_all(step.into_iter().map(|webhook| courier.begin(webhook))).await);
            }
            // For statuses nobody waits.
            let _ = first_attempts.send(attempts);
        });
        receiver
    }

    /// Stops (`true`) and starts deliveries; attempts in flight end as they would.
    pub(super) fn hold(&self, held: bool) {
        self.inner.held.send_replace(held);
    }

    pub(super) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (delivered, given_up) = (read(&self.inner.delivered), read(&self.inner.given_up));
        // Read last: a webhook is counted as queued before it can be counted as anything else.
        let queued = read(&self.inner.queued);
        Counts {
            queued,
            delivered,
            failed_attempts: read(&self.inner.failed_attempts),
            given_up,
            pending: queued.saturating_sub(delivered + given_up),
        }
    }

    /// Waits for the deliveries to end; they do so when the shutdown has been asked for.
    pub(super) async fn stopped(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.inner.shutdown.clone();
        self.inner.tasks.spawn(async move {
            shutdown.run_until_cancelled(task).await;
        });
    }

    async fn begin(&self, webhook: Webhook) -> Attempt {
        let attempt = self.attempt(&webhook, 0).await;
        if !attempt.succeeded() {
            let courier = self.clone();
            self.spawn(async move { courier.retry(webhook).await });
        }
        attempt
    }

    async fn retry(self, webhook: Webhook) {
        for retry in 1.. {
            tokio::time::sleep(retry_delay(retry)).await;
            if unix_now() - webhook.queued_at > RETRY_SECONDS {
                self.inner.given_up.fetch_add(1, Ordering::Relaxed);
                self.problem(format!("webhook {}: given up after 7 days", webhook.id));
                self.settle(&webhook);
                return;
            }
            if self.attempt(&webhook, retry).await.succeeded() {
                return;
            }
        }
    }

    async fn attempt(&self, webhook: &Webhook, retry: u32) -> Attempt {
        let inner = &*self.inner;
        // Neither fails: the sender and the semaphore live as long as `inner`.
        let _ = inner.held.subscribe().wait_for(|held| !held).await;
        let _permit = inner.permits.acquire().await;
        let attempt = self.post(webhook).await;
        if attempt.succeeded() {
            self.settle(webhook);
            inner.delivered.fetch_add(1, Ordering::Relaxed);
            if retry > 0 {
                let text = format!("webhook {}: delivered at attempt {}", webhook.id, retry + 1);
                inner.console.line(Kind::WhatsApp, text);
            }
        } else {
            inner.failed_attempts.fetch_add(1, Ordering::Relaxed);
            let outcome = match (&attempt.status, &attempt.error) {
                (Some(status), _) => format!("answered {status}"),
                (None, error) => error.clone().unwrap_or_default(),
            };
            let delay = retry_delay(retry + 1).as_secs();
            let next = if delay == 0 { "at once".to_owned() } else { format!("in {delay} s") };
            self.problem(format!("webhook {}: {outcome} at attempt {}; again {next}", webhook.id, retry + 1));
        }
        attempt
    }

    async fn post(&self, webhook: &Webhook) -> Attempt {
        let mut request = self.inner.client.post(&self.inner.url);
        for (name, value) in &self.inner.added_headers {
            request = request.header(name, value);
        }
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "facebookexternalua")
            .header("X-Hub-Signature-256", sign(&self.inner.lines.app_secret(&webhook.body), webhook.body.as_bytes()))
            .body(webhook.body.clone());
        match request.send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                // Read to the end, so that the connection serves the next webhook; what it says
                // does not matter.
                let _ = answer.bytes().await;
                Attempt { status: Some(status), error: None }
            }
            Err(error) if error.is_timeout() => {
                Attempt { status: None, error: Some(format!("no answer in {} s", ANSWER_TIMEOUT.as_secs())) }
            }
            Err(error) if error.is_connect() => {
                Attempt { status: None, error: Some("no connection to the webhook".to_owned()) }
            }
            Err(_) => Attempt { status: None, error: Some("the connection broke before an answer".to_owned()) },
        }
    }

    fn settle(&self, webhook: &Webhook) {
        if let Err(error) = self.inner.journal.append(&Record::Settled { id: webhook.id }) {
            self.problem(format!("webhook {}: {}; it comes again after a restart", webhook.id, error.explain()));
        }
    }

    fn problem(&self, text: String) {
        self.inner.console.line(Kind::Problem, text);
    }
}

/// An HTTP client that follows no redirects, as Meta does, and goes through no proxy.
pub(super) fn http_client() -> Result<reqwest::Client, WhatsAppError> {
    // The webhook is on this machine and without TLS. The client wants a TLS configuration all the
    // same, and its own would fail where no root certificates are installed.
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(WhatsAppError::Tls)?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER_TIMEOUT)
        .build()
        .map_err(WhatsAppError::Client)
}

/// How long to wait before a retry, counted from 1: Meta's first retry is immediate, and the others
/// come with falling frequency (Meta, "Create a webhook endpoint"). The steps are not published;
/// these are short, for a laptop.
fn retry_delay(retry: u32) -> Duration {
    let seconds = match retry {
        0 | 1 => 0,
        _ => 2_u64.saturating_pow(retry - 2).min(LONGEST_RETRY_DELAY),
    };
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests;
