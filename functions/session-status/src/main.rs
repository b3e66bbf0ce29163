//! `GET /api/session/status`: a session as it is.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::session::QrState,
    domain::system::System,
    http::routes::SESSION_STATUS,
    http::{ApiError, ApiRequest, ApiResponse},
    runtime::{serve, startup::Startup},
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    store.warm_up().await;
    serve(&SESSION_STATUS, move |request| {
        let store = store.clone();
        async move { status(&store, system, &request).await }
    })
    .await
}

async fn status(store: &Store, system: System, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let session_id = request.caller()?.session(request.query.session_id()?)?;
    let session = store.sessions().get(session_id).await?;
    let session = session.ok_or_else(ApiError::session_not_found)?;
    let mut row = serde_json::to_value(session.response()).map_err(|error| ApiError::internal(&error))?;
    row["qr_expired"] = json!(session.qr_state(system.now()) == QrState::Expired);
    ApiResponse::json(&json!({"success": true, "session": row}))
}
