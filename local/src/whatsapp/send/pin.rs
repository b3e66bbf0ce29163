//! Pins of group messages (Meta, *Group messaging*).

use serde_json::Value;

use super::param::{Param, required};
use crate::whatsapp::graph_error::GraphError;

pub(super) fn check(content: &Value) -> Result<(), GraphError> {
    let pin = Param::new("pin".to_owned(), content, &["type", "message_id", "expiration_days"])?;
    let operation = pin.word("type", &["pin", "unpin"])?;
    pin.required_text("message_id")?;
    match pin.integer("expiration_days", 1..=30)? {
        None if operation == "pin" => Err(required(format!("{} is required to pin.", pin.path("expiration_days")))),
        _ => Ok(()),
    }
}
