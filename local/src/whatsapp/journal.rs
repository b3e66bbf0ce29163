//! The state that survives a restart: an append-only file of JSON lines, compacted at startup.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tempfile::NamedTempFile;
use thiserror::Error;

use super::{
    phones::{PhoneEvent, Phones},
    service_windows::{Opening, ServiceWindows},
    users::{User, Users},
};

/// A message accepted by the simulated WhatsApp, in the format of `GET /simulator/messages`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AcceptedMessage {
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recipient: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) body: Map<String, Value>,
    /// RFC 3339 in UTC.
    pub(super) accepted_at: String,
    pub(super) callback_data: Option<String>,
}

/// A read receipt of the business for a customer's message and all messages before it, in the format of `GET
/// /simulator/receipts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReadReceipt {
    pub(super) message_id: String,
    /// Whether the business was typing.
    #[serde(default)]
    pub(super) typing_indicator: bool,
    /// RFC 3339 in UTC.
    pub(super) accepted_at: String,
}

/// A webhook to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhook {
    /// Counts from 1 per journal.
    pub(super) id: u64,
    /// The Meta app that receives it.
    #[serde(default = "default_app")]
    pub(super) app_id: String,
    /// The exact text to sign and send.
    pub(super) body: String,
    /// Unix seconds.
    pub(super) queued_at: i64,
}

fn default_app() -> String {
    super::apps::DEFAULT_APP_ID.to_owned()
}

/// A line of the file. A message and its webhooks share a line, so that a torn write loses both or neither.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum JournalEntry {
    /// A message of the business was accepted.
    Accepted {
        message: AcceptedMessage,
        webhooks: Vec<Webhook>,
        #[serde(default)]
        phones: Vec<PhoneEvent>,
    },
    /// The business read a message.
    Read {
        receipt: ReadReceipt,
        #[serde(default)]
        phones: Vec<PhoneEvent>,
    },
    /// Users or their phones changed: they sent messages, called, or got messages.
    Inbound {
        #[serde(rename = "people")]
        users: Vec<User>,
        #[serde(default)]
        windows: Vec<Opening>,
        webhooks: Vec<Webhook>,
        #[serde(default)]
        phones: Vec<PhoneEvent>,
    },
    /// A webhook was delivered or abandoned.
    Settled { id: u64 },
    /// The customer service windows, in place of the compacted `Inbound` entries.
    Windows { windows: ServiceWindows },
    /// All known users, in place of the compacted `Inbound` entries.
    #[serde(rename = "people")]
    Users {
        #[serde(rename = "people")]
        users: Users,
    },
    /// The new state of a [`super::registry::Registry`].
    Registry { name: String, value: Value },
}

/// The content of a journal when it was opened.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Recovered {
    pub(super) users: Users,
    pub(super) windows: ServiceWindows,
    pub(super) accepted: Vec<AcceptedMessage>,
    pub(super) read_receipts: Vec<ReadReceipt>,
    pub(super) phones: Phones,
    /// Undelivered webhooks, ordered by ID.
    pub(super) pending: Vec<Webhook>,
    pub(super) last_webhook_id: u64,
    /// The latest state of each registry, by name.
    pub(super) registries: BTreeMap<String, Value>,
}

/// An error that makes the journal unusable.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("cannot use the WhatsApp journal {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A line other than the last is not a valid entry.
    #[error("line {line} of the WhatsApp journal {} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// The state of a registry doesn't have the expected form.
    #[error("the {name} of the WhatsApp journal have an unknown form")]
    Registry {
        /// The name of the registry.
        name: &'static str,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// An entry cannot be serialized.
    #[error("cannot serialize an entry of the WhatsApp journal")]
    Encode(#[source] serde_json::Error),
}

/// A handle to the journal. Cheap to clone. Without a file, nothing is stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    file: Option<Arc<Mutex<Appender>>>,
}

#[derive(Debug)]
struct Appender {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Journal {
    /// Opens the journal at `path`, which may not exist yet. Rewrites it without settled entries. Drops a last line
    /// without a line break: a crash interrupted it, so its request was never confirmed.
    pub(super) fn open(path: &Path) -> Result<(Journal, Recovered), JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        let recovered = match std::fs::read(path) {
            Ok(bytes) => replay(path, &bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Recovered::default(),
            Err(error) => return Err(io(error)),
        };
        let compacted = compact(&recovered)?;
        // Written to a new file and renamed, so that a crash leaves one complete file. Only its owner can read it.
        let mut file = NamedTempFile::new_in(path.parent().unwrap_or(path)).map_err(io)?;
        file.write_all(&compacted).and_then(|()| file.as_file().sync_all()).map_err(io)?;
        file.persist(path).map_err(|error| io(error.error))?;
        let file = OpenOptions::new().append(true).open(path).map_err(io)?;
        let appender = Appender { path: path.to_owned(), file, length: compacted.len() as u64 };
        Ok((Journal { file: Some(Arc::new(Mutex::new(appender))) }, recovered))
    }

    /// Appends an entry and returns once the operating system has it, so that it survives the end of the process. This
    /// takes microseconds, less than a switch to another thread, so it runs on the async runtime. No `fsync`: a local
    /// run does not protect against power loss.
    pub(super) fn append(&self, record: &JournalEntry) -> Result<(), JournalError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let line = encode(record)?;
        let mut appender = file.lock().unwrap_or_else(PoisonError::into_inner);
        appender.append(&line)
    }
}

impl Appender {
    fn append(&mut self, line: &[u8]) -> Result<(), JournalError> {
        if let Err(source) = self.file.write_all(line) {
            // A partial line would corrupt the next one.
            let _ = self.file.set_len(self.length);
            return Err(JournalError::Io { path: self.path.clone(), source });
        }
        self.length += line.len() as u64;
        Ok(())
    }
}

fn encode(record: &JournalEntry) -> Result<Vec<u8>, JournalError> {
    let mut line = serde_json::to_vec(record).map_err(JournalError::Encode)?;
    line.push(b'\n');
    Ok(line)
}

fn replay(path: &Path, bytes: &[u8]) -> Result<Recovered, JournalError> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut recovered = Recovered::default();
    let mut pending = BTreeMap::new();
    for (index, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
        let record = serde_json::from_slice(line).map_err(|source| JournalError::Damaged {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        let (webhooks, phones) = match record {
            JournalEntry::Accepted { message, webhooks, phones } => {
                recovered.accepted.push(message);
                (webhooks, phones)
            }
            JournalEntry::Read { receipt, phones } => {
                recovered.read_receipts.push(receipt);
                (Vec::new(), phones)
            }
            JournalEntry::Inbound { users, windows, webhooks, phones } => {
                users.iter().for_each(|user| recovered.users.remember(user));
                windows.into_iter().for_each(|opening| recovered.windows.open(opening));
                (webhooks, phones)
            }
            JournalEntry::Settled { id } => {
                pending.remove(&id);
                Default::default()
            }
            JournalEntry::Windows { windows } => {
                recovered.windows = windows;
                Default::default()
            }
            JournalEntry::Users { users } => {
                recovered.users = users;
                Default::default()
            }
            JournalEntry::Registry { name, value } => {
                recovered.registries.insert(name, value);
                Default::default()
            }
        };
        phones.into_iter().for_each(|event| recovered.phones.apply(event));
        for webhook in webhooks {
            recovered.last_webhook_id = recovered.last_webhook_id.max(webhook.id);
            pending.insert(webhook.id, webhook);
        }
    }
    // An earlier version kept two phones of a user.
    for merge in recovered.phones.merges(recovered.users.all()) {
        recovered.phones.apply(merge);
    }
    recovered.pending = pending.into_values().collect();
    Ok(recovered)
}

fn compact(recovered: &Recovered) -> Result<Vec<u8>, JournalError> {
    let mut lines = encode(&JournalEntry::Users { users: recovered.users.clone() })?;
    for (name, value) in &recovered.registries {
        lines.extend(encode(&JournalEntry::Registry { name: name.clone(), value: value.clone() })?);
    }
    lines.extend(encode(&JournalEntry::Windows { windows: recovered.windows.clone() })?);
    for message in &recovered.accepted {
        lines.extend(encode(&JournalEntry::Accepted {
            message: message.clone(),
            webhooks: Vec::new(),
            phones: Vec::new(),
        })?);
    }
    for receipt in &recovered.read_receipts {
        lines.extend(encode(&JournalEntry::Read { receipt: receipt.clone(), phones: Vec::new() })?);
    }
    for event in recovered.phones.snapshot() {
        lines.extend(encode(&inbound(Vec::new(), vec![event]))?);
    }
    for webhook in &recovered.pending {
        lines.extend(encode(&inbound(vec![webhook.clone()], Vec::new()))?);
    }
    Ok(lines)
}

fn inbound(webhooks: Vec<Webhook>, phones: Vec<PhoneEvent>) -> JournalEntry {
    JournalEntry::Inbound { users: Vec::new(), windows: Vec::new(), webhooks, phones }
}

#[cfg(test)]
mod tests;
