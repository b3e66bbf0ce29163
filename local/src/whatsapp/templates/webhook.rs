//! The webhooks about templates (Meta, *message_template_status_update*, *message_template_quality_update*, and
//! *message_template_components_update webhook reference*).

use serde_json::{Value, json};

use super::{Quality, Rejection, Template, TemplateStatus};

/// A change of an account for a webhook.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::whatsapp) struct AccountUpdate {
    pub(in crate::whatsapp) waba_id: String,
    pub(in crate::whatsapp) field: &'static str,
    pub(in crate::whatsapp) value: Value,
}

pub(super) fn status_update(
    template: &Template,
    previous: TemplateStatus,
    rejection: Option<&Rejection>,
    now: i64,
) -> AccountUpdate {
    let mut value = value(template);
    value["event"] = json!(template.status.event_after(previous));
    value["reason"] = json!(template.rejected_reason);
    value["message_template_category"] = json!(template.category);
    let other = match (previous, template.status) {
        (_, TemplateStatus::Paused) if template.pauses <= 1 => {
            Some(("FIRST_PAUSE", "Your WhatsApp message template has been paused for 3 hours."))
        }
        (_, TemplateStatus::Paused) => {
            Some(("SECOND_PAUSE", "Your WhatsApp message template has been paused for 6 hours."))
        }
        (TemplateStatus::Paused, TemplateStatus::Approved) => {
            Some(("UNPAUSE", "Your WhatsApp message template has been unpaused."))
        }
        _ => None,
    };
    if let Some((title, description)) = other {
        value["other_info"] = json!({"title": title, "description": description});
    }
    if template.status == TemplateStatus::Disabled {
        value["disable_info"] = json!({"disable_date": now});
    }
    if let Some(info) = rejection.and_then(Rejection::info) {
        value["rejection_info"] = info;
    }
    update(template, "message_template_status_update", value)
}

pub(super) fn quality_update(template: &Template, previous: Quality) -> AccountUpdate {
    let mut value = value(template);
    value["previous_quality_score"] = json!(previous);
    value["new_quality_score"] = json!(template.quality);
    update(template, "message_template_quality_update", value)
}

pub(super) fn components_update(template: &Template) -> AccountUpdate {
    let mut value = value(template);
    for (kind, member) in [
        ("BODY", "message_template_element"),
        ("HEADER", "message_template_title"),
        ("FOOTER", "message_template_footer"),
    ] {
        if let Some(text) = template.text_of(kind) {
            value[member] = json!(text);
        }
    }
    let buttons = template.component("BUTTONS").and_then(|component| component["buttons"].as_array());
    let buttons: Vec<Value> = buttons.into_iter().flatten().filter_map(button).collect();
    if !buttons.is_empty() {
        value["message_template_buttons"] = json!(buttons);
    }
    update(template, "message_template_components_update", value)
}

/// Only URL and phone number buttons are in the webhook.
fn button(button: &Value) -> Option<Value> {
    let member = match button["type"].as_str()? {
        "URL" => "url",
        "PHONE_NUMBER" => "phone_number",
        _ => return None,
    };
    let mut value = json!({
        "message_template_button_type": button["type"],
        "message_template_button_text": button["text"],
    });
    value[format!("message_template_button_{member}")] = button[member].clone();
    Some(value)
}

/// Returns the members that identify a template.
fn value(template: &Template) -> Value {
    // The ID is a number in webhooks.
    let id = template.id.parse::<u64>().map_or_else(|_| json!(template.id), |id| json!(id));
    json!({
        "message_template_id": id,
        "message_template_name": template.name,
        "message_template_language": template.language,
    })
}

fn update(template: &Template, field: &'static str, value: Value) -> AccountUpdate {
    AccountUpdate { waba_id: template.waba_id.clone(), field, value }
}
