//! Customer service windows, in which a business number can send a user any message.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::users::User;

/// How long a window is open (Meta, *Send messages*, customer service windows).
const WINDOW_SECONDS: i64 = 24 * 60 * 60;

/// The members of a message, call, or status that can identify the user. One side of a call is the business number,
/// which never is a recipient.
const ADDRESSES: [&str; 9] = [
    "from",
    "from_user_id",
    "from_parent_user_id",
    "to",
    "to_user_id",
    "to_parent_user_id",
    "recipient_id",
    "recipient_user_id",
    "recipient_parent_user_id",
];

/// A message or call of a user, which opens a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Opening {
    phone_number_id: String,
    /// The user's phone number or user ID.
    address: String,
    /// Unix seconds.
    at: i64,
}

impl Opening {
    /// Returns the openings in the body of a webhook: of the users who wrote, called, or accepted a call.
    pub(super) fn all(body: &str, now: i64) -> Vec<Opening> {
        // A raw webhook can be anything.
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let values = items(&body, "entry").flat_map(|entry| items(entry, "changes")).map(|change| &change["value"]);
        values.flat_map(|value| Opening::of_value(value, now)).collect()
    }

    fn of_value(value: &Value, now: i64) -> Vec<Opening> {
        let Some(phone_number_id) = value["metadata"]["phone_number_id"].as_str() else {
            return Vec::new();
        };
        let messages = items(value, "messages")
            .filter(|message| message["type"] != "system")
            .map(|message| (message, &message["timestamp"]));
        // Meta, *Calling pricing*: a call by the user opens the window, answered or not, and so does the user when they
        // accept a call.
        let calls = items(value, "calls")
            .filter(|call| call["direction"] != "BUSINESS_INITIATED" || call["status"] == "COMPLETED")
            .map(|call| (call, call.get("start_time").unwrap_or(&call["timestamp"])));
        let accepted = items(value, "statuses")
            .filter(|status| status["type"] == "call" && status["status"] == "ACCEPTED")
            .map(|status| (status, &status["timestamp"]));
        let mut openings = Vec::new();
        for (event, timestamp) in messages.chain(calls).chain(accepted) {
            let at = timestamp.as_str().and_then(|at| at.parse().ok()).or_else(|| timestamp.as_i64());
            let addresses = ADDRESSES.iter().filter_map(|member| event[*member].as_str());
            let opening = |at: i64, address: &str| Opening {
                phone_number_id: phone_number_id.to_owned(),
                address: address.to_owned(),
                at: at.min(now),
            };
            if let Some(at) = at.filter(|at| *at >= 0) {
                openings.extend(addresses.map(|address| opening(at, address)));
            }
        }
        openings
    }
}

/// The time of each user's last message or call to each business number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ServiceWindows {
    /// Unix seconds, by phone number ID and by the user's phone number or user ID.
    opened_at: HashMap<String, HashMap<String, i64>>,
}

impl ServiceWindows {
    pub(super) fn open(&mut self, opening: Opening) {
        let Opening { phone_number_id, address, at } = opening;
        let opened_at = self.opened_at.entry(phone_number_id).or_default().entry(address).or_insert(at);
        *opened_at = at.max(*opened_at);
    }

    /// Whether the number can send any message to the user. Outside of the window, it can send templates only.
    pub(super) fn is_open(&self, phone_number_id: &str, user: &User, now: i64) -> bool {
        let windows = self.opened_at.get(phone_number_id);
        let opened_at = |address: &String| windows.and_then(|windows| windows.get(address));
        let addresses = user.wa_id.iter().chain([&user.user_id]);
        addresses.filter_map(opened_at).any(|opened_at| now - opened_at < WINDOW_SECONDS)
    }
}

/// Returns the elements of an array, or nothing without it.
fn items<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    object[name].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests;
