//! `GET /api/messages/{messageId}`: what became of a message.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::caller::Caller,
    domain::id::SessionId,
    domain::message::Message,
    domain::message_key::MessageKey,
    http::responses::MessageDetailResponse,
    http::routes::MESSAGE,
    http::{ApiError, ApiRequest, ApiResponse, read_session_id},
    runtime::{serve, startup::Startup},
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    let number = startup.environment.phone_number_id();
    store.warm_up().await;
    serve(&MESSAGE, move |request| {
        let (store, number) = (store.clone(), number.clone());
        async move { message(&store, number, &request).await }
    })
    .await
}

async fn message(store: &Store, number: Option<String>, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let id = request.message_id()?;
    let session_id = asked_for(request.caller()?, request.query.one("sessionId")?)?;
    if let Ok(id) = id.parse()
        && let Some(key) = store.messages().find_by_id(id).await?
        && let Some(answer) = stored(store, &key, session_id).await?
    {
        return Ok(answer);
    }
    // WhatsApp's ids are unique within one number: the session's, or the deployment's own.
    let number = match session_id {
        Some(session_id) => {
            store.sessions().get(session_id).await?.ok_or_else(ApiError::session_not_found)?.phone_number_id
        }
        None => number,
    };
    let not_found = || ApiError::not_found("message_not_found", "Message not found");
    let number = number.ok_or_else(not_found)?;
    if let Some(key) = store.messages().find_by_wamid(&number, &id).await?
        && let Some(answer) = stored(store, &key, session_id).await?
    {
        return Ok(answer);
    }
    let trace = store.messages().trace(&number, &id).await?;
    if trace.is_empty() {
        return Err(not_found());
    }
    ApiResponse::json(&json!({"success": true, "message": null, "trace": trace}))
}

/// The session to look in: the one that is named, else the caller's own; `None` for every one.
fn asked_for(caller: &Caller, session_id: Option<String>) -> Result<Option<SessionId>, ApiError> {
    match session_id {
        Some(text) => caller.session(read_session_id(&text)?).map(Some),
        None => Ok(caller.own_session()),
    }
}

/// A message, unless it is of another session: then it is as good as none.
async fn stored(
    store: &Store,
    key: &MessageKey,
    session_id: Option<SessionId>,
) -> Result<Option<ApiResponse>, ApiError> {
    let wanted = |message: &Message| session_id.is_none_or(|session_id| session_id == message.session_id);
    let Some((message, metadata)) = store.messages().get(key).await?.filter(|(message, _)| wanted(message)) else {
        return Ok(None);
    };
    let details = MessageDetailResponse::new(message, metadata).map_err(|error| ApiError::internal(&error))?;
    ApiResponse::json(&json!({"success": true, "message": details})).map(Some)
}
