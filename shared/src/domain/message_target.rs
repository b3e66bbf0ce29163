//! The message that a reply, a reaction, or a pin refers to.

use std::time::Duration;

use crate::domain::{
    chat::Chat,
    message::{AttemptOutcome, Message, MessageStatus, MessageType},
    message_action::Annotations,
    time::Timestamp,
};

/// The age from which WhatsApp refuses reactions to a message (Meta, *Reaction messages*).
const REACTION_PERIOD: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The way in which a message refers to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referral {
    /// Quotes it.
    Reply,
    /// Reacts to it.
    Reaction,
    /// Pins it to the group, or unpins it.
    Pin,
}

/// Why a message can't be replied or reacted to. WhatsApp would drop the reference silently, or refuse the message
/// after it accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The message is in another chat.
    #[error("a message of another chat: send to that chat, or leave the reference out")]
    OtherChat,
    /// The chat doesn't show messages of this type.
    #[error("a message that the chat doesn't show, such as a reaction or a notification")]
    NotShown,
    /// The message is too old for a reaction.
    #[error("a message that is over 30 days old: WhatsApp doesn't accept reactions to it")]
    TooOld,
    /// The sender deleted the message.
    #[error("a message that its sender deleted")]
    Deleted,
    /// WhatsApp has not accepted the message yet.
    #[error("a message that WhatsApp has not accepted yet: try again later")]
    NotAccepted,
    /// The message failed before WhatsApp accepted it.
    #[error("a message that failed and was never sent: send it again, and refer to the new message")]
    NeverSent,
    /// The message failed because WhatsApp didn't confirm it.
    #[error("a message that failed because WhatsApp never confirmed it: send it again, and refer to the new message")]
    NeverConfirmed,
    /// WhatsApp accepted the message and could not deliver it.
    #[error("a message that WhatsApp could not deliver: send it again, and refer to the new message")]
    NotDelivered,
}

impl Message {
    /// Returns the wamid by which a new message in `chat` refers to this one. `chat` is `None` if it has no messages
    /// yet.
    ///
    /// # Errors
    ///
    /// [`TargetError`] if WhatsApp would not show the reference.
    pub fn target(
        &self,
        annotations: &Annotations,
        chat: Option<&Chat>,
        referral: Referral,
        now: Timestamp,
    ) -> Result<&str, TargetError> {
        if !chat.is_some_and(|chat| chat.partitions().any(|partition| partition == self.chat_id)) {
            return Err(TargetError::OtherChat);
        }
        if !self.kind.is_shown_in_inbox() || self.kind == MessageType::RequestWelcome {
            return Err(TargetError::NotShown);
        }
        if annotations.revoked_at.is_some() {
            return Err(TargetError::Deleted);
        }
        match self.status {
            // The table has `failed` for an undelivered message too, which has an ID from WhatsApp.
            MessageStatus::Failed | MessageStatus::Undelivered if self.wamid.is_some() => {
                return Err(TargetError::NotDelivered);
            }
            MessageStatus::Failed if self.is_unconfirmed() => return Err(TargetError::NeverConfirmed),
            MessageStatus::Failed | MessageStatus::Undelivered => return Err(TargetError::NeverSent),
            MessageStatus::Pending | MessageStatus::Sending | MessageStatus::Unknown => {
                return Err(TargetError::NotAccepted);
            }
            _ => {}
        }
        if referral == Referral::Reaction && now.since(self.timestamp) > REACTION_PERIOD {
            return Err(TargetError::TooOld);
        }
        self.wamid.as_deref().ok_or(TargetError::NotAccepted)
    }

    fn is_unconfirmed(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| attempt.outcome == AttemptOutcome::Unanswered)
    }
}

#[cfg(test)]
mod tests;
