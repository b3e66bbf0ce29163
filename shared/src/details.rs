//! A message with all that became of it, as answers give it.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    message::{Attempt, Message, MessageRow},
    store::StatusTimes,
    time::Timestamp,
};

/// A message as `GET /api/messages/{messageId}` and the lists of messages give it: `null` where unset.
#[derive(Debug, Serialize)]
pub struct MessageDetails {
    #[serde(flatten)]
    row: MessageRow,
    to: Option<String>,
    /// The Cloud API's object that was sent.
    content: Option<Box<RawValue>>,
    valid_until: Option<Timestamp>,
    attempts: Vec<Attempt>,
    statuses: StatusTimes,
}

impl MessageDetails {
    /// Fails when the stored content is not the JSON that the API has checked.
    pub fn new(message: Message, statuses: StatusTimes) -> Result<Self, serde_json::Error> {
        Ok(Self {
            row: message.row(),
            to: message.to,
            content: message.content.map(RawValue::from_string).transpose()?,
            valid_until: message.valid_until,
            attempts: message.attempts,
            statuses,
        })
    }
}
