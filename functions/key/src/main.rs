//! `DELETE /api/keys/{keyId}`: deletes an API key.

use shared::{
    http::{responses, routes::KEY},
    runtime::{StartError, serve},
    services::api_keys,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&KEY, |app, request| async move {
        responses::deleted(api_keys::delete(&app.store, request.key_id()?, &request.caller()?.key_id).await?)
    })
    .await
}
