//! Import of messages from another system, stored like the history that WhatsApp reports.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    domain::{
        id::{ChatId, MessageId, SessionId},
        identity::{Address, AddressError, Identity, Recipient},
        inbound::{Inbound, InboundBatch},
        message::{BODY_LIMIT, MessageStatus, MessageType, Source, shortened},
        profile::{Profile, SavedName, Writer},
        session::Session,
        time::Timestamp,
        worker::worker_number,
    },
    store::{Store, StoreError},
};

/// The maximum number of concurrent DynamoDB requests.
const MAX_CONCURRENT_REQUESTS: usize = 16;

/// The time for the messages of a request. The function has 25 seconds.
const BUDGET: Duration = Duration::from_secs(20);

/// Messages of another system.
#[derive(Debug)]
pub struct ImportRequest {
    pub(crate) session_id: SessionId,
    pub(crate) messages: Vec<ImportedMessage>,
}

/// A message of another system.
#[derive(Debug)]
pub struct ImportedMessage {
    /// The ID in the other system.
    pub(crate) id: String,
    pub(crate) wamid: Option<String>,
    /// The contact or group, as given.
    pub(crate) contact: String,
    pub(crate) recipient: Recipient,
    /// The name of the contact or group.
    pub(crate) name: Option<String>,
    pub(crate) from_me: bool,
    pub(crate) kind: MessageType,
    pub(crate) body: Option<String>,
    pub(crate) timestamp: Timestamp,
    pub(crate) status: MessageStatus,
    /// The message's JSON.
    pub(crate) raw: String,
}

/// The result of an import.
#[derive(Debug)]
pub struct Imported {
    /// Number of messages that this request has stored.
    pub imported: usize,
    /// Number of messages that were stored before, or that the request contains twice.
    pub duplicates: usize,
    /// The chats of the contacts, as the request writes them.
    pub chats: Vec<(String, ChatId)>,
}

/// Why an import fails.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// The contact of a message isn't one in this session.
    #[error("messages[{index}].contact {error}")]
    Contact {
        /// The place of the message in the request.
        index: usize,
        /// Why.
        error: AddressError,
    },
    /// A message is from the future.
    #[error("messages[{index}].timestamp is in the future: give the time at which the message was sent")]
    Future {
        /// The place of the message in the request.
        index: usize,
    },
    /// There wasn't enough time for all messages.
    #[error("Not all messages were imported in time. Send the same request again to import the others")]
    OutOfTime,
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The messages of one contact or group.
#[derive(Debug)]
struct Conversation {
    /// The spellings of the contact in the request.
    contacts: Vec<String>,
    /// The name that the latest message with one has.
    name: Option<SavedName>,
    batch: InboundBatch,
}

/// Imports messages with the `request_id`. Repeating a request stores what is missing.
///
/// # Errors
///
/// - [`ImportError::SessionNotFound`], [`ImportError::Contact`], or [`ImportError::Future`] before anything is stored.
/// - [`ImportError::OutOfTime`] or [`ImportError::Store`] if some of the messages may not be stored.
pub async fn import(
    store: &Store,
    request: ImportRequest,
    now: Timestamp,
    request_id: &str,
) -> Result<Imported, ImportError> {
    let session_id = request.session_id;
    let session = store.sessions().get(session_id).await?.ok_or(ImportError::SessionNotFound)?;
    let count = request.messages.len();
    let conversations = conversations(&session, request.messages, now, request_id)?;
    let stored = tokio::time::timeout(BUDGET, store_all(store, conversations)).await;
    let (imported, chats) = stored.map_err(|_| ImportError::OutOfTime)??;
    let duplicates = count - imported;
    tracing::info!(request_id, %session_id, imported, duplicates, "messages imported");
    Ok(Imported { imported, duplicates, chats })
}

/// Groups messages by contact, each contact's in order of time and without repetitions.
fn conversations(
    session: &Session,
    messages: Vec<ImportedMessage>,
    now: Timestamp,
    request_id: &str,
) -> Result<Vec<Conversation>, ImportError> {
    let mut addressed = Vec::with_capacity(messages.len());
    for (index, message) in messages.into_iter().enumerate() {
        let address = message.recipient.address(session.default_country);
        let address = address.map_err(|error| ImportError::Contact { index, error })?;
        if message.timestamp.is_ahead_of(now) {
            return Err(ImportError::Future { index });
        }
        addressed.push((address, message));
    }
    addressed.sort_by_key(|(_, message)| message.timestamp);
    let mut conversations: Vec<Conversation> = Vec::new();
    let mut places: HashMap<Identity, usize> = HashMap::new();
    let mut known: HashSet<MessageId> = HashSet::new();
    for ((address, message), index) in addressed.into_iter().zip(0..) {
        let place = *places.entry(address.identity()).or_insert_with(|| {
            conversations.push(Conversation::new(session, address.clone(), request_id));
            conversations.len() - 1
        });
        conversations[place].add(&address, message, index, &mut known);
    }
    Ok(conversations)
}

impl Conversation {
    fn new(session: &Session, address: Address, request_id: &str) -> Self {
        // A session gets its number when it is linked, and a worker's session this one.
        let number = session.phone_number_id.clone().unwrap_or_else(|| worker_number(session.id));
        let batch = InboundBatch {
            session_id: session.id,
            phone_number_id: number,
            addresses: vec![address],
            profile: Profile::default(),
            source: Some(Source::History),
            may_be_copy: false,
            received_at: None,
            is_import: true,
            request_id: Some(request_id.to_owned()),
            messages: Vec::new(),
        };
        Self { contacts: Vec::new(), name: None, batch }
    }

    fn add(&mut self, address: &Address, message: ImportedMessage, index: u32, known: &mut HashSet<MessageId>) {
        let ImportedMessage { id, wamid, contact, name, from_me, kind, body, timestamp, status, raw, .. } = message;
        if !self.contacts.contains(&contact) {
            self.contacts.push(contact);
        }
        if name.is_some() {
            self.name = Some(SavedName { name, at: timestamp });
        }
        let is_group = matches!(address, Address::Group(_));
        let addresses = std::slice::from_ref(address);
        let inbound = Inbound {
            has_wamid: wamid.is_some(),
            wamid: wamid.unwrap_or(id),
            timestamp,
            is_redated: false,
            kind,
            body: body.map(|body| shortened(body, BODY_LIMIT)),
            content: None,
            raw,
            index,
            from_me,
            writer: Writer::new(addresses, None, None).filter(|_| !from_me && !is_group),
            status,
            action: None,
            call: None,
            ours: None,
            opens_window: false,
            has_referral: false,
        };
        if known.insert(self.batch.message_id(&inbound)) {
            self.batch.messages.push(inbound);
        }
    }
}

/// Stores conversations. Returns the number of new messages, and the chat of each spelling of a contact.
async fn store_all(
    store: &Store,
    conversations: Vec<Conversation>,
) -> Result<(usize, Vec<(String, ChatId)>), StoreError> {
    let conversations = without_stored(store, conversations).await?;
    let results: Vec<_> = stream::iter(conversations)
        .map(|conversation| store_conversation(store, conversation))
        .buffer_unordered(MAX_CONCURRENT_REQUESTS)
        .collect()
        .await;
    let (mut imported, mut chats) = (0, Vec::new());
    // Only now, so that every conversation is stored even if one of them fails.
    for result in results {
        let (stored, found) = result?;
        imported += stored;
        chats.extend(found);
    }
    Ok((imported, chats))
}

/// Removes messages that are stored, perhaps with another time or in another chat.
async fn without_stored(store: &Store, mut conversations: Vec<Conversation>) -> Result<Vec<Conversation>, StoreError> {
    let take = |(place, conversation): (usize, &mut Conversation)| {
        let messages = std::mem::take(&mut conversation.batch.messages);
        messages.into_iter().map(move |message| (place, message)).collect::<Vec<_>>()
    };
    let messages: Vec<(usize, Inbound)> = conversations.iter_mut().enumerate().flat_map(take).collect();
    let batches = &conversations;
    let unknown: Vec<Option<(usize, Inbound)>> = stream::iter(messages)
        .map(|(place, message)| async move {
            let is_stored = is_stored(store, &batches[place].batch, &message).await?;
            Ok::<_, StoreError>((!is_stored).then_some((place, message)))
        })
        .buffered(MAX_CONCURRENT_REQUESTS)
        .try_collect()
        .await?;
    for (place, message) in unknown.into_iter().flatten() {
        conversations[place].batch.messages.push(message);
    }
    Ok(conversations)
}

async fn is_stored(store: &Store, batch: &InboundBatch, message: &Inbound) -> Result<bool, StoreError> {
    if store.messages().find_received(batch.message_id(message)).await?.is_some() {
        return Ok(true);
    }
    // A message that was imported before the session was linked is in the namespace of its number.
    let unlinked = worker_number(batch.session_id);
    if !message.has_wamid || batch.phone_number_id == unlinked {
        return Ok(false);
    }
    Ok(store.messages().find_by_wamid(&unlinked, &message.wamid).await?.is_some())
}

/// Stores the messages of a contact or group. Returns how many are new, and the chat for each spelling of the contact.
async fn store_conversation(
    store: &Store,
    conversation: Conversation,
) -> Result<(usize, Vec<(String, ChatId)>), StoreError> {
    let Conversation { contacts, name, mut batch } = conversation;
    let (session_id, number, addresses) = (batch.session_id, batch.phone_number_id.clone(), batch.addresses.clone());
    let (stored, chat_id) = if batch.messages.is_empty() {
        let chat = store.chats().find(session_id, &addresses[0].identity()).await?;
        (0, chat.map(|chat| chat.id))
    } else {
        // The name of a group is saved below, because its members have the profiles.
        if !matches!(addresses[0], Address::Group(_)) {
            batch.profile.name = name.as_ref().and_then(|saved| saved.name.clone());
        }
        let outcome = store.messages().receive(batch).await?;
        for (wamid, key) in &outcome.recheck {
            store.messages().apply_early_updates(&number, wamid, key).await?;
        }
        (outcome.stored, outcome.chat_id)
    };
    if let (Address::Group(_), Some(saved)) = (&addresses[0], name) {
        store.chats().save_name(session_id, &addresses, &saved).await?;
    }
    let chats = chat_id.into_iter().flat_map(|chat_id| contacts.iter().map(move |contact| (contact.clone(), chat_id)));
    Ok((stored, chats.collect()))
}
