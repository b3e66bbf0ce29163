//! `/api/chats/{chatId}`: a chat as it is (GET), and what a person of the business changes about it (PATCH).

use lambda_http::Error;
use serde_json::json;
use shared::{
    access::paths::CHAT,
    chat::Chat,
    http::{Answer, ApiError, Incoming, Method, serve},
    inbox::{ChatChange, ChatDetails},
    startup::Startup,
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    store.warm_up().await;
    serve(&CHAT, move |request| {
        let store = store.clone();
        async move { answer(&store, &request).await }
    })
    .await
}

async fn answer(store: &Store, request: &Incoming) -> Result<Answer, ApiError> {
    let chat_id = request.chat_id()?;
    let change = match request.method {
        Method::PATCH => Some(ChatChange::read(&request.body.object()?)?),
        _ => None,
    };
    let chat = request.caller()?.chat(store, chat_id).await?;
    let chat = match change {
        Some(change) => changed(store, &chat, &change).await?,
        None => chat,
    };
    Answer::json(&json!({"success": true, "chat": ChatDetails::from(&chat)}))
}

async fn changed(store: &Store, chat: &Chat, change: &ChatChange) -> Result<Chat, ApiError> {
    store.change_chat(chat, change).await?.ok_or_else(ApiError::chat_not_found)
}
