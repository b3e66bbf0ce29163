//! Pinned messages of groups.

use serde_json::Value;

use super::{ContentError, MESSAGE_ID_LIMIT, object::Object};

/// Reads `pin` (Meta, *Groups API*, pin and unpin group message).
pub(super) fn pin(mut object: Object<'_>) -> Result<Value, ContentError> {
    let operation = object.word("type", &["pin", "unpin"])?;
    object.text("message_id", MESSAGE_ID_LIMIT)?;
    if object.optional_whole("expiration_days", 1..=30)?.is_none() && operation == "pin" {
        return Err(object.missing("expiration_days"));
    }
    object.finish()
}
