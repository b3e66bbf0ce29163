//! Linked-device workers: processes that hold a WhatsApp Web socket. They take a session's messages from the same
//! outbox, under leases, and hand in what the device receives.

mod claim;
mod receive;

use uuid::Uuid;

use crate::{
    domain::caller::Caller,
    domain::id::MessageId,
    domain::message::{Channel, MessageResponse},
    domain::session::Session,
    domain::worker::WorkerOutcome,
    http::{ApiError, JsonObject},
    store::Store,
};

pub use claim::{ClaimRequest, Claimed, claim};
pub use receive::{ReceiveRequest, receive};

/// The longest id that a device gives to a message, in bytes.
const ID_LIMIT: usize = 1024;

/// The longest reason that a worker gives for a failure, in characters.
const REASON_LIMIT: usize = 1000;

/// 409 for a session that is not a worker's.
pub fn require_worker(session: &Session) -> Result<(), ApiError> {
    if session.channel == Channel::Worker {
        return Ok(());
    }
    let message = "Session is not a worker's: give it a QR code with PUT /api/session/qr first";
    Err(match session.phone_number_id {
        None => ApiError::conflict("not_a_worker_session", message),
        Some(_) => paired_over_cloud_api(),
    })
}

/// 409 for a session that a worker cannot have.
pub fn paired_over_cloud_api() -> ApiError {
    let message = "Session is paired over the Cloud API: a worker cannot carry its messages";
    ApiError::conflict("paired_over_cloud_api", message)
}

/// A worker's word on a message.
#[derive(Debug)]
pub struct SettleRequest {
    message_id: MessageId,
    lease: Uuid,
    outcome: WorkerOutcome,
}

impl SettleRequest {
    /// Reads `{"messageId", "lease", "sent": {"id"}}` or `{"messageId", "lease", "failed": {"reason"}}`.
    pub fn read(body: &JsonObject) -> Result<Self, ApiError> {
        let invalid = |message: &str| ApiError::bad_request("invalid_field", message);
        let message_id = body.required("messageId")?.parse().map_err(|_| invalid("messageId must be a UUID"))?;
        let lease = body.required("lease")?.parse().map_err(|_| invalid("lease must be a UUID"))?;
        let outcome = match (body.object("sent")?, body.object("failed")?) {
            (Some(sent), None) => {
                let id = sent.string("id")?.filter(|id| (1..=ID_LIMIT).contains(&id.len()));
                let id = id.ok_or_else(|| invalid("sent.id must have 1 to 1024 bytes"))?;
                WorkerOutcome::Sent { id: id.to_owned() }
            }
            (None, Some(failed)) => {
                let reason = failed.string("reason")?.map(str::trim);
                let reason = reason.filter(|reason| (1..=REASON_LIMIT).contains(&reason.chars().count()));
                let reason = reason.ok_or_else(|| invalid("failed.reason must have 1 to 1000 characters"))?;
                WorkerOutcome::Failed { reason: reason.to_owned() }
            }
            _ => return Err(invalid("Give either sent or failed")),
        };
        Ok(Self { message_id, lease, outcome })
    }
}

/// Writes what became of a message of the caller's. Saying the same again changes nothing.
pub async fn settle(store: &Store, caller: &Caller, request: &SettleRequest) -> Result<MessageResponse, ApiError> {
    let not_found = || ApiError::not_found("message_not_found", "Message not found");
    let key = store.message_by_id(request.message_id).await?.ok_or_else(not_found)?;
    let row = store.worker_messages(vec![key]).await?.remove(&key);
    let row = row.filter(|row| caller.may_use(row.message.session_id)).ok_or_else(not_found)?;
    let lease = request.lease.to_string();
    let row = match row.settled_lease {
        Some(_) => row,
        None => store.settle_for_worker(&row, &lease, &request.outcome).await?.ok_or_else(not_found)?,
    };
    let said = match &request.outcome {
        WorkerOutcome::Sent { id } => row.message.wamid.as_ref() == Some(id),
        WorkerOutcome::Failed { reason } => row.message.error.as_ref() == Some(reason),
    };
    match row.settled_lease.as_ref() {
        Some(settled) if *settled == lease && said => Ok(row.message.response()),
        Some(settled) if *settled == lease => {
            Err(ApiError::conflict("already_settled", "The message has been settled otherwise under this lease"))
        }
        _ => Err(ApiError::conflict("lease_lost", "The lease is not the message's own, or is over: do not send it")),
    }
}
