//! Sessions: creating, approving, and pausing them, and their QR codes.

use super::{
    Sessions, StoreError, item,
    keys::Key,
    update::{Condition, UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    id::SessionId,
    pairing::PairingCode,
    session::{Qr, Session, SettingsChange},
};

pub(super) const SESSION: &str = "session";

/// The outcome of creating a session.
#[derive(Debug)]
pub enum Created {
    /// The session is new.
    New(Session),
    /// The owner already had this session.
    Existing(Session),
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

    /// Approves a session for pairing with a number that has no owner. Returns the session; `None` if it doesn't exist.
    pub async fn approve(self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let update = UpdateBuilder::new(&Key::session(id))
            .set("is_approved", true)
            .set("updated_at", self.0.system.now())
            .condition("attribute_exists(pk)");
        self.0.item_after("approving a session", SESSION, update).await
    }

    /// Replaces the QR code of `session`, or writes its first one. Of concurrent calls, one succeeds.
    pub async fn rotate_qr(self, session: &Session, qr: &Qr) -> Result<(), StoreError> {
        let code = session.pairing_code.as_ref().map(PairingCode::as_str);
        let update = UpdateBuilder::new(&Key::session(session.id))
            .set("qr", &qr.link)
            .set("qr_expires_at", qr.expires_at)
            .set("qr_phone_number_id", &qr.phone_number_id)
            .set("pairing_code", qr.code.as_str())
            .set("last_pairing_code", code)
            .set("updated_at", self.0.system.now())
            .condition(("is_connected = ?", false))
            .condition(Condition::equals("pairing_code", code))
            .condition(Condition::equals("qr_expires_at", session.qr_expires_at));
        self.0.update_if("rotating a QR code", update).await.map(drop)
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
}
