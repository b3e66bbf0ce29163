//! Erasure of a chat or a session. Data stored after the request remains.
//!
//! An erasure is an item in the table, so any invocation can continue it. It first deletes the items through which
//! everything else is found, which hides the data from readers, and then deletes the rest in as many runs as it takes.
//! A final run, some time after the request, deletes what invocations that were in progress stored late.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{
    id::{ChatId, SessionId},
    time::Timestamp,
};

/// The time from the request to the final run. By then, every invocation that started before the request has ended, and
/// no cache holds the former owner of a number.
const FINAL_RUN_DELAY: Duration = Duration::from_secs(2 * 60);

/// The data to erase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A chat, with its messages and everything that identifies the contact.
    Chat(ChatId),
    /// A session, with its number, chats, rules, and the events of its number.
    Session(SessionId),
}

/// A request to erase something, and its progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The data to erase.
    pub target: Target,
    /// The session that owns or owned the data.
    pub session_id: SessionId,
    /// Meta's ID of the session's number.
    #[serde(default)]
    pub phone_number_id: Option<String>,
    /// The partitions of the chat.
    #[serde(default)]
    pub chats: Vec<ChatId>,
    /// The time of the request. Data stored later remains.
    pub requested_at: Timestamp,
    /// The number of erased messages.
    pub erased: u64,
    /// Whether a run has processed all of the data.
    pub complete: bool,
}

/// How long a request erases data before it responds. The rest continues in the background. Must be less than the
/// functions' timeout.
pub const REQUEST_BUDGET: Duration = Duration::from_secs(5);

/// An erasure as shown in API responses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of Erasure")]
pub struct ErasureResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<ChatId>,
    pub session_id: SessionId,
    pub requested_at: Timestamp,
    pub erased_messages: u64,
    pub complete: bool,
}

impl Erasure {
    /// Creates an erasure requested at `now`.
    pub fn new(target: Target, session_id: SessionId, now: Timestamp) -> Self {
        Self {
            target,
            session_id,
            phone_number_id: None,
            chats: Vec::new(),
            requested_at: now,
            erased: 0,
            complete: false,
        }
    }

    /// Returns the time up to which stored data is erased.
    ///
    /// A session's number can receive messages for a while after the request. They are erased too, unless the owner has
    /// created the session again, at `renewed_at`.
    pub fn covers_until(&self, renewed_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
        match (self.target, renewed_at) {
            (Target::Chat(_), _) => self.requested_at,
            (Target::Session(_), Some(renewed_at)) => renewed_at.before(Duration::from_millis(1)),
            (Target::Session(_), None) => now,
        }
    }

    /// Returns the time of the next run, or `None` if no data can be left.
    pub fn next_run_at(&self, now: Timestamp) -> Option<Timestamp> {
        let final_run = self.requested_at.after(FINAL_RUN_DELAY);
        match self.complete {
            false => Some(now),
            true => Some(final_run).filter(|final_run| now < *final_run),
        }
    }

    /// Returns the erasure as shown in API responses.
    pub fn response(&self) -> ErasureResponse {
        ErasureResponse {
            chat_id: match self.target {
                Target::Chat(chat_id) => Some(chat_id),
                Target::Session(_) => None,
            },
            session_id: self.session_id,
            requested_at: self.requested_at,
            erased_messages: self.erased,
            complete: self.complete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    fn erasure(target: Target) -> Erasure {
        Erasure::new(target, SessionId::for_owner("ada"), at(1_000))
    }

    #[test]
    fn chat_erasure_covers_data_stored_before_request() {
        let identity = crate::domain::identity::Address::from_wa_id("201001234567").unwrap().identity();
        let chat_id = ChatId::for_identity(SessionId::for_owner("ada"), &identity);
        let erasure = erasure(Target::Chat(chat_id));
        assert_eq!(erasure.covers_until(None, at(5_000)), at(1_000));
        assert_eq!(erasure.covers_until(Some(at(900)), at(5_000)), at(1_000));
        assert_eq!(erasure.response().chat_id, Some(chat_id));
    }

    #[test]
    fn session_erasure_covers_data_until_session_is_recreated() {
        let erasure = erasure(Target::Session(SessionId::for_owner("ada")));
        assert_eq!(erasure.covers_until(None, at(1_060)), at(1_060));
        let renewed = erasure.covers_until(Some(at(1_030)), at(1_060));
        assert!(renewed < at(1_030) && renewed >= at(1_029));
    }

    #[test]
    fn erasure_ends_after_final_run() {
        let mut erasure = erasure(Target::Session(SessionId::for_owner("ada")));
        assert_eq!(erasure.next_run_at(at(1_500)), Some(at(1_500)));
        erasure.complete = true;
        assert_eq!(erasure.next_run_at(at(1_010)), Some(at(1_120)));
        assert_eq!(erasure.next_run_at(at(1_120)), None);
    }
}
