//! Statuses of outbound messages (Meta, *status messages webhook reference*), and of the payments that they ask for
//! (Meta, *Payments API*).

use serde_json::{Value, value::RawValue};

use super::json::Object;
use crate::{
    domain::{
        message::Receipt,
        message_action::Payment,
        message_key::MessageKey,
        status_update::{PaymentUpdate, StatusUpdate},
        whatsapp_error::WhatsAppError,
    },
    whatsapp::errors::GraphError,
};

/// The maximum size of `pricing` and `conversation`, in bytes. Larger ones are dropped, which keeps items small.
const DETAIL_LIMIT: usize = 1024;

/// The maximum length of a group participant's ID, in bytes.
const PARTICIPANT_LIMIT: usize = 140;

/// The maximum size of a payment's details, in bytes. Larger ones are dropped. The event has them.
const PAYMENT_LIMIT: usize = 4096;

/// The maximum length of a payment's status, in bytes.
const PAYMENT_STATUS_LIMIT: usize = 64;

/// A status in a webhook.
pub(super) enum ParsedStatus {
    /// A delivery status, with the message's key if Qasid sent the message.
    Delivery(Box<StatusUpdate>, Option<MessageKey>),
    /// The status of a payment.
    Payment(PaymentUpdate),
}

/// Parses a status by its `type`. The error says why it is unusable.
pub(super) fn parse(number: &str, raw: &RawValue) -> Result<ParsedStatus, &'static str> {
    let status = Object::parse(raw).ok_or("the status isn't an object")?;
    match status.value("type") {
        None => delivery(number, &status),
        // As the On-Premises API wrote it.
        Some(Value::String(name)) if name == "message" => delivery(number, &status),
        Some(Value::String(name)) if name == "payment" => payment(number, &status).map(ParsedStatus::Payment),
        Some(_) => Err("unknown type of a status"),
    }
}

fn payment(number: &str, status: &Object<'_>) -> Result<PaymentUpdate, &'static str> {
    let wamid = status.wamid("id")?;
    let name = status.string("status").ok_or("missing status")?;
    if name.len() > PAYMENT_STATUS_LIMIT {
        return Err("unknown status");
    }
    let at = status.time("timestamp").ok_or("missing timestamp")?;
    let details = status.raw("payment").and_then(|raw| object_text(raw, PAYMENT_LIMIT));
    let payment = Payment { status: name, at, details };
    Ok(PaymentUpdate { phone_number_id: number.to_owned(), wamid, payment })
}

fn delivery(number: &str, status: &Object<'_>) -> Result<ParsedStatus, &'static str> {
    let wamid = status.wamid("id")?;
    let name = status.string("status").ok_or("missing status")?;
    let receipt = Receipt::parse(&name).ok_or("unknown status")?;
    let at = status.timestamp()?;
    let key = status.string("biz_opaque_callback_data").and_then(|data| data.parse().ok());
    let errors = GraphError::parse_list(status.raw("errors"));
    let error = (receipt == Receipt::Failed)
        .then(|| errors.first().map_or_else(|| "WhatsApp gave no reason".to_owned(), ToString::to_string));
    let conversation = status.object("conversation");
    // In group statuses, `pricing` is inside `conversation`.
    let pricing = status.raw("pricing").or_else(|| conversation.as_ref().and_then(|inner| inner.raw("pricing")));
    let update = StatusUpdate {
        phone_number_id: number.to_owned(),
        wamid,
        receipt,
        at,
        error,
        errors: errors.iter().map(WhatsAppError::from).collect(),
        pricing: pricing.and_then(|raw| object_text(raw, DETAIL_LIMIT)),
        conversation: status.raw("conversation").and_then(|raw| object_text(raw, DETAIL_LIMIT)),
        participant: participant(status),
    };
    Ok(ParsedStatus::Delivery(Box::new(update), key))
}

/// Returns the text of an object of at most `limit` bytes.
fn object_text(raw: &RawValue, limit: usize) -> Option<String> {
    (raw.get().starts_with('{') && raw.get().len() <= limit).then(|| raw.get().to_owned())
}

/// Returns the group participant of a status. Meta's documentation has both spellings.
fn participant(status: &Object<'_>) -> Option<String> {
    let keys = ["recipient_participant_id", "participant_recipient_id", "recipient_participant_user_id"];
    let id = keys.into_iter().find_map(|key| status.string(key));
    id.filter(|id| id.len() <= PARTICIPANT_LIMIT)
}
