//! How a function starts another invocation of itself, to do soon what it cannot wait for now.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{aws::ServiceClient, domain::time::Timestamp, telemetry};

/// The event of an invocation that a function started itself.
const EVENT: &str = r#"{"source":"qasid.self-invoke"}"#;

/// The least time between two wakes of one process. One that is left out is no loss: the invocation that the last one
/// started is at work, and the schedule covers the rest.
const INTERVAL: Duration = Duration::from_secs(5);

/// Starts invocations of the function that it is part of.
#[derive(Clone, Debug)]
pub struct SelfInvoker {
    client: ServiceClient,
    function: String,
    last: Arc<Mutex<Option<Timestamp>>>,
}

impl SelfInvoker {
    /// A self_invoker of the function with this name.
    pub fn new(client: ServiceClient, function: String) -> Self {
        Self { client, function, last: Arc::default() }
    }

    /// [`Self::invoke_now`], unless this process did so in the last 5 s.
    pub async fn invoke(&self, now: Timestamp) {
        if self.is_time(now) {
            self.invoke_now().await;
        }
    }

    /// Invokes the function asynchronously (Lambda API Reference, "Invoke", type `Event`) with
    /// `{"source":"qasid.self-invoke"}`. Returns when Lambda has taken the event. When it does not take it, that is logged and
    /// nothing more: the schedule comes within a minute. That is also what goes on where Lambda ends a chain of wakes,
    /// which it takes for a loop after 16 (Lambda developer guide, "Use Lambda recursive loop detection to prevent
    /// infinite loops").
    pub async fn invoke_now(&self) {
        if let Err(error) = self.client.invoke_async(&self.function, EVENT).await {
            tracing::warn!(error = telemetry::chain(&*error), "the function could not wake itself");
        }
    }

    /// An attempt counts even when it fails, so that an API that refuses is not asked again for each message.
    fn is_time(&self, now: Timestamp) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = last.is_none_or(|last| now.since(last) >= INTERVAL);
        if is_time {
            *last = Some(now);
        }
        is_time
    }
}
