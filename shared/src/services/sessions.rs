//! Sessions: creating, pairing, reading, and resuming them.

use crate::{
    domain::{
        consent::WordError,
        cursor::Position,
        id::SessionId,
        message::Channel,
        number::{BusinessNumber, is_phone_number_id},
        page::Page,
        pairing::{PairingCode, number_of_link},
        session::{Qr, QrState, Session, SettingsChange},
        system::System,
        time::Timestamp,
    },
    store::{Created, Resumed, Store, StoreError},
};

/// Attempts to change settings while other callers change them.
const ROUNDS: usize = 5;

/// Why a request for a session fails.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no such session.
    #[error("Session not found")]
    NotFound,
    /// The deployment has no such number for this owner.
    #[error("phoneNumberId is not a number of this deployment: leave it out to use the one that it has")]
    UnknownNumber,
    /// The STOP and START words are invalid.
    #[error(transparent)]
    Words(#[from] WordError),
    /// The table didn't respond.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A session to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The owner's ID.
    pub owner_id: String,
    /// The number to pair with; `None` for the deployment's own.
    pub phone_number_id: Option<String>,
    /// The settings that differ from the defaults.
    pub settings: SettingsChange,
}

/// The state of a session's QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QrCode {
    /// The session is linked and needs no code.
    Connected,
    /// There is no code yet.
    NotReady,
    /// The code has expired, and a new one follows.
    Expired,
    /// The text to encode, and when it expires.
    Ready(String, Timestamp),
}

/// Returns the owner's session, and creates it if it doesn't exist. Without a number, a worker pairs the session. A call
/// of an admin approves the session, also if it exists.
pub async fn create(
    store: &Store,
    system: System,
    own_number: Option<BusinessNumber>,
    new: NewSession,
    is_admin: bool,
) -> Result<Created, SessionError> {
    let number = match &new.phone_number_id {
        Some(wanted) => Some(find_number(store, own_number, wanted, &new.owner_id).await?),
        None => own_number,
    };
    let now = system.now();
    let qr = number.map(|number| {
        let code = PairingCode::from_random(system.random_uuid());
        Qr::new(SessionId::for_owner(&new.owner_id), number, code, now)
    });
    let new = Session { is_approved: is_admin, ..Session::new(new.owner_id, qr, now).with_settings(new.settings) };
    new.consent_words().check()?;
    match store.sessions().create(new).await? {
        Created::Existing(session) if is_admin && !session.is_approved => {
            // The owner can have erased the session in between.
            Ok(Created::Existing(store.sessions().approve(session.id).await?.unwrap_or(session)))
        }
        created => Ok(created),
    }
}

/// Returns the number that the caller names. A number of another owner gives the same error as one that doesn't exist.
async fn find_number(
    store: &Store,
    own_number: Option<BusinessNumber>,
    wanted: &str,
    owner_id: &str,
) -> Result<BusinessNumber, SessionError> {
    let registered = if is_phone_number_id(wanted) { store.numbers().get(wanted).await? } else { None };
    let found = match registered {
        Some(number) => number.is_for(owner_id).then(|| number.into()),
        None => own_number.filter(|own| own.phone_number_id == wanted),
    };
    found.ok_or(SessionError::UnknownNumber)
}

/// Returns a session.
pub async fn find(store: &Store, id: SessionId) -> Result<Session, SessionError> {
    store.sessions().get(id).await?.ok_or(SessionError::NotFound)
}

/// Returns a page of sessions, newest first: `own_session` if it exists, or with `None` all sessions.
pub async fn list(
    store: &Store,
    own_session: Option<SessionId>,
    limit: usize,
    after: Option<Position>,
) -> Result<Page<Session>, StoreError> {
    let Some(id) = own_session else { return store.sessions().list(limit, after).await };
    let own = store.sessions().get(id).await?;
    let own = own.filter(|own| after.is_none_or(|after| own.position() < after));
    Ok(Page { items: own.into_iter().collect(), next: None })
}

/// Changes a session's settings.
pub async fn change_settings(store: &Store, id: SessionId, change: SettingsChange) -> Result<Session, SessionError> {
    for _ in 0..ROUNDS {
        let session = find(store, id).await?;
        session.clone().with_settings(change.clone()).consent_words().check()?;
        if let Some(changed) = store.sessions().change_settings(&session, change.clone()).await? {
            return Ok(changed);
        }
    }
    Err(StoreError::Contention { operation: "changing settings" }.into())
}

/// Resumes a paused session. Returns whether it was paused.
pub async fn resume(store: &Store, id: SessionId) -> Result<(Session, bool), SessionError> {
    match store.sessions().resume(id).await? {
        Resumed::Resumed(session) => Ok((session, true)),
        Resumed::NotPaused(session) => Ok((session, false)),
        Resumed::Missing => Err(SessionError::NotFound),
    }
}

/// Returns the session's QR code, and creates a new one if it is missing or expired. The code of a worker's session comes
/// from the worker.
pub async fn qr_code(
    store: &Store,
    system: System,
    own_number: Option<&BusinessNumber>,
    id: SessionId,
) -> Result<QrCode, SessionError> {
    let session = find(store, id).await?;
    let code = match session.qr_state(system.now()) {
        QrState::Connected => QrCode::Connected,
        QrState::Valid(link, expires_at) => QrCode::Ready(link.to_owned(), expires_at),
        QrState::None => QrCode::NotReady,
        QrState::Expired => QrCode::Expired,
    };
    if matches!(code, QrCode::NotReady | QrCode::Expired) {
        rotate_qr(store, system, own_number, &session).await?;
    }
    Ok(code)
}

/// Returns a number of the deployment as it is now: an admin can have changed its phone number.
async fn current_number(
    store: &Store,
    own_number: Option<&BusinessNumber>,
    id: &str,
) -> Result<Option<BusinessNumber>, StoreError> {
    let registered = store.numbers().get(id).await?.map(BusinessNumber::from);
    Ok(registered.or_else(|| own_number.filter(|own| own.phone_number_id == id).cloned()))
}

/// Returns the number that a session's QR code leads to, by the code.
fn number_of_qr(session: &Session, id: &str) -> Option<BusinessNumber> {
    let display_phone_number = session.qr.as_deref().and_then(number_of_link)?.to_owned();
    Some(BusinessNumber { phone_number_id: id.to_owned(), display_phone_number })
}

/// Replaces the QR code of a Cloud API session. The number stays the one that the session was created for.
async fn rotate_qr(
    store: &Store,
    system: System,
    own_number: Option<&BusinessNumber>,
    session: &Session,
) -> Result<(), StoreError> {
    if session.channel != Channel::CloudApi {
        return Ok(());
    }
    let number = match session.qr_phone_number_id.as_deref() {
        Some(id) => current_number(store, own_number, id).await?.or_else(|| number_of_qr(session, id)),
        None => own_number.cloned(),
    };
    if let Some(number) = number {
        let code = PairingCode::from_random(system.random_uuid());
        let qr = Qr::new(session.id, number, code, system.now());
        store.sessions().rotate_qr(session, &qr).await?;
    }
    Ok(())
}
