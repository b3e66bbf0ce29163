//! WhatsApp users and their addresses: phone numbers and business-scoped user IDs.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The address of a user. A phone number has the format of a `wa_id`: digits with the country code and without `+`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Address {
    Phone(String),
    UserId(String),
}

impl Address {
    /// Parses a phone number. Accepts digits with `+`, spaces, dots, dashes, and parentheses. Does not apply
    /// country-specific changes (Brazil's ninth digit, the mobile prefixes of Mexico and Argentina), so that a test
    /// chooses the form.
    pub(super) fn phone(text: &str) -> Option<Address> {
        let text = text.trim();
        let rest = text.strip_prefix('+').unwrap_or(text);
        let mut digits = String::with_capacity(rest.len());
        for c in rest.chars() {
            match c {
                '0'..='9' => digits.push(c),
                ' ' | '-' | '.' | '(' | ')' => {}
                _ => return None,
            }
        }
        // ITU-T E.164 allows up to 15 digits. No subscriber number with a country code has fewer than 7.
        (7..=15).contains(&digits.len()).then_some(Address::Phone(digits))
    }

    /// Parses a business-scoped user ID: a country code and up to 128 letters and digits, with `ENT.` in between for a
    /// parent ID (Meta, *Business-scoped user IDs*).
    pub(super) fn user_id(text: &str) -> Option<Address> {
        let (country, rest) = text.split_once('.')?;
        let id = rest.strip_prefix("ENT.").unwrap_or(rest);
        let country_is_valid = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
        let id_is_valid = (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        (country_is_valid && id_is_valid).then(|| Address::UserId(text.to_owned()))
    }

    /// Parses a phone number or a user ID.
    pub(super) fn parse(text: &str) -> Option<Address> {
        Address::phone(text).or_else(|| Address::user_id(text))
    }

    /// Returns the digits or the user ID.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Address::Phone(text) | Address::UserId(text) => text,
        }
    }

    /// Returns the last four characters, to keep personal data out of the output.
    pub(super) fn masked(&self) -> String {
        masked(self.as_str())
    }
}

fn masked(address: &str) -> String {
    // Both forms are ASCII, so every byte index is a character boundary.
    format!("…{}", &address[address.len().saturating_sub(4)..])
}

/// A user of the simulated WhatsApp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wa_id: Option<String>,
    pub(super) user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// The name that other users see instead of the phone number (Meta, *Business-scoped user IDs*).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<String>,
}

impl User {
    /// Returns the key of the user's phone: the phone number, or the user ID if the number is unknown.
    pub(super) fn key(&self) -> &str {
        self.wa_id.as_deref().unwrap_or(&self.user_id)
    }

    /// Returns the last four characters of the address, for the output.
    pub(super) fn masked(&self) -> String {
        masked(self.key())
    }
}

/// The users who have sent messages, so that statuses identify the same user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Users {
    /// Keyed by phone number and by user ID. They cannot collide because a user ID contains a dot.
    by_address: HashMap<String, User>,
}

impl Users {
    /// Returns the user with this address. An unknown phone number gets a derived user ID, because every WhatsApp user
    /// has one. An unknown user ID has no phone number.
    pub(super) fn get(&self, address: &Address) -> User {
        if let Some(user) = self.by_address.get(address.as_str()) {
            return user.clone();
        }
        match address {
            Address::Phone(wa_id) => {
                User { wa_id: Some(wa_id.clone()), user_id: derive_user_id(wa_id), name: None, username: None }
            }
            Address::UserId(user_id) => User { wa_id: None, user_id: user_id.clone(), name: None, username: None },
        }
    }

    /// Returns all users, those with a number twice.
    pub(super) fn all(&self) -> impl Iterator<Item = &User> {
        self.by_address.values()
    }

    /// Stores `user` under all of their addresses.
    pub(super) fn remember(&mut self, user: &User) {
        if let Some(wa_id) = &user.wa_id {
            self.by_address.insert(wa_id.clone(), user.clone());
        }
        self.by_address.insert(user.user_id.clone(), user.clone());
    }
}

/// Derives a stable user ID from a phone number, in Meta's format: `US.` and 20 digits.
fn derive_user_id(wa_id: &str) -> String {
    let hash = Sha256::digest(wa_id.as_bytes());
    let number = hash.iter().take(16).fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("US.{:020}", number % 10_u128.pow(20))
}

#[cfg(test)]
mod tests;
