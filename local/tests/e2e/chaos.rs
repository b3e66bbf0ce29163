//! Everything fails at once: WhatsApp, its statuses, DynamoDB, and `deliver` itself.
//!
//! What the test chooses (faults, their order, whom it kills) comes from a seed that it prints. What the machine chooses,
//! such as which request of which process comes next, stays real, so a seed repeats the kinds of trouble and not a run
//! to the microsecond.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use fastrand::Rng;
use local::database::{Fault, Odds};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    faults::{kill_process, processes},
    system::System,
};

/// Messages of one chat: fewer than the 45 that one recipient may get without a pause, and so few that a chat which a
/// killed process holds up is not most of the run.
const PER_CHAT: usize = 10;

/// How many messages are stored at once.
const SENDERS: usize = 8;

/// How often the trouble changes in a run.
const STEPS: usize = 24;

/// In every so many of these steps processes are killed. What they had claimed holds its chat up until its lease is over.
const KILL_EVERY: usize = 6;

/// How many processes are killed in such a step. More would hold up nearly every chat.
const KILLED_AT_ONCE: usize = 1;

/// How long anything may take: a claim that is left behind is looked at after two minutes.
const PATIENCE: Duration = Duration::from_secs(240);

/// WhatsApp's word on a message that it accepted and could not deliver. No send is refused with it.
const UNDELIVERABLE: u32 = 131_026;

const TABLE_FAULTS: [Fault; 5] = [
    Fault::Throttled,
    Fault::InternalServerError,
    Fault::InternalServerErrorAfterCommit,
    Fault::ConnectionLostAfterCommit,
    Fault::TransactionConflict,
];

/// `QASID_CHAOS_MESSAGES` says how many messages, `QASID_CHAOS_SEED` repeats a run's choices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_ends_as_whatsapp_knows_it_whatever_fails() {
    let messages = number("QASID_CHAOS_MESSAGES").map_or(300, |number| usize::try_from(number).unwrap());
    let seed = number("QASID_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("QASID_CHAOS_SEED={seed} QASID_CHAOS_MESSAGES={messages}");
    let mut chance = Rng::with_seed(seed);
    let started = std::time::Instant::now();

    let parameters = [
        ("MessagesPerSecond", "1000"),
        ("UnknownDeadlineSeconds", "30"),
        ("ApiRateLimit", "10000"),
        ("ApiBurstLimit", "5000"),
    ];
    let system = System::start_with(&parameters).await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"sends": {"mix": {"seed": chance.u64(..), "faults": send_faults()}}})).await;
    let functions = vec!["deliver".to_owned(), "webhook".to_owned()];
    let odds = Odds { seed: chance.u64(..), percent: 6, functions, faults: TABLE_FAULTS.to_vec() };
    system.running().database().faults().draw(odds);

    let (ids, killed) = tokio::join!(store(&system, &session_id, messages), trouble(&system, &mut chance, messages));
    println!("troubled for {:?}", started.elapsed());
    system.clear_table_faults();
    system.clear_faults().await;
    // What a killed process had claimed is of unknown fate when its lease is over, and given up some time later.
    system.until_within(PATIENCE, "nothing is left to do", async || system.due().await == 0).await;
    let told = async || system.simulator("GET", "/simulator/webhooks", &Value::Null).await["pending"] == 0;
    system.until_within(PATIENCE, "every status has come", told).await;
    judge(&system, &ids, killed).await;
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().unwrap())
}

/// How many of 100 sends fail in which way: at least one of each class but those that stop the whole session.
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

/// Stores the messages, those of one chat one after the other. Their ids.
async fn store(system: &System, session_id: &str, messages: usize) -> Vec<String> {
    let senders = Semaphore::new(SENDERS);
    let chats = (0..messages.div_ceil(PER_CHAT)).map(async |chat| {
        let to = format!("+20100{chat:07}");
        let mut ids = Vec::new();
        for number in 0..PER_CHAT.min(messages - chat * PER_CHAT) {
            let _sender = senders.acquire().await.unwrap();
            let answer = system.send(session_id, &to, &format!("{chat}:{number}")).await;
            assert_eq!(answer.status, 200, "{}", answer.json);
            ids.push(answer.json["message"]["id"].as_str().unwrap().to_owned());
        }
        ids
    });
    futures_util::future::join_all(chats).await.concat()
}

/// Changes what fails each time that some more messages are accepted. How many processes were killed.
async fn trouble(system: &System, chance: &mut Rng, messages: usize) -> usize {
    let (mut killed, mut queued, mut statuses) = (0, 0, 3);
    for step in 0..STEPS {
        // WhatsApp counts statuses: so many for each message that it accepts. Over half of the messages, not all, as some
        // are never accepted and others wait for a lease to end.
        queued += (messages * 5 / 10 / STEPS) as u64 * statuses;
        let enough = async || {
            let counts = system.simulator("GET", "/simulator/webhooks", &Value::Null).await;
            counts["queued"].as_u64().unwrap() >= queued
        };
        system.until_within(PATIENCE, "more are accepted", enough).await;
        let (duplicates, no_delivered, no_read) = (chance.u64(0..3), chance.u32(0..4) == 0, chance.u32(0..4) == 0);
        let webhooks = json!({
            "duplicates": duplicates,
            "reorder": chance.bool(),
            "hold": chance.u32(0..4) == 0,
            "noDelivered": no_delivered,
            "noRead": no_read,
        });
        let counts = system.simulator("GET", "/simulator/webhooks", &Value::Null).await;
        system.faults(&json!({"webhooks": webhooks})).await;
        queued = counts["queued"].as_u64().unwrap();
        statuses = (1 + duplicates) * (3 - u64::from(no_delivered) - u64::from(no_read));
        // More in a row than the SDK and our own retries have patience for.
        let function = ["deliver", "webhook"][chance.usize(0..2)];
        let operation = ["UpdateItem", "GetItem", "Query"][chance.usize(0..3)];
        system.function_table_fails(function, operation, TABLE_FAULTS[chance.usize(0..4)], chance.u32(1..12));
        if step % KILL_EVERY == 0 {
            let mut running = processes(system, "deliver");
            chance.shuffle(&mut running);
            running.truncate(KILLED_AT_ONCE);
            killed += running.into_iter().filter(|pid| kill_process(*pid)).count();
        }
    }
    killed
}

async fn judge(system: &System, ids: &[String], killed: usize) {
    let rows: Vec<Value> = system.items("message").await.into_iter().filter(|row| row["from_me"] == true).collect();
    let by_id: HashMap<&str, &Value> = rows.iter().map(|row| (row["id"].as_str().unwrap(), row)).collect();
    assert_eq!(by_id.len(), rows.len());
    let mut stored: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut found: Vec<&str> = by_id.keys().copied().collect();
    stored.sort_unstable();
    found.sort_unstable();
    assert_eq!(stored, found, "none is lost, and none is made up");

    let accepted = system.accepted().await;
    let mut by_text: HashMap<&str, &Value> = HashMap::new();
    let mut last_of_chat: BTreeMap<usize, usize> = BTreeMap::new();
    for message in &accepted {
        let text = message["body"]["text"]["body"].as_str().unwrap();
        assert!(by_text.insert(text, message).is_none(), "{text} is accepted twice");
        let (chat, number) = text.split_once(':').unwrap();
        let number: usize = number.parse().unwrap();
        if let Some(last) = last_of_chat.insert(chat.parse().unwrap(), number) {
            assert!(last < number, "{text} comes after {last}");
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        let text = row["body"].as_str().unwrap();
        let status = row["status"].as_str().unwrap();
        *counts.entry(status).or_default() += 1;
        let error = row["error"].as_str().unwrap_or_default();
        let is_undelivered = error.contains(&UNDELIVERABLE.to_string());
        match by_text.get(text) {
            Some(message) => {
                assert_eq!(row["wamid"], message["id"], "{row:#}");
                let is_right = match status {
                    "failed" => is_undelivered,
                    "sent" | "delivered" | "read" => error.is_empty(),
                    _ => false,
                };
                assert!(is_right, "WhatsApp accepted it: {row:#}");
            }
            None => assert!(status == "failed" && !error.is_empty() && !is_undelivered, "not accepted: {row:#}"),
        }
        for done in ["due_key", "due_at", "lease", "lease_until"] {
            assert!(row.get(done).is_none(), "{done} is left over: {row:#}");
        }
    }
    let attempts =
        |least: usize| rows.iter().filter(|row| row["attempts"].as_array().map_or(0, Vec::len) >= least).count();
    println!("{} accepted, {counts:?}, {} tried again, {killed} processes killed", accepted.len(), attempts(2));
    assert!(killed > 0 && attempts(2) > 0 && counts.contains_key("failed"), "there was trouble");
}
