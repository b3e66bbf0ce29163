//! `GET`, `PATCH`, and `DELETE /api/chats/{chatId}`: returns, changes, or erases a chat.

use shared::{
    domain::inbox::ChatChange,
    http::{Method, responses, routes::CHAT},
    runtime::{StartError, serve},
    services::chats,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&CHAT, |app, request| async move {
        let store = &app.store;
        match request.method {
            Method::DELETE => {
                let chat = request.erasable_chat(store).await?;
                responses::erasure(&chat.erase(store, app.media.bucket(), app.system).await?)
            }
            Method::PATCH => {
                let change = ChatChange::read(&request.body)?;
                responses::chat(&chats::change(store, &request.chat(store).await?, &change).await?)
            }
            _ => responses::chat(&request.chat(store).await?),
        }
    })
    .await
}
