//! `GET /api/numbers`: lists the registered numbers.

use shared::{
    http::{responses, routes::NUMBERS},
    runtime::{StartError, serve},
    services::numbers,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&NUMBERS, |app, _| async move { responses::numbers(&numbers::list(&app.store).await?) }).await
}
