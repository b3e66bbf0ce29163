//! Chats, as responses and webhooks contain them.

use serde::Serialize;

use crate::domain::{
    chat::{Chat, ChatResponse},
    time::Timestamp,
};

/// A chat with the state of its customer service window: `null` where unset.
#[derive(Debug, Serialize)]
pub struct ChatDetailResponse {
    #[serde(flatten)]
    chat: ChatResponse,
    /// When the contact last wrote, called, or accepted a call.
    last_inbound_at: Option<Timestamp>,
    /// When the customer service window ends. After it, WhatsApp accepts templates only.
    window_until: Option<Timestamp>,
    /// When the free entry point window of an ad ends. It is about prices only.
    entry_point_until: Option<Timestamp>,
}

impl From<&Chat> for ChatDetailResponse {
    fn from(chat: &Chat) -> Self {
        Self {
            chat: chat.response(),
            last_inbound_at: chat.last_inbound_at,
            window_until: chat.window_until(),
            entry_point_until: chat.entry_point_until,
        }
    }
}
