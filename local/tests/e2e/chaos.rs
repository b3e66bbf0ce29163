//! Concurrent failures of WhatsApp, its statuses, DynamoDB, and `deliver` itself.
//!
//! The faults, their order, and the killed processes come from a seed, which the test prints. The scheduling of
//! processes and requests is real, so a seed repeats the faults but not the exact run.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use fastrand::Rng;
use local::database::{Fault, RandomFaults};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    function_failures::{kill_process, processes},
    test_app::TestApp,
};

/// Messages per chat: fewer than the burst of 45 for one recipient, so a chat that waits for the lease of a killed
/// process is a small part of the run.
const PER_CHAT: usize = 10;

/// Concurrent sends.
const SENDERS: usize = 8;

/// How often the faults change in a run.
const STEPS: usize = 24;

/// The test kills processes at every sixth step. Messages that they had claimed block their chats until the lease
/// expires.
const KILL_EVERY: usize = 6;

/// Processes killed in one step. More would block nearly every chat.
const KILLED_AT_ONCE: usize = 1;

/// The limit for one wait: `deliver` rechecks an abandoned claim after two minutes.
const TIMEOUT: Duration = Duration::from_secs(240);

/// WhatsApp's error code for an accepted message that it could not deliver. No injected send error uses it.
const UNDELIVERABLE: u32 = 131_026;

/// `QASID_CHAOS_MESSAGES` sets the number of messages. `QASID_CHAOS_SEED` repeats the faults of a run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_settles_as_whatsapp_reports_it() {
    settle_all(1000, |_| Vec::new()).await;
}

/// Some chats have normal messages, some have bulk messages, and some have both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_messages_settle_and_stay_in_order_with_normal_ones() {
    settle_all(40, |rng| {
        let bulk = [0, 100, 50][rng.usize(0..3)];
        (0..PER_CHAT).map(|_| rng.u32(0..100) < bulk).collect()
    })
    .await;
}

/// Sends messages at a rate, of which those of each chat are bulk messages as `bulk` returns, while faults occur.
async fn settle_all(rate: usize, bulk: impl Fn(&mut Rng) -> Vec<bool>) {
    let messages = number("QASID_CHAOS_MESSAGES").map_or(300, |number| usize::try_from(number).unwrap());
    let seed = number("QASID_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("QASID_CHAOS_SEED={seed} QASID_CHAOS_MESSAGES={messages}");
    let mut rng = Rng::with_seed(seed);
    let started = std::time::Instant::now();

    let per_second = rate.to_string();
    let parameters = [
        ("MessagesPerSecond", per_second.as_str()),
        ("UnknownDeadlineSeconds", "30"),
        ("ApiRateLimit", "10000"),
        ("ApiBurstLimit", "5000"),
    ];
    let app = TestApp::start_with(&parameters).await;
    app.set_throughput(rate).await;
    let contacts: Vec<String> = (0..messages.div_ceil(PER_CHAT)).map(contact).collect();
    app.open_windows(&contacts).await;
    let session_id = app.connect("ada").await;
    app.set_faults(&json!({"sends": {"mix": {"seed": rng.u64(..), "faults": send_faults()}}})).await;
    let functions = vec!["deliver".to_owned(), "webhook".to_owned()];
    let random_faults = RandomFaults { seed: rng.u64(..), percent: 6, functions, faults: Fault::TRANSIENT.to_vec() };
    app.running().database().faults().inject_random(random_faults);

    let bulk: Vec<Vec<bool>> = (0..messages.div_ceil(PER_CHAT)).map(|_| bulk(&mut rng)).collect();
    let (ids, killed) =
        tokio::join!(store(&app, &session_id, messages, &bulk), change_faults(&app, &mut rng, messages));
    println!("faults for {:?}", started.elapsed());
    app.clear_injected_faults();
    app.clear_faults().await;
    // A message that a killed process had claimed becomes `unknown` after its lease expires, and fails at its deadline.
    app.wait_within(TIMEOUT, "no message is due", async || app.due_count().await == 0).await;
    let no_webhook_pending = async || app.simulator("GET", "/simulator/webhooks", &Value::Null).await["pending"] == 0;
    app.wait_within(TIMEOUT, "every status has arrived", no_webhook_pending).await;
    assert_settled(&app, &ids, killed).await;
    assert_eq!(app.refused_sends().await, (0, 0), "no rate limit is exceeded");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().unwrap())
}

/// Returns the percentage of sends that fail in each way: every error class except those that pause the session.
fn send_faults() -> Value {
    json!([
        {"percent": 2, "fault": {"errorCode": 130_429, "httpStatus": 429, "retryAfter": 1}},
        {"percent": 2, "fault": {"errorCode": 80007}},
        {"percent": 1, "fault": {"errorCode": 131_057}},
        {"percent": 1, "fault": {"errorCode": 131_056}},
        {"percent": 2, "fault": {"errorCode": 131_000}},
        {"percent": 1, "fault": {"errorCode": 2}},
        {"percent": 1, "fault": {"errorCode": 131_009}},
        {"percent": 1, "fault": {"errorCode": 999_999}},
        {"percent": 2, "fault": {"dropBeforeAcceptance": true}},
        {"percent": 3, "fault": {"dropAfterAcceptance": true}},
        {"percent": 1, "fault": {"timeoutBeforeAcceptance": 700}},
        {"percent": 2, "fault": {"timeoutAfterAcceptance": 1_500}},
        {"percent": 3, "fault": {"failedStatus": UNDELIVERABLE}},
    ])
}

/// Returns the phone number of a chat's contact.
fn contact(chat: usize) -> String {
    format!("+20100{chat:07}")
}

/// Stores the messages, those of one chat sequentially, and returns their ids.
async fn store(app: &TestApp, session_id: &str, messages: usize, bulk: &[Vec<bool>]) -> Vec<String> {
    let senders = Semaphore::new(SENDERS);
    let chats = (0..messages.div_ceil(PER_CHAT)).map(async |chat| {
        let to = contact(chat);
        let mut ids = Vec::new();
        for number in 0..PER_CHAT.min(messages - chat * PER_CHAT) {
            let _sender = senders.acquire().await.unwrap();
            let mut body = json!({"sessionId": session_id, "to": to, "message": format!("{chat}:{number}")});
            if bulk[chat].get(number) == Some(&true) {
                body["priority"] = json!("bulk");
            }
            let response = app.post("/api/messages/send", &body).await;
            assert_eq!(response.status, 200, "{}", response.json);
            ids.push(response.json["message"]["id"].as_str().unwrap().to_owned());
        }
        ids
    });
    futures_util::future::join_all(chats).await.concat()
}

/// Changes the faults whenever more messages are accepted, and returns the number of killed processes.
async fn change_faults(app: &TestApp, rng: &mut Rng, messages: usize) -> usize {
    let (mut killed, mut queued, mut statuses) = (0, 0, 3);
    for step in 0..STEPS {
        // The simulator counts the statuses of accepted messages. The steps cover half of the messages, because some
        // are never accepted and others wait for a lease to expire.
        queued += (messages * 5 / 10 / STEPS) as u64 * statuses;
        let is_next_step = async || {
            let counts = app.simulator("GET", "/simulator/webhooks", &Value::Null).await;
            counts["queued"].as_u64().unwrap() >= queued
        };
        app.wait_within(TIMEOUT, "more messages are accepted", is_next_step).await;
        let (duplicates, no_delivered, no_read) = (rng.u64(0..3), rng.u32(0..4) == 0, rng.u32(0..4) == 0);
        let webhooks = json!({
            "duplicates": duplicates,
            "reorder": rng.bool(),
            "hold": rng.u32(0..4) == 0,
            "noDelivered": no_delivered,
            "noRead": no_read,
        });
        let counts = app.simulator("GET", "/simulator/webhooks", &Value::Null).await;
        app.set_faults(&json!({"webhooks": webhooks})).await;
        queued = counts["queued"].as_u64().unwrap();
        statuses = (1 + duplicates) * (3 - u64::from(no_delivered) - u64::from(no_read));
        // More consecutive failures than the SDK and the functions retry.
        let function = ["deliver", "webhook"][rng.usize(0..2)];
        let operation = ["UpdateItem", "GetItem", "Query"][rng.usize(0..3)];
        app.inject_function_fault(function, operation, Fault::TRANSIENT[rng.usize(0..4)], rng.u32(1..12));
        if step % KILL_EVERY == 0 {
            let mut running = processes(app, "deliver");
            rng.shuffle(&mut running);
            running.truncate(KILLED_AT_ONCE);
            killed += running.into_iter().filter(|pid| kill_process(*pid)).count();
        }
    }
    killed
}

async fn assert_settled(app: &TestApp, ids: &[String], killed: usize) {
    let items: Vec<Value> = app.items("message").await.into_iter().filter(|item| item["from_me"] == true).collect();
    let by_id: HashMap<&str, &Value> = items.iter().map(|item| (item["id"].as_str().unwrap(), item)).collect();
    assert_eq!(by_id.len(), items.len());
    let mut stored: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut found: Vec<&str> = by_id.keys().copied().collect();
    stored.sort_unstable();
    found.sort_unstable();
    assert_eq!(stored, found, "exactly the sent messages are stored");

    let accepted = app.accepted().await;
    let mut by_text: HashMap<&str, &Value> = HashMap::new();
    let mut last_of_chat: BTreeMap<usize, usize> = BTreeMap::new();
    for message in &accepted {
        let text = message["body"]["text"]["body"].as_str().unwrap();
        assert!(by_text.insert(text, message).is_none(), "WhatsApp accepted {text} twice");
        let (chat, number) = text.split_once(':').unwrap();
        let number: usize = number.parse().unwrap();
        if let Some(last) = last_of_chat.insert(chat.parse().unwrap(), number) {
            assert!(last < number, "{text} follows {last}");
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for item in &items {
        let text = item["body"].as_str().unwrap();
        let status = item["status"].as_str().unwrap();
        *counts.entry(status).or_default() += 1;
        let error = item["error"].as_str().unwrap_or_default();
        let is_undelivered = error.contains(&UNDELIVERABLE.to_string());
        match by_text.get(text) {
            Some(message) => {
                assert_eq!(item["wamid"], message["id"], "{item:#}");
                let is_expected = match status {
                    "failed" => is_undelivered,
                    "sent" | "delivered" | "read" => error.is_empty(),
                    _ => false,
                };
                assert!(is_expected, "WhatsApp accepted the message: {item:#}");
            }
            None => assert!(
                status == "failed" && !error.is_empty() && !is_undelivered,
                "WhatsApp did not accept the message: {item:#}"
            ),
        }
        for attribute in ["due_key", "due_at", "lease", "lease_until"] {
            assert!(item.get(attribute).is_none(), "{attribute} is removed: {item:#}");
        }
    }
    let attempts =
        |min: usize| items.iter().filter(|item| item["attempts"].as_array().map_or(0, Vec::len) >= min).count();
    println!("{} accepted, {counts:?}, {} retried, {killed} processes killed", accepted.len(), attempts(2));
    assert!(killed > 0 && attempts(2) > 0 && counts.contains_key("failed"), "faults occurred");
}
