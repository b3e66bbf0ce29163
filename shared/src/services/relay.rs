//! The second reader of the table's stream, with five duties for each batch of records:
//!
//! 1. append changes to the logs of their sessions,
//! 2. evaluate the auto-reply rules for contacts' messages,
//! 3. start `notify` for the sessions that have webhooks,
//! 4. add to the counters of the sessions,
//! 5. request the files of messages, and start `media-fetch` for them.
//!
//! Changes are appended first, so that a rule can't hold them up. A record whose changes can't be appended, whose message
//! can't be answered, or whose file can't be requested is repeated with the records after it: changes get new numbers but
//! keep their IDs, a message has at most one auto-reply, and a file is requested once.
//!
//! The other duties are best effort. The log is marked as undelivered before, and the schedule starts `notify` for such
//! logs, and `media-fetch` for files that are due. Messages are counted after the rules, when it is known which records
//! will be repeated, and counted then.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt, stream};

use crate::{
    domain::{
        change::{
            NewChange,
            derive::{Log, StreamRecord, derive_all},
        },
        id::SessionId,
        media::Fetch,
        message::Message,
    },
    services::{
        auto_reply::Responder,
        function_invoker::{FetchEvent, FunctionInvoker, NotifyEvent},
        stats,
    },
    store::{NumberOwner, Store, StoreError},
    telemetry,
};

/// The maximum number of sessions whose logs are written concurrently.
const MAX_CONCURRENT_SESSIONS: usize = 16;

/// Turns stream records into changes and auto-replies.
#[derive(Clone, Debug)]
pub struct Relay {
    store: Store,
    responder: Responder,
    notify: FunctionInvoker,
    /// `None` if files stay at WhatsApp.
    media_fetch: Option<FunctionInvoker>,
}

/// A record of a batch. `T` identifies it.
#[derive(Debug)]
pub struct RelayRecord<T> {
    /// Identifies the record.
    pub tag: T,
    /// The record.
    pub record: StreamRecord,
    /// The message, if rules may answer it.
    pub message: Option<Message>,
    /// The file of the message, if WhatsApp has one.
    pub file: Option<Fetch>,
}

/// The changes of one log.
#[derive(Default)]
struct LogChanges {
    changes: Vec<NewChange>,
    /// The indexes of the records that report them.
    records: BTreeSet<usize>,
}

impl Relay {
    /// Creates a relay.
    pub fn new(
        store: Store,
        responder: Responder,
        notify: FunctionInvoker,
        media_fetch: Option<FunctionInvoker>,
    ) -> Self {
        Self { store, responder, notify, media_fetch }
    }

    /// Processes a batch, whose records are in stream order. Returns the tags of the records to repeat.
    pub async fn process<T: Clone>(&self, batch: Vec<RelayRecord<T>>) -> Vec<T> {
        let mut tags = Vec::with_capacity(batch.len());
        let mut records = Vec::with_capacity(batch.len());
        let (mut messages, mut files) = (Vec::new(), Vec::new());
        for (index, RelayRecord { tag, record, message, file }) in batch.into_iter().enumerate() {
            tags.push(tag);
            records.push(record);
            messages.extend(message.map(|message| (index, message)));
            files.extend(file.map(|file| (index, file)));
        }
        let ((mut failed, sessions), unrequested) = tokio::join!(self.append(&records), self.request(files));
        failed.extend(unrequested);
        let respond_and_count = async {
            failed.extend(self.respond(messages).await);
            let done = failed.first().copied().unwrap_or(records.len());
            stats::count(&self.store, &records[..done]).await;
        };
        tokio::join!(self.start_notify(sessions), respond_and_count);
        tags.into_iter().enumerate().filter(|(index, _)| failed.contains(index)).map(|(_, tag)| tag).collect()
    }

    /// Appends the changes that the records report. Returns the indexes of the records that failed, and the sessions with
    /// webhooks that have new changes.
    async fn append(&self, records: &[StreamRecord]) -> (BTreeSet<usize>, Vec<SessionId>) {
        let (logs, mut failed) = self.logs(records).await;
        let appended: Vec<_> = stream::iter(logs)
            .map(|(session_id, LogChanges { changes, records })| async move {
                (session_id, records, self.store.changes().append(session_id, &changes).await)
            })
            .buffer_unordered(MAX_CONCURRENT_SESSIONS)
            .collect()
            .await;
        let mut sessions = Vec::new();
        for (session_id, records, result) in appended {
            match result {
                Ok(appended) => sessions.extend(appended.has_webhooks.then_some(session_id)),
                Err(error) => {
                    tracing::error!(%session_id, error = telemetry::chain(&error), "changes not appended");
                    failed.extend(records);
                }
            }
        }
        (failed, sessions)
    }

    /// Requests files, and starts `media-fetch` for the new ones. Returns the indexes of the records that failed.
    async fn request(&self, files: Vec<(usize, Fetch)>) -> Vec<usize> {
        let Some(media_fetch) = self.media_fetch.as_ref().filter(|_| !files.is_empty()) else { return Vec::new() };
        let requests = stream::iter(files)
            .map(|(index, file)| async move { (index, file.id, self.store.media().request(&file).await) });
        let requested: Vec<_> = requests.buffer_unordered(MAX_CONCURRENT_SESSIONS).collect().await;
        let (mut media, mut failed) = (Vec::new(), Vec::new());
        for (index, id, is_new) in requested {
            match is_new {
                Ok(is_new) => media.extend(is_new.then_some(id)),
                Err(error) => {
                    tracing::error!(media_id = %id, error = telemetry::chain(&error), "file not requested");
                    failed.push(index);
                }
            }
        }
        if !media.is_empty() {
            media_fetch.invoke(&FetchEvent::New { media }).await;
        }
        failed
    }

    async fn start_notify(&self, sessions: Vec<SessionId>) {
        if !sessions.is_empty() {
            self.notify.invoke(&NotifyEvent::Sessions { sessions }).await;
        }
    }

    /// Returns the changes by log, and the indexes of the records whose log can't be determined now.
    async fn logs(&self, records: &[StreamRecord]) -> (BTreeMap<SessionId, LogChanges>, BTreeSet<usize>) {
        let mut logs: BTreeMap<SessionId, LogChanges> = BTreeMap::new();
        let mut failed = BTreeSet::new();
        let mut owners: HashMap<String, Option<NumberOwner>> = HashMap::new();
        for (index, derived) in derive_all(records) {
            let session_id = match derived.log {
                Log::Session(session_id) => Some(session_id),
                Log::Number(number, since) => match self.owner(number, &mut owners).await {
                    Ok(owner) => owner.filter(|owner| owner.linked_at <= since).map(|owner| owner.session_id),
                    Err(error) => {
                        tracing::error!(error = telemetry::chain(&error), "owner of a number not found");
                        failed.insert(index);
                        None
                    }
                },
            };
            if let Some(session_id) = session_id {
                let log = logs.entry(session_id).or_default();
                log.changes.push(derived.change);
                log.records.insert(index);
            }
        }
        (logs, failed)
    }

    /// Returns the session that owns a number. Reads it once for a batch.
    async fn owner(
        &self,
        number: String,
        owners: &mut HashMap<String, Option<NumberOwner>>,
    ) -> Result<Option<NumberOwner>, StoreError> {
        if let Some(owner) = owners.get(&number) {
            return Ok(owner.clone());
        }
        let owner = self.store.numbers().owner(&number).await?;
        owners.insert(number, owner.clone());
        Ok(owner)
    }

    /// Evaluates the auto-reply rules. Returns the indexes of the records that failed.
    async fn respond(&self, messages: Vec<(usize, Message)>) -> Vec<usize> {
        if messages.is_empty() {
            return Vec::new();
        }
        let outcomes = self.responder.respond(messages).await;
        let failures = outcomes.into_iter().filter_map(|(index, outcome)| {
            let error = outcome.err()?;
            tracing::error!(error = telemetry::chain(&error), "auto-reply evaluation failed");
            Some(index)
        });
        failures.collect()
    }
}
