//! Response bodies, by resource.

mod change;
mod chat;
mod event;
mod export;
mod health;
mod media;
mod message;
pub mod qr_image;
mod session;
mod stats;
mod template;
mod webhook;
mod webhook_delivery;

use serde_json::json;

pub use self::{
    change::change_page,
    chat::{chat, chat_export, chat_page, found_chat, read_chat, typing_indicator},
    event::event_page,
    export::exported_message,
    health::health,
    media::{announced_media, media_redirect},
    message::{found_message, message_page},
    session::{created_session, qr_code, session, session_page, session_status},
    stats::stats,
    template::template_page,
    webhook::{created_webhook, webhook, webhook_secret, webhooks},
    webhook_delivery::{replayed_webhook, retried_webhook, tested_webhook, webhook_attempts},
};
use super::{ApiError, ApiResponse, requests::KEY_LIST};
use crate::{
    domain::{
        api_key::{ApiKey, SecretKey},
        auto_reply::Rule,
        caller::Caller,
        erasure::Erasure,
        id::ChatId,
        message::MessageResponse,
        number::RegisteredNumber,
    },
    services::{import::Imported, worker::Claimed},
    store::KeyPage,
};

/// Returns members of a response with their values as JSON. `json!` would read JSON that was received, and panics on
/// numbers and depths that `serde_json` can't hold.
macro_rules! members {
    ($($name:literal: $value:expr),* $(,)?) => {
        std::collections::BTreeMap::from([$(($name, serde_json::value::to_raw_value(&$value)?)),*])
    };
}
use members;

/// `{"success", "caller"}`.
pub fn caller(caller: &Caller) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"caller": {
        "key_id": caller.key_id,
        "is_admin": caller.is_admin(),
        "owner_id": caller.owner,
        "session_id": caller.own_session(),
        "scopes": caller.scopes,
    }}))
}

/// `{"success"}`, after a deletion.
pub fn deleted(_: ()) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({}))
}

/// `{"success", "duplicate"}`.
pub fn received(duplicate: bool) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"duplicate": duplicate}))
}

/// `{"success", "imported", "duplicates", "chats"}`.
pub fn imported(imported: &Imported) -> Result<ApiResponse, ApiError> {
    let chat = |(contact, chat_id): &(String, ChatId)| json!({"contact": contact, "chat_id": chat_id});
    ApiResponse::success(&json!({
        "imported": imported.imported,
        "duplicates": imported.duplicates,
        "chats": imported.chats.iter().map(chat).collect::<Vec<_>>(),
    }))
}

/// `{"success", "messages"}`.
pub fn claimed(messages: &[Claimed]) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&members! {"messages": messages})
}

/// `{"success", "message"}`.
pub fn settled(message: &MessageResponse) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"message": message}))
}

/// `{"success", "erasure"}`, with 202 if the erasure continues after the response.
pub fn erasure(erasure: &Erasure) -> Result<ApiResponse, ApiError> {
    let response = ApiResponse::success(&json!({"erasure": erasure.response()}))?;
    Ok(if erasure.complete { response } else { response.accepted() })
}

/// `{"success", "rule"}`.
pub fn rule(rule: &Rule) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"rule": rule.response()}))
}

/// `{"success", "rules"}`.
pub fn rules(rules: &[Rule]) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"rules": rules.iter().map(Rule::response).collect::<Vec<_>>()}))
}

/// `{"success", "number"}`.
pub fn number(number: &RegisteredNumber) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"number": number.response()}))
}

/// `{"success", "numbers"}`.
pub fn numbers(numbers: &[RegisteredNumber]) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"numbers": numbers.iter().map(RegisteredNumber::response).collect::<Vec<_>>()}))
}

/// `{"success", "key", "secret"}`.
pub fn created_key(key: &ApiKey, secret: &SecretKey) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"key": key.response(), "secret": secret.reveal()}))
}

/// `{"success", "keys", "nextCursor"}`.
pub fn key_page(page: &KeyPage) -> Result<ApiResponse, ApiError> {
    let keys: Vec<_> = page.keys.iter().map(ApiKey::response).collect();
    ApiResponse::success(&json!({"keys": keys, "nextCursor": page.next.map(|next| next.cursor(KEY_LIST))}))
}
