//! Messages with their delivery history.

use serde_json::json;

use super::{exported_message, members};
use crate::{
    domain::{cursor::MessagePosition, inbox::MessageList, message::Message, page::Page},
    http::{ApiError, ApiResponse},
    services::{export::Received, media::MediaLinks, messages::FoundMessage, resources::MessageDetailResponse},
    store::MessageMetadata,
};

/// `{"success", "message"}`, or `{"success", "message": null, "trace"}` for a message that isn't stored. The message has
/// what was `received` of it if that was asked for.
pub fn found_message(
    found: FoundMessage,
    received: Option<Received>,
    links: &MediaLinks,
) -> Result<ApiResponse, ApiError> {
    match found {
        FoundMessage::Message(found) => {
            let (message, metadata) = *found;
            match received {
                None => {
                    ApiResponse::success(&members! {"message": MessageDetailResponse::new(message, metadata, links)?})
                }
                Some(received) => {
                    ApiResponse::success(&members! {"message": exported_message(message, metadata, received, links)?})
                }
            }
        }
        FoundMessage::Trace(trace) => ApiResponse::success(&json!({"message": null, "trace": trace})),
    }
}

/// `{"success", "messages", "nextCursor"}`.
pub fn message_page(
    page: Page<(Message, MessageMetadata), MessagePosition>,
    list: &MessageList,
    links: &MediaLinks,
) -> Result<ApiResponse, ApiError> {
    let messages =
        page.items.into_iter().map(|(message, metadata)| MessageDetailResponse::new(message, metadata, links));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    ApiResponse::success(&members! {"messages": messages, "nextCursor": page.next.map(|next| list.cursor(next))})
}
