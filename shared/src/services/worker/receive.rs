//! Messages that a worker's device receives, stored like a webhook's messages.

use super::{WorkerError, require_worker};
use crate::{
    domain::{
        id::SessionId,
        identity::Address,
        inbound::{Inbound, InboundBatch},
        message::Source,
        profile::Profile,
        worker::worker_number,
    },
    store::Store,
};

/// A message that a device received.
#[derive(Debug)]
pub struct ReceiveRequest {
    pub(crate) session_id: SessionId,
    pub(crate) from: Address,
    /// The contact's other address: a LID, or the phone number behind one.
    pub(crate) from_alt: Option<Address>,
    pub(crate) profile: Profile,
    pub(crate) message: Inbound,
}

/// Stores a received message. Returns whether it is a duplicate.
///
/// # Errors
///
/// - [`WorkerError::SessionNotFound`] if the session doesn't exist.
/// - The errors of [`require_worker`].
pub async fn receive(store: &Store, request: ReceiveRequest) -> Result<bool, WorkerError> {
    let ReceiveRequest { session_id, from, from_alt, profile, message } = request;
    let session = store.sessions().get(session_id).await?.ok_or(WorkerError::SessionNotFound)?;
    require_worker(&session)?;
    let phone_number_id = worker_number(session_id);
    // The message key contains the time, and a worker may submit a message again with a different time. This check also
    // ignores the device's echo of a message that it has sent.
    if store.messages().find_by_wamid(&phone_number_id, &message.wamid).await?.is_some() {
        return Ok(true);
    }
    let messages = vec![message];
    // The first address names a new chat: a phone number says more than a LID.
    let mut addresses: Vec<Address> = [Some(from), from_alt].into_iter().flatten().collect();
    addresses.sort_by_key(|address| matches!(address, Address::Lid(_)));
    let source = Some(Source::Device);
    let batch = InboundBatch { session_id, phone_number_id, addresses, profile, source, messages };
    let stored = store.messages().receive(batch).await?.stored;
    tracing::info!(%session_id, stored, "worker message received");
    Ok(stored == 0)
}
