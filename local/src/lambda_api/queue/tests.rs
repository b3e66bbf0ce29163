use futures_util::FutureExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{super::tests::function, *};

/// A queue whose function ends an invocation when the test has opened it, with the result of `succeeds`.
struct Harness {
    queue: Arc<EventQueue>,
    context: Arc<Context>,
    /// The events of all invocations.
    invocations: UnboundedReceiver<Bytes>,
    open: CancellationToken,
}

fn start(config: EventInvokeConfig, retry_delays: [Duration; 2], succeeds: bool) -> Harness {
    let (seen, invocations) = unbounded_channel();
    let open = CancellationToken::new();
    let opened = open.clone();
    let lambda = Lambda::fake(move |_, event| {
        let (seen, opened) = (seen.clone(), opened.clone());
        async move {
            seen.send(event.clone()).unwrap();
            opened.cancelled().await;
            let error = || InvokeError::Handled { error_type: "E".to_owned(), message: "no".to_owned() };
            succeeds.then_some(event).ok_or_else(error)
        }
        .boxed()
    });
    let function = Function { event_invoke_config: config, ..function("Notify", Vec::new()) };
    let context = Arc::new(Context {
        lambda,
        output: Output::captured(),
        retry_delays,
        running: TaskTracker::new(),
        shutdown: CancellationToken::new(),
    });
    Harness { queue: Arc::new(EventQueue::new(&function)), context, invocations, open }
}

impl Harness {
    fn push(&self, event: &'static str) -> Result<(), Full> {
        self.queue.push(Bytes::from(event), &self.context)
    }

    async fn next(&mut self) -> Bytes {
        self.invocations.recv().await.unwrap()
    }

    /// Returns the number of further invocations and the output, after all events are processed or discarded.
    async fn end(mut self) -> (usize, Vec<String>) {
        self.context.running.close();
        self.context.running.wait().await;
        let mut invocations = 0;
        while self.invocations.try_recv().is_ok() {
            invocations += 1;
        }
        (invocations, self.context.output.lines())
    }
}

#[tokio::test]
async fn a_failed_invocation_is_retried_as_often_as_configured() {
    for maximum_retry_attempts in 0..=2 {
        let config = EventInvokeConfig { maximum_retry_attempts, ..EventInvokeConfig::default() };
        let harness = start(config, [Duration::ZERO, Duration::from_millis(1)], false);
        harness.open.cancel();
        harness.push("a").unwrap();
        let (invocations, lines) = harness.end().await;
        assert_eq!((invocations, lines.len()), (maximum_retry_attempts + 1, invocations), "{lines:?}");
        let next = ["retry in 0 s", "retry in 0.001 s"].into_iter().take(maximum_retry_attempts);
        for (line, next) in lines.iter().zip(next.chain(["event discarded"])) {
            assert!(line.contains("notify invoked asynchronously: E: no, ") && line.ends_with(next), "{line}");
        }
    }
}

#[tokio::test]
async fn events_beyond_the_concurrency_wait_in_order() {
    let mut harness = start(EventInvokeConfig::default(), RETRY_DELAYS, true);
    for _ in 0..MAX_CONCURRENT {
        harness.push("busy").unwrap();
        assert_eq!(harness.next().await, "busy");
    }
    harness.push("first").unwrap();
    harness.push("second").unwrap();
    tokio::task::yield_now().await;
    assert!(harness.invocations.try_recv().is_err());
    harness.open.cancel();
    assert_eq!((harness.next().await, harness.next().await), (Bytes::from("first"), Bytes::from("second")));
    let (further, lines) = harness.end().await;
    assert_eq!((further, lines.len()), (0, MAX_CONCURRENT + 2), "{lines:?}");
}

#[tokio::test]
async fn an_event_that_waits_too_long_is_discarded() {
    let config = EventInvokeConfig { maximum_event_age: Duration::from_millis(1), ..EventInvokeConfig::default() };
    let harness = start(config, RETRY_DELAYS, true);
    let all = harness.queue.invocations.clone().acquire_many_owned(MAX_CONCURRENT as u32).await.unwrap();
    harness.push("a").unwrap();
    let (invocations, lines) = harness.end().await;
    assert_eq!((invocations, lines.len()), (0, 1));
    assert!(lines[0].ends_with("notify: event discarded, older than 0.001 s"), "{lines:?}");
    drop(all);
}

#[tokio::test]
async fn the_queue_has_a_limit() {
    let harness = start(EventInvokeConfig::default(), RETRY_DELAYS, true);
    for _ in 0..MAX_EVENTS {
        harness.push("a").unwrap();
    }
    assert!(harness.push("a").is_err());
    harness.open.cancel();
    assert_eq!(harness.end().await.0, MAX_EVENTS);
}

#[tokio::test]
async fn waiting_events_do_not_delay_the_end_of_the_run() {
    let mut harness = start(EventInvokeConfig::default(), RETRY_DELAYS, false);
    // One event waits for its invocation; the others wait for their retry after it.
    for _ in 0..=MAX_CONCURRENT {
        harness.push("a").unwrap();
    }
    for _ in 0..MAX_CONCURRENT {
        harness.next().await;
    }
    harness.context.shutdown.cancel();
    harness.open.cancel();
    let (further, lines) = harness.end().await;
    assert_eq!((further, lines.len()), (0, MAX_CONCURRENT), "{lines:?}");
    assert!(lines.iter().all(|line| line.ends_with("retry in 60 s")), "{lines:?}");
}
