//! The rules of pairing: which session can be linked to which number, and which text is an attempt to pair.

use crate::domain::{
    id::SessionId,
    number::{HANDOVER_TIME, NumberState},
    pairing::PairingAttempt,
    session::Session,
    time::Timestamp,
};

/// Why a pairing attempt was rejected, as a sentence for the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairingRefusal {
    /// The code has expired or has been replaced.
    #[error("The QR code had expired when it was sent. Scan the new one.")]
    Expired,
    /// The number is linked to another session.
    #[error("This WhatsApp number is already linked to another session.")]
    NumberTaken,
    /// An admin assigned the number to another owner.
    #[error("This WhatsApp number belongs to another owner.")]
    OtherOwner,
    /// The text was sent to another number than the one that the QR code leads to.
    #[error(
        "The text of the QR code was sent to another WhatsApp number. Scan the QR code and send the text unchanged."
    )]
    WrongNumber,
    /// The number is neither the deployment's own nor registered.
    #[error("This deployment doesn't have the WhatsApp number. Ask an administrator to register it.")]
    UnknownNumber,
    /// The number's former owner erased their session, and no admin has released the number since.
    #[error("This WhatsApp number is reserved for its former owner. Ask an administrator to release it.")]
    Reserved,
    /// The number's former owner erased their session a moment ago. Messages can still be stored for that session.
    #[error(
        "This WhatsApp number had another owner until a moment ago. Send the text of the QR code again in two minutes."
    )]
    HandedOver,
    /// The number has no owner, and no admin has approved the session.
    #[error("This WhatsApp number has no owner yet. Ask an administrator to assign it to you.")]
    NotApproved,
}

/// The rules of a deployment for pairing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairingPolicy {
    /// Whether any session can be linked to a number without an owner, instead of approved sessions only.
    pub is_open: bool,
}

/// What to do with a text that contains a pairing token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairingDecision {
    /// The text is an ordinary message: its token isn't a code of a session that waits to be paired.
    OrdinaryMessage,
    /// The session can't be linked. The text is no message, because it has the session's code.
    Refuse(PairingRefusal),
    /// Link the session to the number.
    Link,
}

/// Decides at `now` what to do with a pairing attempt, sent at `sent_at` to the number `phone_number_id`.
///
/// Only the session's current or last code makes a text a pairing attempt. Anyone can know a session's ID, but only its
/// owner a code. A session can be linked to the number that its QR code leads to, if all of this holds:
///
/// - The number is the deployment's own or registered.
/// - It isn't linked to, assigned to, or reserved for another owner.
/// - No other owner erased their session with the number within [`HANDOVER_TIME`].
/// - It is assigned to or reserved for this owner, or an admin has approved the session, or pairing is open.
pub fn decide(
    attempt: &PairingAttempt,
    session: &Session,
    phone_number_id: &str,
    number: &NumberState,
    policy: PairingPolicy,
    sent_at: Timestamp,
    now: Timestamp,
) -> PairingDecision {
    let is_current = session.pairing_code.as_ref() == Some(&attempt.code);
    let is_last = session.last_pairing_code.as_ref() == Some(&attempt.code);
    if session.is_connected || session.id != attempt.session_id || !(is_current || is_last) {
        return PairingDecision::OrdinaryMessage;
    }
    let is_other = |holder: Option<SessionId>| holder.is_some_and(|holder| holder != session.id);
    let is_ours = |holder: Option<SessionId>| holder == Some(session.id);
    let is_granted = is_ours(number.assigned_to)
        || is_ours(number.linked_to)
        || is_ours(number.reserved_for)
        || session.is_approved
        || policy.is_open;
    let is_valid = is_current && session.qr_expires_at.is_some_and(|expires_at| sent_at <= expires_at);
    let is_handed_over = number
        .former_owner
        .is_some_and(|former| former.session_id != session.id && now.since(former.erased_at) < HANDOVER_TIME);
    let refusal = if is_other(number.assigned_to) {
        PairingRefusal::OtherOwner
    } else if is_other(number.linked_to) {
        PairingRefusal::NumberTaken
    } else if session.qr_phone_number_id.as_deref() != Some(phone_number_id) {
        PairingRefusal::WrongNumber
    } else if !number.is_known {
        PairingRefusal::UnknownNumber
    } else if is_other(number.reserved_for) {
        PairingRefusal::Reserved
    } else if !is_granted {
        PairingRefusal::NotApproved
    } else if !is_valid {
        PairingRefusal::Expired
    } else if is_handed_over {
        PairingRefusal::HandedOver
    } else {
        return PairingDecision::Link;
    };
    PairingDecision::Refuse(refusal)
}

#[cfg(test)]
mod tests;
