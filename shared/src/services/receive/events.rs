//! Storing of other webhook events, and of what can't be parsed.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::Receiver;
use crate::{
    domain::webhook_event::WebhookEvent,
    store::{EventOwner, StoreError},
    telemetry::Metric,
};

impl Receiver {
    /// Stores an event for the number that it names, or for its account if that is known. An update that can't be
    /// parsed may contain a contact's text, so only the number's owner can see it.
    pub(super) async fn store_event(&self, event: WebhookEvent) -> Result<(), StoreError> {
        if event.reason.is_some() {
            self.metrics.add(Metric::WebhookParseFailed, 1);
        }
        let owner = match (&event.phone_number_id, &event.waba_id) {
            (Some(number), _) => EventOwner::Number(number.clone()),
            (None, Some(account)) if event.reason.is_none() && self.store.numbers().has_account(account).await? => {
                match event.is_shared && !event.names_number() {
                    true => EventOwner::Account(account.clone()),
                    false => EventOwner::AccountAdmins(account.clone()),
                }
            }
            _ => EventOwner::Unknown,
        };
        self.store.events().put_if_absent(&event, &owner, None).await
    }

    /// Stores a body that isn't JSON.
    pub(super) async fn store_invalid_body(&self, body: &[u8]) -> Result<(), StoreError> {
        self.store_body(body, "the body is not JSON").await
    }

    /// Stores a body with bytes that were replaced because they aren't UTF-8.
    pub(super) async fn store_undecodable_body(&self, body: &[u8]) -> Result<(), StoreError> {
        self.store_body(body, "invalid UTF-8: the updates are stored with U+FFFD in place of invalid bytes").await
    }

    /// Stores a whole body. Encodes it as base64 if it isn't UTF-8.
    async fn store_body(&self, body: &[u8], reason: &'static str) -> Result<(), StoreError> {
        let (raw, encoding) = match std::str::from_utf8(body) {
            Ok(text) => (text.to_owned(), None),
            Err(_) => (BASE64_STANDARD.encode(body), Some("base64")),
        };
        let event = WebhookEvent { field: "webhook".to_owned(), reason: Some(reason), raw, ..WebhookEvent::default() };
        self.metrics.add(Metric::WebhookParseFailed, 1);
        self.store.events().put_if_absent(&event, &EventOwner::Unknown, encoding).await
    }
}
