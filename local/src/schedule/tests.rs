use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::mpsc;

use super::*;

#[test]
fn the_event_has_the_format_of_eventbridge() {
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
async fn the_function_is_invoked_at_start_and_every_period() {
    let (seen, mut invocations) = mpsc::unbounded_channel();
    let lambda = Lambda::fake(move |name, _| {
        seen.send(name).unwrap();
        async { Ok(Bytes::from("null")) }.boxed()
    });
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(run(
        every(Duration::from_millis(1)),
        "deliver".to_owned(),
        lambda,
        Output::captured(),
        shutdown.clone(),
    ));
    for _ in 0..3 {
        assert_eq!(invocations.recv().await.unwrap(), "deliver");
    }
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_slow_function_has_at_most_two_concurrent_invocations() {
    let (seen, mut invocations) = mpsc::unbounded_channel();
    let open = CancellationToken::new();
    let gate = open.clone();
    let lambda = Lambda::fake(move |_, _| {
        seen.send(()).unwrap();
        let gate = gate.clone();
        async move {
            gate.cancelled().await;
            Err(InvokeError::TimedOut { after: Duration::from_secs(1) })
        }
        .boxed()
    });
    let (output, shutdown) = (Output::captured(), CancellationToken::new());
    let running = tokio::spawn(run(
        every(Duration::from_millis(1)),
        "deliver".to_owned(),
        lambda,
        output.clone(),
        shutdown.clone(),
    ));
    let dropped = || output.lines().iter().filter(|line| line.contains("dropped")).count();
    while dropped() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(invocations.try_recv().is_ok() && invocations.try_recv().is_ok());
    assert!(invocations.try_recv().is_err());
    open.cancel();
    invocations.recv().await.unwrap();
    shutdown.cancel();
    running.await.unwrap();
    assert!(output.lines().iter().any(|line| line.contains("timed out")));
}
