//! `GET /api/chats`: a session's inbox, page by page.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::inbox::ChatList,
    http::responses::ChatDetailResponse,
    http::routes::CHATS,
    http::{ApiError, ApiRequest, ApiResponse},
    runtime::{serve, startup::Startup},
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let store = startup.store()?;
    store.warm_up().await;
    serve(&CHATS, move |request| {
        let store = store.clone();
        async move { chats(&store, &request).await }
    })
    .await
}

async fn chats(store: &Store, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let list = ChatList::read(&request.query)?;
    request.caller()?.session(list.session_id)?;
    // Both at once: a session that there is not has no chats, and asking for them does no harm.
    let (session, page) = tokio::join!(store.sessions().get(list.session_id), store.chats().list(&list));
    session?.ok_or_else(ApiError::session_not_found)?;
    let page = page?;
    let chats: Vec<ChatDetailResponse> = page.items.iter().map(ChatDetailResponse::from).collect();
    let next = page.next.map(|next| list.cursor(next));
    ApiResponse::json(&json!({"success": true, "chats": chats, "nextCursor": next}))
}
