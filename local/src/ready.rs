//! What a run tells scripts and tests: its addresses and the values it made up.

use std::{io::Write, path::Path};

use serde::Serialize;

/// The addresses and values of a run. It holds secrets of the simulated WhatsApp, which are worth nothing elsewhere.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// The API: `http://127.0.0.1:8787`.
    pub api: String,
    /// The simulated WhatsApp.
    pub whatsapp: String,
    /// The embedded DynamoDB.
    pub dynamodb: String,
    /// Secrets Manager, for the template's secrets.
    pub secrets_manager: String,
    /// The ARN of WhatsApp's secret.
    pub secret_id: String,
    /// A key of the API that may do everything, for `Authorization: Bearer`.
    pub api_key: String,
    /// WhatsApp's id of the business number.
    pub phone_number_id: String,
    /// The business number, digits only.
    pub display_phone_number: String,
    /// The key of the webhooks' signatures.
    pub app_secret: String,
    /// What a webhook's verification has to bring.
    pub verify_token: String,
    /// The name of the table.
    pub table: String,
    /// What calls must bring in the header `x-qasid-origin`, where the template has a firewall: CloudFront, which would
    /// add it, is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl Ready {
    /// Writes it as JSON to `path`, whole or not at all, readable by its owner only.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.persist(path)?;
        Ok(())
    }
}
