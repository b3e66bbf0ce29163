//! The business numbers of the simulated WhatsApp, each with what its app is known by. There is the run's own, and those
//! that `POST /simulator/numbers` adds, which last as long as the run.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Deserialize;
use serde_json::Value;

use super::webhook::Number;

/// A number, and the credentials of its app.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) number: Number,
    /// Signs the number's webhooks.
    pub(super) app_secret: String,
    /// What a call for the number must bring.
    pub(super) access_token: String,
}

/// What `POST /simulator/numbers` takes. Without `phoneNumberId` it is about the run's own number; what is left out stays
/// as it is, and is for a new number as for the run's own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LineChange {
    phone_number_id: Option<String>,
    display_phone_number: Option<String>,
    app_secret: Option<String>,
    access_token: Option<String>,
}

/// Every number.
pub(super) struct Lines(Mutex<State>);

struct State {
    own: Line,
    /// By the number's id.
    others: BTreeMap<String, Line>,
}

impl State {
    fn get(&self, phone_number_id: &str) -> Option<&Line> {
        let is_own = self.own.number.phone_number_id == phone_number_id;
        if is_own { Some(&self.own) } else { self.others.get(phone_number_id) }
    }
}

impl Lines {
    pub(super) fn new(own: Line) -> Lines {
        Lines(Mutex::new(State { own, others: BTreeMap::new() }))
    }

    pub(super) fn own(&self) -> Line {
        self.state().own.clone()
    }

    pub(super) fn get(&self, phone_number_id: &str) -> Option<Line> {
        self.state().get(phone_number_id).cloned()
    }

    /// The number that people write to.
    pub(super) fn with_display(&self, display_phone_number: &str) -> Option<Line> {
        let state = self.state();
        let mut lines = std::iter::once(&state.own).chain(state.others.values());
        lines.find(|line| line.number.display_phone_number == display_phone_number).cloned()
    }

    /// The number of this id; the run's own under that id where it is not known.
    pub(super) fn or_own(&self, phone_number_id: &str) -> Line {
        self.get(phone_number_id).unwrap_or_else(|| {
            let mut own = self.own();
            own.number.phone_number_id = phone_number_id.to_owned();
            own
        })
    }

    /// Adds a number, or changes what is known of one.
    pub(super) fn change(&self, change: LineChange) {
        let mut line = match &change.phone_number_id {
            Some(id) => self.or_own(id),
            None => self.own(),
        };
        let set = |value: &mut String, change: Option<String>| {
            if let Some(change) = change {
                *value = change;
            }
        };
        set(&mut line.number.display_phone_number, change.display_phone_number);
        set(&mut line.app_secret, change.app_secret);
        set(&mut line.access_token, change.access_token);
        let mut state = self.state();
        if state.own.number.phone_number_id == line.number.phone_number_id {
            state.own = line;
        } else {
            state.others.insert(line.number.phone_number_id.clone(), line);
        }
    }

    /// What signs this webhook: the secret of the app that its first change's number belongs to.
    pub(super) fn app_secret(&self, body: &str) -> String {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let id = &body["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"];
        let state = self.state();
        let line = id.as_str().and_then(|id| state.get(id)).unwrap_or(&state.own);
        line.app_secret.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
