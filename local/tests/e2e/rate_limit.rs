//! The send rate of a number: never above its limit, and (on request) close to it.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::test_app::TestApp;

const SECOND: i64 = 1_000_000;

/// With `QASID_PACING_MESSAGES`, sends that many messages at 80 per second and checks the exact limit and the
/// throughput. Use it with a release build on an idle machine. Without it, the test uses a rate that any machine
/// reaches, and tolerates the time that a busy machine takes between the reservation and the request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn number_uses_its_rate_and_never_exceeds_it() {
    let requested = std::env::var("QASID_PACING_MESSAGES").ok().map(|number| number.parse().unwrap());
    let (rate, messages) = requested.map_or((20, 120), |messages| (80, messages));
    let rate_text = rate.to_string();
    let parameters = [("MessagesPerSecond", rate_text.as_str()), ("ApiRateLimit", "10000"), ("ApiBurstLimit", "5000")];
    let app = TestApp::start_with(&parameters).await;
    // Four messages per recipient stay below the limit for one recipient.
    let contact = |message: usize| format!("+20100{:07}", message / 4);
    let contacts: Vec<String> = (0..messages).step_by(4).map(contact).collect();
    app.open_windows(&contacts).await;
    let session_id = app.connect("ada").await;
    // Statuses do not matter here, and would take processor time from the processes under test.
    app.set_faults(&json!({"webhooks": {"hold": true}})).await;
    // Messages are stored while the session is paused and sent after it is resumed: a laptop can store fewer messages
    // per second than it sends.
    app.set_faults(&json!({"sends": {"errorCode": 190, "times": 1}})).await;
    app.send(&session_id, &contact(0), "hello").await;
    app.wait_until("the session is paused", async || app.items("session").await[0].get("paused_reason").is_some())
        .await;
    stream::iter(1..messages)
        .for_each_concurrent(16, async |message| {
            assert_eq!(app.send(&session_id, &contact(message), "hello").await.status, 200);
        })
        .await;
    let resumed = app.post("/api/session/resume", &json!({"sessionId": session_id})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.json);
    app.invoke("deliver", &json!({"source": "qasid.wake"})).await;
    let timeout = Duration::from_secs(60 + messages as u64 / 40);
    // Checking only the last message keeps the load of the polling low.
    let is_last = async || !app.accepted_from(messages - 1).await.is_empty();
    app.wait_within(timeout, "all are accepted", is_last).await;
    let accepted = app.accepted().await;
    assert_eq!(accepted.len(), messages, "each message is accepted once");
    let mut times: Vec<i64> = accepted.iter().map(accepted_at).collect();
    times.sort_unstable();
    if requested.is_some() {
        assert_exact_rate(&times, rate);
    } else {
        assert_rate(&times, rate);
    }
}

/// More messages than one invocation can send before its timeout: no invocation times out while it sends a message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_beyond_the_timeout_is_left_to_the_next_invocation() {
    let short = |template: &str| template.replacen("Timeout: 630", "Timeout: 23", 1);
    let app = TestApp::start_with_template(short, &[("MessagesPerSecond", "2")]).await;
    let contacts = ["+201000000000", "+201000000001", "+201000000002", "+201000000003"];
    app.open_windows(&contacts).await;
    let session_id = app.connect("ada").await;
    for to in contacts.into_iter().cycle().take(16) {
        assert_eq!(app.send(&session_id, to, "hello").await.status, 200);
    }
    // A status can arrive before `deliver` has settled the send, so the test waits for the attempt.
    let attempts = async || {
        let sent = app.items("message").await.into_iter().filter(|item| item["from_me"] == true);
        sent.map(|item| item["attempts"].as_array().map_or(0, Vec::len)).collect::<Vec<_>>()
    };
    let timeout = Duration::from_secs(180);
    app.wait_within(timeout, "each message has an attempt", async || !attempts().await.contains(&0)).await;
    assert_eq!(attempts().await, [1; 16]);
    assert_eq!(app.accepted().await.len(), 16);
    assert!(!app.has_logged(&["timed out"]), "{:?}", app.log_lines());
}

/// Asserts that no interval has more messages than its share plus one second's worth.
fn assert_rate(times: &[i64], rate: usize) {
    for (first, from) in times.iter().enumerate() {
        for (last, to) in times.iter().enumerate().skip(first) {
            let allowed = rate + rate * usize::try_from(to - from).unwrap() / usize::try_from(SECOND).unwrap();
            assert!(last - first <= allowed, "{} messages in {} µs", last - first + 1, to - from);
        }
    }
}

/// Asserts that no window of one second exceeds the rate, and that the whole run reaches at least 95 % of it.
fn assert_exact_rate(times: &[i64], rate: usize) {
    let mut seconds: BTreeMap<i64, usize> = BTreeMap::new();
    for time in times {
        *seconds.entry(time / SECOND).or_default() += 1;
    }
    println!("messages per second: {seconds:?}");
    let shortest = times.windows(rate + 1).map(|window| window[rate] - window[0]).min().unwrap();
    assert!(shortest >= SECOND, "{} messages in {shortest} µs", rate + 1);
    // The first and the last second are incomplete.
    let (first, last) = (*seconds.keys().next().unwrap(), *seconds.keys().next_back().unwrap());
    let whole: usize = (first + 1..last).map(|second| seconds.get(&second).copied().unwrap_or_default()).sum();
    let possible = rate * usize::try_from(last - first - 1).unwrap();
    println!("{whole} messages of {possible} possible");
    assert!(whole * 100 >= possible * 95, "{whole} messages of {possible} possible");
}

/// Returns when WhatsApp accepted a message, in microseconds since 1970.
fn accepted_at(accepted: &Value) -> i64 {
    let at: jiff::Timestamp = accepted["acceptedAt"].as_str().unwrap().parse().unwrap();
    at.as_microsecond()
}
