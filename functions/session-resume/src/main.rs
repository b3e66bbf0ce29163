//! `POST /api/session/resume`: lets the messages of a paused session go on.

use lambda_http::Error;
use serde_json::json;
use shared::{
    http::routes::SESSION_RESUME,
    http::{ApiError, ApiRequest, ApiResponse},
    runtime::{serve, startup::Startup},
    store::{Resumed, Store},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    store.warm_up().await;
    serve(&SESSION_RESUME, move |request| {
        let store = store.clone();
        async move { resume(&store, &request).await }
    })
    .await
}

async fn resume(store: &Store, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let session_id = request.caller()?.session(request.body.object()?.session_id()?)?;
    let (session, message) = match store.sessions().resume(session_id).await? {
        Resumed::Resumed(session) => (session, "Session resumed"),
        Resumed::NotPaused(session) => (session, "Session was not paused"),
        Resumed::Missing => return Err(ApiError::session_not_found()),
    };
    ApiResponse::json(&json!({"success": true, "session": session.response(), "message": message}))
}
