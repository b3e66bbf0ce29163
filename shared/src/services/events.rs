//! Account events, and webhook content that couldn't be parsed.

use crate::{
    domain::{cursor::Position, id::SessionId, page::Page, session::Session, time::Timestamp},
    services::sessions::{self, SessionError},
    store::{EventOwner, Store, StoreError, StoredEvent},
};

/// The number of events on a page. An event can be large.
const PAGE: usize = 25;

/// Returns a page of a session's events, newest first.
///
/// - A tenant gets those of the session's number and the shared ones of the number's account
///   ([`crate::domain::webhook_event::is_shared_by_account`]), received since the number was linked to the session.
/// - An admin gets all of the number and the account, and with the deployment's own number those that name no known number
///   or account. These may concern any owner's contacts.
pub async fn list(
    store: &Store,
    session_id: SessionId,
    own_number: Option<&str>,
    is_admin: bool,
    after: Option<Position>,
) -> Result<Page<StoredEvent>, SessionError> {
    let session = sessions::find(store, session_id).await?;
    let (owners, linked_at) = owners(store, &session, own_number, is_admin).await?;
    let since = linked_at.filter(|_| !is_admin);
    Ok(store.events().list(&owners, since, after, PAGE).await?)
}

async fn owners(
    store: &Store,
    session: &Session,
    own_number: Option<&str>,
    is_admin: bool,
) -> Result<(Vec<EventOwner>, Option<Timestamp>), StoreError> {
    let Some(number) = &session.phone_number_id else { return Ok((Vec::new(), None)) };
    let owner = store.numbers().owner(number).await?.filter(|owner| owner.session_id == session.id);
    let Some(owner) = owner else { return Ok((Vec::new(), None)) };
    let mut owners = vec![EventOwner::Number(number.clone())];
    owners.extend(owner.waba_id.clone().map(EventOwner::Account));
    if is_admin {
        owners.extend(owner.waba_id.map(EventOwner::AccountAdmins));
        owners.extend((own_number == Some(number)).then_some(EventOwner::Unknown));
    }
    Ok((owners, Some(owner.linked_at)))
}
