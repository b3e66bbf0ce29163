//! How a WhatsApp user is addressed: by phone number or by business-scoped user id.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The address of one user. Phone numbers are kept as WhatsApp writes a `wa_id`: digits with the
/// country code, no `+`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Phone(String),
    UserId(String),
}

impl Address {
    /// Reads a phone number as a person types it: digits, with `+`, blanks, dots, dashes and
    /// brackets allowed. No country rewrites a number here (Brazil's ninth digit, Mexico's and
    /// Argentina's mobile prefix): a test says which form the simulated WhatsApp uses.
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
        // 15 is the most that ITU-T E.164 allows; shorter than 7 there is no subscriber number with
        // a country code.
        (7..=15).contains(&digits.len()).then_some(Address::Phone(digits))
    }

    /// Reads a business-scoped user id: a country code, then up to 128 letters and digits, with
    /// `ENT.` between them for a parent id (Meta, "Business-scoped user IDs").
    pub(super) fn user_id(text: &str) -> Option<Address> {
        let (country, rest) = text.split_once('.')?;
        let id = rest.strip_prefix("ENT.").unwrap_or(rest);
        let country_is_valid = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
        let id_is_valid = (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        (country_is_valid && id_is_valid).then(|| Address::UserId(text.to_owned()))
    }

    /// The digits or the user id.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Address::Phone(text) | Address::UserId(text) => text,
        }
    }

    /// The last four characters, for log lines: they must not name a person.
    pub(super) fn masked(&self) -> String {
        masked(self.as_str())
    }
}

fn masked(address: &str) -> String {
    // Both forms are ASCII, so every byte index is a character boundary.
    format!("…{}", &address[address.len().saturating_sub(4)..])
}

/// What the simulated WhatsApp knows of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Person {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wa_id: Option<String>,
    pub(super) user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
}

impl Person {
    /// The last four characters of the address, for log lines.
    pub(super) fn masked(&self) -> String {
        masked(self.wa_id.as_deref().unwrap_or(&self.user_id))
    }
}

/// The users that have written so far, so that the statuses of an answer name the same person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct People {
    /// Under the phone number and under the user id; the two cannot be confused, because a user id
    /// holds a dot.
    by_address: HashMap<String, Person>,
}

impl People {
    /// The user behind `address`. An unknown phone number has a user id derived from it, because
    /// WhatsApp gives every user one; an unknown user id stands alone.
    pub(super) fn get(&self, address: &Address) -> Person {
        if let Some(person) = self.by_address.get(address.as_str()) {
            return person.clone();
        }
        match address {
            Address::Phone(wa_id) => Person { wa_id: Some(wa_id.clone()), user_id: derived_user_id(wa_id), name: None },
            Address::UserId(user_id) => Person { wa_id: None, user_id: user_id.clone(), name: None },
        }
    }

    /// Remembers `person` under every address they have.
    pub(super) fn learn(&mut self, person: &Person) {
        if let Some(wa_id) = &person.wa_id {
            self.by_address.insert(wa_id.clone(), person.clone());
        }
        self.by_address.insert(person.user_id.clone(), person.clone());
    }
}

/// The same user id for the same number in every run, in the shape of a real one (`US.` and 20
/// digits).
fn derived_user_id(wa_id: &str) -> String {
    let hash = Sha256::digest(wa_id.as_bytes());
    let number = hash.iter().take(16).fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("US.{:020}", number % 10_u128.pow(20))
}

#[cfg(test)]
mod tests;
