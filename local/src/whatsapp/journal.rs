//! What survives a restart: an append-only file of JSON lines, read and compacted at start.

use std::{
    error::Error as _,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::users::{People, Person};

/// A message that the simulated WhatsApp has accepted; `GET /simulator/messages` shows it in this
/// form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accepted {
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

/// The business has read a customer's message, and all before it; `GET /simulator/receipts` shows it in this form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReadReceipt {
    pub(super) message_id: String,
    /// RFC 3339 in UTC.
    pub(super) accepted_at: String,
}

/// A webhook that is to be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhook {
    /// Counted from 1 in one journal.
    pub(super) id: u64,
    /// The exact text that is signed and sent.
    pub(super) body: String,
    /// Unix seconds.
    pub(super) queued_at: i64,
}

/// One line of the file. An acceptance and its webhooks are one line, so that a torn write loses
/// both or neither.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    /// A message of the business was accepted.
    Accepted { message: Accepted, webhooks: Vec<Webhook> },
    /// The business has read a message.
    Read { receipt: ReadReceipt },
    /// Users wrote.
    Inbound { people: Vec<Person>, webhooks: Vec<Webhook> },
    /// A webhook needs no more delivery: it was answered with 200, or given up.
    Settled { id: u64 },
    /// Everyone known, in place of the `Inbound` lines that told so.
    People { people: People },
}

/// What a journal held when it was opened.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Recovered {
    pub(super) people: People,
    pub(super) accepted: Vec<Accepted>,
    pub(super) read: Vec<ReadReceipt>,
    /// Undelivered webhooks in the order of their ids.
    pub(super) pending: Vec<Webhook>,
    pub(super) last_webhook_id: u64,
}

/// Why a journal cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file could not be read or written.
    #[error("cannot use the WhatsApp journal {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A line that is not the last is no record of this program.
    #[error("line {line} of the WhatsApp journal {} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A record could not be written as JSON.
    #[error("cannot write a record of the WhatsApp journal as JSON")]
    Encode(#[source] serde_json::Error),
}

impl JournalError {
    /// The error and its cause in one line, for people.
    pub(super) fn explain(&self) -> String {
        match self.source() {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}

/// A cheap handle on the journal; without a file, nothing is kept.
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
    /// Reads the journal at `path`, if there is one, writes it anew without what is settled, and
    /// opens it for more. A last line without its line break was torn by a crash: nobody was told
    /// that it happened, so it is dropped.
    pub(super) fn open(path: &Path) -> Result<(Journal, Recovered), JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        let recovered = match std::fs::read(path) {
            Ok(bytes) => replay(path, &bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Recovered::default(),
            Err(error) => return Err(io(error)),
        };
        let compacted = compact(&recovered)?;
        // Written beside the old one and moved over it, so that a crash leaves one or the other
        // whole.
        let beside = path.with_extension("new");
        let mut file = File::create(&beside).map_err(io)?;
        file.write_all(&compacted).and_then(|()| file.sync_all()).map_err(io)?;
        std::fs::rename(&beside, path).map_err(io)?;
        let file = OpenOptions::new().append(true).open(path).map_err(io)?;
        let appender = Appender { path: path.to_owned(), file, length: compacted.len() as u64 };
        Ok((Journal { file: Some(Arc::new(Mutex::new(appender))) }, recovered))
    }

    /// Appends one record. It returns when the operating system has the line, which survives the
    /// end of this process. That takes microseconds for a record of this size, less than a hop to
    /// another thread, and so it is done on the async runtime; power loss is no concern of a local
    /// run, so there is no `fsync`.
    pub(super) fn append(&self, record: &Record) -> Result<(), JournalError> {
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
            // Half a line would run into the next one and damage it.
            let _ = self.file.set_len(self.length);
            return Err(JournalError::Io { path: self.path.clone(), source });
        }
        self.length += line.len() as u64;
        Ok(())
    }
}

fn encode(record: &Record) -> Result<Vec<u8>, JournalError> {
    let mut line = serde_json::to_vec(record).map_err(JournalError::Encode)?;
    line.push(b'\n');
    Ok(line)
}

fn replay(path: &Path, bytes: &[u8]) -> Result<Recovered, JournalError> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut recovered = Recovered::default();
    let mut pending = std::collections::BTreeMap::new();
    for (index, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
        let record = serde_json::from_slice(line).map_err(|source| JournalError::Damaged {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        let webhooks = match record {
            Record::Accepted { message, webhooks } => {
                recovered.accepted.push(message);
                webhooks
            }
            Record::Read { receipt } => {
                recovered.read.push(receipt);
                Vec::new()
            }
            Record::Inbound { people, webhooks } => {
                people.iter().for_each(|person| recovered.people.learn(person));
                webhooks
            }
            Record::Settled { id } => {
                pending.remove(&id);
                Vec::new()
            }
            Record::People { people } => {
                recovered.people = people;
                Vec::new()
            }
        };
        for webhook in webhooks {
            recovered.last_webhook_id = recovered.last_webhook_id.max(webhook.id);
            pending.insert(webhook.id, webhook);
        }
    }
    recovered.pending = pending.into_values().collect();
    Ok(recovered)
}

fn compact(recovered: &Recovered) -> Result<Vec<u8>, JournalError> {
    let mut lines = encode(&Record::People { people: recovered.people.clone() })?;
    for message in &recovered.accepted {
        lines.extend(encode(&Record::Accepted { message: message.clone(), webhooks: Vec::new() })?);
    }
    for receipt in &recovered.read {
        lines.extend(encode(&Record::Read { receipt: receipt.clone() })?);
    }
    for webhook in &recovered.pending {
        lines.extend(encode(&Record::Inbound { people: Vec::new(), webhooks: vec![webhook.clone()] })?);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests;
