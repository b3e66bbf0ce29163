//! Registered business numbers: the numbers of a deployment besides the one in its parameters.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{ciphertext::Ciphertext, id::SessionId, time::Timestamp};

/// The maximum number of registered numbers. They are read together, and the signature of a webhook is checked against
/// the secrets of all numbers.
pub const NUMBER_LIMIT: usize = 50;

/// How long a process that receives webhooks caches the session that owns a number.
pub const OWNER_CACHE_LIFETIME: Duration = Duration::from_secs(60);

/// How long a number can't be linked to the session of another owner after an erasure. By then, no process caches the
/// former owner. Includes 30 seconds for the erasure's own transaction and for clocks that differ.
pub const HANDOVER_TIME: Duration = Duration::from_secs(OWNER_CACHE_LIFETIME.as_secs() + 30);

/// The deployment's own number, or another one that a session can be paired with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessNumber {
    /// Meta's ID of the number, by which webhooks and sends refer to it.
    pub phone_number_id: String,
    /// The number itself, digits only, as `wa.me` links contain it.
    pub display_phone_number: String,
}

impl BusinessNumber {
    /// Returns the ID of the number with this phone number. `None` if no number or several numbers have it.
    pub fn find_id(numbers: &[Self], display_phone_number: &str) -> Option<String> {
        let mut ids: Vec<&str> = numbers
            .iter()
            .filter(|number| number.display_phone_number == display_phone_number)
            .map(|number| number.phone_number_id.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        match ids[..] {
            [id] => Some(id.to_owned()),
            _ => None,
        }
    }
}

impl From<RegisteredNumber> for BusinessNumber {
    fn from(number: RegisteredNumber) -> Self {
        Self { phone_number_id: number.phone_number_id, display_phone_number: number.display_phone_number }
    }
}

/// The owner of a number, as pairing needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberState {
    /// Whether the number is the deployment's own or registered.
    pub is_known: bool,
    /// The session of the owner that an admin assigned the number to.
    pub assigned_to: Option<SessionId>,
    /// The session that is linked to the number.
    pub linked_to: Option<SessionId>,
    /// The session that the number was linked to until its owner erased it. The number stays reserved for this owner
    /// until an admin assigns it to another one or releases it.
    pub reserved_for: Option<SessionId>,
    /// The session that the number was linked to until its owner erased it, also after an admin released the number.
    pub former_owner: Option<FormerOwner>,
}

/// The last owner of a number that is linked to no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormerOwner {
    /// The erased session.
    pub session_id: SessionId,
    /// When it was erased.
    pub erased_at: Timestamp,
}

/// A registered number as stored. Missing credentials are those of the number in the deployment's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredNumber {
    /// Meta's ID of the number.
    pub phone_number_id: String,
    /// The phone number, digits only.
    pub display_phone_number: String,
    /// The owner whose session can use the number. `None` if an admin hasn't assigned it.
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

    /// Returns the session that can use the number, if it is assigned to an owner.
    pub fn session_id(&self) -> Option<SessionId> {
        self.owner_id.as_deref().map(SessionId::for_owner)
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
    /// The owner whose session can use the number. `None` to leave the number without an owner.
    pub owner_id: Option<String>,
    /// The new access token, if any.
    pub access_token: Option<String>,
    /// The new app secrets, if any.
    pub app_secrets: Option<Vec<String>>,
}

impl NumberRequest {
    /// Returns the session that can use the number, if it is assigned to an owner.
    pub fn session_id(&self) -> Option<SessionId> {
        self.owner_id.as_deref().map(SessionId::for_owner)
    }
}

/// Returns whether `text` can be Meta's ID of a number: 1 to 20 digits.
pub fn is_phone_number_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambiguous_phone_number_has_no_id() {
        let number = |id: &str, display: &str| BusinessNumber {
            phone_number_id: id.to_owned(),
            display_phone_number: display.to_owned(),
        };
        let numbers = [number("1", "15550001111"), number("1", "15550001111"), number("2", "15550002222")];
        assert_eq!(BusinessNumber::find_id(&numbers, "15550001111").as_deref(), Some("1"));
        assert_eq!(BusinessNumber::find_id(&numbers, "15550002222").as_deref(), Some("2"));
        assert_eq!(BusinessNumber::find_id(&numbers, "1555000"), None);
        assert_eq!(BusinessNumber::find_id(&numbers, ""), None);
        let twice = [number("1", "15550001111"), number("2", "15550001111")];
        assert_eq!(BusinessNumber::find_id(&twice, "15550001111"), None);
    }
}
