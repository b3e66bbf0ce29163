//! Deliveries of outgoing webhooks as their owner sees them: tests, failed deliveries, retries, and replays.

use futures_util::future::try_join;

use crate::{
    domain::{
        change::{Change, ChangeType, NewChange, Subject},
        cursor::Position,
        id::{ChangeId, MessageId, SessionId, WebhookId},
        message_key::MessageKey,
        page::Page,
        system::System,
        time::Timestamp,
        webhook_delivery::{DeliveryStatus, WebhookAttempt, WebhookDelivery},
        webhook_endpoint::WebhookEndpoint,
    },
    services::{
        changes::ResolvedChange,
        function_invoker::{FunctionInvoker, NotifyEvent},
        webhook_sender::{SendWebhookError, WebhookSender},
    },
    store::{ReplayOnly, Store, StoreError},
};

/// Why a request about deliveries fails.
#[derive(Debug, thiserror::Error)]
pub enum WebhookDeliveryError {
    /// There is no stored delivery of the change.
    #[error("There is no failed delivery of this change to this webhook: to deliver other changes again, use replay")]
    NotFound,
    /// The webhook's sessions have no such message.
    #[error("Message not found")]
    MessageNotFound,
    /// The webhook is disabled.
    #[error("The webhook is disabled: enable it first, with PATCH and enabled")]
    Disabled,
    /// An earlier replay of the same log isn't finished.
    #[error("A replay of this webhook is running: wait until it has ended")]
    ReplayRunning,
    /// Changes of the range have expired, or may have. Has the position before the oldest change.
    #[error("The log no longer has all of these changes: use after with {0} for those that are left")]
    Expired(u64),
    /// The range begins after the last change.
    #[error("after must not be greater than the number of the last change, {0}")]
    AfterEnd(u64),
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A test couldn't be sent.
    #[error(transparent)]
    Send(#[from] SendWebhookError),
}

/// A page of a webhook's failed, waiting, and retried deliveries.
#[derive(Clone, Debug)]
pub struct AttemptList {
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Its session; `None` for all sessions.
    pub session_id: Option<SessionId>,
    /// Only those with this status.
    pub status: Option<DeliveryStatus>,
    /// Only those of changes of this message.
    pub message_id: Option<MessageId>,
    /// The maximum number of deliveries.
    pub limit: usize,
    /// Where the page begins.
    pub after: Option<Position>,
}

/// Which part of a log to deliver again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayRange {
    /// By the time at which changes were recorded.
    Times {
        /// Changes since this time.
        since: Timestamp,
        /// Changes before this time.
        until: Option<Timestamp>,
    },
    /// By number.
    Numbers {
        /// Changes with higher numbers.
        after: u64,
        /// Changes up to this number.
        until: Option<u64>,
    },
}

/// A request to deliver changes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayRequest {
    /// The session with the log.
    pub session_id: SessionId,
    /// The part of the log.
    pub range: ReplayRange,
    /// Which changes of it.
    pub only: ReplayOnly,
}

/// Sends a `webhook.test` to a webhook, also to a disabled one. It isn't in the log, and its result isn't kept. A webhook
/// for all sessions gets it with the nil UUID as the session.
///
/// # Errors
///
/// If the signing key can't be read. Failures of the receiver are in the attempt.
pub async fn test(
    sender: &WebhookSender,
    webhook: &WebhookEndpoint,
    system: System,
) -> Result<Option<WebhookAttempt>, WebhookDeliveryError> {
    let now = system.now();
    let change = NewChange {
        id: ChangeId::from_uuid(system.random_uuid()),
        kind: ChangeType::WebhookTest,
        at: now,
        chat_id: None,
        subject: Subject::Webhook { id: webhook.id },
    };
    let session_id = webhook.session_id.unwrap_or(SessionId::NIL);
    let change = Change { session_id, sequence: 0, appended_at: now, change };
    Ok(sender.send(webhook, &ResolvedChange::without_content(change)).await?)
}

/// Returns a page of deliveries that failed at least once or wait, newest first. Eventually consistent.
pub async fn list(
    store: &Store,
    list: &AttemptList,
    system: System,
) -> Result<Page<WebhookDelivery>, WebhookDeliveryError> {
    let AttemptList { webhook_id, session_id, status, message_id, limit, after } = *list;
    let mut page = match message_id {
        None => store.webhook_deliveries().list(webhook_id, status, after, limit).await?,
        Some(id) => {
            let (key, session_id) = find_message(store, id, session_id).await?;
            store.webhook_deliveries().list_of_message(webhook_id, &key, session_id, status, after, limit).await?
        }
    };
    let now = system.now();
    // DynamoDB deletes expired items within days.
    page.items.retain(|delivery| delivery.expires_at > now);
    Ok(page)
}

/// Returns the key of a message and its session, which is `session_id` if there is one.
async fn find_message(
    store: &Store,
    id: MessageId,
    session_id: Option<SessionId>,
) -> Result<(MessageKey, SessionId), WebhookDeliveryError> {
    let Some(key) = store.messages().find_by_id(id).await? else { return Err(WebhookDeliveryError::MessageNotFound) };
    let found = store.messages().get(&key).await?.map(|(message, _)| message.session_id);
    let found = found.filter(|found| session_id.is_none_or(|session_id| session_id == *found));
    Ok((key, found.ok_or(WebhookDeliveryError::MessageNotFound)?))
}

/// Makes a delivery due now, whatever its status, and returns it.
pub async fn retry(
    store: &Store,
    notify: &FunctionInvoker,
    webhook: &WebhookEndpoint,
    change_id: ChangeId,
    system: System,
) -> Result<WebhookDelivery, WebhookDeliveryError> {
    let found = store.webhook_deliveries().find(webhook.id, change_id).await?;
    let found = found.filter(|delivery| delivery.expires_at > system.now()).ok_or(WebhookDeliveryError::NotFound)?;
    check_enabled(webhook)?;
    let delivery = store.webhook_deliveries().retry_now(&found).await?.ok_or(WebhookDeliveryError::NotFound)?;
    start(notify, webhook).await;
    Ok(delivery)
}

/// Delivers a part of a log again, one part at a time. Returns the numbers of its first and last change; `None` if it has
/// none.
pub async fn replay(
    store: &Store,
    notify: &FunctionInvoker,
    webhook: &WebhookEndpoint,
    request: &ReplayRequest,
) -> Result<Option<(u64, u64)>, WebhookDeliveryError> {
    check_enabled(webhook)?;
    let ReplayRequest { session_id, range, only } = *request;
    let (position, end) = match range {
        ReplayRange::Times { since, until } => times(store, session_id, since, until).await?,
        ReplayRange::Numbers { after, until } => numbers(store, session_id, after, until).await?,
    };
    if position >= end {
        return Ok(None);
    }
    if !store.webhook_cursors().start_replay(webhook.id, session_id, only, position, end).await? {
        return Err(WebhookDeliveryError::ReplayRunning);
    }
    start(notify, webhook).await;
    Ok(Some((position + 1, end)))
}

/// Returns the position before the first change since `since`, and the number of the last one before `until`.
async fn times(
    store: &Store,
    session_id: SessionId,
    since: Timestamp,
    until: Option<Timestamp>,
) -> Result<(u64, u64), WebhookDeliveryError> {
    let changes = store.changes();
    let end = async {
        match until {
            Some(until) => changes.first_since(session_id, until).await,
            None => Ok(changes.end(session_id).await?.last),
        }
    };
    let (position, end) = try_join(changes.first_since(session_id, since), end).await?;
    // A position of 0 is the start of the log: no change has expired.
    if position > 0 && since < changes.kept_since() && position == changes.oldest(session_id).await? {
        return Err(WebhookDeliveryError::Expired(position));
    }
    Ok((position, end))
}

/// Checks that the log has the changes after `after`. Returns it, and the number of the last change up to `until`.
async fn numbers(
    store: &Store,
    session_id: SessionId,
    after: u64,
    until: Option<u64>,
) -> Result<(u64, u64), WebhookDeliveryError> {
    let changes = store.changes();
    let last = changes.end(session_id).await?.last;
    if after > last {
        return Err(WebhookDeliveryError::AfterEnd(last));
    }
    if changes.read(session_id, after, 1).await?.is_err() {
        return Err(WebhookDeliveryError::Expired(changes.oldest(session_id).await?));
    }
    Ok((after, until.unwrap_or(last).min(last)))
}

fn check_enabled(webhook: &WebhookEndpoint) -> Result<(), WebhookDeliveryError> {
    if webhook.enabled { Ok(()) } else { Err(WebhookDeliveryError::Disabled) }
}

/// Starts `notify`. Otherwise, the schedule finds the due work within two minutes.
async fn start(notify: &FunctionInvoker, webhook: &WebhookEndpoint) {
    notify.invoke(&NotifyEvent::Webhook { webhook: webhook.id }).await;
}
