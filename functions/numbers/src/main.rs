//! `GET /api/numbers`: the numbers that are set beside the one of the deployment's parameters.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::number::RegisteredNumber,
    http::routes::NUMBERS,
    http::{ApiError, ApiResponse},
    runtime::{serve, startup::Startup},
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    store.warm_up().await;
    serve(&NUMBERS, move |_| {
        let store = store.clone();
        async move { list(&store).await }
    })
    .await
}

async fn list(store: &Store) -> Result<ApiResponse, ApiError> {
    let numbers = store.numbers().list().await?;
    let numbers: Vec<_> = numbers.iter().map(RegisteredNumber::response).collect();
    ApiResponse::json(&json!({"success": true, "numbers": numbers}))
}
