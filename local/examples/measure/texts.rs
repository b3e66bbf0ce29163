//! DynamoDB units of a text message by the length of its text.

use std::time::Duration;

use local::database::usage::Usage;

use crate::{
    Result, events,
    harness::{Functions, Harness},
    report::{Table, print},
    usage::number,
};

/// Prose without repetition, because the table compresses texts.
const ENGLISH: &str = include_str!("texts/english.txt");
const ARABIC: &str = include_str!("texts/arabic.txt");

/// The texts: their language, their prose, and their length in characters.
const TEXTS: [(&str, &str, usize); 6] = [
    ("ASCII", ENGLISH, 15),
    ("ASCII", ENGLISH, 160),
    ("ASCII", ENGLISH, 500),
    ("Arabic", ARABIC, 150),
    ("Arabic", ARABIC, 300),
    ("Arabic", ARABIC, 1_000),
];

/// The rounds before the measurement. A chat's first messages cost more.
const FIRST_ROUNDS: usize = 2;

/// The measured rounds. The table shows the cheapest: others can cross the border of an interval of the inbox, or miss
/// the time of a permit.
const ROUNDS: usize = 3;

/// The usage of a message from the contact and one to them.
#[derive(Default)]
struct Conversation {
    inbound: Usage,
    send: Usage,
    deliver: Usage,
    statuses: Usage,
}

pub(crate) async fn measure(harness: &Harness) -> Result<()> {
    let functions = harness.functions().await?;
    let (session_id, _) = harness.connect(&functions).await?;
    for (title, pause, phones) in [
        ("right after the previous message", Duration::ZERO, 1_000),
        ("at least 10 seconds after the previous message", Duration::from_secs(10), 2_000),
    ] {
        let table = conversations(harness, &functions, &session_id, pause, phones).await?;
        print(&format!("### Units by text length, {title}: write units (read units)\n\n{table}"))?;
    }
    Ok(())
}

async fn conversations(
    harness: &Harness,
    functions: &Functions,
    session_id: &str,
    pause: Duration,
    phones: usize,
) -> Result<Table> {
    let mut conversations: Vec<Conversation> = Vec::new();
    for round in 0..FIRST_ROUNDS + ROUNDS {
        // The functions use the real clock.
        let pause = if round < FIRST_ROUNDS { Duration::ZERO } else { pause };
        let mut found: Vec<Conversation> = Vec::new();
        tokio::time::sleep(pause).await;
        for (contact, &(_, prose, length)) in TEXTS.iter().enumerate() {
            let n = phones + round * TEXTS.len() + contact;
            let message = events::message_of_now(n, &events::phone(phones + contact), &text(prose, length));
            let inbound = functions.invoke("webhook", events::webhook(&[message], &harness.app_secret)?).await?;
            found.push(Conversation { inbound, ..Conversation::default() });
        }
        tokio::time::sleep(pause).await;
        for (contact, (&(_, prose, length), found)) in TEXTS.iter().zip(&mut found).enumerate() {
            let phone = events::phone(phones + contact);
            let event = events::send(session_id, &phone, &text(prose, length), None)?;
            outbound(harness, functions, event, found).await?;
        }
        match round {
            0..FIRST_ROUNDS => {}
            FIRST_ROUNDS => conversations = found,
            _ => conversations.iter_mut().zip(found).for_each(|(least, found)| least.keep_cheaper(found)),
        }
    }
    let mut table = Table::new(&["text", "inbound", "send", "deliver", "three statuses", "outbound"]);
    for ((language, _, length), Conversation { inbound, send, deliver, statuses }) in TEXTS.iter().zip(conversations) {
        let sum = [&send, &deliver, &statuses].into_iter().fold(Usage::default(), add);
        let units = |usage: &Usage| format!("{} ({})", number(usage.write_units), number(usage.read_units));
        let cells = [&inbound, &send, &deliver, &statuses, &sum].map(units);
        table.row([format!("{length} {language} characters")].into_iter().chain(cells));
    }
    Ok(table)
}

/// Sends a message, delivers it, and reports its statuses.
async fn outbound(
    harness: &Harness,
    functions: &Functions,
    event: axum::body::Bytes,
    found: &mut Conversation,
) -> Result<()> {
    let output;
    (output, found.send) = functions.json("send-message", event).await?;
    let message = events::message_key(&output)?;
    found.deliver = functions.invoke("deliver", events::stream_batch(&[harness.item(&message)?])?).await?;
    let details = events::message_details(&message.message_id.to_string())?;
    let (output, _) = functions.json("message", details).await?;
    let wamid = output["message"]["wamid"].as_str().ok_or("a message that was not sent")?;
    for status in ["sent", "delivered", "read"] {
        let event = events::status(wamid, status, Some(&message), &harness.app_secret)?;
        found.statuses = add(std::mem::take(&mut found.statuses), &functions.invoke("webhook", event).await?);
    }
    Ok(())
}

impl Conversation {
    /// Replaces each usage with the other's if that is cheaper.
    fn keep_cheaper(&mut self, other: Conversation) {
        for (least, other) in [
            (&mut self.inbound, other.inbound),
            (&mut self.send, other.send),
            (&mut self.deliver, other.deliver),
            (&mut self.statuses, other.statuses),
        ] {
            if other.write_units < least.write_units {
                *least = other;
            }
        }
    }
}

fn add(mut sum: Usage, usage: &Usage) -> Usage {
    sum.write_units += usage.write_units;
    sum.read_units += usage.read_units;
    sum
}

fn text(prose: &str, length: usize) -> String {
    prose.chars().take(length).collect()
}
