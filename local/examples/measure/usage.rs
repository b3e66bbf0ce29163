//! DynamoDB requests and units of each kind of invocation.

use local::database::usage::Usage;
use serde_json::json;

use crate::{
    Result, events,
    harness::{Functions, Harness},
    report::{Table, print},
};

/// On-demand price of a million request units in us-east-1, in US dollars (Amazon DynamoDB pricing).
const MILLION_READS: f64 = 0.125;
const MILLION_WRITES: f64 = 0.625;

struct Rows {
    table: Table,
}

impl Rows {
    /// Adds a row with the usage per message. `messages` is the number of messages in the invocation.
    fn add(&mut self, function: &str, case: &str, usage: &Usage, messages: usize) {
        let share = |total: f64| total / messages as f64;
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

pub(crate) async fn measure(harness: &Harness) -> Result<()> {
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
    for function in harness.function_names() {
        let functions = harness.functions().await?;
        rows.add(function, "start of a process", &functions.lambda.provision(function).await?.usage, 1);
        functions.lambda.stop().await;
    }
    let functions = harness.functions().await?;
    rows.add("deliver", "schedule, no unfinished message", &functions.invoke("deliver", events::schedule()).await?, 1);
    let session_id = sessions(harness, &functions, &mut rows).await?;
    sending(&functions, &session_id, &mut rows).await?;
    deliveries(harness, &functions, &session_id, &mut rows).await?;
    receiving(harness, &functions, &mut rows).await?;
    import(&functions, &session_id, &mut rows).await?;
    worker(harness, &functions, &mut rows).await?;
    print(&format!("### DynamoDB per invocation\n\n{}", rows.table))
}

async fn sessions(harness: &Harness, functions: &Functions, rows: &mut Rows) -> Result<String> {
    let create = || events::create_session("another owner");
    let (response, usage) = functions.json("create-session", create()?).await?;
    rows.add("create-session", "new", &usage, 1);
    rows.add("create-session", "existing", &functions.invoke("create-session", create()?).await?, 1);
    let id = response["session"]["id"].as_str().ok_or("a session without an id")?;
    rows.add("session-status", "", &functions.invoke("session-status", events::session_status(id)?).await?, 1);
    rows.add("qr", "text", &functions.invoke("qr", events::qr_text(id)?).await?, 1);
    rows.add("qr", "image", &functions.invoke("qr", events::qr_image(id)?).await?, 1);
    expire_qr(harness, id)?;
    let (response, usage) = functions.json("qr", events::qr_text(id)?).await?;
    if response["expired"] != true {
        return Err(format!("the QR has not expired: {response}").into());
    }
    rows.add("qr", "expired: replaced", &usage, 1);
    let (session_id, usage) = harness.connect(functions).await?;
    rows.add("webhook", "pairing", &usage, 1);
    let resume = functions.invoke("session-resume", events::session_resume(&session_id)?).await?;
    rows.add("session-resume", "not paused", &resume, 1);
    Ok(session_id)
}

fn expire_qr(harness: &Harness, session_id: &str) -> Result<()> {
    let update = json!({
        "TableName": harness.database.table_name(),
        "Key": {"pk": {"S": format!("SESSION#{session_id}")}, "sk": {"S": "SESSION"}},
        "UpdateExpression": "SET qr_expires_at = :past",
        "ConditionExpression": "attribute_exists(qr_expires_at)",
        "ExpressionAttributeValues": {":past": {"S": "2026-01-01T00:00:00.000Z"}},
    });
    harness.database.embedded().update_item(serde_json::from_value(update)?)?;
    Ok(())
}

async fn sending(functions: &Functions, session_id: &str, rows: &mut Rows) -> Result<()> {
    for (case, contact, key) in [
        ("new chat", 1, None),
        ("existing chat", 1, None),
        ("existing chat, with an idempotency key", 1, Some("key")),
        ("repeated idempotency key", 1, Some("key")),
    ] {
        let event = events::send(session_id, &events::phone(contact), "Your order is on its way 🚚", key)?;
        rows.add("send-message", case, &functions.invoke("send-message", event).await?, 1);
    }
    Ok(())
}

async fn deliveries(harness: &Harness, functions: &Functions, session_id: &str, rows: &mut Rows) -> Result<()> {
    let (_, item) = harness.send(functions, session_id, &events::phone(500)).await?;
    let first = functions.invoke("deliver", events::stream_batch(&[item])?).await?;
    rows.add("deliver", "one message, the first of its session in the process", &first, 1);
    let (message, item) = harness.send(functions, session_id, &events::phone(501)).await?;
    let event = events::stream_batch(&[item])?;
    rows.add("deliver", "one message", &functions.invoke("deliver", event.clone()).await?, 1);
    rows.add("deliver", "repeated record", &functions.invoke("deliver", event).await?, 1);
    let details = events::message_details(&message.message_id.to_string())?;
    rows.add("message", "by id", &functions.invoke("message", details).await?, 1);
    let mut batch = Vec::new();
    for n in 0..100 {
        batch.push(harness.send(functions, session_id, &events::phone(1_000 + n)).await?.1);
    }
    let usage = functions.invoke("deliver", events::stream_batch(&batch)?).await?;
    rows.add("deliver", "each of 100 messages to 100 chats", &usage, batch.len());
    for (case, wamid, status, key) in [
        ("status `delivered` of our message", "wamid.ours", "delivered", Some(&message)),
        ("repeated status", "wamid.ours", "delivered", Some(&message)),
        ("status of another app's message", "wamid.other", "sent", None),
    ] {
        let usage = functions.invoke("webhook", events::status(wamid, status, key, &harness.app_secret)?).await?;
        rows.add("webhook", case, &usage, 1);
    }
    Ok(())
}

async fn receiving(harness: &Harness, functions: &Functions, rows: &mut Rows) -> Result<()> {
    let text = |n: usize, contact: usize| events::message(n, &events::phone(contact), "Where is my order? 📦");
    for (case, n, contact, cold) in [
        ("first message of a contact, cold process", 1, 2_001, true),
        ("first message of a contact", 2, 2_002, false),
        ("later message, cold process", 3, 2_001, true),
        ("later message", 4, 2_002, false),
        ("repeated message", 4, 2_002, false),
    ] {
        let event = events::webhook(&[text(n, contact)], &harness.app_secret)?;
        let usage = if cold {
            harness.functions().await?.invoke("webhook", event).await?
        } else {
            functions.invoke("webhook", event).await?
        };
        rows.add("webhook", case, &usage, 1);
    }
    for (case, first, contacts) in [
        ("each of 1,000 first messages of 1,000 contacts", 10_000, 1_000),
        ("each of 1,000 later messages of the same contacts", 20_000, 1_000),
        ("each of 1,000 messages of one contact", 30_000, 1),
    ] {
        let messages: Vec<_> = (0..1_000).map(|n| text(first + n, 3_000 + n % contacts)).collect();
        let usage = functions.invoke("webhook", events::webhook(&messages, &harness.app_secret)?).await?;
        rows.add("webhook", case, &usage, messages.len());
    }
    Ok(())
}

/// Measures the import of messages of another system.
async fn import(functions: &Functions, session_id: &str, rows: &mut Rows) -> Result<()> {
    for (case, first, contacts) in [
        ("each of 1,000 messages of 1,000 new contacts", 40_000, 1_000),
        ("each of 1,000 messages of 50 new contacts", 50_000, 50),
        ("the same 1,000 messages again, each", 50_000, 50),
        ("each of 1,000 messages of one new contact", 60_000, 1),
    ] {
        let event = events::import_messages(session_id, first, 1_000, contacts)?;
        rows.add("import-messages", case, &functions.invoke("import-messages", event).await?, 1_000);
    }
    Ok(())
}

/// Measures the endpoints for linked-device workers.
async fn worker(harness: &Harness, functions: &Functions, rows: &mut Rows) -> Result<()> {
    let session_id = harness.connect_worker(functions).await?;
    let (response, _) = functions.json("create-session", events::create_session("owner of another device")?).await?;
    let other = response["session"]["id"].as_str().ok_or("a session without an id")?;
    rows.add("session-qr", "", &functions.invoke("session-qr", events::session_qr(other)?).await?, 1);
    rows.add("session-state", "", &functions.invoke("session-state", events::session_state(other)?).await?, 1);
    let nothing = functions.invoke("outbox-claim", events::outbox_claim(&session_id, 10)?).await?;
    rows.add("outbox-claim", "nothing to send", &nothing, 1);
    harness.send(functions, &session_id, &events::phone(5_000)).await?;
    let (response, usage) = functions.json("outbox-claim", events::outbox_claim(&session_id, 10)?).await?;
    rows.add("outbox-claim", "one message", &usage, 1);
    let settle = events::outbox_settle(&response["messages"][0])?;
    rows.add("outbox-settle", "sent", &functions.invoke("outbox-settle", settle).await?, 1);
    for (case, n) in [("first message of a contact", 1), ("later message", 2), ("repeated message", 2)] {
        let event = events::receive_message(&session_id, n, &events::phone(6_000))?;
        rows.add("receive-message", case, &functions.invoke("receive-message", event).await?, 1);
    }
    Ok(())
}

/// Formats a number with up to three decimals: `2`, `0.5`, `1.022`.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
