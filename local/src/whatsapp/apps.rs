//! Meta apps and where their webhooks go: the app's callback URL, or an override for an account or a number (Meta,
//! *Override webhooks*).

use serde::{Deserialize, Serialize};

use super::{
    journal::{Journal, JournalError, Recovered},
    numbers::RegisteredNumber,
    registry::Registry,
};

/// The app that Qasid's access token belongs to.
pub const DEFAULT_APP_ID: &str = "670843887433847";
/// A second app, for a bot beside Qasid. It gets webhooks once it has a callback.
pub const BOT_APP_ID: &str = "634974688087057";

/// A Meta app. Its credentials aren't stored: they last for the run.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct App {
    pub(super) id: String,
    pub(super) name: String,
    /// Signs the app's webhooks.
    #[serde(skip)]
    pub(super) secret: String,
    #[serde(skip)]
    pub(super) access_token: String,
    pub(super) callback: Option<Callback>,
}

impl App {
    /// Returns the app access token, which changes the app itself but can't act for its business (Graph API, *Access
    /// tokens*).
    pub(super) fn app_token(&self) -> String {
        format!("{}|{}", self.id, self.secret)
    }
}

/// A URL that receives webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Callback {
    pub(super) url: String,
    pub(super) verify_token: String,
}

/// All apps and their subscriptions.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    apps: Vec<App>,
    subscriptions: Vec<Subscription>,
    /// Overrides by phone number ID and app ID.
    numbers: Vec<NumberOverride>,
}

/// An app that gets the webhooks of a WhatsApp Business Account.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Subscription {
    pub(super) waba_id: String,
    pub(super) app_id: String,
    /// Replaces the app's callback.
    pub(super) callback: Option<Callback>,
}

#[derive(Clone, Serialize, Deserialize)]
struct NumberOverride {
    phone_number_id: String,
    app_id: String,
    callback: Callback,
}

impl State {
    pub(super) fn app(&self, id: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.id == id)
    }

    /// Returns the app of an access token or an app access token: the first one, if a number with its own app has only
    /// its own secret.
    pub(super) fn find_by_token(&self, access_token: &str) -> Option<&App> {
        self.apps.iter().find(|app| app.access_token == access_token || app.app_token() == access_token)
    }

    /// Returns whether the token of an app can access the objects of another one. The bot works for the business of the
    /// default app.
    pub(super) fn has_access(&self, app: &App, owner_id: &str) -> bool {
        let is_of_owner = |owner: &App| owner.access_token == app.access_token;
        gets_webhooks_of(&app.id, owner_id) || self.app(owner_id).is_some_and(is_of_owner)
    }

    /// Adds or replaces an app.
    pub(super) fn put(&mut self, app: App) {
        match self.apps.iter_mut().find(|other| other.id == app.id) {
            Some(other) => *other = app,
            None => self.apps.push(app),
        }
    }

    /// Changes the credentials of a number, and returns the ID of its app. The default number shares its app with the
    /// numbers that were added without credentials. Another number gets a separate app, unless an app already
    /// has these credentials.
    pub(super) fn set_credentials(
        &mut self,
        registered: &RegisteredNumber,
        is_default: bool,
        secret: Option<String>,
        access_token: Option<String>,
    ) -> String {
        let Some(current) = self.app(&registered.app_id) else { return registered.app_id.clone() };
        let mut app = current.clone();
        app.secret = secret.unwrap_or(app.secret);
        app.access_token = access_token.unwrap_or(app.access_token);
        if !is_default {
            let has_credentials = |other: &&App| other.secret == app.secret && other.access_token == app.access_token;
            if let Some(other) = self.apps.iter().find(has_credentials) {
                return other.id.clone();
            }
            // Graph IDs are unique: the app's differs from the number's.
            app.id = format!("{}1", registered.number.phone_number_id);
            self.subscribe(&registered.number.waba_id, &app.id, None);
        }
        let id = app.id.clone();
        self.put(app);
        id
    }

    /// Sets or removes the callback of an app.
    pub(super) fn set_callback(&mut self, app_id: &str, callback: Option<Callback>) {
        if let Some(app) = self.apps.iter_mut().find(|app| app.id == app_id) {
            app.callback = callback;
        }
    }

    /// Subscribes an app to an account. Replaces the override of an earlier subscription.
    pub(super) fn subscribe(&mut self, waba_id: &str, app_id: &str, callback: Option<Callback>) {
        self.unsubscribe(waba_id, app_id);
        let subscription = Subscription { waba_id: waba_id.to_owned(), app_id: app_id.to_owned(), callback };
        self.subscriptions.push(subscription);
    }

    pub(super) fn unsubscribe(&mut self, waba_id: &str, app_id: &str) {
        self.subscriptions.retain(|other| other.waba_id != waba_id || other.app_id != app_id);
    }

    pub(super) fn subscriptions<'a>(&'a self, waba_id: &'a str) -> impl Iterator<Item = &'a Subscription> {
        self.subscriptions.iter().filter(move |subscription| subscription.waba_id == waba_id)
    }

    /// Sets or removes the override of a number.
    pub(super) fn override_number(&mut self, phone_number_id: &str, app_id: &str, callback: Option<Callback>) {
        self.numbers.retain(|other| other.phone_number_id != phone_number_id || other.app_id != app_id);
        self.numbers.extend(callback.map(|callback| NumberOverride {
            phone_number_id: phone_number_id.to_owned(),
            app_id: app_id.to_owned(),
            callback,
        }));
    }

    pub(super) fn number_override(&self, phone_number_id: &str, app_id: &str) -> Option<&Callback> {
        let mut overrides = self.numbers.iter();
        let found = overrides.find(|other| other.phone_number_id == phone_number_id && other.app_id == app_id);
        found.map(|found| &found.callback)
    }

    /// Returns where an app's webhooks for a number go: to the number's override, the account's, or the app's callback.
    /// `None` if the app isn't subscribed or has no callback.
    pub(super) fn destination(&self, app_id: &str, waba_id: &str, phone_number_id: &str) -> Option<&Callback> {
        let mut subscriptions = self.subscriptions.iter();
        let subscription =
            subscriptions.find(|subscription| subscription.waba_id == waba_id && subscription.app_id == app_id)?;
        self.number_override(phone_number_id, app_id)
            .or(subscription.callback.as_ref())
            .or(self.app(app_id)?.callback.as_ref())
    }
}

/// Opens the apps: Qasid's and the bot's, which are subscribed to the account from the start. Their names, credentials,
/// and Qasid's callback come from the settings of this run. The apps of added numbers last for a run.
pub(super) fn open(
    journal: &Journal,
    recovered: &Recovered,
    waba_id: &str,
    default: App,
    mut bot: App,
) -> Result<Registry<State>, JournalError> {
    let mut initial = State::default();
    for app in [&default, &bot] {
        initial.subscribe(waba_id, &app.id, None);
    }
    let apps = Registry::open("apps", journal, recovered, initial)?;
    apps.change(|state| {
        bot.callback = state.app(&bot.id).and_then(|app| app.callback.clone());
        let ids = [default.id.clone(), bot.id.clone()];
        state.subscriptions.retain(|subscription| ids.contains(&subscription.app_id));
        state.numbers.retain(|number| ids.contains(&number.app_id));
        state.apps = vec![default, bot];
        Ok::<_, JournalError>(())
    })?;
    Ok(apps)
}

/// Returns whether an app gets the webhooks of another app's objects. The bot works for the business of the default app.
pub(super) fn gets_webhooks_of(app_id: &str, owner_id: &str) -> bool {
    app_id == owner_id || (app_id == BOT_APP_ID && owner_id == DEFAULT_APP_ID)
}

#[cfg(test)]
mod tests;
