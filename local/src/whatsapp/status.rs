//! Builds the status webhooks of an accepted message, one status per webhook.

use serde_json::{Value, json};

use super::{
    error_code,
    faults::WebhookFaults,
    phones::MessageState,
    users::{Address, User},
};

/// The common content of all statuses of a message.
#[derive(Debug)]
pub(super) struct MessageStatuses<'a> {
    pub(super) wamid: &'a str,
    pub(super) kind: &'a str,
    pub(super) recipient: &'a Address,
    pub(super) user: &'a User,
    pub(super) callback_data: Option<&'a str>,
    /// Unix seconds.
    pub(super) at: i64,
    /// The details of a failure.
    pub(super) failure: Option<&'a str>,
}

/// Members of a webhook's `value`, for [`super::webhook::body`].
pub(super) type ValueMembers = Vec<(&'static str, Value)>;

impl MessageStatuses<'_> {
    /// Returns the webhooks that report `states`, one each, in delivery order and with the faults applied.
    pub(super) fn webhooks(&self, states: &[MessageState], faults: &WebhookFaults) -> Vec<ValueMembers> {
        let is_omitted = |state: &MessageState| match state {
            // Meta, *Reaction messages*: a reaction has the status `sent` only.
            MessageState::Delivered | MessageState::Read if self.kind == "reaction" => true,
            MessageState::Delivered => faults.no_delivered,
            MessageState::Read => faults.no_read,
            _ => false,
        };
        let states = states.iter().filter(|state| !is_omitted(state));
        let mut webhooks: Vec<ValueMembers> = states.map(|state| self.webhook(*state, faults)).collect();
        if faults.reorder {
            webhooks.reverse();
        }
        webhooks
    }

    fn webhook(&self, state: MessageState, faults: &WebhookFaults) -> ValueMembers {
        if let MessageState::Failed(code) = state {
            return self.failed(code, faults);
        }
        let mut object = self.status(state.name(), faults);
        // `sent` and one of `delivered` and `read` include the pricing (Meta, *status messages webhook*).
        let has_pricing = match state {
            MessageState::Read => faults.no_delivered,
            _ => state <= MessageState::Delivered,
        };
        if has_pricing {
            object["pricing"] = self.pricing();
        }
        self.address(&mut object, true);
        vec![("contacts", json!([self.contact()])), ("statuses", json!([object]))]
    }

    /// Returns the webhook of a message that was accepted but not delivered. It has no `contacts`, and no user ID if
    /// the message was sent to a phone number (Meta, *Business-scoped user IDs*).
    fn failed(&self, code: u32, faults: &WebhookFaults) -> ValueMembers {
        let mut object = self.status("failed", faults);
        object["errors"] = json!([error_code::webhook_error(code, self.failure)]);
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
                    object["recipient_user_id"] = json!(self.user.user_id);
                }
            }
            // A recipient addressed by user ID does not share the phone number.
            Address::UserId(user_id) => object["recipient_user_id"] = json!(user_id),
        }
    }

    fn contact(&self) -> Value {
        let wa_id = match self.recipient {
            Address::Phone(wa_id) => Some(wa_id.as_str()),
            Address::UserId(_) => None,
        };
        contact(self.user, wa_id)
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

/// Builds an element of `contacts`, without `wa_id` for a user who does not share the phone number.
pub(super) fn contact(user: &User, wa_id: Option<&str>) -> Value {
    let mut contact = json!({"profile": {}, "user_id": user.user_id});
    if let Some(name) = &user.name {
        contact["profile"]["name"] = json!(name);
    }
    if let Some(username) = &user.username {
        contact["profile"]["username"] = json!(username);
    }
    if let Some(wa_id) = wa_id {
        contact["wa_id"] = json!(wa_id);
    }
    contact
}

#[cfg(test)]
mod tests;
