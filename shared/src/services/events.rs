//! Account events, and webhook content that couldn't be parsed.

use crate::{
    domain::{cursor::Position, id::SessionId, page::Page, session::Session},
    services::sessions::{self, SessionError},
    store::{EventOwner, Store, StoreError, StoredEvent},
};

/// The number of events on a page. An event can be large.
const PAGE: usize = 25;

/// Returns a page of a session's events, newest first: those of its number, of the number's account, and for an admin, of
/// the deployment's own number those that name no number or account. These may concern any owner's contacts.
pub async fn list(
    store: &Store,
    session_id: SessionId,
    own_number: Option<&str>,
    is_admin: bool,
    after: Option<Position>,
) -> Result<Page<StoredEvent>, SessionError> {
    let session = sessions::find(store, session_id).await?;
    let owners = owners(store, &session, own_number, is_admin).await?;
    Ok(store.events().list(&owners, after, PAGE).await?)
}

async fn owners(
    store: &Store,
    session: &Session,
    own_number: Option<&str>,
    is_admin: bool,
) -> Result<Vec<EventOwner>, StoreError> {
    let Some(number) = &session.phone_number_id else { return Ok(Vec::new()) };
    let owner = store.numbers().owner(number).await?.filter(|owner| owner.session_id == session.id);
    let Some(owner) = owner else { return Ok(Vec::new()) };
    let mut owners = vec![EventOwner::Number(number.clone())];
    owners.extend(owner.waba_id.map(EventOwner::Account));
    if own_number == Some(number) && is_admin {
        owners.push(EventOwner::Unknown);
    }
    Ok(owners)
}
