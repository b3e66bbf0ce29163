//! `local import`: moves the chats and messages of another system to a deployment, through its API.

mod api;
mod report;
mod row;
mod table;

use std::{
    collections::{BTreeSet, HashMap},
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use tokio::sync::mpsc;

use self::{
    api::{Api, ApiError, Refusal},
    report::{Rejections, Report},
    row::{Message, OldChat},
    table::{Record, TableError},
};

/// The maximum number of messages and bytes of a request. The API allows 1,000 messages in 1 MiB.
const MAX_MESSAGES: usize = 1000;
const MAX_BYTES: usize = 1_000_000;

/// The number of records that are read ahead.
const READ_AHEAD: usize = 2 * MAX_MESSAGES;

/// The environment variable with the API key.
const KEY_VARIABLE: &str = "QASID_KEY";

/// What to import, and where.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Imports the tables `chats` and `messages` as exported from Supabase, as CSV or JSON. Chats of one contact become
    /// one. Repeating an import stores what is missing.
    Supabase {
        /// File with the rows of the table `chats`.
        #[arg(long, value_name = "FILE")]
        chats: PathBuf,
        /// File with the rows of the table `messages`.
        #[arg(long, value_name = "FILE")]
        messages: PathBuf,
        /// Import only the chats with this `session_id`. Required if the chats belong to several.
        #[arg(long, value_name = "ID")]
        from_session: Option<String>,
        /// The session that gets the messages.
        #[command(flatten)]
        target: Target,
    },
    /// Imports a CSV or JSON file with the columns `id`, `contact`, `from_me`, `body`, `timestamp`, and optionally `name`,
    /// `type`, `status`, `wamid`. Repeating an import stores what is missing.
    Csv {
        /// File with the messages.
        #[arg(long, value_name = "FILE")]
        messages: PathBuf,
        /// The session that gets the messages.
        #[command(flatten)]
        target: Target,
    },
}

/// The session that gets the messages.
#[derive(Debug, Args)]
pub struct Target {
    /// Address of the API.
    #[arg(long, default_value = "http://127.0.0.1:8787")]
    url: String,
    /// Admin key. The environment variable QASID_KEY is safer: other users of the machine can't see it.
    #[arg(long)]
    key: Option<String>,
    /// ID of the session.
    #[arg(long, value_name = "ID", required_unless_present = "user_id", conflicts_with = "user_id")]
    session_id: Option<String>,
    /// Owner of the session, which is created if needed.
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// File for the rows that were rejected, as CSV: file, line, reason. Standard error by default.
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
}

/// An import failed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no key.
    #[error("give an admin key in the environment variable {KEY_VARIABLE}, or with --key")]
    NoKey,
    /// A file can't be read.
    #[error("{}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: TableError,
    },
    /// The chats belong to several sessions.
    #[error(
        "{} has chats of {count} sessions: choose one of them with --from-session, and import each into a separate session",
        path.display()
    )]
    SeveralSessions {
        /// The file.
        path: PathBuf,
        /// The number of sessions.
        count: usize,
    },
    /// No chat belongs to the given session.
    #[error("{} has no chat of the session that --from-session names", path.display())]
    UnknownSession {
        /// The file.
        path: PathBuf,
    },
    /// The API refuses a request, or can't be reached.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A file can't be written.
    #[error("cannot write {}", path.display())]
    Rejections {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Reads the chats of a message.
enum Source {
    Supabase { chats: HashMap<String, OldChat>, others: BTreeSet<String> },
    Csv,
}

impl Source {
    fn required_columns(&self) -> &'static [&'static str] {
        match self {
            Self::Supabase { .. } => &["id", "chat_id", "from_me", "body"],
            Self::Csv => &["id", "contact", "from_me", "body", "timestamp"],
        }
    }

    /// Returns the message of a record; `None` if it belongs to another session.
    fn read(&self, fields: &table::Fields) -> Result<Option<Message>, String> {
        match self {
            Self::Supabase { chats, others } => {
                if fields.get("chat_id").is_some_and(|id| others.contains(id)) {
                    return Ok(None);
                }
                row::from_supabase(fields, chats).map(Some)
            }
            Self::Csv => row::from_csv(fields).map(Some),
        }
    }
}

/// Imports files, and writes what happened to standard output and rejected rows to standard error.
///
/// # Errors
///
/// If a file or the API can't be used. What was imported until then stays, and repeating the import continues it.
pub async fn run(import: Import) -> Result<(), ImportError> {
    let (messages, target, tables) = match import {
        Import::Supabase { chats, messages, from_session, target } => (messages, target, Some((chats, from_session))),
        Import::Csv { messages, target } => (messages, target, None),
    };
    let key = target.key.clone().or_else(|| std::env::var(KEY_VARIABLE).ok()).filter(|key| !key.trim().is_empty());
    let mut api = Api::new(&target.url, key.ok_or(ImportError::NoKey)?.trim())?;
    let mut rejections = Rejections::new(target.rejected.as_deref())
        .map_err(|source| ImportError::Rejections { path: target.rejected.clone().unwrap_or_default(), source })?;
    let source = match tables {
        Some((chats, from_session)) => read_chats(&chats, from_session.as_deref(), &mut rejections)?,
        None => Source::Csv,
    };
    let session_id = match (&target.session_id, &target.user_id) {
        (Some(session_id), _) => api.session(session_id).await?,
        (None, user_id) => api.create_session(user_id.as_deref().unwrap_or_default()).await?,
    };
    let mut report = Report::default();
    let result = import_messages(&mut api, &session_id, &messages, &source, &mut report, &mut rejections).await;
    let chat_count = match &source {
        Source::Supabase { chats, .. } => Some(chats.len()),
        Source::Csv => None,
    };
    // Ignore a closed pipe: the messages are imported.
    let _ = write!(std::io::stdout(), "{}", report.text(&session_id, &target.url, chat_count));
    rejections.finish();
    result
}

/// Reads the table of chats.
fn read_chats(path: &Path, from_session: Option<&str>, rejections: &mut Rejections) -> Result<Source, ImportError> {
    let (mut chats, mut others, mut sessions) = (HashMap::new(), BTreeSet::new(), BTreeSet::new());
    let read = table::read(path, &["id"], |Record { place, fields }| {
        let chat = fields.and_then(|fields| {
            let id = fields.get("id").ok_or("has no id")?.to_owned();
            Ok((id, fields.get("session_id").map(str::to_owned), OldChat::read(&fields)))
        });
        match chat {
            Ok((id, session, _)) if from_session.is_some() && session.as_deref() != from_session => {
                others.insert(id);
            }
            Ok((id, session, chat)) => {
                sessions.extend(session);
                chats.insert(id, chat);
            }
            Err(reason) => rejections.add(path, place, &reason),
        }
        true
    });
    read.map_err(|source| ImportError::Table { path: path.to_owned(), source })?;
    if from_session.is_some() && chats.is_empty() {
        return Err(ImportError::UnknownSession { path: path.to_owned() });
    }
    if sessions.len() > 1 {
        return Err(ImportError::SeveralSessions { path: path.to_owned(), count: sessions.len() });
    }
    Ok(Source::Supabase { chats, others })
}

/// A message that is ready to be posted.
struct Pending {
    place: u64,
    message: Message,
}

/// Reads the messages in a separate thread, and posts them in batches.
async fn import_messages(
    api: &mut Api,
    session_id: &str,
    path: &Path,
    source: &Source,
    report: &mut Report,
    rejections: &mut Rejections,
) -> Result<(), ImportError> {
    let (sender, mut records) = mpsc::channel::<Record>(READ_AHEAD);
    let (file, columns) = (path.to_owned(), source.required_columns());
    let reader =
        tokio::task::spawn_blocking(move || table::read(&file, columns, |record| sender.blocking_send(record).is_ok()));
    let (mut batch, mut bytes): (Vec<Pending>, usize) = (Vec::new(), 0);
    while let Some(Record { place, fields }) = records.recv().await {
        let message = match fields.and_then(|fields| source.read(&fields)) {
            Ok(Some(message)) => message,
            Ok(None) => {
                report.other_sessions += 1;
                continue;
            }
            Err(reason) => {
                report.read += 1;
                report.rejected += 1;
                rejections.add(path, place, &reason);
                continue;
            }
        };
        report.read += 1;
        let length = message.json.len() + 1;
        if batch.len() == MAX_MESSAGES || bytes + length > MAX_BYTES {
            post(api, session_id, path, std::mem::take(&mut batch), report, rejections).await?;
            bytes = 0;
        }
        bytes += length;
        batch.push(Pending { place, message });
    }
    post(api, session_id, path, batch, report, rejections).await?;
    let table = |source| ImportError::Table { path: path.to_owned(), source };
    match reader.await {
        Ok(read) => read.map_err(table),
        Err(error) => Err(table(TableError::Thread(error))),
    }
}

/// Posts messages. Rejects those that the API names as invalid, and posts the others again.
async fn post(
    api: &mut Api,
    session_id: &str,
    path: &Path,
    mut batch: Vec<Pending>,
    report: &mut Report,
    rejections: &mut Rejections,
) -> Result<(), ImportError> {
    while !batch.is_empty() {
        let messages: Vec<&str> = batch.iter().map(|pending| pending.message.json.as_str()).collect();
        let body = format!(r#"{{"sessionId":"{session_id}","messages":[{}]}}"#, messages.join(","));
        let error = match api.import(body).await {
            Ok(imported) => {
                report.add(&imported, batch.iter().map(|pending| &pending.message));
                return Ok(());
            }
            Err(error) => error,
        };
        let invalid = match &error {
            ApiError::Refused(refusal) => refusal.invalid_message(),
            _ => None,
        };
        match invalid {
            Some((index, reason)) if index < batch.len() => {
                let place = batch.remove(index).place;
                report.rejected += 1;
                rejections.add(path, place, &reason);
            }
            _ => return Err(error.into()),
        }
    }
    Ok(())
}

impl Refusal {
    /// Returns the index of the message that is invalid, and why.
    fn invalid_message(&self) -> Option<(usize, String)> {
        let (index, reason) = self.sentence.strip_prefix("messages[")?.split_once("].")?;
        Some((index.parse().ok()?, reason.to_owned()))
    }
}
