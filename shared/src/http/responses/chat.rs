//! Chats.

use serde::Serialize;
use serde_json::value::RawValue;

use super::members;
use crate::{
    domain::{
        chat::Chat,
        cursor::MessagePosition,
        inbox::{ChatList, MessageList},
        page::Page,
    },
    http::{ApiError, ApiResponse},
    services::{
        read_receipt::{ReadReceipt, TypingIndicator},
        resources::ChatDetailResponse,
    },
};

/// `{"success", "chat"}`.
pub fn chat(chat: &Chat) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&members! {"chat": ChatDetailResponse::from(chat)})
}

/// `{"success", "chats", "nextCursor"}`.
pub fn chat_page(page: &Page<Chat>, list: &ChatList) -> Result<ApiResponse, ApiError> {
    let chats: Vec<ChatDetailResponse> = page.items.iter().map(ChatDetailResponse::from).collect();
    ApiResponse::success(&members! {"chats": chats, "nextCursor": page.next.map(|next| list.cursor(next))})
}

/// `{"success", "chats", "nextCursor"}`, with at most one chat.
pub fn found_chat(chat: Option<&Chat>) -> Result<ApiResponse, ApiError> {
    let chats: Vec<ChatDetailResponse> = chat.map(ChatDetailResponse::from).into_iter().collect();
    ApiResponse::success(&members! {"chats": chats, "nextCursor": None::<String>})
}

/// `{"success", "chat", "identities", "messages", "nextCursor"}`.
pub fn chat_export(
    chat: &Chat,
    identities: &[String],
    page: &Page<Box<RawValue>, MessagePosition>,
    list: &MessageList,
) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&members! {
        "chat": ChatDetailResponse::from(chat),
        "identities": identities,
        "messages": page.items,
        "nextCursor": page.next.map(|next| list.cursor(next)),
    })
}

/// `{"success", "chat", "read_receipt", "read_receipt_error"}`.
pub fn read_chat(chat: &Chat, receipt: ReadReceipt) -> Result<ApiResponse, ApiError> {
    #[derive(Serialize)]
    struct ReadResponse {
        chat: ChatDetailResponse,
        #[serde(flatten)]
        receipt: ReadReceipt,
    }
    ApiResponse::success(&ReadResponse { chat: chat.into(), receipt })
}

/// `{"success", "typing_indicator", "typing_indicator_error"}`.
pub fn typing_indicator(indicator: &TypingIndicator) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(indicator)
}
