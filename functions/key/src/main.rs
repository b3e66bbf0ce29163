//! `DELETE /api/keys/{keyId}`: ends an API key.

use lambda_http::Error;
use serde_json::json;
use shared::{
    http::routes::KEY,
    http::{ApiError, ApiRequest, ApiResponse},
    runtime::{serve, startup::Startup},
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    store.warm_up().await;
    serve(&KEY, move |request| {
        let store = store.clone();
        async move { delete(&store, &request).await }
    })
    .await
}

async fn delete(store: &Store, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let id = request.key_id()?;
    if !store.api_keys().delete(id).await? {
        return Err(ApiError::not_found("key_not_found", "Key not found"));
    }
    tracing::info!(key_id = %id, by = request.caller()?.key_id, "API key deleted");
    ApiResponse::json(&json!({"success": true}))
}
