//! Sessions: creating, approving, and pausing them, and their QR codes.

use super::{
    Sessions, StoreError,
    item::{self, string},
    keys::{Key, SESSIONS},
    update::{Condition, UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    cursor::Position,
    id::SessionId,
    page::{Order, Page, merge},
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
    /// Creates a session unless its owner has one. Lists an existing one from before there was a list.
    pub async fn create(self, session: Session) -> Result<Created, StoreError> {
        let mut new = item::write(SESSION, &Key::session(session.id), &session)?;
        new.insert("inbox_key".to_owned(), string(SESSIONS));
        new.insert("inbox_position".to_owned(), string(session.position().to_string()));
        let item = match self.0.put_if("creating a session", new, "attribute_not_exists(pk)").await? {
            WriteOutcome::Written { .. } => return Ok(Created::New(session)),
            WriteOutcome::Refused { item } => item.unwrap_or_default(),
        };
        let is_listed = item.contains_key("inbox_key");
        // The SDK retries a put whose response was lost. The code is random: an item with ours is the one we wrote.
        let existing: Session = item::read(SESSION, item)?;
        if !is_listed {
            let update = UpdateBuilder::new(&Key::session(existing.id))
                .set("inbox_key", SESSIONS)
                .set("inbox_position", existing.position().to_string())
                .condition(("created_at = ?", existing.created_at));
            self.0.update_if("listing a session", update).await?;
        }
        if existing.pairing_code.is_some() && existing.pairing_code == session.pairing_code {
            return Ok(Created::New(existing));
        }
        Ok(Created::Existing(existing))
    }

    /// Returns a session.
    pub async fn get(self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.0.get("reading a session", &Key::session(id)).await?.map(|item| item::read(SESSION, item)).transpose()
    }

    /// Returns a page of all sessions, newest first. Eventually consistent.
    pub async fn list(self, limit: usize, after: Option<Position>) -> Result<Page<Session>, StoreError> {
        let entries = self.0.inbox_segment("listing sessions", SESSIONS.to_owned(), None, after, limit).await?;
        let page = merge(vec![entries], Order::Descending, limit, |_| true);
        let keys: Vec<Key> = page.items.iter().map(|entry| Key::session(SessionId::from_uuid(entry.id))).collect();
        let mut found = self.0.get_all_eventually("reading listed sessions", keys.clone()).await?;
        let items = keys.iter().filter_map(|key| found.remove(key)).map(|item| item::read(SESSION, item));
        Ok(Page { items: items.collect::<Result<_, _>>()?, next: page.next })
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
