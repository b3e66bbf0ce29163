//! `/api/chats/{chatId}`: a chat as it is (GET), what a person of the business changes about it (PATCH), and its end
//! (DELETE).

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::chat::Chat,
    domain::erasure::{REQUEST_BUDGET, Target},
    domain::id::ChatId,
    domain::inbox::ChatChange,
    domain::system::System,
    http::responses::ChatDetailResponse,
    http::routes::CHAT,
    http::{ApiError, ApiRequest, ApiResponse, Method},
    runtime::{serve, startup::Startup},
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    store.warm_up().await;
    serve(&CHAT, move |request| {
        let store = store.clone();
        async move { answer(&store, system, &request).await }
    })
    .await
}

async fn answer(store: &Store, system: System, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let chat_id = request.chat_id()?;
    let change = match request.method {
        Method::PATCH => Some(ChatChange::read(&request.body.object()?)?),
        Method::DELETE => return erased(store, system, request, chat_id).await,
        _ => None,
    };
    let chat = request.caller()?.chat(store, chat_id).await?;
    let chat = match change {
        Some(change) => changed(store, &chat, &change).await?,
        None => chat,
    };
    ApiResponse::json(&json!({"success": true, "chat": ChatDetailResponse::from(&chat)}))
}

async fn changed(store: &Store, chat: &Chat, change: &ChatChange) -> Result<Chat, ApiError> {
    store.chats().change(chat, change).await?.ok_or_else(ApiError::chat_not_found)
}

/// Asked again, it goes on with what was begun.
async fn erased(store: &Store, system: System, request: &ApiRequest, chat_id: ChatId) -> Result<ApiResponse, ApiError> {
    let deadline = system.now().after(REQUEST_BUDGET);
    let caller = request.caller()?;
    let begun = match store.chats().get(chat_id).await?.filter(|chat| caller.may_use(chat.session_id)) {
        Some(chat) => store.erasures().start_chat(&chat).await?,
        None => store.erasures().get(Target::Chat(chat_id)).await?,
    };
    let begun = begun.filter(|erasure| caller.may_use(erasure.session_id)).ok_or_else(ApiError::chat_not_found)?;
    let erasure = store.erasures().run(begun, deadline).await?;
    let answer = ApiResponse::json(&json!({"success": true, "erasure": erasure.response()}))?;
    Ok(if erasure.complete { answer } else { answer.accepted() })
}
