//! The settings of a phone.

use serde::{Deserialize, Serialize};

use super::MessageState;

/// The user's number is not registered on WhatsApp (Meta, *Error codes*).
const UNDELIVERABLE_CODE: u32 = 131_026;

/// What a phone does, in the format of `GET /simulator/phones/{number}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::whatsapp) struct PhoneSettings {
    /// Whether the number is registered on WhatsApp. Otherwise, messages fail with 131026.
    pub(in crate::whatsapp) on_whats_app: bool,
    /// Whether the phone has a connection. Messages wait until it has one.
    pub(in crate::whatsapp) online: bool,
    /// Whether the user has blocked the business. Messages stay `sent`, also after the user unblocks it.
    pub(in crate::whatsapp) blocked: bool,
    /// Whether the user sends read receipts. Otherwise, `read` does not follow `delivered`.
    pub(in crate::whatsapp) read_receipts: bool,
    /// Whether the user's messages and calls contain the phone number. Users with a username don't share it with every
    /// business (Meta, *Business-scoped user IDs*).
    pub(in crate::whatsapp) shares_number: bool,
    /// What happens to a message without a command.
    pub(in crate::whatsapp) automatic_ticks: AutomaticTicks,
}

/// What happens to a message without a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::whatsapp) enum AutomaticTicks {
    /// It is sent.
    Sent,
    /// It is delivered: the chat is closed.
    Delivered,
    /// It is delivered and read: the chat is open.
    #[default]
    Read,
}

impl Default for PhoneSettings {
    fn default() -> PhoneSettings {
        PhoneSettings {
            on_whats_app: true,
            online: true,
            blocked: false,
            read_receipts: true,
            shares_number: true,
            automatic_ticks: AutomaticTicks::default(),
        }
    }
}

impl PhoneSettings {
    /// Returns the state that a message reaches by itself.
    pub(in crate::whatsapp) fn reach(&self) -> MessageState {
        match self.automatic_ticks {
            _ if !self.on_whats_app => MessageState::Failed(UNDELIVERABLE_CODE),
            _ if self.blocked => MessageState::Blocked,
            _ if !self.online => MessageState::Sent,
            AutomaticTicks::Sent => MessageState::Sent,
            AutomaticTicks::Delivered => MessageState::Delivered,
            AutomaticTicks::Read => MessageState::Read,
        }
    }

    /// Returns the statuses that WhatsApp reports when a message changes from one state to another, as
    /// [`MessageState::statuses`] without read receipts that the user doesn't send.
    pub(in crate::whatsapp) fn reported(
        &self,
        from: Option<MessageState>,
        to: MessageState,
    ) -> Option<Vec<MessageState>> {
        let mut statuses = MessageState::statuses(from, to)?;
        statuses.retain(|status| self.read_receipts || *status != MessageState::Read);
        Some(statuses)
    }

    /// Checks that the phone can send messages and calls, and get them.
    ///
    /// # Errors
    /// Returns a sentence that says what to change.
    pub(in crate::whatsapp) fn check_reachable(&self) -> Result<(), String> {
        let (problem, change) = match self {
            PhoneSettings { on_whats_app: false, .. } => ("is not on WhatsApp", "onWhatsApp to true"),
            PhoneSettings { online: false, .. } => ("is offline", "online to true"),
            PhoneSettings { blocked: true, .. } => ("has blocked the business", "blocked to false"),
            _ => return Ok(()),
        };
        Err(format!("The phone {problem}: set {change} with PATCH /simulator/phones/{{number}}"))
    }
}

#[cfg(test)]
mod tests;
