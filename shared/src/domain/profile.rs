//! What WhatsApp and the business's address book say about a contact, besides addresses.

use serde::{Deserialize, Serialize};

use crate::domain::{identity::Address, time::Timestamp};

/// A contact as a webhook describes them in `contacts`. An absent field isn't news: WhatsApp leaves out what it doesn't
/// want to repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Profile {
    /// The name that the contact chose. See [`clean_name`](crate::domain::contact_name::clean_name).
    pub name: Option<String>,
    /// The contact's username, as WhatsApp writes it.
    pub username: Option<String>,
}

impl Profile {
    /// Returns this profile, completed from an older one.
    #[must_use]
    pub fn or(self, older: Self) -> Self {
        Self { name: self.name.or(older.name), username: self.username.or(older.username) }
    }

    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The contact who wrote a message, as known when it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The business-scoped user ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The username.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The contact's entry of `contacts` as JSON, with `identity_key_hash` and everything that Qasid doesn't know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

impl Writer {
    /// Returns the writer with these addresses, or `None` if nothing but a phone number is known.
    pub fn new(addresses: &[Address], username: Option<&str>, contact: Option<&str>) -> Option<Self> {
        let user_id = addresses.iter().find_map(Address::own_user_id).map(str::to_owned);
        let writer = Self { user_id, username: username.map(str::to_owned), contact: contact.map(str::to_owned) };
        (writer != Self::default()).then_some(writer)
    }
}

/// The name of a contact in the business's address book, or of a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SavedName {
    /// The name. `None` after the contact was removed from the address book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was saved or removed, by WhatsApp's clock. The latest applies.
    pub at: Timestamp,
}
