//! Business numbers that a deployment has beside the one of its parameters, with what their apps are known by.

use serde::{Deserialize, Serialize};

use crate::{domain::ciphertext::Ciphertext, domain::id::SessionId, domain::time::Timestamp};

/// The most numbers of a deployment. All are read at once, and a webhook's signature is tried with the secret of each.
pub const NUMBER_LIMIT: usize = 50;

/// A number as it is stored. What it leaves out (owner, credentials) is as for the number of the deployment's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredNumber {
    /// Meta's id of it.
    pub phone_number_id: String,
    /// The number itself, digits only.
    pub display_phone_number: String,
    /// Whose sessions alone may have it.
    #[serde(default)]
    pub owner_id: Option<String>,
    /// What authorises its sends.
    #[serde(default)]
    pub access_token: Option<Ciphertext>,
    /// What signs its webhooks: a JSON list.
    #[serde(default)]
    pub app_secret: Option<Ciphertext>,
    /// When it was first put.
    pub created_at: Timestamp,
    /// When it was last put.
    pub updated_at: Timestamp,
}

/// A number as answers give it: of its credentials, whether they are there.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of RegisteredNumber")]
pub struct NumberResponse<'a> {
    pub phone_number_id: &'a str,
    pub display_phone_number: &'a str,
    pub owner_id: Option<&'a str>,
    pub has_access_token: bool,
    pub has_app_secret: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl RegisteredNumber {
    /// The row as answers give it.
    pub fn response(&self) -> NumberResponse<'_> {
        NumberResponse {
            phone_number_id: &self.phone_number_id,
            display_phone_number: &self.display_phone_number,
            owner_id: self.owner_id.as_deref(),
            has_access_token: self.access_token.is_some(),
            has_app_secret: self.app_secret.is_some(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// Whether the sessions of `owner_id` may have it.
    pub fn is_for(&self, owner_id: &str) -> bool {
        self.owner_id.as_deref().is_none_or(|own| own == owner_id)
    }
}

/// What a `PUT` says of a number. Credentials that it leaves out stay as they are, because nobody can read them to send
/// them again.
pub struct NumberRequest {
    /// Meta's id of it.
    pub phone_number_id: String,
    /// The number itself, digits only.
    pub display_phone_number: String,
    /// Whose it is; `None` for whoever pairs first.
    pub owner_id: Option<String>,
    /// A new access token.
    pub access_token: Option<String>,
    /// New app secrets.
    pub app_secrets: Option<Vec<String>>,
}

impl NumberRequest {
    /// The session that alone may have the number.
    pub fn session_id(&self) -> Option<SessionId> {
        self.owner_id.as_deref().map(SessionId::for_owner)
    }
}

/// Whether `text` has the form of Meta's ID of a number: 1 to 20 digits.
pub fn is_phone_number_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}
