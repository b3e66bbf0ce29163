//! The session of a linked-device worker: its QR code and its connection.

use std::time::Duration;

use crate::{
    domain::{id::SessionId, message::Channel, session::Session},
    services::worker::{WorkerError, require_worker},
    store::{Store, StoreError},
};

/// Why a worker can't change a session.
#[derive(Debug, thiserror::Error)]
pub enum WorkerSessionError {
    /// The session is connected, so it needs no QR code.
    #[error("Session is connected: set isConnected to false with PUT /api/session/state first")]
    Connected,
    /// There is no such session, or it isn't a worker's.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

impl From<StoreError> for WorkerSessionError {
    fn from(error: StoreError) -> Self {
        Self::Worker(error.into())
    }
}

/// Publishes a worker's QR code, which expires after `lifetime`. A code that arrives after its scan is rejected, because it
/// would make the session look unlinked.
pub async fn set_qr(store: &Store, id: SessionId, qr: &str, lifetime: Duration) -> Result<Session, WorkerSessionError> {
    let session = store.sessions().set_worker_qr(id, qr, lifetime).await?.ok_or(WorkerError::SessionNotFound)?;
    require_worker(&session)?;
    if session.is_connected { Err(WorkerSessionError::Connected) } else { Ok(session) }
}

/// Sets whether the worker is connected and ready to send.
pub async fn set_state(
    store: &Store,
    id: SessionId,
    is_connected: bool,
    is_ready: bool,
) -> Result<Session, WorkerError> {
    let session = store.sessions().set_worker_state(id, is_connected, is_ready).await?;
    let session = session.ok_or(WorkerError::SessionNotFound)?;
    if session.channel == Channel::CloudApi && session.phone_number_id.is_some() {
        return Err(WorkerError::PairedOverCloudApi);
    }
    Ok(session)
}
