//! Response bodies, by resource.

mod chat;
mod event;
mod message;
pub mod qr_image;

pub use self::{chat::ChatDetailResponse, event::EventResponse, message::MessageDetailResponse};
