//! Concurrent failures of the receivers of webhooks, of the table, and of `relay` and `notify`.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Mutex,
    time::Duration,
};

use fastrand::Rng;
use local::database::{Fault, RandomFaults};
use serde_json::{Value, json};

use crate::{
    receiver::{Delivery, Receiver, Reply},
    test_app::TestApp,
};

/// Contacts. The messages of each are a chat.
const CONTACTS: usize = 25;

/// Messages in one webhook of WhatsApp.
const PER_WEBHOOK: usize = 10;

/// How often processes are killed.
const KILLS: usize = 8;

/// The limit for one wait. A failed delivery is retried after 5 seconds, a minute, and 5 minutes.
const TIMEOUT: Duration = Duration::from_secs(900);

/// Longer than `notify` waits for a response.
const TOO_LATE: Duration = Duration::from_secs(16);

/// Fails some requests in every way that a receiver can.
fn fail_sometimes(receiver: &Receiver, seed: u64) {
    let failures = [
        (20, Reply::status(500)),
        // Each of these pauses the deliveries.
        (2, Reply::status(429).header("retry-after", 1)),
        (20, Reply::close()),
        (3, Reply::hang()),
        (3, Reply::status(200).after(TOO_LATE)),
    ];
    for (number, (per_mille, reply)) in failures.into_iter().enumerate() {
        let rng = Mutex::new(Rng::with_seed(seed + number as u64));
        receiver.when(move |_| rng.lock().unwrap().u32(0..1000) < per_mille, reply);
    }
}

/// `QASID_WEBHOOK_MESSAGES` sets the number of messages. `QASID_CHAOS_SEED` repeats the faults of a run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_webhook_gets_every_change_at_least_once() {
    let number = |variable: &str| std::env::var(variable).ok().map(|number| number.parse::<u64>().unwrap());
    let messages = number("QASID_WEBHOOK_MESSAGES").map_or(120, |number| usize::try_from(number).unwrap());
    let seed = number("QASID_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
    println!("QASID_CHAOS_SEED={seed} QASID_WEBHOOK_MESSAGES={messages}");

    let app = TestApp::start().await;
    let session_id = app.connect("ada").await;
    let (unordered, ordered) = (Receiver::start().await, Receiver::start().await);
    for (receiver, order) in [(&unordered, "none"), (&ordered, "chat")] {
        let events = ["message.received", "message.failed"];
        let webhook = json!({"sessionId": session_id, "url": receiver.url("/"), "events": events, "order": order});
        app.create_webhook(&webhook).await;
    }
    fail_sometimes(&unordered, seed);
    fail_sometimes(&ordered, seed + 100);
    let functions = vec!["relay".to_owned(), "notify".to_owned()];
    app.running().database().faults().inject_random(RandomFaults {
        seed,
        percent: 4,
        functions,
        faults: Fault::TRANSIENT.to_vec(),
    });

    let writing = async {
        for first in (0..messages).step_by(PER_WEBHOOK) {
            let numbers = first..messages.min(first + PER_WEBHOOK);
            let texts = numbers.map(|number| {
                let from = format!("20100123{:04}", number % CONTACTS);
                json!({"from": from, "name": "Mona", "text": number.to_string()})
            });
            let texts: Vec<Value> = texts.collect();
            app.simulator("POST", "/simulator/messages", &json!({"messages": texts})).await;
        }
    };
    let killing = async {
        for step in 0..KILLS {
            let is_reached = async || unordered.deliveries().len() >= step * messages / KILLS / 2;
            app.wait_within(TIMEOUT, "more changes are delivered", is_reached).await;
            app.kill(["notify", "relay"][step % 2]).await;
        }
    };
    tokio::join!(writing, killing);
    app.clear_injected_faults();
    for receiver in [&unordered, &ordered] {
        receiver.clear_rules();
    }
    for receiver in [&unordered, &ordered] {
        let is_complete = async || accepted_texts(receiver).len() == messages;
        app.wait_within(TIMEOUT, "every change is delivered", is_complete).await;
    }
    assert_ids_are_stable(&[unordered.deliveries(), ordered.deliveries()].concat());
    assert_in_order(&ordered.deliveries());
}

fn text(delivery: &Delivery) -> String {
    let event = delivery.json();
    assert_eq!(event["type"], "message.received", "{event:#}");
    event["data"]["message"]["body"].as_str().unwrap().to_owned()
}

fn accepted_texts(receiver: &Receiver) -> HashSet<String> {
    receiver.accepted().iter().map(text).collect()
}

/// Each change has one ID, which no other change has.
fn assert_ids_are_stable(deliveries: &[Delivery]) {
    let mut ids: HashMap<String, String> = HashMap::new();
    for delivery in deliveries {
        let id = delivery.header("webhook-id").to_owned();
        assert_eq!(delivery.json()["data"]["id"], *id);
        let known = ids.entry(text(delivery)).or_insert_with(|| id.clone());
        assert_eq!(*known, id, "{}", delivery.json());
    }
    assert_eq!(ids.values().collect::<HashSet<_>>().len(), ids.len());
}

/// No change of a chat arrives before the receiver has accepted the previous one.
fn assert_in_order(deliveries: &[Delivery]) {
    let mut accepted: BTreeMap<usize, usize> = BTreeMap::new();
    for delivery in deliveries {
        let number: usize = text(delivery).parse().unwrap();
        let next = accepted.entry(number % CONTACTS).or_insert(number % CONTACTS);
        assert!(number <= *next, "{number} arrives before {next} is accepted");
        if number == *next && delivery.is_accepted() {
            *next += CONTACTS;
        }
    }
}
