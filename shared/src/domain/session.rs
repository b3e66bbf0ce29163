//! Sessions: the link between one owner and one WhatsApp business number.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{
    consent::ConsentWords,
    country::Country,
    cursor::Position,
    id::SessionId,
    message::Channel,
    number::BusinessNumber,
    pairing::{PairingCode, pairing_link},
    time::Timestamp,
};

/// How long a QR code is valid.
pub const QR_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The maximum length of an owner ID, in bytes of UTF-8.
pub const OWNER_ID_LIMIT: usize = 256;

/// The handling of a message whose outcome is still unknown at its deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownPolicy {
    /// Marks the message as failed. The recipient never gets a second copy, but may get none.
    #[default]
    Fail,
    /// Sends the message again. The recipient always gets the message, but may get it twice.
    Resend,
}

impl UnknownPolicy {
    /// Every policy.
    pub const ALL: [Self; 2] = [Self::Fail, Self::Resend];

    /// Returns the policy's name in requests, responses, and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Resend => "resend",
        }
    }
}

/// A session as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The ID, derived from the owner, so that an owner has one session.
    pub id: SessionId,
    /// The caller's ID of the owner (`userId` in requests).
    pub owner_id: String,
    /// Whether messages can be sent.
    pub is_ready: bool,
    /// Whether a WhatsApp number is linked.
    pub is_connected: bool,
    /// The text of the QR code to scan. `None` if the session is connected or has no QR code yet.
    pub qr: Option<String>,
    /// When `qr` expires.
    pub qr_expires_at: Option<Timestamp>,
    /// The secret inside `qr`. Sending it to a business number links the number to this session, so it is never
    /// returned.
    pub pairing_code: Option<PairingCode>,
    /// The number that `qr` leads to, and the only one that it can be paired with.
    #[serde(default)]
    pub qr_phone_number_id: Option<String>,
    /// The code that `pairing_code` has replaced. It can't be paired any more, but it is still a secret.
    #[serde(default)]
    pub last_pairing_code: Option<PairingCode>,
    /// Whether an admin created the session or repeated its creation. Only then can it be paired with a number that has
    /// no owner, unless the deployment has open pairing.
    #[serde(default)]
    pub is_approved: bool,
    /// Why the last pairing attempt was rejected, as a sentence for the owner.
    pub pairing_error: Option<String>,
    /// Meta's ID of the linked number. A worker session has its own ID instead.
    pub phone_number_id: Option<String>,
    /// The channel that delivers the session's messages.
    #[serde(default)]
    pub channel: Channel,
    /// Why sending is paused, as reported by WhatsApp. `POST /api/session/resume` clears it.
    #[serde(default)]
    pub paused_reason: Option<String>,
    /// The handling of messages whose outcome stays unknown.
    #[serde(default)]
    pub unknown_policy: UnknownPolicy,
    /// The country of phone numbers that are written without a country code.
    #[serde(default)]
    pub default_country: Option<Country>,
    /// The words with which contacts opt out. `None` for the defaults.
    #[serde(default)]
    pub stop_words: Option<Vec<String>>,
    /// The words with which contacts opt in again. `None` for the defaults.
    #[serde(default)]
    pub start_words: Option<Vec<String>>,
    /// When the session was created.
    pub created_at: Timestamp,
    /// When the session was last updated.
    pub updated_at: Timestamp,
}

/// A change of one setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Setting<T> {
    /// Leaves the setting as it is.
    #[default]
    Keep,
    /// Resets the setting to its default.
    Reset,
    /// Sets the setting to a value.
    Set(T),
}

impl<T: Default> Setting<T> {
    /// Returns the value after the change of `value`.
    pub fn apply(self, value: T) -> T {
        match self {
            Self::Keep => value,
            Self::Reset => T::default(),
            Self::Set(value) => value,
        }
    }
}

/// A change of a session's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of Session")]
pub struct SettingsChange {
    pub unknown_policy: Setting<UnknownPolicy>,
    pub default_country: Setting<Option<Country>>,
    pub stop_words: Setting<Option<Vec<String>>>,
    pub start_words: Setting<Option<Vec<String>>>,
}

/// The QR code of a session that is not paired yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qr {
    /// The link to encode.
    pub link: String,
    /// Meta's ID of the number that the link leads to.
    pub phone_number_id: String,
    /// The one-time code inside the link.
    pub code: PairingCode,
    /// When the code expires.
    pub expires_at: Timestamp,
}

impl Qr {
    /// Creates a QR code for `session_id`. Its link opens a chat with `number`.
    pub fn new(session_id: SessionId, number: BusinessNumber, code: PairingCode, now: Timestamp) -> Self {
        let link = pairing_link(&number.display_phone_number, session_id, &code);
        Self { link, phone_number_id: number.phone_number_id, code, expires_at: now.after(QR_LIFETIME) }
    }
}

/// The state of a session's QR code.
#[derive(Debug, PartialEq, Eq)]
pub enum QrState<'a> {
    /// The session is linked and needs no QR code.
    Connected,
    /// The linked-device worker has not provided a QR code yet.
    None,
    /// The QR code has expired and must be replaced.
    Expired,
    /// The QR code and its expiry time.
    Valid(&'a str, Timestamp),
}

impl Session {
    /// Creates an unpaired session. Without a `qr` (no Cloud API number is configured), a worker pairs it.
    pub fn new(owner_id: String, qr: Option<Qr>, now: Timestamp) -> Self {
        let mut session = Self {
            id: SessionId::for_owner(&owner_id),
            owner_id,
            is_ready: false,
            is_connected: false,
            qr: None,
            qr_expires_at: None,
            pairing_code: None,
            qr_phone_number_id: None,
            last_pairing_code: None,
            is_approved: false,
            pairing_error: None,
            phone_number_id: None,
            channel: Channel::CloudApi,
            paused_reason: None,
            unknown_policy: UnknownPolicy::Fail,
            default_country: None,
            stop_words: None,
            start_words: None,
            created_at: now,
            updated_at: now,
        };
        if let Some(qr) = qr {
            session.qr = Some(qr.link);
            session.qr_expires_at = Some(qr.expires_at);
            session.pairing_code = Some(qr.code);
            session.qr_phone_number_id = Some(qr.phone_number_id);
        }
        session
    }

    /// Returns the session's position in the list of all sessions.
    pub fn position(&self) -> Position {
        Position { at: self.created_at, id: self.id.to_uuid() }
    }

    /// Returns the session after a change of its settings.
    pub fn with_settings(self, change: SettingsChange) -> Self {
        Self {
            unknown_policy: change.unknown_policy.apply(self.unknown_policy),
            default_country: change.default_country.apply(self.default_country),
            stop_words: change.stop_words.apply(self.stop_words),
            start_words: change.start_words.apply(self.start_words),
            ..self
        }
    }

    /// Returns the words with which contacts opt out and in.
    pub fn consent_words(&self) -> ConsentWords<'_> {
        ConsentWords { stop: self.stop_words.as_deref(), start: self.start_words.as_deref() }
    }

    /// Returns the state of the QR code at `now`.
    pub fn qr_state(&self, now: Timestamp) -> QrState<'_> {
        match (&self.qr, self.qr_expires_at) {
            _ if self.is_connected => QrState::Connected,
            (Some(_), Some(expires_at)) if expires_at <= now => QrState::Expired,
            (Some(qr), Some(expires_at)) => QrState::Valid(qr, expires_at),
            _ => QrState::None,
        }
    }

    /// Returns the session as shown in API responses.
    pub fn response(&self) -> SessionResponse<'_> {
        SessionResponse {
            id: self.id,
            owner_id: &self.owner_id,
            is_ready: self.is_ready,
            is_connected: self.is_connected,
            qr: self.qr.as_deref(),
            qr_expires_at: self.qr_expires_at,
            phone_number_id: self.phone_number_id.as_deref(),
            pairing_error: self.pairing_error.as_deref(),
            paused_reason: self.paused_reason.as_deref(),
            unknown_policy: self.unknown_policy,
            default_country: self.default_country,
            stop_words: self.stop_words.as_deref(),
            start_words: self.start_words.as_deref(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// A session as shown in API responses: `null` where unset.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of Session")]
pub struct SessionResponse<'a> {
    pub id: SessionId,
    pub owner_id: &'a str,
    pub is_ready: bool,
    pub is_connected: bool,
    pub qr: Option<&'a str>,
    pub qr_expires_at: Option<Timestamp>,
    pub phone_number_id: Option<&'a str>,
    pub pairing_error: Option<&'a str>,
    pub paused_reason: Option<&'a str>,
    pub unknown_policy: UnknownPolicy,
    pub default_country: Option<Country>,
    pub stop_words: Option<&'a [String]>,
    pub start_words: Option<&'a [String]>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    #[test]
    fn qr_code_expires_after_five_minutes() {
        let code = PairingCode::from_random(Uuid::from_u128(7));
        let number = BusinessNumber {
            phone_number_id: "106540352242922".to_owned(),
            display_phone_number: "15550001111".to_owned(),
        };
        let qr = Qr::new(SessionId::for_owner("ada"), number, code, at(1_000));
        let mut session = Session::new("ada".to_owned(), Some(qr), at(1_000));
        assert!(matches!(session.qr_state(at(1_299)), QrState::Valid(_, expires_at) if expires_at == at(1_300)));
        assert_eq!(session.qr_state(at(1_300)), QrState::Expired);
        session.is_connected = true;
        assert_eq!(session.qr_state(at(1_300)), QrState::Connected);
    }

    #[test]
    fn change_of_settings_keeps_resets_or_sets_each() {
        let country = |code: &str| Some(code.parse().unwrap());
        let session = Session::new("ada".to_owned(), None, at(0));
        let set = SettingsChange {
            unknown_policy: Setting::Set(UnknownPolicy::Resend),
            default_country: Setting::Set(country("EG")),
            ..SettingsChange::default()
        };
        let session = session.with_settings(set);
        assert_eq!((session.unknown_policy, session.default_country), (UnknownPolicy::Resend, country("EG")));
        let session = session.with_settings(SettingsChange::default());
        assert_eq!((session.unknown_policy, session.default_country), (UnknownPolicy::Resend, country("EG")));
        let reset = SettingsChange {
            unknown_policy: Setting::Reset,
            default_country: Setting::Reset,
            ..SettingsChange::default()
        };
        let session = session.with_settings(reset);
        assert_eq!((session.unknown_policy, session.default_country), (UnknownPolicy::Fail, None));
    }

    #[test]
    fn session_without_number_has_no_qr_code() {
        assert_eq!(Session::new("ada".to_owned(), None, at(0)).qr_state(at(9)), QrState::None);
    }
}
