//! What a function is told by its environment. `template.yaml` sets every variable.

use std::fmt;

/// The environment of a function: a way to look up a variable, given by `main`.
#[derive(Clone, Copy)]
pub struct Environment {
    lookup: fn(&str) -> Option<String>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// A variable that a function cannot work without is unset or empty.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is not set")]
pub struct MissingVariable(&'static str);

impl Environment {
    /// An environment that `lookup` answers for.
    pub fn new(lookup: fn(&str) -> Option<String>) -> Self {
        Self { lookup }
    }

    fn required(self, name: &'static str) -> Result<String, MissingVariable> {
        self.optional(name).ok_or(MissingVariable(name))
    }

    fn optional(self, name: &'static str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// `TABLE_NAME`: the table.
    pub fn table_name(self) -> Result<String, MissingVariable> {
        self.required("TABLE_NAME")
    }

    /// `WHATSAPP_SECRET_ID`: name or ARN of the secret; see [`crate::secrets`].
    pub fn secret_id(self) -> Result<String, MissingVariable> {
        self.required("WHATSAPP_SECRET_ID")
    }

    /// `PHONE_NUMBER_ID`: Meta's id of this deployment's number.
    pub fn phone_number_id(self) -> Option<String> {
        self.optional("PHONE_NUMBER_ID")
    }

    /// `PHONE_NUMBER_ID` and `DISPLAY_PHONE_NUMBER`: the number of this deployment. `None` when it has none, and
    /// sessions are paired by linked-device workers only.
    pub fn business_number(self) -> Option<BusinessNumber> {
        Some(BusinessNumber {
            phone_number_id: self.phone_number_id()?,
            display_phone_number: self.optional("DISPLAY_PHONE_NUMBER")?,
        })
    }

    /// `GRAPH_API_BASE_URL` and `GRAPH_API_VERSION`, joined: `https://graph.facebook.com/v26.0`.
    pub fn graph_api_url(self) -> Result<String, MissingVariable> {
        let base = self.required("GRAPH_API_BASE_URL")?;
        Ok(format!("{}/{}", base.trim_end_matches('/'), self.required("GRAPH_API_VERSION")?))
    }
}

/// A WhatsApp business number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessNumber {
    /// Meta's id of the number; what webhooks and sends name it by.
    pub phone_number_id: String,
    /// The number itself, digits only, as `wa.me` links need it.
    pub display_phone_number: String,
}
