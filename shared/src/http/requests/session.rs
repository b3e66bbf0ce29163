//! Sessions as requests contain them.

use std::time::Duration;

use super::chat::limit;
use crate::{
    domain::{
        caller::Caller,
        country::Country,
        cursor::Position,
        id::SessionId,
        session::{OWNER_ID_LIMIT, SettingsChange, UnknownPolicy},
    },
    http::{ApiError, Body, ErrorCode, JsonObject, Query},
    services::sessions::NewSession,
};

/// Identifies the list of sessions in its cursors.
pub(crate) const LIST: &str = "sessions";

/// The default number of sessions on a page.
const DEFAULT_LIMIT: u32 = 50;

/// The maximum size of a QR code's text, in bytes. An image of a longer text is hard to scan.
const QR_LIMIT: usize = 2000;

/// Parses `limit` and `cursor` of the list of sessions.
pub fn read_session_page(query: &Query) -> Result<(usize, Option<Position>), ApiError> {
    Ok((limit(query, DEFAULT_LIMIT)?, query.cursor(LIST, Position::from_cursor)?))
}

impl NewSession {
    /// Parses `{"userId", "phoneNumberId"?}` and the settings of [`SettingsChange`].
    pub fn read(body: &Body) -> Result<Self, ApiError> {
        let body =
            body.object(&["userId", "phoneNumberId", "unknownPolicy", "defaultCountry", "stopWords", "startWords"])?;
        let owner_id = body.required_string_or_integer("userId")?;
        if owner_id.len() > OWNER_ID_LIMIT {
            let message = format!("userId has {} bytes: it may have up to {OWNER_ID_LIMIT}", owner_id.len());
            return Err(ApiError::invalid_field(message));
        }
        Ok(Self {
            owner_id,
            phone_number_id: body.string("phoneNumberId")?.map(str::to_owned),
            settings: SettingsChange::read(&body)?,
        })
    }
}

impl SettingsChange {
    /// Parses `{"unknownPolicy"?, "defaultCountry"?, "stopWords"?, "startWords"?}`. A member that is `null` resets its setting.
    fn read(body: &JsonObject) -> Result<Self, ApiError> {
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
            stop_words: body.setting("stopWords", read_words(body, "stopWords")?.map(Some)),
            start_words: body.setting("startWords", read_words(body, "startWords")?.map(Some)),
        })
    }

    /// Parses `{"sessionId"}` and at least one setting. 404 for a session of another owner.
    pub fn read_for_session(body: &Body, caller: &Caller) -> Result<(SessionId, Self), ApiError> {
        let body = body.object(&["sessionId", "unknownPolicy", "defaultCountry", "stopWords", "startWords"])?;
        let session_id = caller.session(body.session_id()?)?;
        let change = Self::read(&body)?;
        if change == Self::default() {
            return Err(ApiError::new(
                ErrorCode::MissingField,
                "Give defaultCountry, unknownPolicy, stopWords or startWords",
            ));
        }
        Ok((session_id, change))
    }
}

/// Reads a list of STOP or START words. [`ConsentWords::check`](crate::domain::consent::ConsentWords::check) checks the
/// words, because that depends on the session's other list.
fn read_words(body: &JsonObject, field: &str) -> Result<Option<Vec<String>>, ApiError> {
    let Some(value) = body.value(field) else { return Ok(None) };
    let words = value.as_array().and_then(|words| words.iter().map(|word| Some(word.as_str()?.to_owned())).collect());
    words.map(Some).ok_or_else(|| body.invalid(field, "must be an array of strings"))
}

/// Parses `{"sessionId"}` of a request to resume a session. 404 for a session of another owner.
pub fn read_resumed_session(body: &Body, caller: &Caller) -> Result<SessionId, ApiError> {
    caller.session(body.object(&["sessionId"])?.session_id()?)
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
    /// JSON with a PNG image as a data URL, for `<img>` tags, which can't send a key.
    DataUrl,
}

impl QrFormat {
    /// Parses `format`, by default `text`.
    pub fn read(query: &Query) -> Result<Self, ApiError> {
        let formats = [("text", Self::Text), ("image", Self::Image), ("svg", Self::Svg), ("dataurl", Self::DataUrl)];
        Ok(query.choice("format", &formats)?.unwrap_or(Self::Text))
    }
}

/// A worker's QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerQr {
    /// The worker's session.
    pub session_id: SessionId,
    /// The text to encode.
    pub qr: String,
    /// How long the code is valid.
    pub lifetime: Duration,
}

impl WorkerQr {
    /// Parses `{"sessionId", "qr", "expiresInSeconds"}`. 404 for a session of another owner.
    pub fn read(body: &Body, caller: &Caller) -> Result<Self, ApiError> {
        let body = body.object(&["sessionId", "qr", "expiresInSeconds"])?;
        let session_id = caller.session(body.session_id()?)?;
        let qr = body.required("qr")?;
        if qr.len() > QR_LIMIT {
            let message = format!("qr has {} bytes: it may have up to {QR_LIMIT}", qr.len());
            return Err(ApiError::invalid_field(message));
        }
        let seconds = body.whole_number("expiresInSeconds", 1..=3600)?;
        let seconds = seconds.ok_or_else(|| ApiError::missing_field("expiresInSeconds"))?;
        Ok(Self { session_id, qr: qr.to_owned(), lifetime: Duration::from_secs(seconds.into()) })
    }
}

/// A worker's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerState {
    /// The worker's session.
    pub session_id: SessionId,
    /// Whether the device is connected to WhatsApp.
    pub is_connected: bool,
    /// Whether messages can be sent.
    pub is_ready: bool,
}

impl WorkerState {
    /// Parses `{"sessionId", "isConnected", "isReady"}`. 404 for a session of another owner.
    pub fn read(body: &Body, caller: &Caller) -> Result<Self, ApiError> {
        let body = body.object(&["sessionId", "isConnected", "isReady"])?;
        let session_id = caller.session(body.session_id()?)?;
        let required = |field| body.boolean(field)?.ok_or_else(|| ApiError::missing_field(field));
        Ok(Self { session_id, is_connected: required("isConnected")?, is_ready: required("isReady")? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::session::Setting;

    const SESSION: &str = "00000000-0000-4000-8000-000000000000";

    fn read(mut body: Value) -> Result<SettingsChange, ApiError> {
        body["sessionId"] = json!(SESSION);
        let body = Body::new(body.to_string().into_bytes());
        SettingsChange::read_for_session(&body, &Caller::admin("k")).map(|(_, change)| change)
    }

    #[test]
    fn settings_are_set_reset_by_null_and_kept_when_absent() {
        let change = read(json!({"defaultCountry": "eg"})).unwrap();
        assert_eq!(change.default_country, Setting::Set(Some("EG".parse().unwrap())));
        assert_eq!(change.unknown_policy, Setting::Keep);
        let change = read(json!({"defaultCountry": null, "unknownPolicy": "resend"})).unwrap();
        assert_eq!(change.default_country, Setting::Reset);
        assert_eq!(change.unknown_policy, Setting::Set(UnknownPolicy::Resend));
        let change = read(json!({"stopWords": ["Schluss"], "startWords": null})).unwrap();
        assert_eq!(change.stop_words, Setting::Set(Some(vec!["Schluss".to_owned()])));
        assert_eq!((change.start_words, change.default_country), (Setting::Reset, Setting::Keep));
    }

    #[test]
    fn change_without_a_valid_setting_is_refused() {
        for (body, code) in [
            (json!({}), ErrorCode::MissingField),
            (json!({"default_country": "EG"}), ErrorCode::UnknownField),
            (json!({"defaultCountry": ""}), ErrorCode::InvalidField),
            (json!({"defaultCountry": "UK"}), ErrorCode::InvalidField),
            (json!({"defaultCountry": "EGY"}), ErrorCode::InvalidField),
            (json!({"defaultCountry": 20}), ErrorCode::InvalidField),
            (json!({"defaultCountry": ["EG"]}), ErrorCode::InvalidField),
            (json!({"unknownPolicy": "Resend"}), ErrorCode::InvalidField),
            (json!({"stopWords": "STOP"}), ErrorCode::InvalidField),
            (json!({"startWords": ["START", 1]}), ErrorCode::InvalidField),
            (json!({"startWords": {"0": "START"}}), ErrorCode::InvalidField),
            (json!({"stop_words": ["STOP"]}), ErrorCode::UnknownField),
            (json!({"unknownPolicy": true, "defaultCountry": "EG"}), ErrorCode::InvalidField),
        ] {
            assert_eq!(read(body.clone()).unwrap_err().code(), code, "{body}");
        }
    }
}
