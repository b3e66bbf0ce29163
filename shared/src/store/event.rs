//! Events: webhook fields besides messages and statuses, and payloads that could not be parsed. Stored as received and
//! listed newest first.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Events, StoreError,
    item::{self, number, string},
    keys::{Key, events_key, wamid_key},
};
use crate::domain::{
    cursor::Position,
    id::content_id,
    page::{Order, Page, merge},
    time::Timestamp,
    webhook_event::WebhookEvent,
};

/// How long a payload that could not be parsed is kept: it may contain a customer's message.
pub(super) const UNREAD_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long other events are kept.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

pub(super) const EVENT: &str = "event";

/// The owner of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventOwner {
    /// A number.
    Number(String),
    /// A WhatsApp Business account: each of its numbers lists the event.
    Account(String),
    /// A WhatsApp Business account: each of its numbers lists the event, for admins only.
    AccountAdmins(String),
    /// No known number or account.
    Unknown,
}

/// A stored event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The id, derived from the event's content.
    pub id: Uuid,
    /// The webhook field, such as `account_update`.
    pub field: String,
    /// Why it could not be parsed as a message or a status.
    #[serde(default)]
    pub reason: Option<String>,
    /// When it was stored.
    pub received_at: Timestamp,
    /// When it happened, according to WhatsApp.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// The number that it concerns.
    #[serde(default)]
    pub phone_number_id: Option<String>,
    /// The WhatsApp Business account that it concerns.
    #[serde(default)]
    pub waba_id: Option<String>,
    /// The wamid of a message or status that could not be parsed.
    #[serde(default)]
    pub wamid: Option<String>,
    /// `base64` if the payload isn't UTF-8.
    #[serde(default)]
    pub encoding: Option<String>,
    /// The payload as received, or its first part.
    pub raw: String,
    /// Number of parts of the payload.
    #[serde(default = "one")]
    pub parts: usize,
}

fn one() -> usize {
    1
}

impl Events<'_> {
    /// Stores an event once, even if WhatsApp delivers it several times.
    pub async fn put_if_absent(
        self,
        event: &WebhookEvent,
        owner: &EventOwner,
        encoding: Option<&str>,
    ) -> Result<(), StoreError> {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        // The number is a part, because the app of one number can't send an event for another: see `WebhookApp`. It must
        // not take the place of the same event from an app that can.
        let (named, waba_id, time) = (text(&event.phone_number_id), text(&event.waba_id), text(&event.time));
        let id = content_id(&format!("{}\n{named}\n{waba_id}\n{time}\n{}", event.field, event.raw));
        let lifetime = if event.reason.is_some() { UNREAD_LIFETIME } else { LIFETIME };
        let raw = self.0.put_raw_parts(&id.to_string(), &event.raw, Some(lifetime)).await?;
        let now = self.0.system.now();
        let stored = StoredEvent {
            id,
            field: event.field.clone(),
            reason: event.reason.map(str::to_owned),
            received_at: now,
            at: event.at(),
            phone_number_id: event.phone_number_id.clone(),
            waba_id: event.waba_id.clone(),
            wamid: event.wamid.clone(),
            encoding: encoding.map(str::to_owned),
            raw: raw.first.to_owned(),
            parts: raw.count,
        };
        let mut item = item::write(EVENT, &Key::event(id), &stored)?;
        // Keeps the event out of the `by_id` index.
        item.remove("id");
        item.insert("event_id".to_owned(), string(id.to_string()));
        item.insert("expires_at".to_owned(), number(now.after(lifetime).seconds()));
        item.insert("inbox_key".to_owned(), string(events_key(owner)));
        item.insert("inbox_position".to_owned(), string(Position { at: now, id }.to_string()));
        if let (Some(number), Some(wamid)) = (&event.phone_number_id, &event.wamid) {
            item.insert("wamid_key".to_owned(), string(wamid_key(number, wamid)));
        }
        self.0.put_if_absent("storing an event", item).await
    }

    /// Returns a page of the events of these owners that were stored since `since`, newest first.
    pub async fn list(
        self,
        owners: &[EventOwner],
        since: Option<Timestamp>,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<StoredEvent>, StoreError> {
        let mut segments = Vec::with_capacity(owners.len());
        for owner in owners {
            let key = events_key(owner);
            let mut segment = self.0.inbox_segment("listing events", key, None, after, limit).await?;
            if let Some(since) = since {
                segment.items.retain(|(position, _)| position.at >= since);
                segment.reached = segment.reached.filter(|position| position.at >= since);
            }
            segments.push(segment);
        }
        let page = merge(segments, Order::Descending, limit, |_| true);
        let keys = page.items.iter().map(|position| Key::event(position.id)).collect();
        let mut found = self.0.get_all_eventually("reading listed events", keys).await?;
        let mut items = Vec::with_capacity(found.len());
        for Position { id, .. } in page.items {
            if let Some(mut item) = found.remove(&Key::event(id)) {
                item.insert("id".to_owned(), string(id.to_string()));
                items.push(item::read(EVENT, item)?);
            }
        }
        Ok(Page { items, next: page.next })
    }
}
