//! The events of asynchronous invocations (Lambda Developer Guide, *How Lambda handles errors and retries with
//! asynchronous invocation*).

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    lambda::{InvokeError, Lambda},
    output::{Kind, Output},
    template::{EventInvokeConfig, Function},
};

/// The times that Lambda waits before the first and the second retry of an event whose invocation failed.
pub const RETRY_DELAYS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// The maximum number of unfinished events of a function. Lambda's queue has no documented limit; here, the events are in
/// memory.
pub(super) const MAX_EVENTS: usize = 10_000;
/// The maximum number of concurrent asynchronous invocations of a function. It leaves processes for its other event
/// sources, even if it invokes itself endlessly.
pub(super) const MAX_CONCURRENT: usize = 6;

/// What all queues share.
pub(super) struct Context {
    pub(super) lambda: Lambda,
    pub(super) output: Output,
    pub(super) retry_delays: [Duration; 2],
    /// The events that are not discarded or processed yet.
    pub(super) running: TaskTracker,
    pub(super) shutdown: CancellationToken,
}

/// The queue of one function.
pub(super) struct EventQueue {
    function: String,
    config: EventInvokeConfig,
    /// The remaining capacity.
    capacity: Arc<Semaphore>,
    /// The invocations that may start now. Its waiters, the queued events, are served in order.
    invocations: Arc<Semaphore>,
}

/// The queue is full.
#[derive(Debug)]
pub(super) struct Full;

/// Why an event leaves the queue without success.
enum Discarded {
    /// After the last attempt.
    Failed,
    /// It reached its maximum age.
    Expired,
    /// The local run stops.
    Stopped,
}

impl EventQueue {
    pub(super) fn new(function: &Function) -> EventQueue {
        EventQueue {
            function: function.name.clone(),
            config: function.event_invoke_config,
            capacity: Arc::new(Semaphore::new(MAX_EVENTS)),
            invocations: Arc::new(Semaphore::new(MAX_CONCURRENT)),
        }
    }

    /// Adds an event, which is invoked as soon as possible, and again after an error. At shutdown, events that wait are
    /// discarded.
    pub(super) fn push(self: &Arc<EventQueue>, event: Bytes, context: &Arc<Context>) -> Result<(), Full> {
        let capacity = Arc::clone(&self.capacity).try_acquire_owned().map_err(|_| Full)?;
        let (queue, tasks) = (Arc::clone(self), Arc::clone(context));
        context.running.spawn(async move {
            if let Err(Discarded::Expired) = queue.process(event, &tasks).await {
                let age = queue.config.maximum_event_age.as_secs_f64();
                tasks.output.line(Kind::Problem, format!("{}: event discarded, older than {age} s", queue.function));
            }
            drop(capacity);
        });
        Ok(())
    }

    /// Invokes the function until it succeeds, or the limits of its configuration are reached.
    async fn process(&self, event: Bytes, context: &Context) -> Result<(), Discarded> {
        let expires = Instant::now() + self.config.maximum_event_age;
        let mut delays = context.retry_delays.iter().take(self.config.maximum_retry_attempts);
        loop {
            let permit = self.next_invocation(expires, context).await?;
            let succeeded = self.invoke(event.clone(), context, delays.clone().next().copied()).await?;
            drop(permit);
            if succeeded {
                return Ok(());
            }
            let delay = *delays.next().ok_or(Discarded::Failed)?;
            context.shutdown.run_until_cancelled(sleep(delay)).await.ok_or(Discarded::Stopped)?;
        }
    }

    /// Waits for one of the concurrent invocations.
    async fn next_invocation(&self, expires: Instant, context: &Context) -> Result<OwnedSemaphorePermit, Discarded> {
        if Instant::now() >= expires {
            return Err(Discarded::Expired);
        }
        let permit = timeout_at(expires, Arc::clone(&self.invocations).acquire_owned());
        let permit = context.shutdown.run_until_cancelled(permit).await.ok_or(Discarded::Stopped)?;
        permit.map_err(|_| Discarded::Expired)?.map_err(|_| Discarded::Stopped)
    }

    /// Invokes the function once, reports the result with the time to the next attempt, and returns whether it succeeded.
    async fn invoke(&self, event: Bytes, context: &Context, delay: Option<Duration>) -> Result<bool, Discarded> {
        let invocation = context.lambda.invoke_measured(&self.function, event).await;
        let (function, took) = (&self.function, invocation.duration.as_millis());
        match invocation.result {
            Ok(_) => {
                let usage = invocation.usage;
                context.output.line(Kind::Function, format!("{function} invoked asynchronously, {took} ms, {usage}"));
                Ok(true)
            }
            Err(InvokeError::Stopped) => Err(Discarded::Stopped),
            Err(error) => {
                let next = delay.map_or_else(
                    || "event discarded".to_owned(),
                    |delay| format!("retry in {} s", delay.as_secs_f64()),
                );
                let line = format!("{function} invoked asynchronously: {error}, {took} ms, {next}");
                context.output.line(Kind::Problem, line);
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests;
