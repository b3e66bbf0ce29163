//! `POST /api/chats/{chatId}/read`: marks a chat as read, also at WhatsApp.

use shared::{
    http::{responses, routes::CHAT_READ},
    runtime::{StartError, Startup, serve_with},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| tokio::try_join!(startup.app(), startup.read_receipts());
    serve_with(&CHAT_READ, build, |(app, read_receipts), request| async move {
        request.body.none()?;
        let chat = request.chat(&app.store).await?;
        let (chat, receipt) = read_receipts.mark_read(&app.store, &chat).await?;
        responses::read_chat(&chat, receipt)
    })
    .await
}
