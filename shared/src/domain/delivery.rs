//! Delivery of an outbound message: the decision about its next step.

use std::time::Duration;

use serde::Deserialize;

use crate::domain::{
    message::{Channel, Message, MessageStatus},
    pacing,
    retry::expires_at,
    session::UnknownPolicy,
    time::Timestamp,
};

/// How long a normal message waits for the stream before the `DuePoller` looks at it. Longer than the lease of `deliver`,
/// so that the `DuePoller` doesn't look at a message that is being sent. Only the `DuePoller` sends bulk messages.
pub const GRACE: Duration = Duration::from_secs(45);

/// A message with the attributes that `deliver` uses.
#[derive(Clone, Debug, Deserialize)]
pub struct OutboxMessage {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// Theoretical arrival time of the chat's pair rate limit after this message: see [`pacing::pair`].
    #[serde(default)]
    pub pair_tat: Option<Timestamp>,
    /// The message isn't sent before this time.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// When the `DuePoller` looks at the message.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// When the lease on a message in `sending` ends.
    #[serde(default)]
    pub lease_until: Option<Timestamp>,
}

/// The state of a session that delivery depends on. A deleted session counts as paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionState {
    /// Whether the session is paused.
    pub is_paused: bool,
    /// What happens to messages whose outcome stays unknown.
    pub unknown_policy: UnknownPolicy,
}

/// The next step of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// There is nothing to do: the message is final, or a worker delivers it.
    Finished,
    /// Claim the message and post it.
    Send {
        /// The chat's pair rate limit after the message.
        pair_tat: Timestamp,
    },
    /// The message can't be sent before this time.
    Wait(Timestamp),
    /// The message can't be sent before the chat's previous one is finished, which can happen from this time on.
    WaitForPrevious(Timestamp),
    /// A bulk message would delay this one: make it a normal message, and deliver it first.
    PromotePrevious,
    /// Mark the message as failed, because it expired.
    Expire,
    /// Mark the message as unknown: the process that was sending it has ended.
    Interrupt,
    /// Mark the unknown message as failed.
    GiveUp,
    /// Make the unknown message pending again.
    Resend,
}

/// Decides the next step of a message.
///
/// `previous` is the chat's previous outbound message, if there is one. `capacity` is the earliest time at which the
/// number's rate allows another message of this priority.
pub fn decide(
    found: &OutboxMessage,
    session: SessionState,
    previous: Option<&OutboxMessage>,
    capacity: Timestamp,
    now: Timestamp,
) -> Action {
    let ahead = |at: Option<Timestamp>| at.filter(|at| *at > now);
    match found.message.status {
        _ if found.message.channel != Channel::CloudApi => Action::Finished,
        MessageStatus::Pending => decide_pending(found, session, previous, capacity, now),
        MessageStatus::Sending => ahead(found.lease_until.map(after_lease)).map_or(Action::Interrupt, Action::Wait),
        MessageStatus::Unknown => match (ahead(found.due_at), session.unknown_policy) {
            (Some(deadline), _) => Action::Wait(deadline),
            (None, UnknownPolicy::Fail) => Action::GiveUp,
            (None, UnknownPolicy::Resend) => Action::Resend,
        },
        _ => Action::Finished,
    }
}

fn decide_pending(
    found: &OutboxMessage,
    session: SessionState,
    previous: Option<&OutboxMessage>,
    capacity: Timestamp,
    now: Timestamp,
) -> Action {
    let expires_at = expires_at(&found.message);
    if expires_at <= now {
        return Action::Expire;
    }
    // Resuming the session makes the message due.
    if session.is_paused {
        return Action::Wait(expires_at);
    }
    if let Some(not_before) = found.not_before.filter(|not_before| *not_before > now) {
        return Action::Wait(not_before.min(expires_at));
    }
    if let Some(previous) = previous.filter(|previous| !allows_next(previous.message.status, session.unknown_policy)) {
        let is_delayed = found.message.priority < previous.message.priority;
        if is_delayed && previous.message.status == MessageStatus::Pending {
            return Action::PromotePrevious;
        }
        return Action::WaitForPrevious(next_change(previous, now).min(expires_at));
    }
    let pair_tat = match pacing::pair(previous.and_then(|previous| previous.pair_tat), now) {
        Ok(pair_tat) => pair_tat,
        Err(allowed_from) => return Action::Wait(allowed_from.min(expires_at)),
    };
    if capacity > now { Action::Wait(capacity.min(expires_at)) } else { Action::Send { pair_tat } }
}

/// Returns whether the next message of the chat can be sent. An unknown message blocks it only if it may be resent: it
/// would arrive after the next one.
pub fn allows_next(status: MessageStatus, policy: UnknownPolicy) -> bool {
    status.is_final() || (status == MessageStatus::Unknown && policy == UnknownPolicy::Fail)
}

/// Returns the earliest time at which an unfinished message is expected to change. The actual change can be earlier,
/// because a status webhook can arrive at any time.
fn next_change(message: &OutboxMessage, now: Timestamp) -> Timestamp {
    let time = match message.message.status {
        MessageStatus::Unknown => message.due_at,
        // Until it is deferred, a process may be sending it.
        MessageStatus::Pending => {
            message.not_before.or(message.due_at.filter(|due_at| *due_at > message.message.timestamp.after(GRACE)))
        }
        _ => None,
    };
    time.unwrap_or(now).max(now)
}

/// Returns the first time at which a lease has ended.
fn after_lease(until: Timestamp) -> Timestamp {
    until.after(Duration::from_millis(1))
}

#[cfg(test)]
mod tests;
