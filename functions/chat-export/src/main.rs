//! `GET /api/chats/{chatId}/export`: all that is known of a chat, page by page, oldest message first.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::inbox::MessageList,
    http::responses::{ChatDetailResponse, exported_message},
    http::routes::CHAT_EXPORT,
    http::{ApiError, ApiRequest, ApiResponse},
    runtime::{serve, startup::Startup},
    services::export::export,
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    store.warm_up().await;
    serve(&CHAT_EXPORT, move |request| {
        let store = store.clone();
        async move { answer(&store, &request).await }
    })
    .await
}

async fn answer(store: &Store, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let chat_id = request.chat_id()?;
    let list = MessageList::export(chat_id, &request.query)?;
    let chat = request.caller()?.chat(store, chat_id).await?;
    let (identities, page) =
        tokio::join!(store.chats().identities_of(&chat), export(store, &chat, &list, exported_message));
    let (identities, page) = (identities?, page?);
    let next = page.next.map(|next| list.cursor(next));
    ApiResponse::json(&json!({
        "success": true,
        "chat": ChatDetailResponse::from(&chat),
        "identities": identities,
        "messages": page.items,
        "nextCursor": next,
    }))
}
