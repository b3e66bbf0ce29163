//! `POST /api/chats/{chatId}/typing`: shows the contact that the business is typing.

use shared::{
    http::{responses, routes::CHAT_TYPING},
    runtime::{StartError, Startup, serve_with},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| tokio::try_join!(startup.app(), startup.read_receipts());
    serve_with(&CHAT_TYPING, build, |(app, read_receipts), request| async move {
        request.body.none()?;
        let chat = request.chat(&app.store).await?;
        let indicator = read_receipts.show_typing(&app.store, &chat).await?;
        responses::typing_indicator(&indicator)
    })
    .await
}
