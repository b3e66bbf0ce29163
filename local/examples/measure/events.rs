//! Invocation events: those in `events/` with other bodies and queries.

use axum::body::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use local::functions;
use serde_json::{Value, json};
use sha2::Sha256;
use shared::domain::message_key::MessageKey;

use crate::Result;

pub(crate) const WABA_ID: &str = "102290129340398";

fn load(path: &str) -> Result<Value> {
    let text = std::fs::read(functions::workspace().join("events").join(path))?;
    Ok(serde_json::from_slice(&text)?)
}

fn bytes(event: &Value) -> Bytes {
    event.to_string().into()
}

fn with_body(path: &str, body: &Value) -> Result<Bytes> {
    let mut event = load(path)?;
    event["body"] = body.to_string().into();
    Ok(bytes(&event))
}

fn with_query(path: &str, query: &str) -> Result<Bytes> {
    let mut event = load(path)?;
    event["rawQueryString"] = query.into();
    Ok(bytes(&event))
}

pub(crate) fn create_session(owner: &str) -> Result<Bytes> {
    with_body("create-session/new.json", &json!({"userId": owner}))
}

pub(crate) fn session_status(session_id: &str) -> Result<Bytes> {
    with_query("session-status/session.json", &format!("sessionId={session_id}"))
}

pub(crate) fn qr_text(session_id: &str) -> Result<Bytes> {
    with_query("qr/text.json", &format!("sessionId={session_id}"))
}

pub(crate) fn qr_image(session_id: &str) -> Result<Bytes> {
    with_query("qr/text.json", &format!("sessionId={session_id}&format=image"))
}

pub(crate) fn session_resume(session_id: &str) -> Result<Bytes> {
    with_body("session-resume/not-paused.json", &json!({"sessionId": session_id}))
}

pub(crate) fn session_qr(session_id: &str) -> Result<Bytes> {
    let body = json!({"sessionId": session_id, "qr": "2@Wx3mZJ0b7vQ1n,8yq2Qm9Jx0c=,kT5w2A==", "expiresInSeconds": 20});
    with_body("session-qr/code.json", &body)
}

pub(crate) fn session_state(session_id: &str) -> Result<Bytes> {
    let body = json!({"sessionId": session_id, "isConnected": true, "isReady": true});
    with_body("session-state/connected.json", &body)
}

pub(crate) fn outbox_claim(session_id: &str, limit: usize) -> Result<Bytes> {
    let body = json!({"sessionId": session_id, "limit": limit, "leaseSeconds": 600});
    with_body("outbox-claim/claim.json", &body)
}

/// Returns an event that settles a claimed message as sent.
pub(crate) fn outbox_settle(claimed: &Value) -> Result<Bytes> {
    let sent = json!({"id": format!("3EB0{}", claimed["id"].as_str().unwrap_or_default())});
    let body = json!({"messageId": claimed["id"], "lease": claimed["lease"], "sent": sent});
    with_body("outbox-settle/sent.json", &body)
}

pub(crate) fn receive_message(session_id: &str, n: usize, from: &str) -> Result<Bytes> {
    let body = json!({
        "sessionId": session_id,
        "id": format!("3EB0{n:016}"),
        "from": format!("{from}@s.whatsapp.net"),
        "timestamp": yesterday() + n as i64,
        "name": "Grace",
        "type": "text",
        "text": {"body": "Is it in stock?"},
    });
    with_body("receive-message/text.json", &body)
}

/// Returns an event that imports the messages from `first` on, each contact's in turn.
pub(crate) fn import_messages(session_id: &str, first: usize, count: usize, contacts: usize) -> Result<Bytes> {
    let message = |n: usize| {
        let timestamp = jiff::Timestamp::from_second(yesterday() + n as i64).map(|at| at.to_string());
        json!({
            "id": format!("00000000-0000-4000-8000-{n:012}"),
            "contact": phone(first + n % contacts),
            "name": "Grace",
            "fromMe": n.is_multiple_of(2),
            "body": "Is it in stock?",
            "timestamp": timestamp.unwrap_or_default(),
            "wamid": format!("wamid.HBgMMjAxMDAxMjM0NTY3FQIAEhgUM0E{n:020}"),
        })
    };
    let messages: Vec<_> = (first..first + count).map(message).collect();
    with_body("import-messages/history.json", &json!({"sessionId": session_id, "messages": messages}))
}

/// Returns an event that reads the message with this id.
pub(crate) fn message_details(id: &str) -> Result<Bytes> {
    let mut event = load("message/unknown-id.json")?;
    event["pathParameters"]["messageId"] = id.into();
    event["rawPath"] = format!("/api/messages/{id}").into();
    Ok(bytes(&event))
}

pub(crate) fn not_found() -> Result<Bytes> {
    Ok(bytes(&load("not-found/unknown-path.json")?))
}

pub(crate) fn schedule() -> Bytes {
    bytes(&json!({"source": "aws.events", "detail-type": "Scheduled Event"}))
}

pub(crate) fn send(session_id: &str, to: &str, text: &str, idempotency_key: Option<&str>) -> Result<Bytes> {
    let body = json!({"sessionId": session_id, "to": to, "message": text});
    let mut event = load("send-message/text.json")?;
    event["body"] = body.to_string().into();
    if let Some(key) = idempotency_key {
        event["headers"]["idempotency-key"] = key.into();
    }
    Ok(bytes(&event))
}

/// Returns the key of the message in a `send-message` response.
pub(crate) fn message_key(response: &Value) -> Result<MessageKey> {
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("a response without a message");
    Ok(MessageKey {
        chat_id: text(&response["chat"]["id"])?.parse()?,
        time: text(&response["message"]["timestamp"])?.parse()?,
        message_id: text(&response["message"]["id"])?.parse()?,
    })
}

/// Returns a batch of stream records with these items, which are in DynamoDB's typed JSON.
pub(crate) fn stream_batch(items: &[Value]) -> Result<Bytes> {
    let mut event = load("deliver/pending-message.json")?;
    let template = event["Records"][0].clone();
    let record = |item: &Value| {
        let mut record = template.clone();
        for key in ["pk", "sk"] {
            record["dynamodb"]["Keys"][key] = item[key].clone();
        }
        record["dynamodb"]["NewImage"] = item.clone();
        record
    };
    event["Records"] = items.iter().map(record).collect();
    Ok(bytes(&event))
}

/// Returns the phone number of contact `n`.
pub(crate) fn phone(n: usize) -> String {
    format!("2010{n:08}")
}

/// Returns a contact and their text message in WhatsApp's shape, with a phone number and a user id. A higher `n` is
/// later.
pub(crate) fn message(n: usize, from: &str, text: &str) -> (Value, Value) {
    message_at(yesterday() + n as i64, n, from, text)
}

/// Like [`message`], sent now.
pub(crate) fn message_of_now(n: usize, from: &str, text: &str) -> (Value, Value) {
    message_at(Timestamp::now().as_second(), n, from, text)
}

fn message_at(timestamp: i64, n: usize, from: &str, text: &str) -> (Value, Value) {
    let user_id = format!("EG.{from}");
    let contact = json!({"profile": {"name": "Nadia"}, "wa_id": from, "user_id": user_id});
    let message = json!({
        "from": from,
        "from_user_id": user_id,
        "id": format!("wamid.{n:060}"),
        "timestamp": timestamp.to_string(),
        "type": "text",
        "text": {"body": text},
    });
    (contact, message)
}

/// Returns yesterday's time in seconds since 1970: inbound messages must be older than the replies to them.
fn yesterday() -> i64 {
    Timestamp::now().as_second() - 24 * 60 * 60
}

pub(crate) fn webhook(messages: &[(Value, Value)], app_secret: &str) -> Result<Bytes> {
    let (contacts, messages): (Vec<_>, Vec<_>) = messages.iter().cloned().unzip();
    signed(&json!({"contacts": contacts, "messages": messages}), app_secret)
}

/// Returns a webhook with a status; `key` is its callback data.
pub(crate) fn status(wamid: &str, status: &str, key: Option<&MessageKey>, app_secret: &str) -> Result<Bytes> {
    let mut update = json!({
        "id": wamid,
        "status": status,
        "timestamp": Timestamp::now().as_second().to_string(),
        "recipient_id": phone(0),
    });
    if let Some(key) = key {
        update["biz_opaque_callback_data"] = key.to_string().into();
    }
    signed(&json!({"statuses": [update]}), app_secret)
}

fn signed(members: &Value, app_secret: &str) -> Result<Bytes> {
    let mut event = load("webhook/text-message.json")?;
    let example: Value = serde_json::from_str(event["body"].as_str().unwrap_or_default())?;
    let mut value = members.clone();
    for name in ["messaging_product", "metadata"] {
        value[name] = example["entry"][0]["changes"][0]["value"][name].clone();
    }
    let change = json!({"value": value, "field": "messages"});
    let body =
        json!({"object": "whatsapp_business_account", "entry": [{"id": WABA_ID, "changes": [change]}]}).to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes())?;
    mac.update(body.as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    event["headers"]["x-hub-signature-256"] = format!("sha256={signature}").into();
    event["body"] = body.into();
    Ok(bytes(&event))
}
