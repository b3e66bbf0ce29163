//! `GET /api/media/{mediaId}`: redirects to a file of a message.

use shared::{
    http::{responses, routes::MEDIA},
    runtime::{StartError, serve},
    services::media,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&MEDIA, |app, request| async move {
        let found = request.media(&app.store).await?;
        responses::media_redirect(&media::location(&app.media, &found)?)
    })
    .await
}
