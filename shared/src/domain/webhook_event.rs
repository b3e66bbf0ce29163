//! Webhook events other than messages and statuses.

/// A webhook event, stored as received.
#[derive(Clone, Debug, Default)]
pub struct WebhookEvent {
    /// The webhook field, such as `account_update`.
    pub field: String,
    /// Why the event could not be processed, if it is invalid.
    pub reason: Option<&'static str>,
    /// The JSON of the event.
    pub raw: String,
    /// Meta's ID of the business number, if the event has one.
    pub phone_number_id: Option<String>,
    /// The ID of the WhatsApp Business account, if the event has one.
    pub waba_id: Option<String>,
    /// The time of the event by WhatsApp's clock, in Unix seconds as received.
    pub time: Option<String>,
    /// WhatsApp's ID of the message, if the event is an invalid message.
    pub wamid: Option<String>,
}
