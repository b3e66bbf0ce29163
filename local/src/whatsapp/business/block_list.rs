//! The users that a number blocked (Meta, *Block users*).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::whatsapp::users::{Address, User};

/// Maximum number of blocked users.
const MAX_USERS: usize = 64_000;

/// A blocked user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::whatsapp) struct BlockedUser {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::whatsapp) wa_id: Option<String>,
    pub(in crate::whatsapp) user_id: String,
}

/// The blocked users of a number, in the order of their blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::whatsapp) struct BlockList {
    /// Changes with the list, so that a cursor of an earlier list is noticed.
    pub(in crate::whatsapp) version: u64,
    users: Vec<BlockedUser>,
}

impl BlockList {
    pub(in crate::whatsapp) fn users(&self) -> &[BlockedUser] {
        &self.users
    }

    pub(in crate::whatsapp) fn contains(&self, user: &User) -> bool {
        self.users.iter().any(|blocked| blocked.user_id == user.user_id)
    }

    /// Blocks a user. Returns `false` if the list is full.
    pub(in crate::whatsapp) fn add(&mut self, user: &User) -> bool {
        if self.contains(user) {
            return true;
        }
        if self.users.len() >= MAX_USERS {
            return false;
        }
        self.users.push(BlockedUser { wa_id: user.wa_id.clone(), user_id: user.user_id.clone() });
        self.version += 1;
        true
    }

    /// Unblocks a user.
    pub(in crate::whatsapp) fn remove(&mut self, user: &User) {
        let before = self.users.len();
        self.users.retain(|blocked| blocked.user_id != user.user_id);
        self.version += u64::from(self.users.len() < before);
    }
}

/// Returns the entry of a user in a response. A user that is named by user ID gets no phone number (Meta,
/// *Business-scoped user IDs*).
pub(in crate::whatsapp) fn entry(input: &str, address: &Address) -> Value {
    match address {
        Address::Phone(wa_id) => json!({"input": input, "wa_id": wa_id}),
        Address::UserId(user_id) => json!({"input": input, "wa_id": "", "user_id": user_id}),
    }
}

#[cfg(test)]
mod tests;
