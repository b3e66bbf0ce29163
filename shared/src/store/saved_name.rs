//! Names of contacts in the business's address book, and of groups. They have items of their own, because WhatsApp
//! reports them before the contact has a chat. The chat has a copy.
//!
//! A writer of a name stores its item and then updates the chats that the identity leads to. A writer of an identity
//! reads the name, and its transaction requires that the name's item is unchanged. One of the two sees the other.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};

use super::{
    Chats, StoreError,
    identity::identities,
    item::{self, Attribute, Item, string},
    keys::Key,
    update::{Condition, UpdateBuilder},
};
use crate::domain::{
    contact::{self, Merges},
    id::SessionId,
    identity::{Address, Identity},
    profile::SavedName,
    time::Timestamp,
};

const SAVED_NAME: &str = "saved_name";

/// The saved names of a contact's identities, as read.
#[derive(Debug, Default)]
pub(super) struct SavedNames(HashMap<Identity, SavedName>);

impl SavedNames {
    /// Takes the names of these identities out of the items that were read.
    pub(super) fn take(
        session_id: SessionId,
        identities: &[Identity],
        items: &mut HashMap<Key, Item>,
    ) -> Result<Self, StoreError> {
        let mut names = HashMap::new();
        for identity in identities {
            if let Some(item) = items.remove(&Key::saved_name(session_id, identity)) {
                names.insert(identity.clone(), item::read(SAVED_NAME, item)?);
            }
        }
        Ok(Self(names))
    }

    /// Returns when the name of an identity was saved.
    pub(super) fn saved_at(&self, identity: &Identity) -> Option<Timestamp> {
        self.0.get(identity).map(|saved| saved.at)
    }

    /// Returns the name that was saved last.
    pub(super) fn latest(&self) -> Option<&SavedName> {
        self.0.values().max_by_key(|saved| (saved.at, &saved.name))
    }
}

impl Attribute for &SavedName {
    fn attribute(self) -> AttributeValue {
        let name = self.name.as_ref().map(|name| ("name".to_owned(), string(name)));
        AttributeValue::M(name.into_iter().chain([("at".to_owned(), string(self.at.to_string()))]).collect())
    }
}

impl Chats<'_> {
    /// Stores the name of the contact or group with these addresses, and shows it on their chat. Does nothing for an
    /// address whose name was saved later.
    pub async fn save_name(
        self,
        session_id: SessionId,
        addresses: &[Address],
        saved: &SavedName,
    ) -> Result<(), StoreError> {
        let identities = identities(addresses);
        for identity in &identities {
            let mut item = item::write(SAVED_NAME, &Key::saved_name(session_id, identity), saved)?;
            item.insert("session_id".to_owned(), string(session_id.to_string()));
            item.insert("received_at".to_owned(), string(self.0.system.now().to_string()));
            let is_older = ("attribute_not_exists(pk) OR #at <= ?", saved.at);
            self.0.put_if("saving a contact's name", item, is_older).await?;
        }
        let (identifiers, _) = self.stored_identifiers(session_id, &identities).await?;
        for chat_id in contact::chats(&identifiers, &Merges::default(), self.0.system.now()) {
            self.update_live("showing a saved name", chat_id, |update| {
                update
                    .set("saved_name", saved)
                    .condition("attribute_exists(pk)")
                    .condition(("attribute_not_exists(saved_name) OR saved_name.#at <= ?", saved.at))
            })
            .await?;
        }
        Ok(())
    }

    /// Returns the action that requires the saved name of an identity to be as it was read, at
    /// this time or not at all.
    pub(super) fn check_saved_name(
        self,
        session_id: SessionId,
        identity: &Identity,
        read_at: Option<Timestamp>,
    ) -> TransactWriteItem {
        let unchanged = match read_at {
            Some(at) => Condition::equals("at", Some(at)),
            None => "attribute_not_exists(pk)".into(),
        };
        let key = Key::saved_name(session_id, identity);
        self.0.update_action(UpdateBuilder::new(&key).condition(unchanged))
    }
}
