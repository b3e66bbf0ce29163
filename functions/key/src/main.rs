//! `DELETE /api/keys/{keyId}`: ends an API key.

use lambda_http::Error;
use serde_json::json;
use shared::{
    http::access::paths::KEY,
    http::{ApiError, ApiRequest, ApiResponse, serve},
    runtime::startup::Startup,
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
    let id = request.path_parameter("keyId")?;
    let id = id.parse().map_err(|_| ApiError::bad_request("invalid_field", "keyId must be a UUID"))?;
    if !store.delete_api_key(id).await? {
        return Err(ApiError::not_found("key_not_found", "Key not found"));
    }
    tracing::info!(key_id = %id, by = request.caller()?.key_id, "API key deleted");
    ApiResponse::json(&json!({"success": true}))
}
