//! The health of a session: checks that tell why messages don't flow, from what WhatsApp and the table know.

mod callback;
mod credentials;
mod number;
mod session;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::{
    time::Timestamp,
    whatsapp_error::{ReadError, Refusal},
};

pub use self::{
    callback::{Callbacks, Deployment, Gateway, callback, subscription},
    credentials::{AppSecretMatch, CredentialSource, access_token, app_secret},
    number::{HealthEntity, NumberReview, display_name, number_status, quality, sending, throughput},
    session::{connection, last_webhook, outbox},
};

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    check: &'static str,
    ok: Option<bool>,
    problem: Option<String>,
    fix: Option<String>,
    details: Map<String, Value>,
}

impl Check {
    fn new(check: &'static str, ok: Option<bool>) -> Self {
        Self { check, ok, problem: None, fix: None, details: Map::new() }
    }

    /// A check without a problem.
    fn good(check: &'static str) -> Self {
        Self::new(check, Some(true))
    }

    /// A check that doesn't stop messages yet, but needs attention.
    fn warning(check: &'static str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: Some(problem.into()), fix: Some(fix.into()), ..Self::good(check) }
    }

    /// A check that found a problem.
    fn bad(check: &'static str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: Some(problem.into()), fix: Some(fix.into()), ..Self::new(check, Some(false)) }
    }

    /// A check that couldn't be made, with the reason.
    fn unknown(check: &'static str, reason: impl Into<String>) -> Self {
        Self { problem: Some(reason.into()), ..Self::new(check, None) }
    }

    /// A check of what WhatsApp didn't return.
    fn unread(check: &'static str, error: &ReadError) -> Self {
        Self::unknown(check, reason(error))
    }

    fn fixed_by(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Returns whether the check found a problem.
    pub fn is_bad(&self) -> bool {
        self.ok == Some(false)
    }

    /// Returns whether the check found no problem.
    pub fn is_good(&self) -> bool {
        self.ok == Some(true)
    }

    /// Returns the name.
    pub fn name(&self) -> &'static str {
        self.check
    }
}

/// The checks of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Whether no check found a problem, and WhatsApp confirmed the state of the number.
    pub healthy: bool,
    /// The checks, most important first.
    pub checks: Vec<Check>,
}

impl Report {
    /// Creates a report.
    pub fn new(checks: Vec<Check>) -> Self {
        // Without WhatsApp's answer about the number, a report of unknown checks would look healthy.
        let is_confirmed = checks.iter().filter(|check| check.name() == number::STATUS).all(Check::is_good);
        Self { healthy: is_confirmed && !checks.iter().any(Check::is_bad), checks }
    }
}

/// An access token as WhatsApp describes it (Graph API, *Debug-Token*).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenInfo {
    /// The app that the token belongs to.
    pub app_id: Option<String>,
    /// Whether WhatsApp accepts the token.
    pub is_valid: bool,
    /// Why WhatsApp doesn't accept it.
    pub error: Option<String>,
    /// When the token, or its access to data, expires. `None` for never.
    pub expires_at: Option<Timestamp>,
    /// The permissions.
    pub scopes: Vec<String>,
    /// The permissions that are limited to some accounts, with their IDs.
    pub granted_accounts: Vec<(String, Vec<String>)>,
}

/// A business number as WhatsApp describes it (Meta, *Business phone numbers*). A field that WhatsApp leaves out is
/// `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are Meta's")]
pub struct NumberInfo {
    pub status: Option<String>,
    pub code_verification_status: Option<String>,
    pub platform_type: Option<String>,
    pub quality_rating: Option<String>,
    pub throughput: Option<String>,
    pub verified_name: Option<String>,
    pub callbacks: Callbacks,
}

/// The webhook subscription of an app (Graph API, *Application subscriptions*).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppSubscription {
    /// Whether Meta sends webhooks.
    pub is_active: bool,
    /// The names of the webhook fields.
    pub fields: Vec<String>,
}

/// Returns why something is unknown, as a sentence.
fn reason(error: &ReadError) -> String {
    match error {
        ReadError::Refused(refusal) if is_invalid_token(refusal) => {
            "WhatsApp refuses the access token, so it could not be asked. See the check access_token.".to_owned()
        }
        ReadError::Refused(refusal) => format!("WhatsApp refused to tell: {}.", refusal.error),
        ReadError::NoResponse(error) => format!("{error}."),
    }
}

/// Returns whether WhatsApp refused a request because of the token itself, not because of what it may access.
fn is_invalid_token(refusal: &Refusal) -> bool {
    matches!(refusal.code, Some(0 | 190))
}

#[cfg(test)]
mod tests;
