//! Sessions and the numbers that they are linked to.

use serde::{Deserialize, Serialize};

use super::{
    Numbers, Sessions, StoreError, item,
    keys::Key,
    transaction::{Refusal, Transaction},
    update::{Condition, UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    id::SessionId,
    pairing::{PairingAttempt, PairingRefusal},
    session::{Qr, Session, SettingsChange},
    time::Timestamp,
};

pub(super) const SESSION: &str = "session";
const NUMBER: &str = "number";

/// The outcome of creating a session.
#[derive(Debug)]
pub enum Created {
    /// The session is new.
    New(Session),
    /// The owner already had this session.
    Existing(Session),
}

/// The outcome of a pairing attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Pairing {
    /// The session is linked to the number, by this attempt or by an earlier delivery of it.
    Paired,
    /// There is no such session.
    UnknownSession,
    /// The session isn't linked. Its `pairing_error` has the reason.
    Refused(PairingRefusal),
}

#[derive(Serialize, Deserialize)]
struct Number {
    phone_number_id: String,
    session_id: SessionId,
    linked_at: Timestamp,
}

/// The session that owns a number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NumberOwner {
    /// The session.
    pub session_id: SessionId,
    /// The WhatsApp Business account of the number, once a webhook has named it.
    #[serde(default)]
    pub waba_id: Option<String>,
}

impl Sessions<'_> {
    /// Creates a session unless its owner has one.
    pub async fn create(self, session: Session) -> Result<Created, StoreError> {
        let new = item::write(SESSION, &Key::session(session.id), &session)?;
        let item = match self.0.put_if("creating a session", new, "attribute_not_exists(pk)").await? {
            WriteOutcome::Written { .. } => return Ok(Created::New(session)),
            WriteOutcome::Refused { item } => item.unwrap_or_default(),
        };
        // The SDK retries a put whose response was lost. The code is random: an item with ours is the one we wrote.
        let existing: Session = item::read(SESSION, item)?;
        if existing.pairing_code.is_some() && existing.pairing_code == session.pairing_code {
            return Ok(Created::New(existing));
        }
        Ok(Created::Existing(existing))
    }

    /// Returns a session.
    pub async fn get(self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.0.get("reading a session", &Key::session(id)).await?.map(|item| item::read(SESSION, item)).transpose()
    }

    /// Replaces a session's QR code that expired at `expired_at`, or writes its first one. Of concurrent calls, one
    /// succeeds.
    pub async fn rotate_qr(self, id: SessionId, expired_at: Option<Timestamp>, qr: &Qr) -> Result<(), StoreError> {
        let update = UpdateBuilder::new(&Key::session(id))
            .set("qr", &qr.link)
            .set("qr_expires_at", qr.expires_at)
            .set("pairing_code", qr.code.as_str())
            .set("updated_at", self.0.system.now())
            .condition(("is_connected = ?", false))
            .condition(Condition::equals("qr_expires_at", expired_at));
        self.0.update_if("rotating a QR code", update).await.map(drop)
    }

    /// Links the session of a pairing attempt to the number that received it, if the code is the session's and was sent
    /// before it expired. Claims the number in the same transaction.
    pub async fn pair(
        self,
        attempt: &PairingAttempt,
        phone_number_id: &str,
        sent_at: Timestamp,
    ) -> Result<Pairing, StoreError> {
        let number = Number {
            phone_number_id: phone_number_id.to_owned(),
            session_id: attempt.session_id,
            linked_at: self.0.system.now(),
        };
        let claim = item::write(NUMBER, &Key::number(phone_number_id), &number)?;
        let link = UpdateBuilder::new(&Key::session(attempt.session_id))
            .set("is_connected", true)
            .set("is_ready", true)
            .set("phone_number_id", phone_number_id)
            .set("updated_at", self.0.system.now())
            .remove(["qr", "qr_expires_at", "pairing_code", "pairing_error"])
            .condition(("pairing_code = ?", attempt.code.as_str()))
            .condition(("qr_expires_at >= ?", sent_at))
            .condition(("is_connected = ?", false));
        let actions = vec![
            self.0.update_action(link),
            self.0.put_action(claim, ("attribute_not_exists(pk) OR session_id = ?", attempt.session_id)),
            self.0.numbers().check_available(phone_number_id, attempt.session_id),
        ];
        let mut refusals = match self.0.transact("pairing", actions).await? {
            Transaction::Committed => return Ok(Pairing::Paired),
            Transaction::Refused(refusals) => refusals.into_iter(),
        };
        let mut next = || refusals.next().unwrap_or_default();
        let (session, claim, available) = (next(), next(), next());
        match refusal(session, &claim, &available, phone_number_id)? {
            Pairing::Refused(reason) => {
                self.set_pairing_error(attempt.session_id, reason).await?;
                Ok(Pairing::Refused(reason))
            }
            other => Ok(other),
        }
    }

    /// Changes the settings of a session whose STOP and START words are as found. Returns the session after the change;
    /// `None` if it has changed or no longer exists.
    pub async fn change_settings(self, found: &Session, change: SettingsChange) -> Result<Option<Session>, StoreError> {
        let update = UpdateBuilder::new(&Key::session(found.id))
            .condition(Condition::equals("stop_words", found.stop_words.clone()))
            .condition(Condition::equals("start_words", found.start_words.clone()))
            .change("stop_words", change.stop_words)
            .change("start_words", change.start_words)
            .change("unknown_policy", change.unknown_policy)
            .change("default_country", change.default_country)
            .set("updated_at", self.0.system.now())
            .condition("attribute_exists(pk)")
            .returning_new();
        match self.0.update("changing settings", update).await? {
            WriteOutcome::Written { item } => item.map(|item| item::read(SESSION, item)).transpose(),
            WriteOutcome::Refused { .. } => Ok(None),
        }
    }

    /// Pauses a session's outbox with a reason, unless it is paused already. Returns whether it paused the session.
    pub async fn pause(self, id: SessionId, reason: &str) -> Result<bool, StoreError> {
        let update = UpdateBuilder::new(&Key::session(id))
            .set("paused_reason", reason)
            .set("updated_at", self.0.system.now())
            .condition("attribute_exists(pk) AND attribute_not_exists(paused_reason)");
        self.0.update_if("pausing a session", update).await
    }

    async fn set_pairing_error(self, id: SessionId, reason: PairingRefusal) -> Result<(), StoreError> {
        let update = UpdateBuilder::new(&Key::session(id))
            .set("pairing_error", reason.to_string())
            .set("updated_at", self.0.system.now())
            // Another attempt may have linked the session.
            .condition(("is_connected = ?", false));
        self.0.update_if("recording a refused pairing", update).await.map(drop)
    }
}

impl Numbers<'_> {
    /// Returns the owner of a number.
    pub async fn owner(self, phone_number_id: &str) -> Result<Option<NumberOwner>, StoreError> {
        let item = self.0.get("reading a number", &Key::number(phone_number_id)).await?;
        item.map(|item| item::read(NUMBER, item)).transpose()
    }

    /// Records the WhatsApp Business account of a number. Events of the account then belong to the number's session.
    pub async fn record_account(self, phone_number_id: &str, waba_id: &str) -> Result<(), StoreError> {
        let row = serde_json::json!({"waba_id": waba_id, "received_at": self.0.system.now()});
        self.0.put_if_absent("recording an account", item::write("account", &Key::account(waba_id), &row)?).await?;
        let update =
            UpdateBuilder::new(&Key::number(phone_number_id)).set("waba_id", waba_id).condition("attribute_exists(pk)");
        self.0.update_if("recording a number's account", update).await.map(drop)
    }

    /// Returns whether a number of this account has a session.
    pub async fn has_account(self, waba_id: &str) -> Result<bool, StoreError> {
        Ok(self.0.get("reading an account", &Key::account(waba_id)).await?.is_some())
    }
}

/// Returns why a pairing was refused. WhatsApp may deliver a message several times, so a session that is already linked
/// to this number counts as paired.
fn refusal(
    session: Refusal,
    claim: &Refusal,
    available: &Refusal,
    phone_number_id: &str,
) -> Result<Pairing, StoreError> {
    let unavailable = if available.failed { PairingRefusal::OtherOwner } else { PairingRefusal::NumberTaken };
    if !session.failed {
        return Ok(Pairing::Refused(unavailable));
    }
    let Some(item) = session.item else { return Ok(Pairing::UnknownSession) };
    let session: Session = item::read(SESSION, item)?;
    Ok(match session.phone_number_id {
        Some(linked) if session.is_connected && linked == phone_number_id => Pairing::Paired,
        _ if claim.failed || available.failed => Pairing::Refused(unavailable),
        _ => Pairing::Refused(PairingRefusal::Expired),
    })
}
