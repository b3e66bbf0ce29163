//! The bodies of outgoing webhooks.

mod cloud_api;
mod meta_json;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    domain::{
        change::{ChangeType, Subject},
        number::BusinessNumber,
        system::System,
        time::Timestamp,
        webhook_endpoint::Format,
    },
    services::{changes::ResolvedChange, media::MediaLinks},
    store::{NumberIdentity, Store, StoreError},
    telemetry,
};

/// How long a process caches the names of a number.
const NUMBER_CACHE_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Writes the bodies of outgoing webhooks.
#[derive(Clone, Debug)]
pub struct WebhookPayloads {
    store: Store,
    links: MediaLinks,
    system: System,
    own_number: Option<BusinessNumber>,
    numbers: Arc<Mutex<HashMap<String, KnownNumber>>>,
}

/// How webhooks name a number, and when it was read.
type KnownNumber = (Timestamp, Arc<NumberIdentity>);

/// The body of a webhook in Qasid's own format (Standard Webhooks, *Webhook payload*).
#[derive(Serialize)]
struct Payload<'a> {
    #[serde(rename = "type")]
    kind: ChangeType,
    timestamp: Timestamp,
    data: &'a RawValue,
}

impl WebhookPayloads {
    /// Creates a writer. `own_number` is the deployment's own number, which isn't registered in the table.
    pub fn new(store: Store, links: MediaLinks, system: System, own_number: Option<BusinessNumber>) -> Self {
        Self { store, links, system, own_number, numbers: Arc::default() }
    }

    /// Returns the body for a change. `None` if the change has no form in the format, as messages that were erased have
    /// none in [`Format::CloudApi`]: there is nothing to deliver.
    ///
    /// # Errors
    ///
    /// If a DynamoDB request fails.
    pub async fn body(&self, format: Format, change: &ResolvedChange) -> Result<Option<String>, StoreError> {
        match format {
            Format::Qasid => Ok(qasid(change, &self.links)),
            Format::CloudApi => self.cloud_api(change).await,
        }
    }

    async fn cloud_api(&self, change: &ResolvedChange) -> Result<Option<String>, StoreError> {
        let new = &change.change.change;
        if new.kind == ChangeType::WebhookTest {
            return Ok(Some(cloud_api::test(new.id, new.at)));
        }
        match &change.change.change.subject {
            Subject::Message { .. } => {
                let Some((message, _)) = change.message.as_deref().filter(|_| cloud_api::has_form(change)) else {
                    return Ok(None);
                };
                let raw = match cloud_api::reports_status(change) {
                    true => None,
                    false => self.store.messages().full_raw(message).await?,
                };
                let number = self.number(&message.phone_number_id).await?;
                Ok(cloud_api::message(change, raw.as_deref(), &number))
            }
            Subject::Event { .. } => {
                let Some(event) = change.event.as_deref().filter(|event| event.reason.is_none()) else {
                    return Ok(None);
                };
                let raw = self.store.events().full_raw(event).await?;
                let number = match &event.phone_number_id {
                    Some(id) => Some(self.number(id).await?),
                    None => None,
                };
                Ok(cloud_api::event(event, &raw, number.as_deref()))
            }
            Subject::Chat { .. } | Subject::Session | Subject::Webhook { .. } => Ok(None),
        }
    }

    async fn number(&self, phone_number_id: &str) -> Result<Arc<NumberIdentity>, StoreError> {
        let now = self.system.now();
        let known = self.numbers.lock().unwrap_or_else(PoisonError::into_inner).get(phone_number_id).cloned();
        if let Some((read_at, number)) = known
            && now.since(read_at) < NUMBER_CACHE_LIFETIME
        {
            return Ok(number);
        }
        let mut number = self.store.numbers().identity(phone_number_id).await?;
        let own = self.own_number.as_ref().filter(|own| own.phone_number_id == phone_number_id);
        if let Some(own) = own {
            number.display_phone_number.get_or_insert_with(|| own.display_phone_number.clone());
        }
        let number = Arc::new(number);
        // The account of a number is recorded with its first webhook.
        if number.waba_id.is_some() {
            let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
            numbers.insert(phone_number_id.to_owned(), (now, number.clone()));
        }
        Ok(number)
    }
}

fn qasid(change: &ResolvedChange, links: &MediaLinks) -> Option<String> {
    let body = change.json(links).and_then(|data| {
        let (kind, timestamp) = (change.change.change.kind, change.change.change.at);
        serde_json::to_string(&Payload { kind, timestamp, data: &data })
    });
    body.inspect_err(|error| tracing::error!(error = telemetry::chain(error), "webhook body not written")).ok()
}

#[cfg(test)]
mod tests;
