//! Receiving: everything a webhook body tells becomes durable, or the whole body is refused so that WhatsApp sends it
//! again. Storing anything twice changes nothing.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::{StreamExt, stream};

use crate::{
    domain::id::ChatId,
    domain::inbound::Inbound,
    domain::inbound::InboundBatch,
    domain::message::{Receipt, Source},
    domain::message_action::MessageAction,
    domain::message_key::MessageKey,
    domain::pairing::{PairingAttempt, pairing_attempt},
    domain::status_update::StatusUpdate,
    domain::system::System,
    domain::time::Timestamp,
    domain::webhook_event::WebhookEvent,
    services::credentials::WebhookApp,
    store::{Applied, EarlyAction, EventOwner, NumberOwner, Pairing, Store, StoreError},
    telemetry::{self, Metric, Metrics},
    whatsapp::{ContactUpdate, InvalidJson, Peer, ReceivedMessage, Update, updates},
};

/// Requests to the table at once. Each keeps one connection busy, and one vCPU signs about this many without queueing.
const PARALLEL: usize = 16;

/// How long a number's session is remembered.
const OWNER_LIFETIME: Duration = Duration::from_secs(60);

/// Takes webhooks in.
#[derive(Clone, Debug)]
pub struct Receiver {
    store: Store,
    system: System,
    owners: Arc<Mutex<HashMap<String, Known>>>,
    metrics: Metrics,
}

/// What a process knows of a number.
#[derive(Clone, Debug)]
struct Known {
    owner: NumberOwner,
    at: Timestamp,
    /// Whether this process has noted the number's account.
    has_noted: bool,
}

/// A webhook body was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// It is not JSON.
    #[error(transparent)]
    NotJson(#[from] InvalidJson),
    /// Not all of it could be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One independent piece of work that a webhook gives.
enum Task {
    Messages(Conversation),
    Pair { attempt: PairingAttempt, received: Box<ReceivedMessage> },
    Statuses { updates: Vec<(StatusUpdate, Option<MessageKey>)> },
    Event(WebhookEvent),
    Contact { phone_number_id: String, update: ContactUpdate },
}

impl Task {
    /// Whether it is about people whose chats the other tasks may be making.
    fn comes_last(&self) -> bool {
        matches!(self, Self::Contact { .. })
    }
}

/// Messages with one person that came the same way.
struct Conversation {
    phone_number_id: String,
    waba_id: Option<String>,
    peer: Peer,
    source: Option<Source>,
    messages: Vec<Inbound>,
}

impl From<ReceivedMessage> for Conversation {
    fn from(received: ReceivedMessage) -> Self {
        let ReceivedMessage { phone_number_id, waba_id, peer, source, message } = received;
        Self { phone_number_id, waba_id, peer, source, messages: vec![message] }
    }
}

impl Receiver {
    /// A receiver that stores into `store`.
    pub fn new(store: Store, system: System) -> Self {
        Self { store, system, owners: Arc::default(), metrics: Metrics::default() }
    }

    /// Makes durable what `body` tells. When it returns an error, some of it may be stored; sending the same body again
    /// stores the rest. A body that is no JSON is kept as well, and refused.
    pub async fn receive(&self, body: &[u8], webhook_app: &WebhookApp) -> Result<(), ReceiveError> {
        let tasks = match updates(body) {
            Ok(updates) => tasks(self.authorized_updates(updates, webhook_app).await?),
            Err(error) => {
                self.put_unreadable_if_absent(body).await?;
                self.metrics.write(self.system.now());
                return Err(error.into());
            }
        };
        let (last, first): (Vec<Task>, Vec<Task>) = tasks.into_iter().partition(Task::comes_last);
        let mut results: Vec<Result<(), StoreError>> = Vec::new();
        for tasks in [first, last] {
            let run = stream::iter(tasks).map(|task| self.run(task)).buffer_unordered(PARALLEL);
            results.extend(run.collect::<Vec<_>>().await);
        }
        self.metrics.write(self.system.now());
        // One that failed does not keep the others from being tried.
        Ok(results.into_iter().collect::<Result<(), StoreError>>()?)
    }

    /// What the signer may tell of. A number's own app may be a customer's, and could tell anything of somebody else's
    /// number or account. Messages of other numbers are kept like those for a number that nobody owns, their statuses are
    /// nothing, and no account is taken from it.
    async fn authorized_updates(
        &self,
        updates: Vec<Update>,
        webhook_app: &WebhookApp,
    ) -> Result<Vec<Update>, StoreError> {
        if *webhook_app == WebhookApp::Deployment {
            return Ok(updates);
        }
        let mut authorized_updates = Vec::with_capacity(updates.len());
        for update in updates {
            match update {
                Update::Message(received) if webhook_app.owns(&received.phone_number_id) => {
                    authorized_updates.push(Update::Message(Box::new(ReceivedMessage { waba_id: None, ..*received })));
                }
                Update::Message(received) => self.put_unowned_if_absent((*received).into()).await?,
                Update::Status(status, key) if webhook_app.owns(&status.phone_number_id) => {
                    authorized_updates.push(Update::Status(status, key));
                }
                Update::Contact { phone_number_id, update } if webhook_app.owns(&phone_number_id) => {
                    authorized_updates.push(Update::Contact { phone_number_id, update });
                }
                Update::Status(..) | Update::Contact { .. } => {
                    tracing::warn!("an update of a number that the signing app does not own");
                }
                Update::Event(event) => {
                    let phone_number_id = event.phone_number_id.filter(|number| webhook_app.owns(number));
                    authorized_updates.push(Update::Event(WebhookEvent { phone_number_id, waba_id: None, ..event }));
                }
            }
        }
        Ok(authorized_updates)
    }

    /// Opens the table's connection, and remembers who owns the deployment's own number.
    pub async fn warm_up(&self, phone_number_id: &str) {
        if let Err(error) = self.owner(phone_number_id).await {
            tracing::warn!(error = telemetry::chain(&error), "the first request to the table failed");
        }
    }

    async fn run(&self, task: Task) -> Result<(), StoreError> {
        match task {
            Task::Messages(conversation) => self.store_messages(conversation).await,
            Task::Pair { attempt, received } => {
                let outcome =
                    self.store.sessions().pair(&attempt, &received.phone_number_id, received.message.timestamp).await?;
                tracing::info!(session_id = %attempt.session_id, ?outcome, "pairing");
                match outcome {
                    Pairing::Paired => {
                        self.forget(&received.phone_number_id);
                        let owner = self.owner(&received.phone_number_id).await?;
                        self.note_account(&received.phone_number_id, received.waba_id, owner.as_ref()).await?;
                    }
                    Pairing::Refused(_) => {}
                    // Not our code after all: a customer's text like any other.
                    Pairing::UnknownSession => self.store_messages((*received).into()).await?,
                }
                Ok(())
            }
            Task::Statuses { updates } => {
                for (update, key) in updates {
                    self.apply(&update, key).await?;
                }
                Ok(())
            }
            Task::Event(event) => self.put_if_absent(event).await,
            Task::Contact { phone_number_id, update } => {
                let Some(owner) = self.owner(&phone_number_id).await? else { return Ok(()) };
                match update {
                    ContactUpdate::Linked { addresses, at } => {
                        self.store.chats().record_addresses(owner.session_id, &addresses, at).await
                    }
                    ContactUpdate::Changed { from, to, at } => {
                        self.store.chats().move_contact(owner.session_id, &from, &to, at).await
                    }
                }
            }
        }
    }

    async fn store_messages(&self, conversation: Conversation) -> Result<(), StoreError> {
        let number = conversation.phone_number_id.as_str();
        let Some(owner) = self.owner(number).await? else { return self.put_unowned_if_absent(conversation).await };
        self.note_account(number, conversation.waba_id, Some(&owner)).await?;
        let Conversation { phone_number_id, peer, source, messages, .. } = conversation;
        let (session_id, Peer { addresses, name }) = (owner.session_id, peer);
        let actions: Vec<MessageAction> = messages.iter().filter_map(|message| message.action.clone()).collect();
        let count = messages.len();
        let messages = self.unknown_ones(&phone_number_id, source, messages).await?;
        let number = phone_number_id.clone();
        let batch = InboundBatch { session_id, phone_number_id, addresses, name, source, messages };
        let receipts = self.store.messages().receive(batch).await?;
        let stored = receipts.stored;
        tracing::info!(%session_id, ?source, stored, duplicates = count - stored, "messages received");
        for (wamid, key) in &receipts.recheck {
            let applied = self.store.messages().apply_early_updates(&number, wamid, key).await?;
            applied.into_iter().for_each(|applied| self.count(applied));
        }
        for action in actions {
            self.take_effect(&number, action, receipts.chat_id).await?;
        }
        Ok(())
    }

    /// Leaves out what is stored already under another key than it would get: what the API sent, and what the history
    /// tells twice.
    async fn unknown_ones(
        &self,
        number: &str,
        source: Option<Source>,
        messages: Vec<Inbound>,
    ) -> Result<Vec<Inbound>, StoreError> {
        let looked: Vec<Result<Option<Inbound>, StoreError>> = stream::iter(messages)
            .map(|message| async move {
                let may_be_known = message.from_me || source == Some(Source::History);
                let is_known = may_be_known && self.is_known(number, &message).await?;
                Ok((!is_known).then_some(message))
            })
            .buffered(PARALLEL)
            .collect()
            .await;
        let looked: Vec<Option<Inbound>> = looked.into_iter().collect::<Result<_, _>>()?;
        Ok(looked.into_iter().flatten().collect())
    }

    async fn is_known(&self, number: &str, message: &Inbound) -> Result<bool, StoreError> {
        if let Some(key) = message.ours {
            let update = StatusUpdate::sent(number, &message.wamid, message.timestamp);
            if self.store.messages().apply_status(&key, &update).await? != Applied::Missing {
                return Ok(true);
            }
        }
        let Some(key) = self.store.messages().find_by_wamid(number, &message.wamid).await? else { return Ok(false) };
        self.store.messages().fill_placeholder(&key, message).await?;
        Ok(true)
    }

    async fn put_unowned_if_absent(&self, conversation: Conversation) -> Result<(), StoreError> {
        let Conversation { phone_number_id, source, messages, .. } = conversation;
        let (number, count) = (phone_number_id.as_str(), messages.len());
        let kept: Vec<_> = stream::iter(messages)
            .map(|message| async move { self.store.messages().put_unowned_if_absent(number, &message, source).await })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        kept.into_iter().collect::<Result<(), StoreError>>()?;
        tracing::warn!(phone_number_id, count, "messages for a number that no session owns");
        self.metrics.add(Metric::UnownedMessages, count as u64);
        Ok(())
    }

    /// A status finds its row by our key, which WhatsApp echoes, else by the wamid. One that finds none waits for it:
    /// it may be for a message that another application sent, or come before the send has been settled.
    async fn apply(&self, update: &StatusUpdate, key: Option<MessageKey>) -> Result<(), StoreError> {
        for look in [Look::Key(key), Look::Wamid, Look::Park, Look::Wamid] {
            let key = match look {
                Look::Key(key) => key,
                Look::Wamid => self.store.messages().find_by_wamid(&update.phone_number_id, &update.wamid).await?,
                Look::Park => {
                    self.store.messages().put_early_status(update).await?;
                    None
                }
            };
            if let Some(key) = key {
                let applied = self.store.messages().apply_status(&key, update).await?;
                if applied != Applied::Missing {
                    self.count(applied);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The same for a reaction, an edit or a deletion: it is applied however often it comes, and changes nothing then.
    async fn take_effect(
        &self,
        number: &str,
        action: MessageAction,
        chat_id: Option<ChatId>,
    ) -> Result<(), StoreError> {
        if self.apply_action(number, &action).await? {
            return Ok(());
        }
        let Some(chat_id) = chat_id else { return Ok(()) };
        let early = EarlyAction::new(number, action, chat_id, self.system.now());
        self.store.messages().put_early_action(&early).await?;
        // The message may have been stored between the two; whoever stores it later finds what is parked.
        self.apply_action(number, &early.action).await.map(drop)
    }

    async fn apply_action(&self, number: &str, action: &MessageAction) -> Result<bool, StoreError> {
        match self.store.messages().find_by_wamid(number, &action.target).await? {
            Some(key) => self.store.messages().apply_action(number, &key, action).await,
            None => Ok(false),
        }
    }

    fn count(&self, applied: Applied) {
        if applied == Applied::Moved(Receipt::Failed) {
            self.metrics.add(Metric::FailedUndelivered, 1);
        }
    }

    /// An event belongs to the number that it names, else to the account, if that is known. What could not be understood
    /// may hold a customer's words, and goes to nobody but the number's owner.
    async fn put_if_absent(&self, event: WebhookEvent) -> Result<(), StoreError> {
        if event.reason.is_some() {
            self.metrics.add(Metric::WebhookParseFailed, 1);
        }
        let owner = match (&event.phone_number_id, &event.waba_id) {
            (Some(number), _) => EventOwner::Number(number.clone()),
            (None, Some(account)) if event.reason.is_none() && self.store.numbers().has_account(account).await? => {
                EventOwner::Account(account.clone())
            }
            _ => EventOwner::Unknown,
        };
        self.store.events().put_if_absent(&event, &owner, None).await
    }

    async fn put_unreadable_if_absent(&self, body: &[u8]) -> Result<(), StoreError> {
        let (raw, encoding) = match std::str::from_utf8(body) {
            Ok(text) => (text.to_owned(), None),
            Err(_) => (BASE64_STANDARD.encode(body), Some("base64")),
        };
        let reason = Some("the body is not JSON");
        let event = WebhookEvent { field: "webhook".to_owned(), reason, raw, ..WebhookEvent::default() };
        self.metrics.add(Metric::WebhookParseFailed, 1);
        self.store.events().put_if_absent(&event, &EventOwner::Unknown, encoding).await
    }

    async fn owner(&self, phone_number_id: &str) -> Result<Option<NumberOwner>, StoreError> {
        let now = self.system.now();
        if let Ok(owners) = self.owners.lock()
            && let Some(known) = owners.get(phone_number_id)
            && now.since(known.at) < OWNER_LIFETIME
        {
            return Ok(Some(known.owner.clone()));
        }
        let owner = self.store.numbers().owner(phone_number_id).await?;
        if let (Some(owner), Ok(mut owners)) = (&owner, self.owners.lock()) {
            let known = Known { owner: owner.clone(), at: now, has_noted: false };
            owners.insert(phone_number_id.to_owned(), known);
        }
        Ok(owner)
    }

    fn forget(&self, phone_number_id: &str) {
        if let Ok(mut owners) = self.owners.lock() {
            owners.remove(phone_number_id);
        }
    }

    /// Learns from a message to which account its number belongs. One write, when it is new.
    async fn note_account(
        &self,
        number: &str,
        account: Option<String>,
        owner: Option<&NumberOwner>,
    ) -> Result<(), StoreError> {
        let Some(account) = account.filter(|account| owner.is_some_and(|o| o.waba_id.as_ref() != Some(account))) else {
            return Ok(());
        };
        let is_first = self.owners.lock().is_ok_and(|mut owners| {
            owners.get_mut(number).is_some_and(|known| !std::mem::replace(&mut known.has_noted, true))
        });
        if is_first { self.store.numbers().record_account(number, &account).await } else { Ok(()) }
    }
}

/// Where the message of a status is looked for, in this order.
enum Look {
    Key(Option<MessageKey>),
    Wamid,
    Park,
}

/// Puts together what touches the same items, so that the tasks can run at once: messages by sender, statuses by
/// message. Each wamid is kept once, as a transaction cannot write one item twice.
fn tasks(updates: Vec<Update>) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut senders: HashMap<String, usize> = HashMap::new();
    let mut rows: HashMap<String, usize> = HashMap::new();
    let mut people: HashSet<(String, ContactUpdate)> = HashSet::new();
    for update in updates {
        match update {
            Update::Message(received) => add_message(*received, &mut tasks, &mut senders),
            Update::Status(update, key) => {
                let row = format!("{}#{}", update.phone_number_id, update.wamid);
                match rows.get(&row).and_then(|&at| tasks.get_mut(at)) {
                    Some(Task::Statuses { updates }) => updates.push((*update, key)),
                    _ => {
                        rows.insert(row, tasks.len());
                        tasks.push(Task::Statuses { updates: vec![(*update, key)] });
                    }
                }
            }
            Update::Event(event) => tasks.push(Task::Event(event)),
            Update::Contact { phone_number_id, update } => {
                // Many statuses tell the same of one person.
                if people.insert((phone_number_id.clone(), update.clone())) {
                    tasks.push(Task::Contact { phone_number_id, update });
                }
            }
        }
    }
    tasks
}

fn add_message(received: ReceivedMessage, tasks: &mut Vec<Task>, senders: &mut HashMap<String, usize>) {
    let is_live = received.source.is_none() && !received.message.from_me;
    if let Some(attempt) = received.message.body.as_deref().filter(|_| is_live).and_then(pairing_attempt) {
        tasks.push(Task::Pair { attempt, received: Box::new(received) });
        return;
    }
    let identity = received.peer.addresses[0].identity();
    let who = format!("{}#{identity}#{:?}", received.phone_number_id, received.source);
    match senders.get(&who).and_then(|&at| tasks.get_mut(at)) {
        Some(Task::Messages(known)) => {
            for address in received.peer.addresses {
                if !known.peer.addresses.contains(&address) {
                    known.peer.addresses.push(address);
                }
            }
            if received.peer.name.is_some() {
                known.peer.name = received.peer.name;
            }
            if known.messages.iter().all(|other| other.wamid != received.message.wamid) {
                known.messages.push(received.message);
            }
        }
        _ => {
            senders.insert(who, tasks.len());
            tasks.push(Task::Messages(received.into()));
        }
    }
}
