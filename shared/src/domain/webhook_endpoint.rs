//! Endpoints that receive outgoing webhooks: what they subscribe to and in which format.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::domain::{
    change::ChangeType,
    id::{SessionId, WebhookId},
    session::Setting,
    time::Timestamp,
};

/// The maximum number of webhooks of a session, and of webhooks for all sessions.
pub const MAX_WEBHOOKS: u64 = 10;

/// The body of the requests to a receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `{"type", "timestamp", "data"}` (Standard Webhooks, *Webhook payload*).
    #[default]
    Qasid,
    /// The JSON that WhatsApp would send (Meta, *Webhooks reference*).
    CloudApi,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Qasid, Self::CloudApi];

    /// Returns the format's name in requests, responses, and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Qasid => "qasid",
            Self::CloudApi => "cloud_api",
        }
    }
}

/// What follows a failed delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Later changes are delivered while an earlier one is retried.
    #[default]
    None,
    /// Later changes of the same chat wait for the failed one, for up to an hour.
    Chat,
}

impl Order {
    /// Every order.
    pub const ALL: [Self; 2] = [Self::None, Self::Chat];

    /// Returns the name in requests, responses, and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Chat => "chat",
        }
    }
}

/// The types of changes that an endpoint subscribes to: a type, all types of a group such as `message.*`, or all types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventPattern(String);

impl EventPattern {
    /// Returns the pattern of all types.
    pub fn all() -> Self {
        Self("*".to_owned())
    }

    /// Returns whether the pattern includes a type.
    pub fn includes(&self, kind: ChangeType) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => kind.as_str().starts_with(prefix),
            None => kind.as_str() == self.0,
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is neither a type nor a group of types.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event type")]
pub struct NotAPattern;

impl FromStr for EventPattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let group = text.strip_suffix('*').filter(|group| group.is_empty() || group.ends_with('.'));
        let is_known = match group {
            Some(group) => ChangeType::ALL.iter().any(|kind| kind.as_str().starts_with(group)),
            None => text.parse::<ChangeType>().is_ok(),
        };
        is_known.then(|| Self(text.to_owned())).ok_or(NotAPattern)
    }
}

/// A webhook as stored. Its secret isn't stored: it is derived from the deployment's signing key, the ID, and the version.
/// Its [`fmt::Debug`] leaves out the URL, the headers, and the description.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookEndpoint {
    /// The ID.
    pub id: WebhookId,
    /// The session. `None` for all sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The URL. It can contain a secret, so it is never logged.
    pub url: String,
    /// The types to deliver.
    pub events: Vec<EventPattern>,
    /// The format of the body.
    #[serde(default)]
    pub format: Format,
    /// What follows a failed delivery.
    #[serde(default)]
    pub order: Order,
    /// Additional headers of the requests. They can contain secrets, so they are never logged.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A text for its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether changes are delivered.
    pub enabled: bool,
    /// When it was last enabled after it had been disabled. Failures before that time don't disable it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled_at: Option<Timestamp>,
    /// Why Qasid disabled it. `None` if its owner did, and while it is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    /// The version of the secret. A rotation increments it.
    pub secret_version: u32,
    /// Until when the previous version signs as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret_until: Option<Timestamp>,
    /// When it was created. Changes since then are delivered.
    pub created_at: Timestamp,
    /// When its settings were last changed.
    pub updated_at: Timestamp,
    /// When it was enabled, until the deliveries that were open before are due again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
}

/// Why Qasid disabled a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// The receiver responded 410.
    Gone,
    /// No delivery succeeded for five days.
    Failing,
}

impl DisabledReason {
    /// Returns the name in responses and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

/// The settings of a webhook as its owner gives them. Their [`fmt::Debug`] is that of [`WebhookEndpoint`].
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of WebhookEndpoint")]
pub struct WebhookFields {
    pub url: String,
    pub events: Vec<EventPattern>,
    pub format: Format,
    pub order: Order,
    pub headers: BTreeMap<String, String>,
    pub description: Option<String>,
    pub enabled: bool,
}

/// A change of a webhook's settings. `None` leaves one as it is. Its [`fmt::Debug`] shows which settings it has, and not
/// their values.
#[derive(Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of WebhookEndpoint")]
pub struct WebhookChange {
    pub url: Option<String>,
    pub events: Option<Vec<EventPattern>>,
    pub format: Option<Format>,
    pub order: Option<Order>,
    pub headers: Setting<BTreeMap<String, String>>,
    pub description: Setting<String>,
    pub enabled: Option<bool>,
}

impl WebhookChange {
    /// Returns whether deliveries that failed or waited can succeed after the change.
    pub fn can_end_failure(&self) -> bool {
        self.enabled == Some(true) || self.url.is_some() || self.format.is_some() || self.headers != Setting::Keep
    }
}

impl fmt::Debug for WebhookEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookEndpoint")
            .field("id", &self.id)
            .field("session_id", &self.session_id)
            .field("events", &self.events)
            .field("format", &self.format)
            .field("order", &self.order)
            .field("enabled", &self.enabled)
            .field("disabled_reason", &self.disabled_reason)
            .field("secret_version", &self.secret_version)
            .field("updated_at", &self.updated_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WebhookFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookFields")
            .field("events", &self.events)
            .field("format", &self.format)
            .field("order", &self.order)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WebhookChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, events, format, order, headers, description, enabled } = self;
        let settings = [
            ("url", url.is_some()),
            ("events", events.is_some()),
            ("format", format.is_some()),
            ("order", order.is_some()),
            ("headers", *headers != Setting::Keep),
            ("description", *description != Setting::Keep),
            ("enabled", enabled.is_some()),
        ];
        let changed = settings.into_iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| name);
        f.write_str("WebhookChange ")?;
        f.debug_set().entries(changed).finish()
    }
}

impl WebhookEndpoint {
    /// Creates a webhook with the first version of its secret.
    pub fn new(id: WebhookId, session_id: Option<SessionId>, fields: WebhookFields, now: Timestamp) -> Self {
        let WebhookFields { url, events, format, order, headers, description, enabled } = fields;
        Self {
            id,
            session_id,
            url,
            events,
            format,
            order,
            headers,
            description,
            enabled,
            enabled_at: None,
            disabled_reason: None,
            secret_version: 1,
            previous_secret_until: None,
            created_at: now,
            updated_at: now,
            due_at: None,
        }
    }

    /// Returns whether the endpoint subscribes to a type.
    pub fn subscribes_to(&self, kind: ChangeType) -> bool {
        self.events.iter().any(|pattern| pattern.includes(kind))
    }

    /// Returns the versions of the secret that sign at `now`, the current one first.
    pub fn signing_versions(&self, now: Timestamp) -> impl Iterator<Item = u32> + use<> {
        let previous = self.previous_secret_until.filter(|until| now < *until).map(|_| self.secret_version - 1);
        std::iter::once(self.secret_version).chain(previous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_types_groups_or_all() {
        for (pattern, kind, is_included) in [
            ("*", ChangeType::SessionQr, true),
            ("message.*", ChangeType::MessageReceived, true),
            ("message.*", ChangeType::ChatCreated, false),
            ("message.read", ChangeType::MessageRead, true),
            ("message.read", ChangeType::MessageReaction, false),
        ] {
            assert_eq!(pattern.parse::<EventPattern>().unwrap().includes(kind), is_included, "{pattern} {kind}");
        }
        for other in ["", "message", "message.", "mess*", "message.r*", ".*", "**", "message.recieved", "Message.*"] {
            assert_eq!(other.parse::<EventPattern>(), Err(NotAPattern), "{other}");
        }
    }

    #[test]
    fn debug_texts_have_neither_urls_nor_headers() {
        let headers = BTreeMap::from([("authorization".to_owned(), "Bearer private".to_owned())]);
        let fields = WebhookFields {
            url: "https://example.com/private".to_owned(),
            events: vec![EventPattern::all()],
            format: Format::CloudApi,
            order: Order::Chat,
            headers: headers.clone(),
            description: Some("private".to_owned()),
            enabled: true,
        };
        let change = WebhookChange {
            url: Some(fields.url.clone()),
            headers: Setting::Set(headers),
            description: Setting::Set("private".to_owned()),
            ..WebhookChange::default()
        };
        assert_eq!(format!("{change:?}"), r#"WebhookChange {"url", "headers", "description"}"#);
        let id = WebhookId::from_uuid(uuid::Uuid::nil());
        let fields_text = format!("{fields:?}");
        let endpoint_text = format!("{:?}", WebhookEndpoint::new(id, None, fields, Timestamp::MIN));
        assert!(endpoint_text.contains(&id.to_string()), "{endpoint_text}");
        for text in [fields_text, endpoint_text] {
            assert!(text.contains("CloudApi") && text.contains("Chat"), "{text}");
            assert!(!text.contains("example.com") && !text.contains("private"), "{text}");
        }
    }

    #[test]
    fn every_type_reads_back_from_its_name() {
        for kind in ChangeType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
