//! What becomes of an accepted message: its `statuses`, one webhook for each.

use serde_json::{Value, json};

use super::{
    error_code,
    faults::WebhookFaults,
    users::{Address, Person},
};

/// What the statuses of one accepted message have in common.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) wamid: &'a str,
    pub(super) kind: &'a str,
    pub(super) recipient: &'a Address,
    pub(super) person: &'a Person,
    pub(super) callback_data: Option<&'a str>,
    /// Unix seconds.
    pub(super) at: i64,
}

/// The members of a webhook's `value`, for [`super::webhook::body`].
pub(super) type Content = Vec<(&'static str, Value)>;

impl Outcome<'_> {
    /// The webhooks of a message whose recipient's phone is on and open: `sent`, `delivered`,
    /// `read`, in the order in which they are sent, with what the faults leave out or turn round.
    pub(super) fn read_at_once(&self, faults: &WebhookFaults) -> Vec<Content> {
        let mut steps = vec!["sent"];
        if !faults.no_delivered {
            steps.push("delivered");
        }
        if !faults.no_read {
            steps.push("read");
        }
        let mut webhooks: Vec<Content> = steps
            .iter()
            .enumerate()
            .map(|(index, status)| {
                let mut object = self.status(status, faults);
                // "sent" and one of "delivered" and "read" carry the price (Meta, "status messages
                // webhook").
                if index < 2 {
                    object["pricing"] = self.pricing();
                }
                self.address(&mut object, true);
                vec![("contacts", json!([self.contact()])), ("statuses", json!([object]))]
            })
            .collect();
        if faults.reorder {
            webhooks.reverse();
        }
        webhooks
    }

    /// The webhook of a message that WhatsApp accepted and could not deliver. It has no `contacts`,
    /// and no user id when the message went to a phone number (Meta, "Business-scoped user IDs").
    pub(super) fn failed(&self, code: u32, faults: &WebhookFaults) -> Content {
        let mut object = self.status("failed", faults);
        object["errors"] = json!([error_code::in_webhook(code)]);
        self.address(&mut object, false);
        vec![("statuses", json!([object]))]
    }

    fn status(&self, status: &str, faults: &WebhookFaults) -> Value {
        let mut object = json!({"id": self.wamid, "status": status, "timestamp": self.at.to_string()});
        if let Some(data) = self.callback_data
            && !faults.without_callback_data
        {
            object["biz_opaque_callback_data"] = json!(data);
        }
        object
    }

    fn address(&self, object: &mut Value, with_user_id: bool) {
        match self.recipient {
            Address::Phone(wa_id) => {
                object["recipient_id"] = json!(wa_id);
                if with_user_id {
                    object["recipient_user_id"] = json!(self.person.user_id);
                }
            }
            // Who is addressed by user id keeps the phone number private.
            Address::UserId(user_id) => object["recipient_user_id"] = json!(user_id),
        }
    }

    fn contact(&self) -> Value {
        let wa_id = match self.recipient {
            Address::Phone(wa_id) => Some(wa_id.as_str()),
            Address::UserId(_) => None,
        };
        contact(self.person, wa_id)
    }

    fn pricing(&self) -> Value {
        if self.kind == "template" {
            json!({
                "billable": true,
                "pricing_model": "PMP",
                "type": "regular",
                "category": "utility",
            })
        } else {
            json!({
                "billable": false,
                "pricing_model": "PMP",
                "type": "free_customer_service",
                "category": "service",
            })
        }
    }
}

/// One member of `contacts`; without `wa_id` for a user whose phone number the business may not
/// see.
pub(super) fn contact(person: &Person, wa_id: Option<&str>) -> Value {
    let mut contact = json!({"profile": {}, "user_id": person.user_id});
    if let Some(name) = &person.name {
        contact["profile"]["name"] = json!(name);
    }
    if let Some(wa_id) = wa_id {
        contact["wa_id"] = json!(wa_id);
    }
    contact
}

#[cfg(test)]
mod tests;
