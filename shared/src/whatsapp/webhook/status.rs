//! What became of messages that went out (Meta: "status messages webhook reference").

use serde_json::value::RawValue;

use super::json::Members;
use crate::{
    domain::message::Receipt, domain::message_key::MessageKey, domain::status_update::StatusUpdate,
    domain::whatsapp_error::WhatsAppError, whatsapp::errors::GraphError,
};

/// The most of `pricing` and `conversation` that is kept, in bytes. They are small; a row is not to grow with what is odd.
const DETAIL_LIMIT: usize = 1024;

/// Reads one status, with the key of its row where we sent the message.
pub(super) fn read(number: &str, raw: &RawValue) -> Result<(StatusUpdate, Option<MessageKey>), &'static str> {
    let status = Members::read(raw).ok_or("a status that is no object")?;
    let wamid = status.wamid("id")?;
    let word = status.text("status").ok_or("no status")?;
    let receipt = Receipt::parse(&word).ok_or("an unknown status")?;
    let at = status.time("timestamp").ok_or("no time")?;
    let key = status.text("biz_opaque_callback_data").and_then(|data| data.parse().ok());
    let errors: Vec<GraphError> = status.list("errors").unwrap_or_default().into_iter().filter_map(error).collect();
    let error = (receipt == Receipt::Failed)
        .then(|| errors.first().map_or_else(|| "WhatsApp gave no reason".to_owned(), ToString::to_string));
    let conversation = status.members("conversation");
    // Group statuses have it inside of `conversation`.
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

fn error(raw: &RawValue) -> Option<GraphError> {
    serde_json::from_str(raw.get()).ok()
}

fn detail(raw: &RawValue) -> Option<String> {
    (raw.get().starts_with('{') && raw.get().len() <= DETAIL_LIMIT).then(|| raw.get().to_owned())
}

/// The member of a group that a status is about. Meta's pages write the name both ways.
fn participant(status: &Members<'_>) -> Option<String> {
    let names = ["recipient_participant_id", "participant_recipient_id", "recipient_participant_user_id"];
    let named = names.into_iter().find_map(|name| status.text(name));
    named.filter(|id| id.len() <= 140)
}
