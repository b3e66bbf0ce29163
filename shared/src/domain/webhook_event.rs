//! Events: what a webhook brings beside messages and statuses.

/// Something that is kept as it came.
#[derive(Clone, Debug, Default)]
pub struct WebhookEvent {
    /// The webhook field, such as `account_update`.
    pub field: String,
    /// What was wrong with it, if anything was.
    pub reason: Option<&'static str>,
    /// Its JSON.
    pub raw: String,
    /// The number that it is about, where it names one.
    pub phone_number_id: Option<String>,
    /// The account that it is about.
    pub waba_id: Option<String>,
    /// When WhatsApp says that it happened, in Unix seconds as they came.
    pub time: Option<String>,
    /// The message that it would be, where that could be read.
    pub wamid: Option<String>,
}
