//! `DELETE /api/session`: the end of a session and all that it has.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::erasure::{REQUEST_BUDGET, Target},
    domain::system::System,
    http::routes::SESSION,
    http::{ApiError, ApiRequest, ApiResponse},
    runtime::{serve, startup::Startup},
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    store.warm_up().await;
    serve(&SESSION, move |request| {
        let store = store.clone();
        async move { erased(&store, system, &request).await }
    })
    .await
}

/// Asked again, it goes on with what was begun.
async fn erased(store: &Store, system: System, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let deadline = system.now().after(REQUEST_BUDGET);
    let session_id = request.caller()?.session(request.query.session_id()?)?;
    let begun = match store.sessions().get(session_id).await? {
        Some(session) => store.erasures().start_session(&session).await?,
        None => store.erasures().get(Target::Session(session_id)).await?,
    };
    let erasure = store.erasures().run(begun.ok_or_else(ApiError::session_not_found)?, deadline).await?;
    let answer = ApiResponse::json(&json!({"success": true, "erasure": erasure.response()}))?;
    Ok(if erasure.complete { answer } else { answer.accepted() })
}
