//! Response bodies, by resource.

mod chat;
mod event;
mod export;
mod message;
pub mod qr_image;

pub use self::{
    chat::ChatDetailResponse, event::EventResponse, export::exported_message, message::MessageDetailResponse,
};
