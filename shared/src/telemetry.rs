//! Logs and metrics, both as lines on standard output, which Lambda collects.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt::Write,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use serde_json::{Map, Value, json};

use crate::domain::time::Timestamp;

/// The namespace of every metric. The alarms and the dashboard of `template.yaml` name it.
const NAMESPACE: &str = "Qasid";

/// The one dimension: the function, so that two stacks of one account keep their metrics apart.
const DIMENSION: &str = "FunctionName";

/// Values of one metric in one document.
const VALUES_LIMIT: usize = 100;

static FUNCTION: OnceLock<String> = OnceLock::new();

/// An error and everything that caused it, in one line. Our own errors never repeat their cause in their text.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    line
}

/// What is measured. The names are those in CloudWatch, where `template.yaml` looks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Messages that WhatsApp accepted.
    MessagesSent,
    /// Messages that failed for good, whatever the class. Each class adds to it by itself.
    MessagesFailed,
    /// Failed because WhatsApp refused them.
    FailedRejected,
    /// Failed because their time ran out before they could be sent.
    FailedExpired,
    /// Failed because it stayed unknown whether WhatsApp had accepted them.
    FailedUnconfirmed,
    /// Failed because WhatsApp could not deliver what it had accepted.
    FailedUndelivered,
    /// Posts after which it is not known whether WhatsApp accepted the message.
    MessagesUnknown,
    /// Posts that WhatsApp certainly did not accept, to be tried again.
    MessagesRetried,
    /// Sessions that were paused, because WhatsApp refuses the token or the account.
    SessionsPaused,
    /// The age of the oldest message that is still to be sent, in seconds.
    OldestPendingSeconds,
    /// From the caller's request to WhatsApp's acceptance, in milliseconds.
    AcceptedToSentMilliseconds,
    /// Inbound messages for a number that no session owns.
    UnownedMessages,
    /// Pieces of webhooks that could not be understood, and are kept as events.
    WebhookNotUnderstood,
    /// Webhook requests whose signature is not that of their body.
    WebhookSignatureInvalid,
    /// Credentials that the authorizer refused. One that comes again within the authorizer's cache is not counted again.
    AuthenticationFailed,
    /// Requests that did not come through the firewall, where there is one.
    RequestsPastFirewall,
    /// Messages that a rule has answered.
    AutoReplies,
    /// Messages that a rule would have answered and did not, whatever the reason. Each reason adds to it by itself.
    AutoRepliesSuppressed,
    /// Suppressed because the message was too old.
    SuppressedTooOld,
    /// Suppressed because the contact had said STOP.
    SuppressedOptedOut,
    /// Suppressed because a person had answered a short time ago.
    SuppressedAnswered,
    /// Suppressed because the rule had answered a short time ago.
    SuppressedCooldown,
    /// Suppressed because the chat had all its automatic replies of the hour.
    SuppressedHourlyLimit,
}

impl Metric {
    fn name(self) -> &'static str {
        match self {
            Self::MessagesSent => "MessagesSent",
            Self::MessagesFailed => "MessagesFailed",
            Self::FailedRejected => "FailedRejected",
            Self::FailedExpired => "FailedExpired",
            Self::FailedUnconfirmed => "FailedUnconfirmed",
            Self::FailedUndelivered => "FailedUndelivered",
            Self::MessagesUnknown => "MessagesUnknown",
            Self::MessagesRetried => "MessagesRetried",
            Self::SessionsPaused => "SessionsPaused",
            Self::OldestPendingSeconds => "OldestPendingSeconds",
            Self::AcceptedToSentMilliseconds => "AcceptedToSentMilliseconds",
            Self::UnownedMessages => "UnownedMessages",
            Self::WebhookNotUnderstood => "WebhookNotUnderstood",
            Self::WebhookSignatureInvalid => "WebhookSignatureInvalid",
            Self::AuthenticationFailed => "AuthenticationFailed",
            Self::RequestsPastFirewall => "RequestsPastFirewall",
            Self::AutoReplies => "AutoReplies",
            Self::AutoRepliesSuppressed => "AutoRepliesSuppressed",
            Self::SuppressedTooOld => "SuppressedTooOld",
            Self::SuppressedOptedOut => "SuppressedOptedOut",
            Self::SuppressedAnswered => "SuppressedAnswered",
            Self::SuppressedCooldown => "SuppressedCooldown",
            Self::SuppressedHourlyLimit => "SuppressedHourlyLimit",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::OldestPendingSeconds => "Seconds",
            Self::AcceptedToSentMilliseconds => "Milliseconds",
            _ => "Count",
        }
    }

    /// The metric that counts all classes of its kind.
    fn total(self) -> Option<Self> {
        match self {
            Self::FailedRejected | Self::FailedExpired | Self::FailedUnconfirmed | Self::FailedUndelivered => {
                Some(Self::MessagesFailed)
            }
            Self::SuppressedTooOld
            | Self::SuppressedOptedOut
            | Self::SuppressedAnswered
            | Self::SuppressedCooldown
            | Self::SuppressedHourlyLimit => Some(Self::AutoRepliesSuppressed),
            _ => None,
        }
    }
}

/// What one invocation measures, written at its end in CloudWatch's embedded metric format: one line, and no request
/// (Amazon CloudWatch user guide, "Specification: Embedded metric format"). Clones add to the same.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    values: Arc<Mutex<BTreeMap<Metric, Vec<u64>>>>,
}

impl Metrics {
    /// Adds `value` in the metric's unit. Counts of one metric become one sum; of ages and durations each value is kept,
    /// so that CloudWatch can tell percentiles.
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

    /// Writes what was added since the last time; nothing when that is nothing.
    #[allow(clippy::print_stdout, reason = "the format is a line on standard output")]
    pub fn write(&self, now: Timestamp) {
        let values = std::mem::take(&mut *self.values.lock().unwrap_or_else(PoisonError::into_inner));
        let function = FUNCTION.get().map_or("unnamed", String::as_str);
        for document in documents(&values, function, now) {
            println!("{document}");
        }
    }
}

/// Writes one metric at once, for what is measured only here and there.
pub fn count(metric: Metric, value: u64, now: Timestamp) {
    let metrics = Metrics::default();
    metrics.add(metric, value);
    metrics.write(now);
}

/// Says which function this process is, once, at its start.
pub(crate) fn name_function(name: String) {
    // A second call names the same function: Lambda does not change it.
    let _ = FUNCTION.set(name);
}

/// One document, and more only for a metric that has more values than one document takes.
fn documents(values: &BTreeMap<Metric, Vec<u64>>, function: &str, now: Timestamp) -> Vec<Value> {
    let count = values.values().map(|values| values.len().div_ceil(VALUES_LIMIT)).max().unwrap_or(0);
    let part = |index: usize| {
        let part =
            values.iter().filter_map(move |(metric, values)| Some((*metric, values.chunks(VALUES_LIMIT).nth(index)?)));
        document(part, function, now)
    };
    (0..count).map(part).collect()
}

fn document<'a>(values: impl Iterator<Item = (Metric, &'a [u64])>, function: &str, now: Timestamp) -> Value {
    let mut definitions = Vec::new();
    let mut root = Map::from_iter([(DIMENSION.to_owned(), json!(function))]);
    for (metric, values) in values {
        definitions.push(json!({"Name": metric.name(), "Unit": metric.unit()}));
        let value = match values {
            [value] => json!(value),
            values => json!(values),
        };
        root.insert(metric.name().to_owned(), value);
    }
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": definitions});
    root.insert("_aws".to_owned(), json!({"Timestamp": now.seconds() * 1000, "CloudWatchMetrics": [directive]}));
    Value::Object(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(added: &[(Metric, u64)]) -> Vec<Value> {
        let metrics = Metrics::default();
        for (metric, value) in added {
            metrics.clone().add(*metric, *value);
        }
        let values = metrics.values.lock().unwrap();
        documents(&values, "deliver", Timestamp::from_seconds(60).unwrap())
    }

    #[test]
    fn an_invocation_is_one_document() {
        let documents = written(&[
            (Metric::MessagesSent, 2),
            (Metric::AcceptedToSentMilliseconds, 70),
            (Metric::AcceptedToSentMilliseconds, 900),
            (Metric::MessagesSent, 1),
            (Metric::OldestPendingSeconds, 0),
        ]);
        let expected = json!({
            "_aws": {
                "Timestamp": 60_000,
                "CloudWatchMetrics": [{
                    "Namespace": "Qasid",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": [
                        {"Name": "MessagesSent", "Unit": "Count"},
                        {"Name": "OldestPendingSeconds", "Unit": "Seconds"},
                        {"Name": "AcceptedToSentMilliseconds", "Unit": "Milliseconds"},
                    ],
                }],
            },
            "FunctionName": "deliver",
            "MessagesSent": 3,
            "OldestPendingSeconds": 0,
            "AcceptedToSentMilliseconds": [70, 900],
        });
        assert_eq!(documents, [expected]);
        assert_eq!(written(&[]), Vec::<Value>::new());
    }

    #[test]
    fn a_failure_counts_in_its_class_and_in_all() {
        let documents = written(&[(Metric::FailedExpired, 1), (Metric::FailedRejected, 2), (Metric::FailedExpired, 4)]);
        let value = |name: &str| documents[0][name].as_u64();
        assert_eq!((value("FailedExpired"), value("FailedRejected")), (Some(5), Some(2)));
        assert_eq!((value("MessagesFailed"), value("FailedUnconfirmed")), (Some(7), None));
    }

    #[test]
    fn no_document_has_more_than_a_hundred_values() {
        let mut added: Vec<_> = (0..201).map(|value| (Metric::AcceptedToSentMilliseconds, value)).collect();
        added.extend((0..201).map(|_| (Metric::MessagesSent, 1)));
        let documents = written(&added);
        let lengths: Vec<_> =
            documents.iter().map(|one| one["AcceptedToSentMilliseconds"].as_array().map(Vec::len)).collect();
        assert_eq!(lengths, [Some(100), Some(100), None]);
        assert_eq!(documents[2]["AcceptedToSentMilliseconds"], 200);
        // A sum that was in every document would be counted that many times.
        let sums: Vec<_> = documents.iter().map(|one| one.get("MessagesSent").and_then(Value::as_u64)).collect();
        assert_eq!(sums, [Some(201), None, None]);
        let metrics =
            |index: usize| documents[index]["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().map(Vec::len);
        assert_eq!((metrics(0), metrics(2)), (Some(2), Some(1)));
    }

    #[test]
    fn what_is_written_is_not_written_again() {
        let metrics = Metrics::default();
        metrics.add(Metric::UnownedMessages, 1);
        metrics.write(Timestamp::from_seconds(60).unwrap());
        assert!(metrics.values.lock().unwrap().is_empty());
    }

    #[test]
    fn a_chain_names_every_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::fmt::Error);
        assert_eq!(chain(&Outer(std::fmt::Error)), format!("outer: {}", std::fmt::Error));
    }
}
