//! Logs and metrics, both as lines on standard output, which Lambda sends to CloudWatch Logs.

mod log;

use std::{
    collections::BTreeMap,
    error::Error,
    fmt::Write,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use serde_json::{Map, Value, json};

use crate::domain::{system::System, time::Timestamp};

/// The namespace of all metrics, which the alarms and the dashboard in `template.yaml` also use.
const NAMESPACE: &str = "Qasid";

/// The only dimension. Function names contain the stack name, so stacks in one account have separate metrics.
const DIMENSION: &str = "FunctionName";

/// The maximum number of values of a metric in one document.
const VALUES_LIMIT: usize = 100;

static FUNCTION: OnceLock<FunctionInfo> = OnceLock::new();

/// The members that all metrics of a function have in common.
struct FunctionInfo {
    name: String,
    /// The level of the lines, which is the minimum level that Lambda sends to CloudWatch Logs. At a fixed level, a change
    /// of `ApplicationLogLevel` could drop metrics, and their alarms would stay silent.
    level: String,
}

/// Formats an error and its causes in one line. Error texts in this crate don't repeat their cause.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    line
}

/// A metric. The variants' names are the names in CloudWatch, which the alarms and the dashboard in `template.yaml`
/// use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Messages that WhatsApp accepted.
    MessagesSent,
    /// Messages that failed permanently. Each `Failed…` metric also counts here.
    MessagesFailed,
    /// Messages that WhatsApp refused.
    FailedRejected,
    /// Messages that expired before they could be sent.
    FailedExpired,
    /// Marketing messages whose contact opted out before they were sent.
    FailedWithheld,
    /// Messages whose outcome was still unknown at the deadline.
    FailedUnconfirmed,
    /// Messages that WhatsApp accepted and then reported as failed.
    FailedUndelivered,
    /// Send requests with an unknown outcome.
    MessagesUnknown,
    /// Send requests that WhatsApp certainly didn't accept and that will be retried.
    MessagesRetried,
    /// Sessions that were paused because WhatsApp refuses the token or the account.
    SessionsPaused,
    /// For how long the oldest due normal message has been due, in seconds.
    OldestPendingSeconds,
    /// Time from the API request to WhatsApp's acceptance, in milliseconds.
    AcceptedToSentMilliseconds,
    /// Inbound messages for a number that no session owns.
    UnownedMessages,
    /// Parts of webhooks that couldn't be parsed. They are stored as events.
    WebhookParseFailed,
    /// Webhook requests with an invalid signature.
    WebhookSignatureInvalid,
    /// Credentials that the authorizer rejected. API Gateway caches its result, so repeated ones count once per minute.
    AuthenticationFailed,
    /// Requests that didn't come through CloudFront, in a deployment with a firewall.
    OriginGuardRejections,
    /// Received files that were stored.
    FilesStored,
    /// Attempts to fetch a received file that failed.
    FileAttemptsFailed,
    /// Received files that could not be fetched as long as WhatsApp kept them.
    FilesLost,
    /// Changes that the receivers of webhooks accepted.
    WebhooksDelivered,
    /// Attempts to deliver a change that failed.
    WebhookAttemptsFailed,
    /// Changes that a receiver didn't accept in any attempt.
    WebhooksFailed,
    /// Webhooks that were disabled because their receiver failed for days or responded 410.
    WebhooksDisabled,
    /// Numbers of changes that the log deleted before a webhook could read them.
    WebhookChangesExpired,
    /// Time from a change until a receiver accepted it at the first attempt, in milliseconds.
    WebhookMilliseconds,
    /// Messages that a rule answered.
    AutoReplies,
    /// Messages that a rule would have answered but didn't. Each `Suppressed…` metric also counts here.
    AutoRepliesSuppressed,
    /// Suppressed because the message was too old.
    SuppressedTooOld,
    /// Suppressed because the contact sent STOP.
    SuppressedOptedOut,
    /// Suppressed because an agent replied recently.
    SuppressedAnswered,
    /// Suppressed because the rule answered recently.
    SuppressedCooldown,
    /// Suppressed because the chat reached its hourly limit of auto-replies.
    SuppressedHourlyLimit,
}

impl Metric {
    fn unit(self) -> &'static str {
        match self {
            Self::OldestPendingSeconds => "Seconds",
            Self::AcceptedToSentMilliseconds | Self::WebhookMilliseconds => "Milliseconds",
            _ => "Count",
        }
    }

    /// Returns the metric that this one also counts in.
    fn total(self) -> Option<Self> {
        match self {
            Self::FailedRejected
            | Self::FailedExpired
            | Self::FailedWithheld
            | Self::FailedUnconfirmed
            | Self::FailedUndelivered => Some(Self::MessagesFailed),
            Self::SuppressedTooOld
            | Self::SuppressedOptedOut
            | Self::SuppressedAnswered
            | Self::SuppressedCooldown
            | Self::SuppressedHourlyLimit => Some(Self::AutoRepliesSuppressed),
            _ => None,
        }
    }
}

/// The metrics of one invocation, written at its end in the embedded metric format: a line of JSON instead of a request
/// (Amazon CloudWatch User Guide, "Specification: Embedded metric format"). Clones share the values.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    values: Arc<Mutex<BTreeMap<Metric, Vec<u64>>>>,
}

impl Metrics {
    /// Adds `value` in the metric's unit. Counts are summed. Ages and durations are kept individually, so that
    /// CloudWatch can compute percentiles.
    pub fn add(&self, metric: Metric, value: u64) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let mut add = |metric: Metric| {
            let added = values.entry(metric).or_default();
            match added.first_mut() {
                Some(sum) if metric.unit() == "Count" => *sum = sum.saturating_add(value),
                _ => added.push(value),
            }
        };
        add(metric);
        metric.total().into_iter().for_each(add);
    }

    /// Writes the values that were added since the last call, if any.
    #[allow(clippy::print_stdout, reason = "the format is a line on standard output")]
    pub fn write(&self, now: Timestamp) {
        let values = std::mem::take(&mut *self.values.lock().unwrap_or_else(PoisonError::into_inner));
        let unnamed = FunctionInfo { name: "unnamed".to_owned(), level: "INFO".to_owned() };
        for document in documents(&values, FUNCTION.get().unwrap_or(&unnamed), now) {
            println!("{document}");
        }
    }
}

/// Writes one value of one metric immediately.
pub fn count(metric: Metric, value: u64, now: Timestamp) {
    let metrics = Metrics::default();
    metrics.add(metric, value);
    metrics.write(now);
}

/// Starts logging. `function` is the dimension of all metrics, and `level` the minimum level that Lambda sends to
/// CloudWatch Logs. Call it once, at start-up.
pub(crate) fn init(function: String, level: String, system: System) {
    log::init(&level, system);
    // A second call has no effect, and a process has only one function.
    let _ = FUNCTION.set(FunctionInfo { name: function, level });
}

/// Returns the documents: one, or more if a metric has more than [`VALUES_LIMIT`] values.
fn documents(values: &BTreeMap<Metric, Vec<u64>>, function: &FunctionInfo, now: Timestamp) -> Vec<Value> {
    let count = values.values().map(|values| values.len().div_ceil(VALUES_LIMIT)).max().unwrap_or(0);
    let part = |index: usize| {
        let part =
            values.iter().filter_map(move |(metric, values)| Some((*metric, values.chunks(VALUES_LIMIT).nth(index)?)));
        document(part, function, now)
    };
    (0..count).map(part).collect()
}

fn document<'a>(values: impl Iterator<Item = (Metric, &'a [u64])>, function: &FunctionInfo, now: Timestamp) -> Value {
    let mut definitions = Vec::new();
    let members = [("timestamp", json!(now)), ("level", json!(function.level)), (DIMENSION, json!(function.name))];
    let mut root = Map::from_iter(members.map(|(name, value)| (name.to_owned(), value)));
    for (metric, values) in values {
        let name = format!("{metric:?}");
        definitions.push(json!({"Name": name, "Unit": metric.unit()}));
        let value = match values {
            [value] => json!(value),
            values => json!(values),
        };
        root.insert(name, value);
    }
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": definitions});
    root.insert("_aws".to_owned(), json!({"Timestamp": now.seconds() * 1000, "CloudWatchMetrics": [directive]}));
    Value::Object(root)
}

#[cfg(test)]
mod tests;
