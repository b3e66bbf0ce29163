//! Changes with what they are about: the content of `GET /api/changes` and of webhooks.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    domain::{
        change::{
            Change, ChangeType, Subject,
            log::{ChangePage, Expired, PageEnd},
        },
        chat::Chat,
        id::{ChangeId, ChatId, MessageId, SessionId, WebhookId},
        message::{Message, MessageStatus, Source},
        session::Session,
        time::Timestamp,
        webhook_endpoint::EventPattern,
    },
    services::{
        media::MediaLinks,
        resources::{ChatDetailResponse, EventResponse, MessageDetailResponse, SessionStateResponse},
    },
    store::{MessageMetadata, Store, StoreError, StoredEvent, Subjects},
    telemetry,
};

/// The number of changes to read at once if only some types are wanted, and how often to read.
const FILTERED_READ: usize = 100;
const FILTERED_READS: usize = 5;

/// The maximum size of the changes on a page, in bytes. A Lambda response has up to 6 MB, and escaping doubles each
/// quotation mark.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// A request for changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeList {
    /// The session.
    pub session_id: SessionId,
    /// The position after which the changes are. `None` for the end of the log.
    pub after: Option<u64>,
    /// The maximum number of changes.
    pub limit: usize,
    /// The types of the changes. All if it is empty.
    pub types: Vec<EventPattern>,
}

/// A page of changes as JSON.
#[derive(Debug, Default)]
pub struct ChangeFeed {
    /// The changes, oldest first.
    pub changes: Vec<Box<RawValue>>,
    /// The position to continue from.
    pub next: u64,
    /// Whether more changes can be read now.
    pub more: bool,
}

/// Why a request for changes fails.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// Changes after the position were deleted.
    #[error("Changes after this number are no longer stored: read the lists again, and continue without `after`")]
    Expired,
    /// The log doesn't reach the position.
    #[error("after is {after}, but the last change is {last}: give the `next` of an earlier response")]
    AfterEnd {
        /// The position.
        after: u64,
        /// The last number of the log.
        last: u64,
    },
    /// A change could not be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The table didn't respond.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns a page of a session's changes with what they are about. A page has fewer changes than the list asks for if
/// they are large, but at least one.
///
/// # Errors
///
/// See [`ChangesError`].
pub async fn list(store: &Store, links: &MediaLinks, list: &ChangeList) -> Result<ChangeFeed, ChangesError> {
    let (session, page) = tokio::join!(store.sessions().get(list.session_id), page(store, list));
    session?.ok_or(ChangesError::SessionNotFound)?;
    let Selected { changes, next, mut more } = page?;
    let mut feed = ChangeFeed { changes: Vec::with_capacity(changes.len()), next, more: false };
    let (mut bytes, mut last) = (0, None);
    for change in resolve(store, changes).await? {
        let json = change.json(links)?;
        bytes += json.get().len();
        if bytes > MAX_BYTES
            && let Some(last) = last
        {
            (feed.next, more) = (last, true);
            break;
        }
        last = Some(change.change.sequence);
        feed.changes.push(json);
    }
    Ok(ChangeFeed { more, ..feed })
}

/// The changes of a page.
struct Selected {
    changes: Vec<Change>,
    next: u64,
    more: bool,
}

async fn page(store: &Store, list: &ChangeList) -> Result<Selected, ChangesError> {
    let Some(after) = list.after else {
        let end = store.changes().end(list.session_id).await?;
        return Ok(Selected { changes: Vec::new(), next: end.last, more: false });
    };
    let (size, reads) = if list.types.is_empty() { (list.limit, 1) } else { (FILTERED_READ, FILTERED_READS) };
    let mut selected = Selected { changes: Vec::new(), next: after, more: true };
    for _ in 0..reads {
        let page = match store.changes().read(list.session_id, selected.next, size).await? {
            Ok(page) => page,
            Err(Expired) => {
                let last = store.changes().end(list.session_id).await?.last;
                let is_ahead = after > last;
                return Err(if is_ahead { ChangesError::AfterEnd { after, last } } else { ChangesError::Expired });
            }
        };
        selected.add(page, list);
        if !selected.more || selected.changes.len() == list.limit {
            break;
        }
    }
    Ok(selected)
}

impl Selected {
    /// Adds the changes of a page that have a wanted type, up to the limit of the list.
    fn add(&mut self, page: ChangePage, list: &ChangeList) {
        for change in page.changes {
            if self.changes.len() == list.limit {
                // This change and the ones after it are for the next page.
                return;
            }
            self.next = change.sequence;
            let is_wanted = |kind| list.types.is_empty() || list.types.iter().any(|types| types.includes(kind));
            if is_wanted(change.change.kind) {
                self.changes.push(change);
            }
        }
        self.next = page.next;
        self.more = page.end == PageEnd::More;
    }
}

/// A change with what it is about, as it is now. Never older than the change.
#[derive(Clone, Debug)]
pub struct ResolvedChange {
    /// The change.
    pub change: Change,
    /// The message. `None` if it was erased or has expired.
    pub message: Option<Arc<(Message, MessageMetadata)>>,
    /// The chat, or the one that it was merged into. `None` if it was erased.
    pub chat: Option<Arc<Chat>>,
    /// The session, of a change of the session.
    pub session: Option<Arc<Session>>,
    /// The webhook event.
    pub event: Option<Arc<StoredEvent>>,
}

/// Reads what changes are about. Returns the changes in the same order.
///
/// # Errors
///
/// If a DynamoDB request fails. Content that was erased, has expired, or can't be read is `None` instead.
pub async fn resolve(store: &Store, changes: Vec<Change>) -> Result<Vec<ResolvedChange>, StoreError> {
    let subjects = store.subjects_of(&changes).await?;
    Ok(changes.into_iter().map(|change| ResolvedChange::new(change, &subjects)).collect())
}

impl ResolvedChange {
    fn new(change: Change, subjects: &Subjects) -> Self {
        let key = change.change.message_key();
        // The contact may have written again after the erasure. That is another chat with the same ID.
        let chat_id = change.change.chat_id.filter(|_| change.change.kind != ChangeType::ChatErased);
        let chat = chat_id.or(key.map(|key| key.chat_id)).and_then(|id| subjects.chat(id));
        let (session, event) = match &change.change.subject {
            Subject::Session => (subjects.session(change.session_id), None),
            Subject::Event { id } => (None, subjects.event(*id)),
            Subject::Message { .. } | Subject::Chat { .. } | Subject::Webhook { .. } => (None, None),
        };
        Self {
            message: key.and_then(|key| subjects.message(&key)).cloned(),
            chat: chat.cloned(),
            session: session.cloned(),
            event: event.cloned(),
            change,
        }
    }

    /// Returns the change without anything that must be read, such as `webhook.test`.
    pub fn without_content(change: Change) -> Self {
        Self::new(change, &Subjects::default())
    }

    /// Returns the change as `GET /api/changes` and webhooks contain it.
    ///
    /// # Errors
    ///
    /// If the change can't be written as JSON.
    pub fn json(&self, links: &MediaLinks) -> Result<Box<RawValue>, serde_json::Error> {
        to_raw_value(&self.response(links))
    }

    fn response(&self, links: &MediaLinks) -> ChangeResponse<'_> {
        let Change { session_id, sequence, change, .. } = &self.change;
        let mut response = ChangeResponse {
            id: change.id,
            sequence: *sequence,
            kind: change.kind,
            at: change.at,
            session_id: *session_id,
            chat_id: change.chat_id,
            message_id: change.message_key().map(|key| key.message_id),
            status: status_of(change.kind),
            source: None,
            message: None,
            chat: None,
            merged_into: None,
            session: None,
            event: None,
            webhook_id: None,
        };
        let chat = || Some(self.chat.as_deref().map(ChatDetailResponse::from));
        match &change.subject {
            Subject::Message { source, .. } => {
                response.source = Some(*source);
                response.message = Some(self.message.as_deref().and_then(|found| detail(found, links)));
                if has_chat(change.kind) {
                    response.chat = chat();
                }
            }
            Subject::Chat { merged_into } => {
                response.chat = chat();
                response.merged_into = *merged_into;
            }
            Subject::Session => response.session = Some(self.session.as_deref().map(SessionStateResponse::from)),
            Subject::Event { .. } => response.event = Some(self.event.as_deref().cloned().map(EventResponse::from)),
            Subject::Webhook { id } => response.webhook_id = Some(*id),
        }
        response
    }
}

/// Returns whether changes of a message contain its chat. A bot needs the contact's name and number to answer.
fn has_chat(kind: ChangeType) -> bool {
    matches!(kind, ChangeType::MessageReceived | ChangeType::MessageCreated | ChangeType::MessageAction)
}

/// Returns the status that a change reports. The message may have moved on since.
fn status_of(kind: ChangeType) -> Option<MessageStatus> {
    match kind {
        ChangeType::MessageSent => Some(MessageStatus::Sent),
        ChangeType::MessageDelivered => Some(MessageStatus::Delivered),
        ChangeType::MessageRead => Some(MessageStatus::Read),
        ChangeType::MessagePlayed => Some(MessageStatus::Played),
        ChangeType::MessageFailed => Some(MessageStatus::Failed),
        ChangeType::MessageUnknown => Some(MessageStatus::Unknown),
        _ => None,
    }
}

fn detail((message, metadata): &(Message, MessageMetadata), links: &MediaLinks) -> Option<MessageDetailResponse> {
    MessageDetailResponse::new(message.clone(), metadata.clone(), links)
        .inspect_err(|error| tracing::error!(error = telemetry::chain(error), "message of a change is invalid"))
        .ok()
}

/// A change. The optional members depend on its type. An absent one isn't part of the type, and `null` stands for what
/// was erased, has expired, or isn't set.
#[derive(Debug, Serialize)]
struct ChangeResponse<'a> {
    id: ChangeId,
    sequence: u64,
    #[serde(rename = "type")]
    kind: ChangeType,
    at: Timestamp,
    session_id: SessionId,
    chat_id: Option<ChatId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<MessageStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Option<Source>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Option<MessageDetailResponse>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat: Option<Option<ChatDetailResponse>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<ChatId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Option<SessionStateResponse<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Option<EventResponse>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_id: Option<WebhookId>,
}
