//! `GET /api/chats/{chatId}/messages`: what was said in a chat, page by page.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::inbox::MessageList,
    http::responses::MessageDetailResponse,
    http::routes::CHAT_MESSAGES,
    http::{ApiError, ApiRequest, ApiResponse},
    runtime::{serve, startup::Startup},
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    store.warm_up().await;
    serve(&CHAT_MESSAGES, move |request| {
        let store = store.clone();
        async move { messages(&store, &request).await }
    })
    .await
}

async fn messages(store: &Store, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let chat_id = request.chat_id()?;
    let list = MessageList::read(chat_id, &request.query)?;
    let chat = request.caller()?.chat(store, chat_id).await?;
    let page = store.messages().list(&chat, &list).await?;
    let messages = page.items.into_iter().map(|(message, metadata)| MessageDetailResponse::new(message, metadata));
    let messages = messages.collect::<Result<Vec<_>, _>>().map_err(|error| ApiError::internal(&error))?;
    let next = page.next.map(|next| list.cursor(next));
    ApiResponse::json(&json!({"success": true, "messages": messages, "nextCursor": next}))
}
