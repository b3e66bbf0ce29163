//! Pairing attempts. [`decide`] has the rules; a transaction makes what it read a condition of what it writes.
//!
//! An attempt leaves a trace under its session: an item per message, which also makes a repeated delivery change nothing.

use std::time::Duration;

use aws_sdk_dynamodb::types::TransactWriteItem;

use super::{
    Sessions, StoreError, item,
    keys::{Key, wamid_key},
    session::SESSION,
    transaction::Transaction,
    update::{Condition, UpdateBuilder},
};
use crate::domain::{
    pairing::PairingAttempt,
    pairing_decision::{PairingDecision, PairingPolicy, PairingRefusal, decide},
    session::Session,
    time::Timestamp,
};

pub(super) const PAIRING: &str = "pairing";

/// How long the trace of an attempt is kept. WhatsApp retries webhooks for 7 days.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Attempts to decide while the session or the number changes.
const ROUNDS: usize = 10;

/// A message with a pairing token.
#[derive(Clone, Copy, Debug)]
pub struct PairingMessage<'a> {
    /// The business number that received it.
    pub phone_number_id: &'a str,
    /// Whether this is the deployment's own number.
    pub is_own_number: bool,
    /// WhatsApp's ID of the message.
    pub wamid: &'a str,
    /// When it was sent, by WhatsApp's clock.
    pub sent_at: Timestamp,
}

/// The outcome of a pairing attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// The session is linked to the number.
    Paired,
    /// The session isn't linked. Its `pairing_error` has the reason.
    Refused(PairingRefusal),
    /// An earlier delivery of the message was an attempt. This one changes nothing.
    Repeated,
    /// The message is no attempt, because its token isn't a code of a session that waits to be paired.
    OrdinaryMessage,
}

impl Sessions<'_> {
    /// Links the session of a pairing attempt to the number that received it, or records why it can't be linked.
    pub async fn pair(
        self,
        attempt: &PairingAttempt,
        message: PairingMessage<'_>,
        policy: PairingPolicy,
    ) -> Result<Pairing, StoreError> {
        const OPERATION: &str = "pairing a session";
        let (session_key, trace_key) =
            (Key::session(attempt.session_id), Key::pairing(attempt.session_id, message.wamid));
        let (claim_key, settings_key) =
            (Key::number(message.phone_number_id), Key::number_settings(message.phone_number_id));
        for _ in 0..ROUNDS {
            let keys = [&session_key, &trace_key, &claim_key, &settings_key].map(Key::clone).to_vec();
            let mut found = self.0.get_all("reading a pairing attempt", keys).await?;
            let Some(session) = found.remove(&session_key) else { return Ok(Pairing::OrdinaryMessage) };
            if found.contains_key(&trace_key) {
                return Ok(Pairing::Repeated);
            }
            let session: Session = item::read(SESSION, session)?;
            let number =
                self.0.numbers().read(found.remove(&claim_key), found.remove(&settings_key), message.is_own_number)?;
            let state = number.state();
            let now = self.0.system.now();
            let (actions, outcome) =
                match decide(attempt, &session, message.phone_number_id, &state, policy, message.sent_at, now) {
                    PairingDecision::OrdinaryMessage => return Ok(Pairing::OrdinaryMessage),
                    PairingDecision::Refuse(reason) => {
                        let refuse = unchanged(attempt, &session).set("pairing_error", reason.to_string());
                        let trace = self.trace(attempt, message, Some(reason))?;
                        (vec![self.0.update_action(refuse), trace], Pairing::Refused(reason))
                    }
                    PairingDecision::Link => {
                        let link = unchanged(attempt, &session)
                            .set("is_connected", true)
                            .set("is_ready", true)
                            .set("phone_number_id", message.phone_number_id)
                            .remove([
                                "qr",
                                "qr_expires_at",
                                "qr_phone_number_id",
                                "pairing_code",
                                "last_pairing_code",
                                "pairing_error",
                            ])
                            .condition(("qr_phone_number_id = ?", message.phone_number_id))
                            .condition(("is_approved = ?", session.is_approved));
                        let mut actions = vec![self.0.update_action(link)];
                        actions.extend(self.0.numbers().claim(message.phone_number_id, session.id, &number)?);
                        actions.push(self.trace(attempt, message, None)?);
                        (actions, Pairing::Paired)
                    }
                };
            // Refused if anything that was read has changed.
            if let Transaction::Committed = self.0.transact(OPERATION, actions).await? {
                return Ok(outcome);
            }
        }
        Err(StoreError::Contention { operation: OPERATION })
    }

    fn trace(
        self,
        attempt: &PairingAttempt,
        message: PairingMessage<'_>,
        refusal: Option<PairingRefusal>,
    ) -> Result<TransactWriteItem, StoreError> {
        let now = self.0.system.now();
        let row = serde_json::json!({
            "session_id": attempt.session_id,
            "phone_number_id": message.phone_number_id,
            "wamid_key": wamid_key(message.phone_number_id, message.wamid),
            "reason": refusal.map(|reason| reason.to_string()),
            "received_at": now,
            "expires_at": now.after(LIFETIME).seconds(),
        });
        let item = item::write(PAIRING, &Key::pairing(attempt.session_id, message.wamid), &row)?;
        Ok(self.0.put_action(item, "attribute_not_exists(pk)"))
    }
}

/// Returns an update of a session that is as it was read: it waits to be paired, with the same codes.
fn unchanged(attempt: &PairingAttempt, session: &Session) -> UpdateBuilder {
    let is_code = ("pairing_code = ? OR last_pairing_code = ?", [attempt.code.as_str(); 2]);
    UpdateBuilder::new(&Key::session(session.id))
        .condition(is_code)
        .condition(Condition::equals("qr_expires_at", session.qr_expires_at))
        .condition(("is_connected = ?", false))
}
