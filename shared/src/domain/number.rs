//! Registered business numbers: the numbers of a deployment besides the one in its parameters.

use serde::{Deserialize, Serialize};

use crate::domain::{ciphertext::Ciphertext, id::SessionId, time::Timestamp};

/// The maximum number of registered numbers. They are read together, and the signature of a webhook is checked against
/// the secrets of all numbers.
pub const NUMBER_LIMIT: usize = 50;

/// The deployment's own number, or another one that a session can be paired with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessNumber {
    /// Meta's ID of the number, by which webhooks and sends refer to it.
    pub phone_number_id: String,
    /// The number itself, digits only, as `wa.me` links contain it.
    pub display_phone_number: String,
}

/// A registered number as stored. Missing credentials are those of the number in the deployment's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredNumber {
    /// Meta's ID of the number.
    pub phone_number_id: String,
    /// The phone number, digits only.
    pub display_phone_number: String,
    /// The owner whose session can use the number. `None` if any owner's session can.
    #[serde(default)]
    pub owner_id: Option<String>,
    /// The access token that authorizes sends.
    #[serde(default)]
    pub access_token: Option<Ciphertext>,
    /// The app secrets that sign webhooks, encrypted as a JSON array.
    #[serde(default)]
    pub app_secret: Option<Ciphertext>,
    /// When the number was created.
    pub created_at: Timestamp,
    /// When the number was last updated.
    pub updated_at: Timestamp,
}

/// A number as shown in API responses, which contain only whether the credentials are set.
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
    /// Returns the number as shown in API responses.
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

    /// Returns whether the session of `owner_id` can use the number.
    pub fn is_for(&self, owner_id: &str) -> bool {
        self.owner_id.as_deref().is_none_or(|own| own == owner_id)
    }
}

/// A request to create or update a number. Omitted credentials don't change, because callers can't read them to send
/// them again.
pub struct NumberRequest {
    /// Meta's ID of the number.
    pub phone_number_id: String,
    /// The phone number, digits only.
    pub display_phone_number: String,
    /// The owner whose session can use the number. `None` for the first owner who pairs it.
    pub owner_id: Option<String>,
    /// The new access token, if any.
    pub access_token: Option<String>,
    /// The new app secrets, if any.
    pub app_secrets: Option<Vec<String>>,
}

impl NumberRequest {
    /// Returns the session that can use the number, if it is reserved for an owner.
    pub fn session_id(&self) -> Option<SessionId> {
        self.owner_id.as_deref().map(SessionId::for_owner)
    }
}

/// Returns whether `text` can be Meta's ID of a number: 1 to 20 digits.
pub fn is_phone_number_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}
