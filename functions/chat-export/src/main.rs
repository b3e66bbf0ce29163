//! `GET /api/chats/{chatId}/export`: exports a chat with its identities and messages, oldest message first.

use shared::{
    domain::inbox::MessageList,
    http::{responses, routes::CHAT_EXPORT},
    runtime::{StartError, serve},
    services::{chats, export::export},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&CHAT_EXPORT, |app, request| async move {
        let list = MessageList::export(request.chat_id()?, &request.query)?;
        let chat = request.chat(&app.store).await?;
        let (identities, page) = tokio::join!(
            chats::identities(&app.store, &chat),
            export(&app.store, &chat, &list, |message, metadata, received| {
                responses::exported_message(message, metadata, received, &app.media)
            })
        );
        responses::chat_export(&chat, &identities?, &page?, &list)
    })
    .await
}
