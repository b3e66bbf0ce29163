//! A number never sends faster than it may; and, where that is asked for, nearly as fast.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};
use local::Options;
use serde_json::{Value, json};

use crate::system::System;

const SECOND: i64 = 1_000_000;

/// `QASID_PACING_MESSAGES` says how many messages are sent, at the full 80 a second, and has the figures held to the
/// letter: for a release build on a machine that does nothing else. Otherwise the rate is one that any machine reaches
/// with ease, and the time that a busy one takes to bring a post from one process to the other does not count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_uses_its_rate_and_never_exceeds_it() {
    let asked = std::env::var("QASID_PACING_MESSAGES").ok().map(|number| number.parse().unwrap());
    let (rate, messages) = asked.map_or((20, 120), |messages| (80, messages));
    let rate_text = rate.to_string();
    let parameters = [("MessagesPerSecond", rate_text.as_str()), ("ApiRateLimit", "10000"), ("ApiBurstLimit", "5000")];
    let system = System::start_with(&parameters).await;
    let session_id = system.connect("ada").await;
    // Statuses do not count, and would only take time from the processes on this machine that are measured.
    system.faults(&json!({"webhooks": {"hold": true}})).await;
    // They are stored while nothing is sent, and go out at once when the session is resumed: a laptop may well store
    // fewer in a second than it sends.
    system.faults(&json!({"sends": {"errorCode": 190, "times": 1}})).await;
    system.send(&session_id, "+201000000000", "hello").await;
    system
        .until("the session is paused", async || system.items("session").await[0].get("paused_reason").is_some())
        .await;
    // Four for each recipient, so that the pace for one recipient does not matter.
    stream::iter(1..messages)
        .for_each_concurrent(16, async |message| {
            let to = format!("+20100{:07}", message / 4);
            assert_eq!(system.send(&session_id, &to, "hello").await.status, 200);
        })
        .await;
    let resumed = system.post("/api/session/resume", &json!({"sessionId": session_id})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.json);
    let deliver = system.running().lambda().invoke("deliver", r#"{"source":"qasid.wake"}"#.into());
    deliver.await.unwrap();
    let patience = Duration::from_secs(60 + messages as u64 / 40);
    // Only the last is looked for: a list of all, many times a second, would take the time that is measured.
    let is_last = async || !system.accepted_from(messages - 1).await.is_empty();
    system.until_within(patience, "all are accepted", is_last).await;
    let accepted = system.accepted().await;
    assert_eq!(accepted.len(), messages, "each is accepted once");
    let mut times: Vec<i64> = accepted.iter().map(accepted_at).collect();
    times.sort_unstable();
    if asked.is_some() {
        judge_to_the_letter(&times, rate);
    } else {
        judge(&times, rate);
    }
}

/// More than one invocation can post in its time: none may be ended with a message in its hands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_invocation_has_no_time_for_is_left_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let template = std::fs::read_to_string(local::functions::workspace().join("template.yaml")).unwrap();
    let short = template.replacen("Timeout: 60", "Timeout: 23", 1);
    assert_ne!(template, short);
    let path = folder.path().join("template.yaml");
    std::fs::write(&path, short).unwrap();
    let parameters = [("MessagesPerSecond".to_owned(), "2".to_owned())].into();
    let system = System::start_from(Options { template: path, parameters, ..Options::default() }).await;
    let session_id = system.connect("ada").await;
    for message in 0..16 {
        let to = format!("+20100000000{}", message % 4);
        assert_eq!(system.send(&session_id, &to, "hello").await.status, 200);
    }
    // A status may tell that a message was sent before whoever posted it does.
    let attempts = async || {
        let sent = system.items("message").await.into_iter().filter(|row| row["from_me"] == true);
        sent.map(|row| row["attempts"].as_array().map_or(0, Vec::len)).collect::<Vec<_>>()
    };
    let patience = Duration::from_secs(180);
    system.until_within(patience, "each has its attempt", async || !attempts().await.contains(&0)).await;
    assert_eq!(attempts().await, [1; 16]);
    assert_eq!(system.accepted().await.len(), 16);
    assert!(!system.lines().iter().any(|line| line.contains("timed out")), "{:?}", system.lines());
}

/// Over no time is it ahead of its rate by more than one second's worth.
fn judge(times: &[i64], rate: usize) {
    for (first, from) in times.iter().enumerate() {
        for (last, to) in times.iter().enumerate().skip(first) {
            let allowed = rate + rate * usize::try_from(to - from).unwrap() / usize::try_from(SECOND).unwrap();
            assert!(last - first <= allowed, "{} messages in {} µs", last - first + 1, to - from);
        }
    }
}

/// Never more than the rate within a second, wherever that second begins; and at least 95 % of it in the whole.
fn judge_to_the_letter(times: &[i64], rate: usize) {
    let mut seconds: BTreeMap<i64, usize> = BTreeMap::new();
    for time in times {
        *seconds.entry(time / SECOND).or_default() += 1;
    }
    println!("by the second: {seconds:?}");
    let crowded = times.windows(rate + 1).map(|window| window[rate] - window[0]).min().unwrap();
    assert!(crowded >= SECOND, "{} messages in {crowded} µs", rate + 1);
    // The first and the last second are begun or ended within.
    let (first, last) = (*seconds.keys().next().unwrap(), *seconds.keys().next_back().unwrap());
    let whole: usize = (first + 1..last).map(|second| seconds.get(&second).copied().unwrap_or_default()).sum();
    let possible = rate * usize::try_from(last - first - 1).unwrap();
    println!("{whole} of {possible} possible");
    assert!(whole * 100 >= possible * 95, "{whole} of {possible} possible");
}

/// In microseconds since 1970.
fn accepted_at(accepted: &Value) -> i64 {
    let at: jiff::Timestamp = accepted["acceptedAt"].as_str().unwrap().parse().unwrap();
    at.as_microsecond()
}
