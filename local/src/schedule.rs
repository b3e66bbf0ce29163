//! `Schedule` events: EventBridge rules with a rate.

use std::sync::Arc;

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::json;
use tokio::{
    sync::Semaphore,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    lambda::{InvokeError, Lambda},
    output::{Kind, Output},
    template::Schedule,
};

/// Maximum number of concurrent invocations per schedule.
const MAX_CONCURRENT: usize = 2;

/// Invokes `function` (package name) immediately and then once per period, until `shutdown`. The immediate invocation
/// picks up work left over from an earlier run.
///
/// As with asynchronous invocations on Lambda, a slow invocation does not delay the next one. If `MAX_CONCURRENT`
/// invocations are in progress, the event is dropped and reported on the output. A failed invocation is reported and
/// not retried, because the next period does the same work.
pub async fn run(schedule: Schedule, function: String, lambda: Lambda, output: Output, shutdown: CancellationToken) {
    let running = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(MAX_CONCURRENT));
    let mut ticks = interval_at(Instant::now(), schedule.rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            output.line(
                Kind::Problem,
                format!("{function}: schedule event dropped, {MAX_CONCURRENT} invocations in progress"),
            );
            continue;
        };
        let (lambda, output, function) = (lambda.clone(), output.clone(), function.clone());
        let event = event(&format!("{function}-{}", schedule.logical_id), Timestamp::now(), Uuid::new_v4());
        running.spawn(async move {
            let invocation = lambda.invoke_measured(&function, event).await;
            let duration_ms = invocation.duration.as_millis();
            match invocation.result {
                Ok(_) => {
                    output.line(Kind::Schedule, format!("{function} scheduled, {duration_ms} ms, {}", invocation.usage))
                }
                Err(InvokeError::Stopped) => {}
                Err(problem) => {
                    output.line(Kind::Problem, format!("{function} scheduled: {problem}, {duration_ms} ms"))
                }
            }
            drop(permit);
        });
    }
    running.close();
    running.wait().await;
}

/// Builds the event of a scheduled rule (*Amazon EventBridge events*, "Scheduled Event" example).
fn event(rule: &str, now: Timestamp, id: Uuid) -> Bytes {
    let event = json!({
        "version": "0",
        "id": id,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": format!("{now:.0}"),
        "region": "us-east-1",
        "resources": [format!("arn:aws:events:us-east-1:000000000000:rule/{rule}")],
        "detail": {},
    });
    Bytes::from(event.to_string())
}

#[cfg(test)]
mod tests;
