//! The states of a message of the business, and their transitions.

use serde::{Deserialize, Serialize};

use self::MessageState::{Blocked, Delivered, Failed, Held, Played, Read, Sent};

/// How far a message got. The order is the order of the ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::whatsapp) enum MessageState {
    /// WhatsApp holds the message back and sends no status (Meta, *Template pacing*).
    Held,
    /// WhatsApp has the message, and the phone has not: one tick.
    Sent,
    /// The phone has the message: two ticks.
    Delivered,
    /// The user has seen the message: two blue ticks.
    Read,
    /// The user has played the voice message: a blue microphone.
    Played,
    /// The user had blocked the business: the message stays `sent` (Meta, *Support*, messages that are sent but not
    /// delivered).
    Blocked,
    /// The message failed with this code.
    Failed(u32),
}

impl MessageState {
    /// Returns the statuses that report the change of a message from one state to another, in order; `None` if a message
    /// cannot change so. A new message has no state.
    pub(in crate::whatsapp) fn statuses(from: Option<MessageState>, to: MessageState) -> Option<Vec<MessageState>> {
        let statuses = match to {
            Held if from.is_none() => Vec::new(),
            Blocked if from < Some(Sent) => vec![Sent],
            Failed(_) if from <= Some(Sent) => vec![to],
            Sent | Delivered | Read | Played if from < Some(to) => {
                let ticks = [Sent, Delivered, Read, Played].into_iter();
                ticks.filter(|tick| from < Some(*tick) && *tick <= to).collect()
            }
            _ => return None,
        };
        Some(statuses)
    }

    /// Returns whether a message that WhatsApp does not hold back can advance to `reach`.
    pub(in crate::whatsapp) fn is_due(self, reach: MessageState) -> bool {
        self >= Sent && matches!(reach, Delivered | Read) && MessageState::statuses(Some(self), reach).is_some()
    }

    /// Returns whether the phone shows the message.
    pub(in crate::whatsapp) fn is_on_phone(self) -> bool {
        matches!(self, Delivered | Read | Played)
    }

    /// Returns the name of the status.
    pub(in crate::whatsapp) fn name(self) -> &'static str {
        match self {
            Held => "held",
            Sent => "sent",
            Delivered => "delivered",
            Read => "read",
            Played => "played",
            Blocked => "blocked",
            Failed(_) => "failed",
        }
    }
}

#[cfg(test)]
mod tests;
