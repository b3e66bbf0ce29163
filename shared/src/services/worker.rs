//! Linked-device workers: processes with a WhatsApp Web connection. They claim a session's pending messages under
//! leases, settle them, and submit the messages that the device receives.

mod claim;
mod receive;

use uuid::Uuid;

use crate::{
    domain::{
        id::{MessageId, SessionId},
        message::{Channel, MessageResponse, MessageType},
        session::Session,
        worker::WorkerOutcome,
    },
    store::{Store, StoreError},
};

pub use claim::{ClaimRequest, Claimed, claim};
pub use receive::{ReceiveRequest, receive};

/// A worker's request failed.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A message could not be serialized as JSON.
    #[error(transparent)]
    Response(#[from] serde_json::Error),
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// There is no such message.
    #[error("Message not found")]
    MessageNotFound,
    /// No worker has shown a QR code for the session.
    #[error("Session is not a worker's: give it a QR code with PUT /api/session/qr first")]
    NotAWorkerSession,
    /// The session sends through the Cloud API.
    #[error("Session is paired over the Cloud API: a worker cannot carry its messages")]
    PairedOverCloudApi,
    /// The message was settled with another outcome under the same lease.
    #[error("The message was settled with another outcome under this lease")]
    AlreadySettled,
    /// Another message of the session has the ID that the device gave this one.
    #[error("Another message of this session has this id: a message's id must be unique in its session")]
    IdInUse,
    /// The lease is invalid or has expired.
    #[error("The lease is invalid or has expired. Do not send this message")]
    LeaseLost,
}

/// Checks that a worker carries the session's messages.
///
/// # Errors
///
/// [`WorkerError::NotAWorkerSession`] before the session is paired, else [`WorkerError::PairedOverCloudApi`].
pub fn require_worker(session: &Session) -> Result<(), WorkerError> {
    match (session.channel, &session.phone_number_id) {
        (Channel::Worker, _) => Ok(()),
        (Channel::CloudApi, None) => Err(WorkerError::NotAWorkerSession),
        (Channel::CloudApi, Some(_)) => Err(WorkerError::PairedOverCloudApi),
    }
}

/// A worker's request to settle a message.
#[derive(Debug)]
pub struct SettleRequest {
    pub(crate) message_id: MessageId,
    pub(crate) lease: Uuid,
    pub(crate) outcome: WorkerOutcome,
}

/// Settles a message if `may_use` allows its session. Settling it again with the same outcome changes nothing.
///
/// # Errors
///
/// - [`WorkerError::MessageNotFound`] if the message doesn't exist or its session isn't allowed.
/// - [`WorkerError::LeaseLost`] if the lease isn't the message's own or has expired.
/// - [`WorkerError::AlreadySettled`] if the message was settled with another outcome under this lease.
pub async fn settle(
    store: &Store,
    request: &SettleRequest,
    may_use: impl Fn(SessionId) -> bool,
) -> Result<MessageResponse, WorkerError> {
    let key = store.messages().find_by_id(request.message_id).await?.ok_or(WorkerError::MessageNotFound)?;
    let row = store.outbox().worker_messages(vec![key]).await?.remove(&key);
    let row = row.filter(|row| may_use(row.message.session_id)).ok_or(WorkerError::MessageNotFound)?;
    let lease = request.lease.to_string();
    let row = match row.settled_lease {
        Some(_) => row,
        None => store
            .outbox()
            .settle_for_worker(&row, &lease, &request.outcome)
            .await?
            .ok_or(WorkerError::MessageNotFound)?,
    };
    let is_same = match &request.outcome {
        WorkerOutcome::Sent { id } => row.message.wamid.as_ref() == Some(id),
        WorkerOutcome::Failed { reason } => row.message.error.as_ref() == Some(reason),
    };
    match row.settled_lease.as_ref() {
        Some(settled) if *settled == lease && is_same => {
            if row.message.kind == MessageType::Reaction {
                store.messages().sync_reaction(&key).await?;
            }
            // Reactions, deletions, and the device's copy of the message can arrive before the report. A repeated report
            // applies them again.
            if let Some(wamid) = &row.message.wamid {
                store.messages().apply_early_updates(&row.message.phone_number_id, wamid, &key).await?;
            }
            Ok(row.message.response())
        }
        Some(settled) if *settled == lease => Err(WorkerError::AlreadySettled),
        _ => Err(WorkerError::LeaseLost),
    }
}
