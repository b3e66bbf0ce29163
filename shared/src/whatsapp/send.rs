//! The request that sends a message (Meta, *Send messages*).

use serde_json::{Value, json};

use crate::domain::{content::uploaded_file, identity::Address, message::Message};

/// Builds the body of `POST /<phone number id>/messages`. `file` is WhatsApp's ID of the message's uploaded file. Returns
/// `None` for a message without content or an address that the Cloud API knows, which the API doesn't store.
pub fn send_request(message: &Message, file: Option<&str>) -> Option<Value> {
    let mut content: Value = serde_json::from_str(message.content.as_ref()?).ok()?;
    if let Some(id) = file {
        let object = content.pointer_mut(&uploaded_file(&content)?.pointer)?.as_object_mut()?;
        object.remove("media");
        object.insert("id".to_owned(), json!(id));
    }
    let Value::Object(mut request) = content else { return None };
    request.insert("messaging_product".to_owned(), json!("whatsapp"));
    request.insert("recipient_type".to_owned(), json!("individual"));
    request.insert("biz_opaque_callback_data".to_owned(), json!(message.key().to_string()));
    match Address::from_destination(message.to.as_ref()?)? {
        // Without `+`, Meta may add the business number's country code.
        Address::Phone(digits) => request.insert("to".to_owned(), json!(format!("+{digits}"))),
        Address::Bsuid(id) => request.insert("recipient".to_owned(), json!(id)),
        Address::Lid(_) => return None,
        Address::Group(id) => {
            request.insert("recipient_type".to_owned(), json!("group"));
            request.insert("to".to_owned(), json!(id))
        }
    };
    Some(Value::Object(request))
}
