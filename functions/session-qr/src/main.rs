//! `PUT /api/session/qr`: a linked-device worker shows its QR code.

use std::time::Duration;

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::session::Session,
    http::routes::SESSION_QR,
    http::{ApiError, ApiRequest, ApiResponse},
    runtime::{serve, startup::Startup},
    services::worker::require_worker,
    store::Store,
};

/// The longest text of a QR code, in bytes: with more, a picture of it is hard to scan.
const QR_LIMIT: usize = 2000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    store.warm_up().await;
    serve(&SESSION_QR, move |request| {
        let store = store.clone();
        async move { set(&store, &request).await }
    })
    .await
}

async fn set(store: &Store, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let body = request.body.object()?;
    let session_id = request.caller()?.session(body.session_id()?)?;
    let qr = body.required("qr")?;
    if qr.len() > QR_LIMIT {
        let message = format!("qr has {} bytes: it may have up to {QR_LIMIT}", qr.len());
        return Err(ApiError::bad_request("invalid_field", message));
    }
    let seconds = body.whole_number("expiresInSeconds", 1..=3600)?;
    let seconds = seconds.ok_or_else(|| ApiError::bad_request("missing_field", "expiresInSeconds is required"))?;
    let session = store.sessions().set_worker_qr(session_id, qr, Duration::from_secs(seconds.into())).await?;
    let session = session.ok_or_else(ApiError::session_not_found)?;
    refuse_connected(&session)?;
    ApiResponse::json(&json!({"success": true, "session": session.response()}))
}

/// A code that comes after its scan must not make the session look unlinked.
fn refuse_connected(session: &Session) -> Result<(), ApiError> {
    require_worker(session)?;
    if session.is_connected {
        let message = "Session is connected: set isConnected to false with PUT /api/session/state first";
        return Err(ApiError::conflict("session_connected", message));
    }
    Ok(())
}
