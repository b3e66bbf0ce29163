//! Sessions as requests contain them.

use std::time::Duration;

use crate::{
    domain::{
        country::Country,
        session::{OWNER_ID_LIMIT, SettingsChange, UnknownPolicy},
    },
    http::{ApiError, ErrorCode, JsonObject, Query},
    services::sessions::NewSession,
};

/// The maximum size of a QR code's text, in bytes. An image of a longer text is hard to scan.
const QR_LIMIT: usize = 2000;

impl NewSession {
    /// Parses `{"userId", "phoneNumberId"?}` and [settings](SettingsChange::read).
    pub fn read(body: &JsonObject) -> Result<Self, ApiError> {
        let owner_id = body.required("userId")?;
        if owner_id.len() > OWNER_ID_LIMIT {
            let message = format!("userId has {} bytes: it may have up to {OWNER_ID_LIMIT}", owner_id.len());
            return Err(ApiError::invalid_field(message));
        }
        Ok(Self {
            owner_id: owner_id.to_owned(),
            phone_number_id: body.string("phoneNumberId")?.map(str::to_owned),
            settings: SettingsChange::read(body)?,
        })
    }
}

impl SettingsChange {
    /// Parses `{"unknownPolicy"?, "defaultCountry"?}`. A member that is `null` resets its setting.
    pub fn read(body: &JsonObject) -> Result<Self, ApiError> {
        let unknown_policy = body.string("unknownPolicy")?.map(|word| {
            let found = UnknownPolicy::ALL.into_iter().find(|policy| policy.as_str() == word);
            found.ok_or_else(|| ApiError::invalid_field("unknownPolicy must be fail or resend"))
        });
        let default_country = body.string("defaultCountry")?.map(|code| {
            let country = code.parse::<Country>().map(Some);
            country.map_err(|error| ApiError::invalid_field(format!("defaultCountry is {error}")))
        });
        Ok(Self {
            unknown_policy: body.setting("unknownPolicy", unknown_policy.transpose()?),
            default_country: body.setting("defaultCountry", default_country.transpose()?),
        })
    }

    /// Like [`read`](Self::read), but requires at least one member.
    pub fn read_some(body: &JsonObject) -> Result<Self, ApiError> {
        let change = Self::read(body)?;
        if change == Self::default() {
            return Err(ApiError::new(ErrorCode::MissingField, "Give defaultCountry or unknownPolicy"));
        }
        Ok(change)
    }
}

/// The format of a QR code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QrFormat {
    /// JSON with the text to encode.
    Text,
    /// A PNG image.
    Image,
    /// An SVG image.
    Svg,
}

impl QrFormat {
    /// Parses `format`, by default `text`.
    pub fn read(query: &Query) -> Result<Self, ApiError> {
        let formats = [("text", Self::Text), ("image", Self::Image), ("svg", Self::Svg)];
        Ok(query.choice("format", &formats)?.unwrap_or(Self::Text))
    }
}

/// A worker's QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerQr {
    /// The text to encode.
    pub qr: String,
    /// How long the code is valid.
    pub lifetime: Duration,
}

impl WorkerQr {
    /// Parses `{"qr", "expiresInSeconds"}`.
    pub fn read(body: &JsonObject) -> Result<Self, ApiError> {
        let qr = body.required("qr")?;
        if qr.len() > QR_LIMIT {
            let message = format!("qr has {} bytes: it may have up to {QR_LIMIT}", qr.len());
            return Err(ApiError::invalid_field(message));
        }
        let seconds = body.whole_number("expiresInSeconds", 1..=3600)?;
        let seconds = seconds.ok_or_else(|| ApiError::missing_field("expiresInSeconds"))?;
        Ok(Self { qr: qr.to_owned(), lifetime: Duration::from_secs(seconds.into()) })
    }
}

/// A worker's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerState {
    /// Whether the device is connected to WhatsApp.
    pub is_connected: bool,
    /// Whether messages can be sent.
    pub is_ready: bool,
}

impl WorkerState {
    /// Parses `{"isConnected", "isReady"}`.
    pub fn read(body: &JsonObject) -> Result<Self, ApiError> {
        let required = |field| body.boolean(field)?.ok_or_else(|| ApiError::missing_field(field));
        Ok(Self { is_connected: required("isConnected")?, is_ready: required("isReady")? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{domain::session::Setting, http::Body};

    fn read(body: Value) -> Result<SettingsChange, ApiError> {
        SettingsChange::read_some(&Body::new(body.to_string().into_bytes()).object().unwrap())
    }

    #[test]
    fn settings_are_set_reset_by_null_and_kept_when_absent() {
        let change = read(json!({"defaultCountry": "eg"})).unwrap();
        assert_eq!(change.default_country, Setting::Set(Some("EG".parse().unwrap())));
        assert_eq!(change.unknown_policy, Setting::Keep);
        let change = read(json!({"defaultCountry": null, "unknownPolicy": "resend"})).unwrap();
        assert_eq!(change.default_country, Setting::Reset);
        assert_eq!(change.unknown_policy, Setting::Set(UnknownPolicy::Resend));
    }

    #[test]
    fn change_without_a_valid_setting_is_refused() {
        for (body, code) in [
            (json!({}), ErrorCode::MissingField),
            (json!({"sessionId": "x"}), ErrorCode::MissingField),
            (json!({"defaultCountry": ""}), ErrorCode::InvalidField),
            (json!({"defaultCountry": "UK"}), ErrorCode::InvalidField),
            (json!({"defaultCountry": "EGY"}), ErrorCode::InvalidField),
            (json!({"defaultCountry": 20}), ErrorCode::InvalidField),
            (json!({"defaultCountry": ["EG"]}), ErrorCode::InvalidField),
            (json!({"unknownPolicy": "Resend"}), ErrorCode::InvalidField),
            (json!({"unknownPolicy": true, "defaultCountry": "EG"}), ErrorCode::InvalidField),
        ] {
            assert_eq!(read(body.clone()).unwrap_err().code(), code, "{body}");
        }
    }
}
