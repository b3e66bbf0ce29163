//! Webhook parsing (Meta, *Webhooks overview* and *messages webhook reference*).
//!
//! A body contains up to 1,000 updates in entries and changes. Each update is parsed independently from its own raw
//! JSON. One that is unknown or invalid becomes a [`WebhookEvent`] and doesn't affect the others. Bytes that aren't UTF-8
//! are replaced.

mod call;
mod contact_update;
mod contacts;
mod content;
mod json;
mod message;
mod parser;
mod saved_name;
mod status;

use serde_json::value::RawValue;

use self::{json::decode, parser::Parser};
use crate::domain::{
    identity::Address,
    inbound::Inbound,
    message::Source,
    message_key::MessageKey,
    profile::Profile,
    status_update::{PaymentUpdate, StatusUpdate},
    webhook_event::WebhookEvent,
};

pub use contact_update::ContactUpdate;
pub use json::replace_lone_surrogates;
pub use message::{DeviceMessage, from_device};

/// An update in a webhook.
#[derive(Debug)]
pub enum Update {
    /// A message from a contact, or one that the business sent without Qasid.
    Message(Box<ReceivedMessage>),
    /// A status of an outbound message, with its key if Qasid sent the message.
    Status(Box<StatusUpdate>, Option<MessageKey>),
    /// A status of the payment that an outbound message asks for.
    Payment(PaymentUpdate),
    /// News about a contact's addresses, or about the name of a contact or group.
    Contact {
        /// The business number that received the webhook.
        phone_number_id: String,
        /// The message that reports it, if any.
        wamid: Option<String>,
        /// The news.
        update: ContactUpdate,
    },
    /// Any other update, unchanged.
    Event(WebhookEvent),
}

/// A message with its conversation.
#[derive(Debug)]
pub struct ReceivedMessage {
    /// The business number that received or sent the message.
    pub phone_number_id: String,
    /// The number's WhatsApp Business Account.
    pub waba_id: Option<String>,
    /// The contact or group.
    pub peer: Peer,
    /// The way the message arrived. `None` for a live message.
    pub source: Option<Source>,
    /// The message.
    pub message: Inbound,
}

/// The contact or group that the business exchanges messages with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The contact's addresses, or the group's. At least one, phone number first.
    pub addresses: Vec<Address>,
    /// The contact's profile. Empty for a group.
    pub profile: Profile,
    /// The contact's entry of `contacts` as JSON.
    pub contact: Option<String>,
}

/// The body isn't JSON.
#[derive(Debug, thiserror::Error)]
#[error("the body is not JSON")]
pub struct InvalidJson(#[source] serde_json::Error);

/// Parses a webhook body into its updates, in their order.
///
/// # Errors
/// If the body isn't JSON.
pub fn updates(body: &[u8]) -> Result<Vec<Update>, InvalidJson> {
    let body = decode(body);
    let body = replace_lone_surrogates(&body);
    let webhook: &RawValue = serde_json::from_slice(&body).map_err(InvalidJson)?;
    Ok(Parser::default().parse(webhook))
}

#[cfg(test)]
mod tests;
