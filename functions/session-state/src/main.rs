//! `PUT /api/session/state`: a linked-device worker says whether it is connected.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::message::Channel,
    http::routes::SESSION_STATE,
    http::{ApiError, ApiRequest, ApiResponse, JsonObject},
    runtime::{serve, startup::Startup},
    services::worker::WorkerError,
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    store.warm_up().await;
    serve(&SESSION_STATE, move |request| {
        let store = store.clone();
        async move { set(&store, &request).await }
    })
    .await
}

async fn set(store: &Store, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let body = request.body.object()?;
    let session_id = request.caller()?.session(body.session_id()?)?;
    let (is_connected, is_ready) = (required(&body, "isConnected")?, required(&body, "isReady")?);
    let session = store.sessions().set_worker_state(session_id, is_connected, is_ready).await?;
    let session = session.ok_or_else(ApiError::session_not_found)?;
    if session.channel == Channel::CloudApi && session.phone_number_id.is_some() {
        return Err(WorkerError::PairedOverCloudApi.into());
    }
    ApiResponse::json(&json!({"success": true, "session": session.response()}))
}

fn required(body: &JsonObject, field: &str) -> Result<bool, ApiError> {
    body.boolean(field)?.ok_or_else(|| ApiError::bad_request("missing_field", format!("{field} is required")))
}
