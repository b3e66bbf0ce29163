//! Outgoing webhooks: creating, reading, changing, and deleting them, and their secrets.

use std::{fmt, time::Duration};

use futures_util::future::try_join;

use crate::{
    domain::{
        change::log::LogEnd,
        id::{SessionId, WebhookId},
        system::System,
        time::Timestamp,
        webhook_endpoint::{MAX_WEBHOOKS, WebhookChange, WebhookEndpoint, WebhookFields},
        webhook_signature::WebhookSecret,
        webhook_url::WebhookUrl,
    },
    secrets::signing_key::{SigningKeyError, SigningKeyReader},
    services::{
        function_invoker::{FunctionInvoker, NotifyEvent},
        webhook_client::{HandshakeError, WebhookClient},
    },
    store::{Store, StoreError, WebhookCreated, WebhookCursor},
};

/// Why a request for a webhook fails.
#[derive(Debug, thiserror::Error)]
pub enum WebhookEndpointError {
    /// There is no such webhook.
    #[error("Webhook not found")]
    NotFound,
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// The session has the maximum number of webhooks, or there are as many for all sessions.
    #[error("There are already {MAX_WEBHOOKS} webhooks, the maximum: delete one first")]
    TooMany,
    /// The receiver failed the verification.
    #[error(transparent)]
    Verification(#[from] HandshakeError),
    /// The key of the secrets can't be read.
    #[error(transparent)]
    SigningKey(#[from] SigningKeyError),
    /// The table didn't respond.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A webhook with the state of its deliveries.
#[derive(Clone, Debug)]
pub struct WebhookStatus {
    /// The webhook.
    pub webhook: WebhookEndpoint,
    /// The state; `None` for a webhook for all sessions, which has one for each session.
    pub health: Option<WebhookHealth>,
}

/// The state of a webhook's deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookHealth {
    /// The time of the last successful delivery.
    pub last_success_at: Option<Timestamp>,
    /// The time of the first failed attempt since then.
    pub failing_since: Option<Timestamp>,
    /// The number of failed attempts since then.
    pub failures: u32,
    /// The number of changes in the log, of any type, that the webhook has yet to process; `None` if it is unknown,
    /// before the first delivery.
    pub behind: Option<u64>,
}

impl WebhookHealth {
    fn new(webhook: &WebhookEndpoint, end: LogEnd, cursor: Option<WebhookCursor>) -> Self {
        match cursor {
            Some(WebhookCursor { progress, health, .. }) => Self {
                last_success_at: health.last_success_at,
                failing_since: health.failing_since,
                failures: health.failures,
                behind: Some(end.last.saturating_sub(progress.position())),
            },
            None => {
                let has_changes = end.appended_at.is_some_and(|at| at >= webhook.created_at);
                Self { last_success_at: None, failing_since: None, failures: 0, behind: (!has_changes).then_some(0) }
            }
        }
    }
}

/// Returns the webhooks of a session, or those for all sessions, oldest first.
pub async fn list(store: &Store, session_id: Option<SessionId>) -> Result<Vec<WebhookStatus>, WebhookEndpointError> {
    let Some(session_id) = session_id else {
        let webhooks = store.webhooks().list(None).await?;
        return Ok(webhooks.into_iter().map(|webhook| WebhookStatus { webhook, health: None }).collect());
    };
    let (session, (end, webhooks)) =
        try_join(store.sessions().get(session_id), store.webhooks().with_log_end(session_id)).await?;
    session.ok_or(WebhookEndpointError::SessionNotFound)?;
    let ids: Vec<WebhookId> = webhooks.iter().map(|webhook| webhook.id).collect();
    let mut cursors = store.webhook_cursors().of_session(session_id, &ids).await?;
    let with_status = |webhook: WebhookEndpoint| {
        let health = WebhookHealth::new(&webhook, end, cursors.remove(&webhook.id));
        WebhookStatus { webhook, health: Some(health) }
    };
    Ok(webhooks.into_iter().map(with_status).collect())
}

/// Returns a webhook with the state of its deliveries.
pub async fn with_status(store: &Store, webhook: WebhookEndpoint) -> Result<WebhookStatus, WebhookEndpointError> {
    let Some(session_id) = webhook.session_id else { return Ok(WebhookStatus { webhook, health: None }) };
    let ids = [webhook.id];
    let (end, mut cursors) =
        try_join(store.changes().end(session_id), store.webhook_cursors().of_session(session_id, &ids)).await?;
    let health = WebhookHealth::new(&webhook, end, cursors.remove(&webhook.id));
    Ok(WebhookStatus { webhook, health: Some(health) })
}

/// Meta's verification of a receiver, before its webhook is created.
#[derive(Clone, PartialEq, Eq)]
pub struct Verification {
    /// The URL of the receiver.
    pub url: WebhookUrl,
    /// The token by which the receiver recognizes the request. It is stored nowhere.
    pub token: String,
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verification")
    }
}

/// Creates webhooks.
#[derive(Clone, Debug)]
pub struct WebhookCreator {
    client: WebhookClient,
    signing_key: SigningKeyReader,
    system: System,
}

impl WebhookCreator {
    /// Creates a creator that verifies receivers with `client`.
    pub fn new(client: WebhookClient, signing_key: SigningKeyReader, system: System) -> Self {
        Self { client, signing_key, system }
    }

    /// Creates a webhook of a session, or for all sessions, and returns it with its secret. Verifies the receiver first if
    /// the request asks for it.
    pub async fn create(
        &self,
        store: &Store,
        session_id: Option<SessionId>,
        fields: WebhookFields,
        verification: Option<Verification>,
    ) -> Result<(WebhookStatus, WebhookSecret), WebhookEndpointError> {
        if let Some(Verification { url, token }) = verification {
            // A request that creates nothing must not reach a receiver.
            check_room(store, session_id).await?;
            self.client.handshake(&url, &token, self.system).await?;
        }
        let id = WebhookId::from_uuid(self.system.ordered_uuid());
        let webhook = WebhookEndpoint::new(id, session_id, fields, self.system.now());
        // Before the webhook exists, so that a failure leaves nothing behind.
        let secret = self.signing_key.webhook_secret(id, webhook.secret_version).await?;
        match store.webhooks().create(&webhook).await? {
            WebhookCreated::Created => {
                tracing::info!(
                    webhook_id = %webhook.id,
                    session_id = session_id.map(tracing::field::display),
                    "webhook created"
                );
                let health = session_id.map(|_| WebhookHealth::new(&webhook, LogEnd::default(), None));
                Ok((WebhookStatus { webhook, health }, secret))
            }
            WebhookCreated::NoSession => Err(WebhookEndpointError::SessionNotFound),
            WebhookCreated::TooMany => Err(WebhookEndpointError::TooMany),
        }
    }
}

/// Checks that the session exists and has fewer webhooks than the maximum. Another request can create one afterwards, so the
/// write has the same conditions.
async fn check_room(store: &Store, session_id: Option<SessionId>) -> Result<(), WebhookEndpointError> {
    let session_exists = async {
        match session_id {
            Some(session_id) => Ok(store.sessions().get(session_id).await?.is_some()),
            None => Ok(true),
        }
    };
    let (exists, webhooks) = try_join(session_exists, store.webhooks().list(session_id)).await?;
    if !exists {
        return Err(WebhookEndpointError::SessionNotFound);
    }
    let count = u64::try_from(webhooks.len()).unwrap_or(u64::MAX);
    if count < MAX_WEBHOOKS { Ok(()) } else { Err(WebhookEndpointError::TooMany) }
}

/// Returns a webhook.
pub async fn find(store: &Store, id: WebhookId) -> Result<WebhookEndpoint, WebhookEndpointError> {
    store.webhooks().find(id).await?.ok_or(WebhookEndpointError::NotFound)
}

/// Changes the settings of a webhook. If that can end a failure, delivers what waits.
pub async fn update(
    store: &Store,
    notify: &FunctionInvoker,
    webhook: &WebhookEndpoint,
    change: &WebhookChange,
) -> Result<WebhookStatus, WebhookEndpointError> {
    let webhook = store.webhooks().update(webhook, change).await?.ok_or(WebhookEndpointError::NotFound)?;
    tracing::info!(
        webhook_id = %webhook.id,
        session_id = webhook.session_id.map(tracing::field::display),
        "webhook changed"
    );
    if webhook.enabled && change.can_end_failure() {
        notify.invoke(&NotifyEvent::Webhook { webhook: webhook.id }).await;
    }
    with_status(store, webhook).await
}

/// Deletes a webhook.
pub async fn delete(store: &Store, webhook: &WebhookEndpoint) -> Result<(), WebhookEndpointError> {
    if store.webhooks().delete(webhook).await? { Ok(()) } else { Err(WebhookEndpointError::NotFound) }
}

/// Returns the current secret of a webhook.
pub async fn secret(
    signing_key: &SigningKeyReader,
    webhook: &WebhookEndpoint,
) -> Result<WebhookSecret, WebhookEndpointError> {
    Ok(signing_key.webhook_secret(webhook.id, webhook.secret_version).await?)
}

/// Replaces the secret of a webhook. The previous one signs as well for the time `grace`. Returns the webhook and its new
/// secret.
pub async fn rotate(
    store: &Store,
    signing_key: &SigningKeyReader,
    system: System,
    webhook: &WebhookEndpoint,
    grace: Duration,
) -> Result<(WebhookEndpoint, WebhookSecret), WebhookEndpointError> {
    // Before the rotation, which would otherwise replace a secret by an unknown one.
    signing_key.get().await?;
    let rotated = store.webhooks().rotate(webhook, system.now().after(grace)).await?;
    let rotated = rotated.ok_or(WebhookEndpointError::NotFound)?;
    let secret = secret(signing_key, &rotated).await?;
    Ok((rotated, secret))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        domain::{
            session::Setting,
            webhook_delivery::{EndpointHealth, Progress},
            webhook_endpoint::{EventPattern, Format, Order},
        },
        store::CursorId,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    fn webhook() -> WebhookEndpoint {
        let fields = WebhookFields {
            url: "https://example.com/".to_owned(),
            events: vec![EventPattern::all()],
            format: Format::Qasid,
            order: Order::None,
            headers: BTreeMap::new(),
            description: None,
            enabled: true,
        };
        let id = WebhookId::from_uuid(uuid::Uuid::nil());
        WebhookEndpoint::new(id, Some(SessionId::for_owner("ada")), fields, at(1_000))
    }

    #[test]
    fn a_webhook_is_behind_by_the_changes_after_its_position() {
        let end = LogEnd { last: 50, appended_at: Some(at(2_000)) };
        let cursor = |position| WebhookCursor {
            id: CursorId { webhook_id: webhook().id, session_id: SessionId::for_owner("ada"), is_replay: false },
            progress: Progress::new(position, []),
            health: EndpointHealth { failures: 3, failing_since: Some(at(1_500)), ..EndpointHealth::default() },
            failing_until: None,
            replay: None,
        };
        let health = WebhookHealth::new(&webhook(), end, Some(cursor(40)));
        assert_eq!((health.behind, health.failures, health.failing_since), (Some(10), 3, Some(at(1_500))));
        // The end of the log was read before the position.
        assert_eq!(WebhookHealth::new(&webhook(), end, Some(cursor(51))).behind, Some(0));
    }

    #[test]
    fn a_webhook_without_a_position_is_behind_only_if_the_log_has_later_changes() {
        for (appended_at, behind) in [(None, Some(0)), (Some(at(999)), Some(0)), (Some(at(1_000)), None)] {
            let health = WebhookHealth::new(&webhook(), LogEnd { last: 7, appended_at }, None);
            assert_eq!((health.behind, health.failures), (behind, 0), "{appended_at:?}");
        }
    }

    #[test]
    fn only_changes_of_the_request_to_the_receiver_can_end_a_failure() {
        for change in [
            WebhookChange { enabled: Some(true), ..WebhookChange::default() },
            WebhookChange { url: Some("https://example.org/".to_owned()), ..WebhookChange::default() },
            WebhookChange { format: Some(Format::CloudApi), ..WebhookChange::default() },
            WebhookChange { headers: Setting::Reset, ..WebhookChange::default() },
        ] {
            assert!(change.can_end_failure(), "{change:?}");
        }
        for change in [
            WebhookChange { enabled: Some(false), ..WebhookChange::default() },
            WebhookChange { order: Some(Order::Chat), description: Setting::Reset, ..WebhookChange::default() },
            WebhookChange { events: Some(vec![EventPattern::all()]), ..WebhookChange::default() },
        ] {
            assert!(!change.can_end_failure(), "{change:?}");
        }
    }
}
