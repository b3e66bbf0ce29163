//! `GET /api/events`: account events, and what of the webhooks could not be understood, newest first.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::caller::Caller,
    domain::cursor::Position,
    domain::session::Session,
    http::responses::EventResponse,
    http::routes::EVENTS,
    http::{ApiError, ApiRequest, ApiResponse},
    runtime::{serve, startup::Startup},
    store::{EventOwner, Store, StoreError},
};

/// Events on one page. One can be long.
const PAGE: usize = 25;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    let number = startup.environment.phone_number_id();
    store.warm_up().await;
    serve(&EVENTS, move |request| {
        let (store, number) = (store.clone(), number.clone());
        async move { events(&store, number.as_deref(), &request).await }
    })
    .await
}

async fn events(store: &Store, own_number: Option<&str>, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let caller = request.caller()?;
    let session_id = caller.session(request.query.session_id()?)?;
    let list = format!("events/{session_id}");
    let cursor = request.query.one("cursor")?.map(|cursor| Position::from_cursor(&cursor, &list)).transpose();
    let after = cursor.map_err(|error| ApiError::bad_request("invalid_cursor", error.to_string()))?;
    let session = store.sessions().get(session_id).await?.ok_or_else(ApiError::session_not_found)?;
    let page = store.events().list(&owners(store, caller, &session, own_number).await?, after, PAGE).await?;
    let events: Vec<EventResponse> = page.items.into_iter().map(EventResponse::from).collect();
    let next = page.next.map(|next| next.cursor(&list));
    ApiResponse::json(&json!({"success": true, "events": events, "nextCursor": next}))
}

/// Whose events are the session's: its number's, those of the number's account, and where it has the deployment's own
/// number, those that name nobody: for an administrator only, because they may be about any owner's customers.
async fn owners(
    store: &Store,
    caller: &Caller,
    session: &Session,
    own_number: Option<&str>,
) -> Result<Vec<EventOwner>, StoreError> {
    let Some(number) = &session.phone_number_id else { return Ok(Vec::new()) };
    let owner = store.numbers().owner(number).await?.filter(|owner| owner.session_id == session.id);
    let Some(owner) = owner else { return Ok(Vec::new()) };
    let mut owners = vec![EventOwner::Number(number.clone())];
    owners.extend(owner.waba_id.map(EventOwner::Account));
    if own_number == Some(number) && caller.own_session().is_none() {
        owners.push(EventOwner::Unknown);
    }
    Ok(owners)
}
