//! Statuses of outbound messages (Meta, *status messages webhook reference*).

use serde_json::value::RawValue;

use super::json::Object;
use crate::{
    domain::{message::Receipt, message_key::MessageKey, status_update::StatusUpdate, whatsapp_error::WhatsAppError},
    whatsapp::errors::GraphError,
};

/// The maximum size of `pricing` and `conversation`, in bytes. Larger ones are dropped, which keeps items small.
const DETAIL_LIMIT: usize = 1024;

/// The maximum length of a group participant's ID, in bytes.
const PARTICIPANT_LIMIT: usize = 140;

/// Parses a status, with the message's key if Qasid sent the message. The error says why it is unusable.
pub(super) fn parse(number: &str, raw: &RawValue) -> Result<(StatusUpdate, Option<MessageKey>), &'static str> {
    let status = Object::parse(raw).ok_or("the status isn't an object")?;
    let wamid = status.wamid("id")?;
    let name = status.string("status").ok_or("missing status")?;
    let receipt = Receipt::parse(&name).ok_or("unknown status")?;
    let at = status.time("timestamp").ok_or("missing timestamp")?;
    let key = status.string("biz_opaque_callback_data").and_then(|data| data.parse().ok());
    let errors = GraphError::parse_list(status.array("errors"));
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
        pricing: pricing.and_then(detail),
        conversation: status.raw("conversation").and_then(detail),
        participant: participant(&status),
    };
    Ok((update, key))
}

fn detail(raw: &RawValue) -> Option<String> {
    (raw.get().starts_with('{') && raw.get().len() <= DETAIL_LIMIT).then(|| raw.get().to_owned())
}

/// Returns the group participant of a status. Meta's documentation has both spellings.
fn participant(status: &Object<'_>) -> Option<String> {
    let keys = ["recipient_participant_id", "participant_recipient_id", "recipient_participant_user_id"];
    let id = keys.into_iter().find_map(|key| status.string(key));
    id.filter(|id| id.len() <= PARTICIPANT_LIMIT)
}
