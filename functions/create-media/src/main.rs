//! `POST /api/media`: announces a file, which the client uploads to the bucket and then sends.

use shared::{
    http::{responses, routes::CREATE_MEDIA},
    runtime::{StartError, serve},
    services::media::{NewUpload, announce},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&CREATE_MEDIA, |app, request| async move {
        let new = NewUpload::read(&request.body, request.caller()?)?;
        responses::announced_media(&announce(&app.store, &app.media, app.system, new).await?)
    })
    .await
}
