//! Self-invocation: a function starts another invocation of itself for work that it can't wait for.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{aws::ServiceClient, domain::time::Timestamp, telemetry};

/// The event of a self-invocation.
const EVENT: &str = r#"{"source":"qasid.self-invoke"}"#;

/// The minimum time between self-invocations of one process. Skipping one is safe: the previous invocation is starting,
/// and the schedule starts one every minute.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Starts asynchronous invocations of the running function.
#[derive(Clone, Debug)]
pub struct SelfInvoker {
    client: ServiceClient,
    function: String,
    last: Arc<Mutex<Option<Timestamp>>>,
}

impl SelfInvoker {
    /// Creates a self-invoker for the function with this name.
    pub fn new(client: ServiceClient, function: String) -> Self {
        Self { client, function, last: Arc::default() }
    }

    /// Calls [`Self::invoke_now`], unless this process did so within the last second.
    pub async fn invoke(&self, now: Timestamp) {
        if self.is_allowed(now) {
            self.invoke_now().await;
        }
    }

    /// Invokes the function asynchronously (AWS, *Lambda API Reference*, Invoke, type `Event`) with the event
    /// `{"source":"qasid.self-invoke"}`. Returns when Lambda has accepted the event. Logs a failure, because the
    /// schedule starts an invocation within a minute. The same applies if Lambda stops a chain of 16 self-invocations
    /// as a loop (AWS, *Lambda Developer Guide*, recursive loop detection).
    pub async fn invoke_now(&self) {
        if let Err(error) = self.client.invoke_async(&self.function, EVENT).await {
            tracing::warn!(error = telemetry::chain(&*error), "self-invocation failed");
        }
    }

    /// Returns whether the minimum time has passed. A failed invocation counts as well, so that a failing API is not
    /// called for each message.
    fn is_allowed(&self, now: Timestamp) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_allowed = last.is_none_or(|last| now.since(last) >= MIN_INTERVAL);
        if is_allowed {
            *last = Some(now);
        }
        is_allowed
    }
}
