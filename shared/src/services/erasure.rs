//! Erasures of chats and sessions: starting them, repeating them, and continuing those that are due.

mod files;

use std::time::Duration;

use self::files::FileErasure;
use crate::{
    aws::s3::Bucket,
    domain::{
        chat::Chat,
        erasure::{Erasure, REQUEST_BUDGET, Target},
        id::{ChatId, SessionId},
        session::Session,
        system::System,
        time::Timestamp,
    },
    store::{Store, StoreError},
    telemetry,
};

/// How long an invocation continues due erasures. The function's timeout is one minute.
const BUDGET: Duration = Duration::from_secs(40);

/// The maximum number of erasures that an invocation continues.
const MAX_ERASURES: i32 = 25;

/// Why a chat or session can't be erased.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// There is neither such a chat nor an erasure of it.
    #[error("Chat not found")]
    ChatNotFound,
    /// There is neither such a session nor an erasure of it.
    #[error("Session not found")]
    SessionNotFound,
    /// The table didn't respond.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A chat or session to erase, or an erasure that has started.
#[derive(Debug)]
pub enum Erasable {
    /// A chat that exists.
    Chat(Box<Chat>),
    /// A session that exists.
    Session(Box<Session>),
    /// An erasure that a request started before.
    Started(Box<Erasure>),
}

impl Erasable {
    /// Returns a chat, or its erasure if it has started.
    pub async fn chat(store: &Store, id: ChatId) -> Result<Self, ErasureError> {
        match store.chats().get(id).await? {
            Some(chat) => Ok(Self::Chat(Box::new(chat))),
            None => Self::started(store, Target::Chat(id)).await,
        }
    }

    /// Returns a session, or its erasure if it has started.
    pub async fn session(store: &Store, id: SessionId) -> Result<Self, ErasureError> {
        match store.sessions().get(id).await? {
            Some(session) => Ok(Self::Session(Box::new(session))),
            None => Self::started(store, Target::Session(id)).await,
        }
    }

    async fn started(store: &Store, target: Target) -> Result<Self, ErasureError> {
        let erasure = store.erasures().get(target).await?.ok_or_else(|| not_found(target))?;
        Ok(Self::Started(Box::new(erasure)))
    }

    /// The session that it is or belongs to.
    pub fn session_id(&self) -> SessionId {
        match self {
            Self::Chat(chat) => chat.session_id,
            Self::Session(session) => session.id,
            Self::Started(erasure) => erasure.session_id,
        }
    }

    /// Starts the erasure, or continues it, for as long as a request may take.
    pub async fn erase(self, store: &Store, bucket: Option<&Bucket>, system: System) -> Result<Erasure, ErasureError> {
        let deadline = system.now().after(REQUEST_BUDGET);
        let erasure = match self {
            Self::Chat(chat) => store.erasures().start_chat(&chat).await?.ok_or(ErasureError::ChatNotFound)?,
            Self::Session(session) => {
                store.erasures().start_session(&session).await?.ok_or(ErasureError::SessionNotFound)?
            }
            Self::Started(erasure) => *erasure,
        };
        Ok(run(store, bucket, system, erasure, deadline).await?)
    }
}

/// Continues an erasure until `deadline`, and saves its progress. Safe to run concurrently.
async fn run(
    store: &Store,
    bucket: Option<&Bucket>,
    system: System,
    mut erasure: Erasure,
    deadline: Timestamp,
) -> Result<Erasure, StoreError> {
    let cutoff = store.erasures().cutoff(&erasure).await?;
    let swept = store.erasures().delete_items(&erasure, deadline).await?;
    erasure.erased += swept.erased;
    let complete = swept.complete
        && match bucket {
            Some(bucket) => {
                FileErasure { store, bucket, system, cutoff, deadline }.run(&erasure).await.unwrap_or_else(|error| {
                // A later run tries again.
                tracing::error!(session_id = %erasure.session_id, error = telemetry::chain(&error), "files not erased");
                false
            })
            }
            None => true,
        };
    store.erasures().save(erasure, complete).await
}

fn not_found(target: Target) -> ErasureError {
    match target {
        Target::Chat(_) => ErasureError::ChatNotFound,
        Target::Session(_) => ErasureError::SessionNotFound,
    }
}

/// Continues the erasures that are due. If one fails, the others are still tried.
pub async fn continue_due(store: &Store, bucket: Option<&Bucket>, system: System) -> Result<(), StoreError> {
    let deadline = system.now().after(BUDGET);
    let mut failure = None;
    for erasure in store.erasures().due(MAX_ERASURES).await? {
        match run(store, bucket, system, erasure, deadline).await {
            Ok(erasure) => tracing::info!(
                session_id = %erasure.session_id, erased = erasure.erased, complete = erasure.complete, "erasure"
            ),
            Err(error) => {
                tracing::error!(error = telemetry::chain(&error), "erasure failed");
                failure = Some(error);
            }
        }
        if system.now() > deadline {
            break;
        }
    }
    failure.map_or(Ok(()), Err)
}
