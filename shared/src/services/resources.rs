//! Messages, chats, events, and sessions as the JSON of responses, exports, and webhooks.

mod chat;
mod event;
mod message;
mod session;

pub use self::{
    chat::ChatDetailResponse, event::EventResponse, message::MessageDetailResponse, session::SessionStateResponse,
};
