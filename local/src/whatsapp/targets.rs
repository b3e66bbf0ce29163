//! Messages that other messages are about: the targets of replies, reactions, and read receipts.

use super::{
    graph_error::GraphError,
    phones::{Entry, MessageState, Phones},
    send::OutboundMessage,
    users::User,
    webhook::BusinessNumber,
};

/// How long a message can get reactions (Meta, *Reaction messages*).
const REACTION_SECONDS: i64 = 30 * 24 * 60 * 60;

/// A parameter has an invalid value (Meta, *Error codes*).
const INVALID_VALUE_CODE: u32 = 131_009;

/// The conversation of a business number with a user.
pub(super) struct Conversation<'a> {
    pub(super) phones: &'a Phones,
    pub(super) number: &'a BusinessNumber,
    pub(super) user: &'a User,
}

impl Conversation<'_> {
    /// Refuses a reply to a message outside of the conversation. A reply to a deleted or old message is sent without the
    /// quotation (Meta, *Contextual replies*).
    pub(super) fn check_reply(&self, message: &OutboundMessage) -> Result<(), GraphError> {
        match target(message, "context") {
            Some(id) if self.find(id).is_none() => {
                let details = format!("context['message_id'] is not a message of this conversation: {id}");
                Err(GraphError::new(INVALID_VALUE_CODE, Some(details)))
            }
            _ => Ok(()),
        }
    }

    /// Returns the code with which an accepted reaction fails: its target must be a message of the conversation, not
    /// deleted, not a reaction, and up to 30 days old (Meta, *Reaction messages*). `now` is in Unix seconds.
    pub(super) fn reaction_failure(&self, message: &OutboundMessage, now: i64) -> Option<u32> {
        let id = target(message, "reaction")?;
        let can_be_shown =
            |entry: &Entry| entry.kind != "reaction" && !entry.is_deleted() && now - entry.at <= REACTION_SECONDS;
        if self.find(id).is_some_and(can_be_shown) { None } else { Some(INVALID_VALUE_CODE) }
    }

    fn find(&self, id: &str) -> Option<&Entry> {
        let (key, entry) = self.phones.find(id)?;
        (key == self.user.key() && is_known(entry, self.number)).then_some(entry)
    }
}

/// Refuses a read receipt for anything but a message that the number received (Meta, *Mark messages as read*).
pub(super) fn check_received(phones: &Phones, number: &BusinessNumber, id: &str) -> Result<(), GraphError> {
    if phones.find(id).is_some_and(|(_, entry)| !entry.is_of_business() && is_known(entry, number)) {
        return Ok(());
    }
    let details = format!("message_id is not a message that this number received: {id}");
    Err(GraphError::new(INVALID_VALUE_CODE, Some(details)))
}

/// Returns whether a number sent or received a message. The messages of blocked users stay `sent`. A call is no message.
fn is_known(entry: &Entry, number: &BusinessNumber) -> bool {
    let has_arrived = entry.is_of_business() || entry.state != MessageState::Sent;
    has_arrived && entry.kind != "call" && entry.phone_number_id == number.phone_number_id
}

/// Returns the `message_id` in the object `name` of a message.
fn target<'a>(message: &'a OutboundMessage, name: &str) -> Option<&'a str> {
    let is_set = name == "context" || name == message.kind;
    message.body.get(name).filter(|_| is_set)?.get("message_id")?.as_str()
}
