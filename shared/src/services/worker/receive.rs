//! What a worker's device receives, stored the way a webhook's messages are.

use super::{WorkerError, require_worker};
use crate::{
    domain::id::SessionId,
    domain::identity::Address,
    domain::inbound::{Inbound, InboundBatch},
    domain::message::Source,
    domain::worker::worker_number,
    store::Store,
};

/// A message that a device received.
#[derive(Debug)]
pub struct ReceiveRequest {
    pub(crate) session_id: SessionId,
    pub(crate) from: Address,
    pub(crate) name: Option<String>,
    pub(crate) message: Inbound,
}

/// Stores a message unless it is there. Whether it was.
pub async fn receive(store: &Store, request: ReceiveRequest) -> Result<bool, WorkerError> {
    let ReceiveRequest { session_id, from, name, message } = request;
    let session = store.sessions().get(session_id).await?.ok_or(WorkerError::SessionNotFound)?;
    require_worker(&session)?;
    let phone_number_id = worker_number(session_id);
    // The row's key has the time in it, and a worker that hands a message in again may write its time in another way.
    // This also keeps a device's echo of what it has sent for us from being stored as a customer's.
    if store.messages().find_by_wamid(&phone_number_id, &message.wamid).await?.is_some() {
        return Ok(true);
    }
    let (addresses, messages) = (vec![from], vec![message]);
    let source = Some(Source::Device);
    let batch = InboundBatch { session_id, phone_number_id, addresses, name, source, messages };
    let stored = store.messages().receive(batch).await?.stored;
    tracing::info!(%session_id, stored, "message received from a worker");
    Ok(stored == 0)
}
