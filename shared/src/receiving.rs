//! Receiving: everything a webhook body tells becomes durable, or the whole body is refused so that WhatsApp sends it
//! again. Storing anything twice changes nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{StreamExt, stream};

use crate::{
    cloud_api::{NotJson, Received, Sender, Update, updates},
    id::SessionId,
    pairing::{PairingAttempt, pairing_attempt},
    startup::System,
    store::{Inbound, InboundBatch, Pairing, StatusUpdate, Store, StoreError, keys::MessageKey},
    telemetry::{self, Metric},
    time::Timestamp,
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
    owners: Arc<Mutex<HashMap<String, (SessionId, Timestamp)>>>,
}

/// A webhook body was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// It is not JSON.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// Not all of it could be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One independent piece of work that a webhook gives.
enum Task {
    Messages { phone_number_id: String, sender: Sender, messages: Vec<Inbound> },
    Pair { attempt: PairingAttempt, received: Received },
    Statuses { updates: Vec<(StatusUpdate, Option<MessageKey>)> },
    Event { field: String, reason: Option<&'static str>, raw: String },
}

impl Receiver {
    /// A receiver that stores into `store`.
    pub fn new(store: Store, system: System) -> Self {
        Self { store, system, owners: Arc::default() }
    }

    /// Makes durable what `body` tells. When it returns an error, some of it may be stored; sending the same body again
    /// stores the rest.
    pub async fn receive(&self, body: &[u8]) -> Result<(), ReceiveError> {
        let tasks = tasks(updates(body)?);
        let results: Vec<Result<(), StoreError>> =
            stream::iter(tasks).map(|task| self.run(task)).buffer_unordered(PARALLEL).collect().await;
        // One that failed does not keep the others from being tried.
        Ok(results.into_iter().collect::<Result<(), StoreError>>()?)
    }

    /// Opens the table's connection, and remembers who owns the deployment's own number.
    pub async fn warm_up(&self, phone_number_id: &str) {
        if let Err(error) = self.owner(phone_number_id).await {
            tracing::warn!(error = telemetry::chain(&error), "the first request to the table failed");
        }
    }

    async fn run(&self, task: Task) -> Result<(), StoreError> {
        match task {
            Task::Messages { phone_number_id, sender, messages } => {
                self.store_messages(phone_number_id, sender, messages).await
            }
            Task::Pair { attempt, received } => {
                let Received { phone_number_id, sender, message } = received;
                let outcome = self.store.pair(&attempt, &phone_number_id, message.timestamp).await?;
                tracing::info!(session_id = %attempt.session_id, ?outcome, "pairing");
                match outcome {
                    Pairing::Paired => self.remember(&phone_number_id, attempt.session_id),
                    Pairing::Refused(_) => {}
                    // Not our code after all: a customer's text like any other.
                    Pairing::UnknownSession => self.store_messages(phone_number_id, sender, vec![message]).await?,
                }
                Ok(())
            }
            Task::Statuses { updates } => {
                for (update, key) in updates {
                    self.apply(&update, key).await?;
                }
                Ok(())
            }
            Task::Event { field, reason, raw } => self.store.keep_event(&field, reason, &raw).await,
        }
    }

    async fn store_messages(
        &self,
        phone_number_id: String,
        sender: Sender,
        messages: Vec<Inbound>,
    ) -> Result<(), StoreError> {
        let Some(session_id) = self.owner(&phone_number_id).await? else {
            let count = messages.len();
            let number = phone_number_id.as_str();
            let kept: Vec<_> = stream::iter(messages)
                .map(|message| async move { self.store.keep_unowned(number, &message).await })
                .buffer_unordered(PARALLEL)
                .collect()
                .await;
            kept.into_iter().collect::<Result<(), StoreError>>()?;
            tracing::warn!(phone_number_id, count, "messages for a number that no session owns");
            telemetry::count(Metric::UnownedMessages, count as u64, (self.system.now)());
            return Ok(());
        };
        let Sender { addresses, name } = sender;
        let batch = InboundBatch { session_id, phone_number_id, addresses, name, messages };
        let count = batch.messages.len();
        let stored = self.store.receive(batch).await?;
        tracing::info!(%session_id, stored, duplicates = count - stored, "messages received");
        Ok(())
    }

    /// A status finds its row by our key, which WhatsApp echoes, else by the wamid. One that finds none waits for it:
    /// it may be for a message that another application sent, or come before the send has been settled.
    async fn apply(&self, update: &StatusUpdate, key: Option<MessageKey>) -> Result<(), StoreError> {
        if let Some(key) = key
            && self.store.apply_status(&key, update).await?
        {
            return Ok(());
        }
        if let Some(key) = self.store.message_by_wamid(&update.phone_number_id, &update.wamid).await? {
            self.store.apply_status(&key, update).await?;
            return Ok(());
        }
        self.store.park_status(update).await?;
        // The row may have got its wamid between the two; whoever settles it looks for parked statuses after writing.
        if let Some(key) = self.store.message_by_wamid(&update.phone_number_id, &update.wamid).await? {
            self.store.apply_status(&key, update).await?;
        }
        Ok(())
    }

    async fn owner(&self, phone_number_id: &str) -> Result<Option<SessionId>, StoreError> {
        let now = (self.system.now)();
        if let Ok(owners) = self.owners.lock()
            && let Some((session_id, learned_at)) = owners.get(phone_number_id)
            && now.since(*learned_at) < OWNER_LIFETIME
        {
            return Ok(Some(*session_id));
        }
        let owner = self.store.number_owner(phone_number_id).await?;
        if let Some(session_id) = owner {
            self.remember(phone_number_id, session_id);
        }
        Ok(owner)
    }

    fn remember(&self, phone_number_id: &str, session_id: SessionId) {
        if let Ok(mut owners) = self.owners.lock() {
            owners.insert(phone_number_id.to_owned(), (session_id, (self.system.now)()));
        }
    }
}

/// Puts together what touches the same items, so that the tasks can run at once: messages by sender, statuses by
/// message. Each wamid is kept once, as a transaction cannot write one item twice.
fn tasks(updates: Vec<Update>) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut senders: HashMap<String, usize> = HashMap::new();
    let mut rows: HashMap<String, usize> = HashMap::new();
    for update in updates {
        match update {
            Update::Message(received) => add_message(*received, &mut tasks, &mut senders),
            Update::Status(update, key) => {
                let row = format!("{}#{}", update.phone_number_id, update.wamid);
                match rows.get(&row).and_then(|&at| tasks.get_mut(at)) {
                    Some(Task::Statuses { updates }) => updates.push((update, key)),
                    _ => {
                        rows.insert(row, tasks.len());
                        tasks.push(Task::Statuses { updates: vec![(update, key)] });
                    }
                }
            }
            Update::Event { field, reason, raw } => tasks.push(Task::Event { field, reason, raw }),
        }
    }
    tasks
}

fn add_message(received: Received, tasks: &mut Vec<Task>, senders: &mut HashMap<String, usize>) {
    if let Some(attempt) = received.message.body.as_deref().and_then(pairing_attempt) {
        tasks.push(Task::Pair { attempt, received });
        return;
    }
    let Received { phone_number_id, sender, message } = received;
    let who = format!("{phone_number_id}#{}", sender.addresses[0].identity());
    match senders.get(&who).and_then(|&at| tasks.get_mut(at)) {
        Some(Task::Messages { sender: known, messages, .. }) => {
            for address in sender.addresses {
                if !known.addresses.contains(&address) {
                    known.addresses.push(address);
                }
            }
            if sender.name.is_some() {
                known.name = sender.name;
            }
            if messages.iter().all(|other| other.wamid != message.wamid) {
                messages.push(message);
            }
        }
        _ => {
            senders.insert(who, tasks.len());
            tasks.push(Task::Messages { phone_number_id, sender, messages: vec![message] });
        }
    }
}
