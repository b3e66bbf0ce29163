//! Erasing: what a chat or a session consists of goes, and what comes after the request stays.
//!
//! An erasure is an item of the table, so whoever began it may end: anybody can go on with it. It begins with the rows
//! that everything else is found by, so nobody reads any of it any more; then it goes through the rest, as often as it
//! takes. What a function that was under way stores late is found by a last look, a while after the request.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{
    id::{ChatId, SessionId},
    time::Timestamp,
};

/// When the last look is: by then no function that began before the request is still running, and none remembers the
/// owner of a number that it has lost.
const SETTLED: Duration = Duration::from_secs(2 * 60);

/// What is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A chat, with all its messages and whatever names the person.
    Chat(ChatId),
    /// A session, with its number, its chats, its rules and the events of its number.
    Session(SessionId),
}

/// The order to erase something, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// What.
    pub target: Target,
    /// The session that it belongs or belonged to.
    pub session_id: SessionId,
    /// The session's number.
    #[serde(default)]
    pub phone_number_id: Option<String>,
    /// A chat's partitions.
    #[serde(default)]
    pub chats: Vec<ChatId>,
    /// When it was asked for. What was stored later stays.
    pub requested_at: Timestamp,
    /// How many messages are gone.
    pub erased: u64,
    /// Whether all of it was gone through once.
    pub complete: bool,
}

/// How long a request works at what it asks for before it answers; the rest goes on by itself. Under the functions'
/// timeout.
pub const IN_REQUEST: Duration = Duration::from_secs(5);

/// An erasure as answers give it.
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
    /// An order that has just been given.
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

    /// Until when what was stored is covered. A session's number goes on bringing messages for a while; they are covered
    /// as long as the owner has not made the session anew, at `renewed_at`.
    pub fn covers_until(&self, renewed_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
        match (self.target, renewed_at) {
            (Target::Chat(_), _) => self.requested_at,
            (Target::Session(_), Some(renewed_at)) => renewed_at.before(Duration::from_millis(1)),
            (Target::Session(_), None) => now,
        }
    }

    /// When to go on with it; `None` when nothing can be left.
    pub fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        let last_look = self.requested_at.after(SETTLED);
        match self.complete {
            false => Some(now),
            true if now < last_look => Some(last_look),
            true => None,
        }
    }

    /// The order as answers give it.
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
    fn a_chats_erasure_covers_what_was_stored_before_it() {
        let identity = crate::domain::identity::Address::parse("201001234567").unwrap().identity();
        let chat_id = ChatId::for_identity(SessionId::for_owner("ada"), &identity);
        let erasure = erasure(Target::Chat(chat_id));
        assert_eq!(erasure.covers_until(None, at(5_000)), at(1_000));
        assert_eq!(erasure.covers_until(Some(at(900)), at(5_000)), at(1_000));
        assert_eq!(erasure.response().chat_id, Some(chat_id));
    }

    #[test]
    fn a_sessions_erasure_covers_all_until_the_owner_begins_anew() {
        let erasure = erasure(Target::Session(SessionId::for_owner("ada")));
        assert_eq!(erasure.covers_until(None, at(1_060)), at(1_060));
        let renewed = erasure.covers_until(Some(at(1_030)), at(1_060));
        assert!(renewed < at(1_030) && renewed >= at(1_029));
    }

    #[test]
    fn it_goes_on_until_a_last_look_found_nothing_left() {
        let mut erasure = erasure(Target::Session(SessionId::for_owner("ada")));
        assert_eq!(erasure.next_look(at(1_500)), Some(at(1_500)));
        erasure.complete = true;
        assert_eq!(erasure.next_look(at(1_010)), Some(at(1_120)));
        assert_eq!(erasure.next_look(at(1_120)), None);
    }
}
