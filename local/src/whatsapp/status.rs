//! What becomes of an accepted message: its `statuses`, one webhook for each.

use serde_json::{Value, json};

use super::address::{Address, Person};
use super::error_code;
use super::faults::WebhookFaults;

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
mod tests {
    use super::*;

    fn person() -> Person {
        Person { wa_id: Some("201001234567".into()), user_id: "EG.7".into(), name: Some("Mona".into()) }
    }

    fn names(webhooks: &[Content]) -> Vec<String> {
        webhooks.iter().map(|content| content[1].1[0]["status"].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn a_message_to_a_phone_number_is_sent_delivered_and_read() {
        let (person, recipient) = (person(), Address::Phone("201001234567".into()));
        let outcome = Outcome {
            wamid: "wamid.1",
            kind: "text",
            recipient: &recipient,
            person: &person,
            callback_data: Some("key"),
            at: 1_750_030_073,
        };
        let webhooks = outcome.read_at_once(&WebhookFaults::default());
        assert_eq!(names(&webhooks), ["sent", "delivered", "read"]);
        assert_eq!(
            webhooks[0],
            vec![
                (
                    "contacts",
                    json!([{
                        "profile": {"name": "Mona"},
                        "wa_id": "201001234567",
                        "user_id": "EG.7",
                    }])
                ),
                (
                    "statuses",
                    json!([{"id": "wamid.1", "status": "sent", "timestamp": "1750030073",
                    "recipient_id": "201001234567", "recipient_user_id": "EG.7",
                    "biz_opaque_callback_data": "key",
                    "pricing": {"billable": false, "pricing_model": "PMP",
                        "type": "free_customer_service", "category": "service"}}])
                ),
            ]
        );
        assert_eq!(webhooks[2][1].1[0].get("pricing"), None);

        let faults = WebhookFaults {
            reorder: true,
            no_delivered: true,
            without_callback_data: true,
            ..WebhookFaults::default()
        };
        let webhooks = outcome.read_at_once(&faults);
        assert_eq!(names(&webhooks), ["read", "sent"]);
        assert_eq!(webhooks[0][1].1[0].get("biz_opaque_callback_data"), None);
        assert_ne!(webhooks[0][1].1[0].get("pricing"), None);
    }

    #[test]
    fn a_message_to_a_user_id_shows_no_phone_number() {
        let (person, recipient) = (person(), Address::UserId("EG.7".into()));
        let outcome = Outcome {
            wamid: "wamid.1",
            kind: "text",
            recipient: &recipient,
            person: &person,
            callback_data: None,
            at: 0,
        };
        for webhook in outcome.read_at_once(&WebhookFaults::default()) {
            assert!(!json!(webhook).to_string().contains("201001234567"));
            assert_eq!(webhook[1].1[0]["recipient_user_id"], "EG.7");
        }
    }

    #[test]
    fn a_failure_has_its_error_and_no_contacts() {
        let (person, recipient) = (person(), Address::Phone("201001234567".into()));
        let outcome = Outcome {
            wamid: "wamid.1",
            kind: "text",
            recipient: &recipient,
            person: &person,
            callback_data: Some("key"),
            at: 0,
        };
        let webhook = outcome.failed(131_047, &WebhookFaults::default());
        assert_eq!(webhook.len(), 1);
        let status = &webhook[0].1[0];
        assert_eq!(status["errors"][0]["code"], 131_047);
        assert_eq!(status["errors"][0]["title"], "Re-engagement message");
        assert_eq!(status["recipient_id"], "201001234567");
        assert_eq!(status.get("recipient_user_id"), None);
    }
}
