//! Sessions as requests contain them.

use std::time::Duration;

use crate::{
    domain::session::{OWNER_ID_LIMIT, UnknownPolicy},
    http::{ApiError, JsonObject, Query},
    services::sessions::NewSession,
};

/// The maximum size of a QR code's text, in bytes. An image of a longer text is hard to scan.
const QR_LIMIT: usize = 2000;

impl NewSession {
    /// Parses `{"userId", "phoneNumberId"?, "unknownPolicy"?}`.
    pub fn read(body: &JsonObject) -> Result<Self, ApiError> {
        let owner_id = body.required("userId")?;
        if owner_id.len() > OWNER_ID_LIMIT {
            let message = format!("userId has {} bytes: it may have up to {OWNER_ID_LIMIT}", owner_id.len());
            return Err(ApiError::invalid_field(message));
        }
        let unknown_policy = match body.string("unknownPolicy")? {
            None | Some("fail") => UnknownPolicy::Fail,
            Some("resend") => UnknownPolicy::Resend,
            Some(_) => return Err(ApiError::invalid_field("unknownPolicy must be fail or resend")),
        };
        Ok(Self {
            owner_id: owner_id.to_owned(),
            phone_number_id: body.string("phoneNumberId")?.map(str::to_owned),
            unknown_policy,
        })
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
