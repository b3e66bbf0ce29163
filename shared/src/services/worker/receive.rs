//! Messages that a worker's device receives, stored like a webhook's messages.

use super::{WorkerError, require_worker};
use crate::{
    domain::{
        id::SessionId,
        identity::Address,
        inbound::{Inbound, InboundBatch},
        message::Source,
        message_action::MessageAction,
        message_key::MessageKey,
        profile::Profile,
        worker::worker_number,
    },
    store::Store,
};

/// A message that a device received, or that the business sent from it.
#[derive(Debug)]
pub struct ReceiveRequest {
    pub(crate) session_id: SessionId,
    /// The addresses of the contact or group, at least one.
    pub(crate) addresses: Vec<Address>,
    /// The contact's profile.
    pub(crate) profile: Profile,
    pub(crate) message: Inbound,
}

/// Stores a message with the `request_id`, and applies it if it is a reaction, an edit, or a deletion. Returns whether it
/// is a duplicate.
///
/// # Errors
///
/// - [`WorkerError::SessionNotFound`] if the session doesn't exist.
/// - [`WorkerError::IdInUse`] if another message of the session has the ID.
/// - The errors of [`require_worker`].
pub async fn receive(store: &Store, request: ReceiveRequest, request_id: String) -> Result<bool, WorkerError> {
    let ReceiveRequest { session_id, addresses, profile, message } = request;
    let session = store.sessions().get(session_id).await?.ok_or(WorkerError::SessionNotFound)?;
    require_worker(&session)?;
    let phone_number_id = worker_number(session_id);
    let number = phone_number_id.clone();
    let action = message.action.clone();
    // The message key contains the time, and a worker may submit a message again with a different time. This check also
    // ignores the device's echo of a message that it has sent.
    let known = find_known(store, (session_id, &number), &addresses, &message).await?;
    let (chat_id, time, stored) = match known {
        Some(key) => {
            // A repeated message can be the first one with both addresses.
            if addresses.len() > 1 {
                store.chats().record_addresses(session_id, &addresses, key.time).await?;
            }
            (Some(key.chat_id), Some(key.time), 0)
        }
        None => {
            // What the business writes on the phone counts as an agent's answer.
            let source = Some(if message.from_me { Source::Echo } else { Source::Device });
            let wamid = message.wamid.clone();
            let is_own = source == Some(Source::Echo) && action.is_none();
            let may_be_copy = is_own && may_be_copy(store, session_id, &addresses).await?;
            let messages = vec![message];
            let (received_at, request_id) = (None, Some(request_id));
            let batch = InboundBatch {
                session_id,
                phone_number_id,
                addresses,
                profile,
                source,
                may_be_copy,
                received_at,
                is_import: false,
                request_id,
                messages,
            };
            let outcome = store.messages().receive(batch).await?;
            for (wamid, key) in &outcome.recheck {
                store.messages().apply_early_updates(&number, wamid, key).await?;
                // The device shows a message that the worker sends before the worker can report it.
                if is_own {
                    store.messages().put_early_echo(&number, wamid, key, may_be_copy).await?;
                }
            }
            // A message from the future has the time at which it was received.
            (outcome.chat_id, outcome.times.get(&wamid).copied(), outcome.stored)
        }
    };
    // Also for a known message, because the process may have ended before it applied the action.
    if let Some(action) = action {
        let action = MessageAction { at: time.unwrap_or(action.at), ..action };
        store.messages().apply_or_store_action(&number, action, chat_id).await?;
    }
    tracing::info!(%session_id, stored, "worker message received");
    Ok(stored == 0)
}

/// Returns the stored message that `message` repeats. WhatsApp's IDs are unique for one chat and one sender only, and
/// Qasid's are derived from them: a second message with the same ID can't be stored.
async fn find_known(
    store: &Store,
    (session_id, number): (SessionId, &str),
    addresses: &[Address],
    message: &Inbound,
) -> Result<Option<MessageKey>, WorkerError> {
    let Some(key) = store.messages().find_by_wamid(number, &message.wamid).await? else { return Ok(None) };
    let Some((stored, _)) = store.messages().get(&key).await? else { return Ok(None) };
    if stored.from_me != message.from_me {
        return Err(WorkerError::IdInUse);
    }
    // The device can show a message that it sent for Qasid under another address of the contact.
    if stored.raw.is_none() {
        return Ok(Some(key));
    }
    for address in addresses {
        if let Some(chat) = store.chats().find(session_id, &address.identity()).await?
            && store.chats().are_one(chat.id, key.chat_id).await?
        {
            return Ok(Some(key));
        }
    }
    Err(WorkerError::IdInUse)
}

/// Returns whether the device may have sent a message in this chat for Qasid that the worker hasn't reported yet. The
/// device can show it under an address that is new.
async fn may_be_copy(store: &Store, session_id: SessionId, addresses: &[Address]) -> Result<bool, WorkerError> {
    let mut has_chat = false;
    for address in addresses {
        if let Some(chat) = store.chats().find(session_id, &address.identity()).await? {
            has_chat = true;
            if store.outbox().is_sending_in(&chat).await? {
                return Ok(true);
            }
        }
    }
    Ok(!has_chat)
}
