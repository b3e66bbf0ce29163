//! `GET /api/chats/{chatId}/messages`: lists a chat's messages.

use shared::{
    domain::inbox::MessageList,
    http::{responses, routes::CHAT_MESSAGES},
    runtime::{StartError, serve},
    services::messages,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&CHAT_MESSAGES, |app, request| async move {
        let list = MessageList::read(request.chat_id()?, &request.query)?;
        let chat = request.chat(&app.store).await?;
        responses::message_page(messages::list(&app.store, &chat, &list).await?, &list, &app.media)
    })
    .await
}
