//! Asynchronous invocations: a function starts another one, or itself, for work that it can't wait for.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    aws::ServiceClient,
    domain::{
        id::{MediaId, SessionId, WebhookId},
        time::Timestamp,
    },
    telemetry,
};

/// Starts asynchronous invocations of one function.
///
/// A failure is logged and not repeated, because a schedule makes up for it within a minute or two.
#[derive(Clone, Debug)]
pub struct FunctionInvoker {
    client: ServiceClient,
    function: String,
    last: Arc<Mutex<Option<Timestamp>>>,
}

/// The event of an invocation of `deliver` by itself.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "source")]
pub enum DeliverEvent {
    /// There are due messages.
    #[serde(rename = "qasid.self-invoke")]
    Due,
}

/// The event of an invocation of `notify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NotifyEvent {
    /// Sessions have changes that their webhooks may not have.
    Sessions {
        /// Their IDs.
        sessions: Vec<SessionId>,
    },
    /// A webhook was enabled or changed, or has deliveries to repeat.
    Webhook {
        /// Its ID.
        webhook: WebhookId,
    },
    /// There are due entries.
    Due {
        /// Who found them.
        source: DueSource,
    },
}

/// The event of an invocation of `media-fetch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FetchEvent {
    /// There are new files.
    New {
        /// Their IDs.
        media: Vec<MediaId>,
    },
    /// There are due files.
    Due {
        /// Who found them.
        source: DueSource,
    },
}

impl FetchEvent {
    /// Returns the event of due files.
    pub fn due() -> Self {
        Self::Due { source: DueSource::DuePoller }
    }
}

/// Who found due entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DueSource {
    /// The due poller of `deliver`.
    #[serde(rename = "qasid.due")]
    DuePoller,
}

impl NotifyEvent {
    /// Returns the event of due entries.
    pub fn due() -> Self {
        Self::Due { source: DueSource::DuePoller }
    }
}

impl FunctionInvoker {
    /// Creates an invoker of the function with this name.
    pub fn new(client: ServiceClient, function: String) -> Self {
        Self { client, function, last: Arc::default() }
    }

    /// Calls [`Self::invoke`], unless this process did so within `interval`. A failed invocation counts as well, so that a
    /// failing API is not called for each message.
    pub async fn invoke_at_intervals(&self, interval: Duration, now: Timestamp, event: &impl Serialize) {
        if self.is_allowed(interval, now) {
            self.invoke(event).await;
        }
    }

    /// Invokes the function asynchronously (AWS, *Lambda API Reference*, Invoke, type `Event`). Returns when Lambda has
    /// accepted or refused the event. Lambda stops a chain of 16 functions that invoke each other as a loop (AWS, *Lambda
    /// Developer Guide*, recursive loop detection).
    pub async fn invoke(&self, event: &impl Serialize) {
        let result = match serde_json::to_string(event) {
            Ok(event) => self.client.invoke_async(&self.function, &event).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = result {
            tracing::warn!(invoked = self.function, error = telemetry::chain(&*error), "function invocation failed");
        }
    }

    fn is_allowed(&self, interval: Duration, now: Timestamp) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_allowed = last.is_none_or(|last| now.since(last) >= interval);
        if is_allowed {
            *last = Some(now);
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_of_notify_read_back() {
        let session_id = SessionId::for_owner("ada");
        let webhook = WebhookId::from_uuid(session_id.to_string().parse().unwrap());
        for (event, json) in [
            (NotifyEvent::Sessions { sessions: vec![session_id] }, json!({"sessions": [session_id]})),
            (NotifyEvent::Webhook { webhook }, json!({"webhook": webhook})),
            (NotifyEvent::due(), json!({"source": "qasid.due"})),
        ] {
            assert_eq!(serde_json::to_value(&event).unwrap(), json);
            assert_eq!(serde_json::from_value::<NotifyEvent>(json).unwrap(), event);
        }
        assert!(serde_json::from_value::<NotifyEvent>(json!({"source": "aws.events"})).is_err());
        assert_eq!(serde_json::to_value(DeliverEvent::Due).unwrap(), json!({"source": "qasid.self-invoke"}));
    }
}
