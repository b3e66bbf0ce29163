//! Messages, chats, and events as the JSON of responses, exports, and webhooks.

mod chat;
mod event;
mod message;

pub use self::{chat::ChatDetailResponse, event::EventResponse, message::MessageDetailResponse};
