//! `POST /api/messages/import`: imports messages of another system.

use shared::{
    http::{responses, routes::IMPORT_MESSAGES},
    runtime::{StartError, serve},
    services::import::{ImportRequest, import},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&IMPORT_MESSAGES, |app, request| async move {
        let messages = ImportRequest::read(&request.body, request.caller()?)?;
        responses::imported(&import(&app.store, messages, app.system.now(), &request.request_id).await?)
    })
    .await
}
