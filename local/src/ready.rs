//! The addresses and generated credentials of a run, for scripts and tests.

use std::path::Path;

use serde::Serialize;

use crate::file;

/// The addresses and generated credentials of a run. The secrets are valid only for the simulated WhatsApp.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// URL of the API, such as `http://127.0.0.1:8787`.
    pub api: String,
    /// The origins whose pages may call the API (CORS).
    pub allowed_origins: Vec<String>,
    /// URL of the console, with the API key and the address of the phone page in its fragment.
    pub console: String,
    /// URL of the simulated WhatsApp.
    pub whatsapp: String,
    /// URL of the page with the phones of simulated customers.
    pub phone: String,
    /// URL of the embedded DynamoDB.
    pub dynamodb: String,
    /// URL of Secrets Manager.
    pub secrets_manager: String,
    /// URL of S3.
    pub s3: String,
    /// URL of Parameter Store.
    pub parameter_store: String,
    /// ARN of the WhatsApp secret.
    pub secret_id: String,
    /// An API key with all scopes, for `Authorization: Bearer`.
    pub api_key: String,
    /// WhatsApp's ID of the WhatsApp Business Account that owns the number.
    pub waba_id: String,
    /// WhatsApp's ID of the business number.
    pub phone_number_id: String,
    /// The business number, digits only.
    pub display_phone_number: String,
    /// The ID of Qasid's Meta app.
    pub app_id: String,
    /// The app secret that signs webhooks.
    pub app_secret: String,
    /// The access token for the Graph API.
    pub access_token: String,
    /// A second Meta app, for a bot that receives webhooks beside Qasid.
    pub bot: Bot,
    /// The token for webhook verification.
    pub verify_token: String,
    /// Name of the DynamoDB table.
    pub table: String,
    /// The value of the `x-qasid-origin` header that requests need if the template enables the firewall. On AWS,
    /// CloudFront adds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// A Meta app for a bot.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bot {
    /// The ID of the app.
    pub app_id: String,
    /// The app secret that signs its webhooks.
    pub app_secret: String,
    /// The access token for the Graph API.
    pub access_token: String,
}

impl Ready {
    /// Writes the values as JSON to `path`, atomically and readable only by the owner.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        file::replace(path, &serde_json::to_vec_pretty(self)?)
    }
}
