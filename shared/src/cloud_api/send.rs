//! The request that sends a message (Meta: "Send messages").

use serde_json::{Value, json};

use crate::{identity::Address, message::Message, store::keys::MessageKey};

/// The body of `POST /<phone number id>/messages`. `None` for a message without address or content, which the API does
/// not store.
pub fn send_request(message: &Message) -> Option<Value> {
    let key = MessageKey { chat_id: message.chat_id, time: message.timestamp, message_id: message.id };
    let mut request = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "biz_opaque_callback_data": key.to_string(),
        "type": "text",
        "text": {"body": message.body.as_ref()?},
    });
    match Address::parse(message.to.as_ref()?)? {
        // Without the `+`, Meta may put the business number's country code in front.
        Address::Phone(digits) => request["to"] = json!(format!("+{digits}")),
        Address::Bsuid(id) => request["recipient"] = json!(id),
        Address::Group(id) => {
            request["recipient_type"] = json!("group");
            request["to"] = json!(id);
        }
    }
    Some(request)
}
