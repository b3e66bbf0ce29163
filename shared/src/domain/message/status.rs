//! The status of a message and the transitions of an outbound one.

use serde::{
    Deserialize, Serialize,
    de::value::{self, StrDeserializer},
};

/// The delivery status of a message.
///
/// An outbound message moves through `pending → sending → sent → delivered → read → played`. From `sending` it can also
/// return to `pending` (not sent), or move to `unknown` (outcome unknown) or `failed`. [`MessageStatus::on`] defines
/// every transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// Inbound: stored.
    Received,
    /// Outbound: stored and waiting to be sent.
    Pending,
    /// Outbound: claimed by a `deliver` invocation, which is sending it or stopped while sending it.
    Sending,
    /// Outbound: the outcome of the send is unknown. A status webhook from WhatsApp or the session's
    /// [`UnknownPolicy`](crate::domain::session::UnknownPolicy) resolves it.
    Unknown,
    /// Accepted by WhatsApp.
    Sent,
    /// Not accepted by WhatsApp: rejected, expired, withheld, or unknown until its deadline. A later receipt overrides this
    /// status.
    Failed,
    /// Accepted by WhatsApp, which later reported that it could not deliver the message. Stored and returned as
    /// `failed`.
    #[serde(rename(serialize = "failed", deserialize = "undelivered"))]
    Undelivered,
    /// On the recipient's device.
    Delivered,
    /// Read by the recipient.
    Read,
    /// A voice message that the recipient played.
    Played,
}

/// An event in the life of an outbound message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// `deliver` claimed the message to send it.
    Claimed,
    /// The request did not reach WhatsApp, or WhatsApp answered that it did not process it and allows a retry.
    NotSent,
    /// The request may have reached WhatsApp: there was no response, or the response doesn't say.
    Unanswered,
    /// WhatsApp accepted the message and returned its wamid.
    Accepted,
    /// WhatsApp rejected the message permanently.
    Rejected,
    /// No status webhook arrived for an `unknown` message before its deadline, and the session's policy is `fail`.
    GivenUp,
    /// No status webhook arrived for an `unknown` message before its deadline, and the session's policy is `resend`.
    Resent,
    /// The message expired before it could be sent.
    Expired,
    /// The contact opted out of marketing messages before this one was sent.
    Withheld,
    /// A status webhook arrived.
    Receipt(Receipt),
}

/// The status that a status webhook reports (Meta, *Status messages webhook reference*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// The message left WhatsApp's servers.
    Sent,
    /// The message reached the recipient's device.
    Delivered,
    /// The recipient read the message.
    Read,
    /// The recipient played the voice message.
    Played,
    /// WhatsApp could not deliver the message.
    Failed,
}

impl MessageStatus {
    /// Returns the status after `event`, or `None` if the event doesn't change the status.
    ///
    /// This function is the only definition of the status transitions.
    pub fn on(self, event: DeliveryEvent) -> Option<Self> {
        use DeliveryEvent as E;
        match (self, event) {
            (Self::Pending, E::Claimed) => Some(Self::Sending),
            (Self::Sending, E::NotSent) => Some(Self::Pending),
            (Self::Sending, E::Unanswered) => Some(Self::Unknown),
            // From `unknown` if the response arrives after the lease has expired.
            (Self::Sending | Self::Unknown, E::Accepted) => Some(Self::Sent),
            (Self::Sending, E::Rejected) => Some(Self::Failed),
            (Self::Unknown, E::GivenUp) => Some(Self::Failed),
            (Self::Unknown, E::Resent) => Some(Self::Pending),
            (Self::Pending, E::Expired | E::Withheld) => Some(Self::Failed),
            (Self::Received, _) => None,
            // Webhooks arrive more than once, out of order, and before the response to the send request, so a receipt
            // only ever raises the rank.
            (from, E::Receipt(receipt)) => {
                let to = receipt.status();
                (from.rank() < to.rank()).then_some(to)
            }
            _ => None,
        }
    }

    /// Returns whether `deliver` has finished with the message. Receipts can still change the status.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Sending | Self::Unknown)
    }

    /// Returns whether WhatsApp has accepted the message, or delivered it to the business.
    pub fn is_accepted(self) -> bool {
        match self {
            Self::Pending | Self::Sending | Self::Unknown | Self::Failed => false,
            Self::Received | Self::Sent | Self::Undelivered => true,
            Self::Delivered | Self::Read | Self::Played => true,
        }
    }

    /// Returns the progress of a message as a number: receipts only move a message to a higher rank.
    ///
    /// `undelivered` ranks between `sent` and `delivered`: it replaces `sent`, and a recipient with several devices can
    /// still cause a `delivered` after it.
    pub fn rank(self) -> u8 {
        match self {
            Self::Received | Self::Pending => 0,
            Self::Sending => 10,
            Self::Unknown => 20,
            Self::Failed => 25,
            Self::Sent => 30,
            Self::Undelivered => 40,
            Self::Delivered => 50,
            Self::Read => 60,
            Self::Played => 70,
        }
    }

    /// Returns the name that the table and the API use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Sent => "sent",
            Self::Failed | Self::Undelivered => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
        }
    }
}

impl Receipt {
    /// Parses the `status` of a status webhook. Returns `None` for an unknown value.
    pub fn parse(word: &str) -> Option<Self> {
        Self::deserialize(StrDeserializer::<value::Error>::new(word)).ok()
    }

    /// Returns the message status that this receipt leads to.
    pub fn status(self) -> MessageStatus {
        match self {
            Self::Sent => MessageStatus::Sent,
            Self::Delivered => MessageStatus::Delivered,
            Self::Read => MessageStatus::Read,
            Self::Played => MessageStatus::Played,
            Self::Failed => MessageStatus::Undelivered,
        }
    }
}

#[cfg(test)]
mod tests;
