//! The business numbers of the simulated WhatsApp: the run's default number, numbers that the Graph API added to an
//! account, and numbers added with `POST /simulator/numbers`, which last for the run.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Deserialize;
use serde_json::Value;

use super::webhook::BusinessNumber;

/// A business number, its app, and its throughput.
#[derive(Clone)]
pub(super) struct RegisteredNumber {
    pub(super) number: BusinessNumber,
    /// The Meta app whose access token can use the number, and whose secret signs its webhooks.
    pub(super) app_id: String,
    /// Messages per second that the number may send.
    pub(super) throughput: u32,
}

/// The body of `POST /simulator/numbers`. Without `phoneNumberId`, it changes the default number. Absent members keep
/// their value; a new number takes them from the default number.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NumberChange {
    pub(super) phone_number_id: Option<String>,
    display_phone_number: Option<String>,
    pub(super) app_secret: Option<String>,
    pub(super) access_token: Option<String>,
    messages_per_second: Option<NonZeroU32>,
}

/// All business numbers.
pub(super) struct Numbers(Mutex<State>);

struct State {
    default: RegisteredNumber,
    /// Keyed by phone number ID.
    others: BTreeMap<String, RegisteredNumber>,
}

impl State {
    fn get(&self, phone_number_id: &str) -> Option<&RegisteredNumber> {
        let is_default = self.default.number.phone_number_id == phone_number_id;
        if is_default { Some(&self.default) } else { self.others.get(phone_number_id) }
    }
}

impl Numbers {
    pub(super) fn new(default: RegisteredNumber) -> Numbers {
        Numbers(Mutex::new(State { default, others: BTreeMap::new() }))
    }

    pub(super) fn default_number(&self) -> RegisteredNumber {
        self.state().default.clone()
    }

    pub(super) fn get(&self, phone_number_id: &str) -> Option<RegisteredNumber> {
        self.state().get(phone_number_id).cloned()
    }

    /// Returns the number with this display number.
    pub(super) fn find_by_display_number(&self, display_phone_number: &str) -> Option<RegisteredNumber> {
        let state = self.state();
        let mut numbers = std::iter::once(&state.default).chain(state.others.values());
        numbers.find(|registered| registered.number.display_phone_number == display_phone_number).cloned()
    }

    /// Returns the number with this ID, or a copy of the default number under this ID.
    pub(super) fn get_or_default(&self, phone_number_id: &str) -> RegisteredNumber {
        self.get(phone_number_id).unwrap_or_else(|| {
            let mut registered = self.default_number();
            registered.number.phone_number_id = phone_number_id.to_owned();
            registered
        })
    }

    /// Adds or changes a number, which belongs to an app.
    pub(super) fn change(&self, change: &NumberChange, mut registered: RegisteredNumber, app_id: String) {
        registered.app_id = app_id;
        if let Some(display_phone_number) = &change.display_phone_number {
            registered.number.display_phone_number.clone_from(display_phone_number);
        }
        registered.throughput = change.messages_per_second.map_or(registered.throughput, NonZeroU32::get);
        let mut state = self.state();
        let id = &registered.number.phone_number_id;
        if state.default.number.phone_number_id == *id {
            state.default = registered;
        } else {
            state.others.insert(id.clone(), registered);
        }
    }

    /// Adds a number unless its ID exists.
    pub(super) fn add(&self, registered: RegisteredNumber) {
        let mut state = self.state();
        if state.get(&registered.number.phone_number_id).is_none() {
            state.others.insert(registered.number.phone_number_id.clone(), registered);
        }
    }

    /// Returns all numbers, in the order of their IDs after the default number.
    pub(super) fn all(&self) -> Vec<RegisteredNumber> {
        let state = self.state();
        std::iter::once(&state.default).chain(state.others.values()).cloned().collect()
    }

    /// Returns the number that a webhook body is about: that in its first change, or the default number for an unknown
    /// one. `None` for a webhook about an account.
    pub(super) fn of_webhook(&self, body: &str) -> Option<RegisteredNumber> {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let id = body["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"].as_str()?;
        let state = self.state();
        Some(state.get(id).unwrap_or(&state.default).clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
