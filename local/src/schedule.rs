//! `Schedule` events: EventBridge rules with a rate.

use std::sync::Arc;

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::console::{Console, Kind};
use crate::lambda::{InvokeError, Lambda};
use crate::template::Schedule;

/// Lambda runs asynchronous invocations side by side; more than this of one schedule is a function that is too slow.
const AT_ONCE: usize = 2;

/// Invokes `function` (package name) at once, so that what an earlier run left is taken up, and then each period, until
/// `shutdown`. Like Lambda's asynchronous invocations, one that is still running does not hold up the next; but there are
/// never more than two, and the event that would be the third is dropped with a line on the console. A failed invocation
/// is reported and not repeated: the next period does the same work.
#[allow(clippy::disallowed_methods, reason = "the local run is where a laptop's clock and randomness come in")]
pub async fn run(schedule: Schedule, function: String, lambda: Lambda, console: Console, shutdown: CancellationToken) {
    let running = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut ticks = interval_at(Instant::now(), schedule.rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            console.line(
                Kind::Problem,
                format!("{function} is still busy with {AT_ONCE} events of its schedule; this one is dropped"),
            );
            continue;
        };
        let (lambda, console, function) = (lambda.clone(), console.clone(), function.clone());
        let event = event(&format!("{function}-{}", schedule.logical_id), Timestamp::now(), Uuid::new_v4());
        running.spawn(async move {
            let invocation = lambda.invoke_measured(&function, event).await;
            let took = invocation.duration.as_millis();
            match invocation.result {
                Ok(_) => console.line(Kind::Schedule, format!("{function} done, {took} ms, {}", invocation.usage)),
                Err(InvokeError::Stopped) => {}
                Err(problem) => {
                    console.line(Kind::Problem, format!("{function} on its schedule: {problem}, {took} ms"))
                }
            }
            drop(slot);
        });
    }
    running.close();
    running.wait().await;
}

/// The event of a scheduled rule ("Amazon EventBridge events", "Scheduled Event" example).
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
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use super::*;
    use futures_util::FutureExt;
    use serde_json::Value;
    use tokio::sync::mpsc;

    #[test]
    fn the_event_is_eventbridge_s() {
        let now: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let event: Value = serde_json::from_slice(&event("deliver-EveryMinute", now, Uuid::nil())).unwrap();
        assert_eq!(event["time"], "2026-01-02T03:04:05Z");
        assert_eq!(event["detail-type"], "Scheduled Event");
        assert_eq!(event["resources"][0], "arn:aws:events:us-east-1:000000000000:rule/deliver-EveryMinute");
    }

    fn every(rate: Duration) -> Schedule {
        Schedule { logical_id: "EveryMinute".to_owned(), rate }
    }

    #[tokio::test]
    async fn invokes_at_start_and_again_and_ends_with_the_run() {
        let (seen, mut invocations) = mpsc::unbounded_channel();
        let lambda = Lambda::double(move |name, _| {
            seen.send(name).unwrap();
            async { Ok(Bytes::from("null")) }.boxed()
        });
        let shutdown = CancellationToken::new();
        let ran = tokio::spawn(run(
            every(Duration::from_millis(1)),
            "deliver".to_owned(),
            lambda,
            Console::captured(),
            shutdown.clone(),
        ));
        for _ in 0..3 {
            assert_eq!(invocations.recv().await.unwrap(), "deliver");
        }
        shutdown.cancel();
        ran.await.unwrap();
    }

    #[tokio::test]
    async fn a_slow_function_has_two_at_once_and_no_more() {
        let (seen, mut invocations) = mpsc::unbounded_channel();
        let open = CancellationToken::new();
        let gate = open.clone();
        let lambda = Lambda::double(move |_, _| {
            seen.send(()).unwrap();
            let gate = gate.clone();
            async move {
                gate.cancelled().await;
                Err(InvokeError::TimedOut { after: Duration::from_secs(1) })
            }
            .boxed()
        });
        let (console, shutdown) = (Console::captured(), CancellationToken::new());
        let ran = tokio::spawn(run(
            every(Duration::from_millis(1)),
            "deliver".to_owned(),
            lambda,
            console.clone(),
            shutdown.clone(),
        ));
        let dropped = || console.lines().iter().filter(|line| line.contains("dropped")).count();
        while dropped() < 2 {
            tokio::task::yield_now().await;
        }
        assert!(invocations.try_recv().is_ok() && invocations.try_recv().is_ok());
        assert!(invocations.try_recv().is_err());
        open.cancel();
        invocations.recv().await.unwrap();
        shutdown.cancel();
        ran.await.unwrap();
        assert!(console.lines().iter().any(|line| line.contains("timed out")));
    }
}
