//! Priorities of one number: normal messages are sent before the bulk messages of other chats.

use std::{cell::Cell, time::Duration};

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::test_app::{TestApp, merge};

/// How many bulk messages WhatsApp may accept between the storing of a normal message and its acceptance: those that
/// were already on their way, and those of the time that a busy machine needs to start a process.
const ON_THEIR_WAY: usize = 40;

/// Bulk messages per chat.
const PER_CHAT: usize = 2;

/// Normal messages to chats without bulk messages.
const MAX_REPLIES: usize = 100;

/// A queue of bulk messages from one number.
struct Campaign {
    app: TestApp,
    session_id: String,
    messages: usize,
    /// How many messages WhatsApp had accepted when the test last looked.
    accepted: Cell<usize>,
}

/// A normal message that WhatsApp accepted.
struct Reply {
    latency: Duration,
    /// Messages that were accepted after the reply was stored and before it was accepted.
    overtaken_by: Vec<String>,
}

impl Campaign {
    /// Stores bulk messages with the texts `<chat>:<number in the chat>`. The number sends them meanwhile, at `rate`
    /// messages per second.
    async fn start(rate: usize, messages: usize) -> Self {
        let per_second = rate.to_string();
        let parameters =
            [("MessagesPerSecond", per_second.as_str()), ("ApiRateLimit", "10000"), ("ApiBurstLimit", "5000")];
        let app = TestApp::start_with(&parameters).await;
        app.set_throughput(rate).await;
        let contacts: Vec<String> =
            (0..messages / PER_CHAT).chain(messages..messages + MAX_REPLIES).map(contact).collect();
        app.open_windows(&contacts).await;
        let session_id = app.connect("ada").await;
        // Statuses do not matter here, and would take processor time from the processes under test.
        app.set_faults(&json!({"webhooks": {"hold": true}})).await;
        stream::iter(0..messages / PER_CHAT)
            .for_each_concurrent(16, async |chat| {
                for number in 0..PER_CHAT {
                    send(&app, &session_id, chat, &format!("{chat}:{number}"), "bulk").await;
                }
            })
            .await;
        Self { app, session_id, messages, accepted: Cell::new(0) }
    }

    /// Sends a normal message to a chat, and waits until WhatsApp has accepted it.
    async fn reply(&self, chat: usize, text: &str) -> Reply {
        let started = jiff::Timestamp::now();
        send(&self.app, &self.session_id, chat, text, "normal").await;
        let accepted_before = self.accepted().await;
        let place = async || self.app.accepted_from(accepted_before).await.iter().position(|other| body(other) == text);
        self.app.wait_until("the reply is accepted", async || place().await.is_some()).await;
        let place = place().await.unwrap();
        let mut accepted = self.app.accepted_from(accepted_before).await;
        let latency = accepted_at(&accepted[place]).duration_since(started).unsigned_abs();
        accepted.truncate(place);
        Reply { latency, overtaken_by: accepted.iter().map(body).map(str::to_owned).collect() }
    }

    /// Returns how many messages WhatsApp has accepted.
    async fn accepted(&self) -> usize {
        self.accepted.set(self.accepted.get() + self.app.accepted_from(self.accepted.get()).await.len());
        self.accepted.get()
    }

    /// Waits until WhatsApp has accepted a number of messages.
    async fn wait_for_accepted(&self, messages: usize) {
        let timeout = Duration::from_secs(60 + self.messages as u64 / 10);
        let is_accepted = async || !self.app.accepted_from(messages - 1).await.is_empty();
        self.app.wait_within(timeout, "more messages are accepted", is_accepted).await;
    }
}

/// Returns the phone number of a chat's contact.
fn contact(chat: usize) -> String {
    format!("+20100{chat:07}")
}

async fn send(app: &TestApp, session_id: &str, chat: usize, text: &str, priority: &str) {
    let body = json!({"sessionId": session_id, "to": contact(chat), "message": text});
    let response = app.post("/api/messages/send", &merge(body, &json!({"priority": priority}))).await;
    assert_eq!(response.status, 200, "{}", response.json);
}

fn body(accepted: &Value) -> &str {
    accepted["body"]["text"]["body"].as_str().unwrap()
}

fn accepted_at(accepted: &Value) -> jiff::Timestamp {
    accepted["acceptedAt"].as_str().unwrap().parse().unwrap()
}

/// `QASID_PRIORITIES_MESSAGES` sets the number of bulk messages, at 80 per second. Use it with a release build on an idle
/// machine and `--nocapture`, which shows the latencies and the rate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_overtake_a_campaign() {
    let requested = std::env::var("QASID_PRIORITIES_MESSAGES").ok().map(|number| number.parse().unwrap());
    let (rate, messages) = requested.map_or((20, 400), |messages| (80, messages));
    let replies = (messages / 20).min(MAX_REPLIES);
    let campaign = Campaign::start(rate, messages).await;
    let app = &campaign.app;
    let first = campaign.accepted().await;
    let mut latencies = Vec::new();
    for reply in 0..replies {
        // The replies are spread over the first half of what is left, so that a long queue is behind each of them.
        campaign.wait_for_accepted((first + (messages - first) * reply / (2 * replies)).max(1)).await;
        let found = campaign.reply(messages + reply, &format!("reply {reply}")).await;
        assert!(found.overtaken_by.len() <= ON_THEIR_WAY, "reply {reply} was accepted after {:?}", found.overtaken_by);
        latencies.push(found.latency);
    }
    let left = messages + replies - campaign.accepted().await;
    assert!(left > 2 * ON_THEIR_WAY, "the queue was too short: {left} messages are left");
    campaign.wait_for_accepted(messages + replies).await;

    let accepted = app.accepted().await;
    let mut texts: Vec<&str> = accepted.iter().map(body).collect();
    assert_in_order(&texts, messages);
    texts.sort_unstable();
    texts.dedup();
    assert_eq!((accepted.len(), texts.len()), (messages + replies, messages + replies), "each is accepted once");
    let refused = app.refused_sends().await;
    latencies.sort_unstable();
    let (median, max) = (latencies[latencies.len() / 2], latencies[latencies.len() - 1]);
    let span = accepted_at(&accepted[accepted.len() - 1]).duration_since(accepted_at(&accepted[0])).as_secs_f64();
    println!(
        "{replies} replies before {messages} bulk messages: median {median:?}, max {max:?}; {:.1} of {rate} messages per \
         second; refused (130429, 131056): {refused:?}",
        (accepted.len() - 1) as f64 / span,
    );
    assert_eq!(refused, (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reply_takes_the_bulk_messages_of_its_chat_along() {
    let messages = 400;
    let campaign = Campaign::start(5, messages).await;
    // The last chat of the queue. Its messages are sent one after the other.
    let chat = messages / PER_CHAT - 1;
    let most = (PER_CHAT + 1) * ON_THEIR_WAY;
    let mut overtaken_by = campaign.reply(chat, &format!("{chat}:reply")).await.overtaken_by;
    assert!(overtaken_by.len() <= most, "{overtaken_by:?}");
    let left = messages + 1 - campaign.accepted().await;
    assert!(left > most, "the queue was too short: {left} messages are left");
    let own = [format!("{chat}:0"), format!("{chat}:1")];
    overtaken_by.retain(|text| own.contains(text));
    assert_eq!(overtaken_by, own);
    assert_eq!(campaign.app.refused_sends().await, (0, 0));
}

/// Asserts that the bulk messages of each chat are in order.
fn assert_in_order(texts: &[&str], messages: usize) {
    let place = |text: String| texts.iter().position(|other| *other == text);
    for chat in 0..messages / PER_CHAT {
        let places: Vec<_> = (0..PER_CHAT).map(|number| place(format!("{chat}:{number}"))).collect();
        assert!(places.is_sorted() && places[0].is_some(), "{chat}: {places:?}");
    }
}
