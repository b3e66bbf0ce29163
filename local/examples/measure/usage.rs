//! What each kind of request asks of DynamoDB.

use local::database::usage::Usage;
use serde_json::json;

use crate::report::{Table, say};
use crate::rig::{Functions, Rig};
use crate::{Result, events};

/// US dollars for a million request units, on demand, in us-east-1 (Amazon DynamoDB pricing).
const MILLION_READS: f64 = 0.125;
const MILLION_WRITES: f64 = 0.625;

struct Rows {
    table: Table,
}

impl Rows {
    /// `parts` is how many messages the invocation brought: the figures are for one of them.
    fn add(&mut self, function: &str, case: &str, usage: &Usage, parts: usize) {
        let share = |whole: f64| whole / parts as f64;
        let cost = usage.read_units * MILLION_READS + usage.write_units * MILLION_WRITES;
        let operations: Vec<String> = usage.operations.iter().map(|(name, count)| format!("{count} {name}")).collect();
        self.table.row([
            function.to_owned(),
            case.to_owned(),
            number(share(usage.requests as f64)),
            number(share(usage.read_units)),
            number(share(usage.write_units)),
            format!("{:.3}", share(cost)),
            operations.join(", "),
        ]);
    }
}

pub(crate) async fn measure(rig: &Rig) -> Result<()> {
    let header = [
        "function",
        "case",
        "requests",
        "read units",
        "write units",
        "USD per million",
        "operations of the invocation",
    ];
    let mut rows = Rows { table: Table::new(&header) };
    for function in rig.function_names() {
        let functions = rig.functions().await?;
        rows.add(function, "start of a process", &functions.lambda.provision(function).await?.usage, 1);
        functions.lambda.stop().await;
    }
    let functions = rig.functions().await?;
    rows.add("deliver", "schedule, no unfinished message", &functions.invoke("deliver", events::schedule()).await?, 1);
    let session_id = sessions(rig, &functions, &mut rows).await?;
    sending(&functions, &session_id, &mut rows).await?;
    deliveries(rig, &functions, &session_id, &mut rows).await?;
    receiving(rig, &functions, &mut rows).await?;
    working(rig, &functions, &mut rows).await?;
    say(&format!("### DynamoDB per invocation\n\n{}", rows.table))
}

async fn sessions(rig: &Rig, functions: &Functions, rows: &mut Rows) -> Result<String> {
    let create = || events::create_session("another owner");
    let (answer, usage) = functions.json("create-session", create()?).await?;
    rows.add("create-session", "new", &usage, 1);
    rows.add("create-session", "existing", &functions.invoke("create-session", create()?).await?, 1);
    let id = answer["session"]["id"].as_str().ok_or("a session without an id")?;
    rows.add("session-status", "", &functions.invoke("session-status", events::session_status(id)?).await?, 1);
    rows.add("qr", "text", &functions.invoke("qr", events::qr_text(id)?).await?, 1);
    rows.add("qr", "image", &functions.invoke("qr", events::qr_image(id)?).await?, 1);
    expire_qr(rig, id)?;
    let (answer, usage) = functions.json("qr", events::qr_text(id)?).await?;
    if answer["expired"] != true {
        return Err(format!("the QR has not expired: {answer}").into());
    }
    rows.add("qr", "expired: replaced", &usage, 1);
    let (session_id, usage) = rig.connect(functions).await?;
    rows.add("webhook", "pairing", &usage, 1);
    let resume = functions.invoke("session-resume", events::session_resume(&session_id)?).await?;
    rows.add("session-resume", "not paused", &resume, 1);
    Ok(session_id)
}

fn expire_qr(rig: &Rig, session_id: &str) -> Result<()> {
    let update = json!({
        "TableName": rig.database.table_name(),
        "Key": {"pk": {"S": format!("SESSION#{session_id}")}, "sk": {"S": "SESSION"}},
        "UpdateExpression": "SET qr_expires_at = :past",
        "ConditionExpression": "attribute_exists(qr_expires_at)",
        "ExpressionAttributeValues": {":past": {"S": "2026-01-01T00:00:00.000Z"}},
    });
    rig.database.embedded().update_item(serde_json::from_value(update)?)?;
    Ok(())
}

async fn sending(functions: &Functions, session_id: &str, rows: &mut Rows) -> Result<()> {
    for (case, contact, key) in [
        ("new chat", 1, None),
        ("existing chat", 1, None),
        ("existing chat, with an idempotency key", 1, Some("key")),
        ("the same key again", 1, Some("key")),
    ] {
        let event = events::send(session_id, &events::phone(contact), key)?;
        rows.add("send-message", case, &functions.invoke("send-message", event).await?, 1);
    }
    Ok(())
}

async fn deliveries(rig: &Rig, functions: &Functions, session_id: &str, rows: &mut Rows) -> Result<()> {
    let (_, item) = rig.send(functions, session_id, &events::phone(500)).await?;
    let first = functions.invoke("deliver", events::stream_batch(&[item])?).await?;
    rows.add("deliver", "one message, the first of its session in the process", &first, 1);
    let (message, item) = rig.send(functions, session_id, &events::phone(501)).await?;
    let event = events::stream_batch(&[item])?;
    rows.add("deliver", "one message", &functions.invoke("deliver", event.clone()).await?, 1);
    rows.add("deliver", "the same record again", &functions.invoke("deliver", event).await?, 1);
    let details = events::message_details(&message.message_id.to_string())?;
    rows.add("message", "by our id", &functions.invoke("message", details).await?, 1);
    let mut batch = Vec::new();
    for n in 0..100 {
        batch.push(rig.send(functions, session_id, &events::phone(1_000 + n)).await?.1);
    }
    let usage = functions.invoke("deliver", events::stream_batch(&batch)?).await?;
    rows.add("deliver", "each of 100 messages to 100 chats", &usage, batch.len());
    for (case, wamid, status, key) in [
        ("status `delivered` of our message", "wamid.ours", "delivered", Some(&message)),
        ("the same status again", "wamid.ours", "delivered", Some(&message)),
        ("status of another application's message", "wamid.other", "sent", None),
    ] {
        let usage = functions.invoke("webhook", events::status(wamid, status, key, &rig.app_secret)?).await?;
        rows.add("webhook", case, &usage, 1);
    }
    Ok(())
}

async fn receiving(rig: &Rig, functions: &Functions, rows: &mut Rows) -> Result<()> {
    let text = |n: usize, contact: usize| events::message(n, &events::phone(contact), "Where is my order? 📦");
    for (case, n, contact, cold) in [
        ("first message of a contact, cold process", 1, 2_001, true),
        ("first message of a contact", 2, 2_002, false),
        ("message after it, cold process", 3, 2_001, true),
        ("message after it", 4, 2_002, false),
        ("the same message again", 4, 2_002, false),
    ] {
        let event = events::webhook(&[text(n, contact)], &rig.app_secret)?;
        let usage = if cold {
            rig.functions().await?.invoke("webhook", event).await?
        } else {
            functions.invoke("webhook", event).await?
        };
        rows.add("webhook", case, &usage, 1);
    }
    for (case, first, contacts) in [
        ("each of 1,000 first messages of 1,000 contacts", 10_000, 1_000),
        ("each of 1,000 messages of the same contacts", 20_000, 1_000),
        ("each of 1,000 messages of one contact", 30_000, 1),
    ] {
        let messages: Vec<_> = (0..1_000).map(|n| text(first + n, 3_000 + n % contacts)).collect();
        let usage = functions.invoke("webhook", events::webhook(&messages, &rig.app_secret)?).await?;
        rows.add("webhook", case, &usage, messages.len());
    }
    Ok(())
}

/// The endpoints of a linked-device worker.
async fn working(rig: &Rig, functions: &Functions, rows: &mut Rows) -> Result<()> {
    let session_id = rig.connect_worker(functions).await?;
    let (answer, _) = functions.json("create-session", events::create_session("owner of another device")?).await?;
    let other = answer["session"]["id"].as_str().ok_or("a session without an id")?;
    rows.add("session-qr", "", &functions.invoke("session-qr", events::session_qr(other)?).await?, 1);
    rows.add("session-state", "", &functions.invoke("session-state", events::session_state(other)?).await?, 1);
    let nothing = functions.invoke("outbox-claim", events::outbox_claim(&session_id, 10)?).await?;
    rows.add("outbox-claim", "nothing to send", &nothing, 1);
    rig.send(functions, &session_id, &events::phone(5_000)).await?;
    let (answer, usage) = functions.json("outbox-claim", events::outbox_claim(&session_id, 10)?).await?;
    rows.add("outbox-claim", "one message", &usage, 1);
    let settle = events::outbox_settle(&answer["messages"][0])?;
    rows.add("outbox-settle", "sent", &functions.invoke("outbox-settle", settle).await?, 1);
    for (case, n) in [("first message of a contact", 1), ("message after it", 2), ("the same message again", 2)] {
        let event = events::receive_message(&session_id, n, &events::phone(6_000))?;
        rows.add("receive-message", case, &functions.invoke("receive-message", event).await?, 1);
    }
    Ok(())
}

/// `2`, `0.5`, `1.022`.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
