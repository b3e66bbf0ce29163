//! Business numbers that a deployment has beside the one of its parameters, with what their apps are known by.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    domain::ciphertext::Ciphertext,
    domain::id::SessionId,
    domain::session::OWNER_ID_LIMIT,
    domain::time::Timestamp,
    http::{ApiError, JsonObject},
};

/// The most numbers of a deployment. All are read at once, and a webhook's signature is tried with the secret of each.
pub const NUMBER_LIMIT: usize = 50;

/// The longest access token and the longest app secret, in characters. Meta's have up to about 300 and 32.
const CREDENTIAL_LIMIT: usize = 2048;

/// App secrets that a number has at the same time: the one that is going, and the one that comes.
const APP_SECRET_LIMIT: usize = 2;

/// A number as it is stored. What it leaves out (owner, credentials) is as for the number of the deployment's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredNumber {
    /// Meta's id of it.
    pub phone_number_id: String,
    /// The number itself, digits only.
    pub display_phone_number: String,
    /// Whose sessions alone may have it.
    #[serde(default)]
    pub owner_id: Option<String>,
    /// What authorises its sends.
    #[serde(default)]
    pub access_token: Option<Ciphertext>,
    /// What signs its webhooks: a JSON list.
    #[serde(default)]
    pub app_secret: Option<Ciphertext>,
    /// When it was first put.
    pub created_at: Timestamp,
    /// When it was last put.
    pub updated_at: Timestamp,
}

/// A number as answers give it: of its credentials, whether they are there.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of RegisteredNumber")]
pub struct NumberResponse<'a> {
    pub phone_number_id: &'a str,
    pub display_phone_number: &'a str,
    pub owner_id: Option<&'a str>,
    pub has_access_token: bool,
    pub has_app_secret: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl RegisteredNumber {
    /// The row as answers give it.
    pub fn response(&self) -> NumberResponse<'_> {
        NumberResponse {
            phone_number_id: &self.phone_number_id,
            display_phone_number: &self.display_phone_number,
            owner_id: self.owner_id.as_deref(),
            has_access_token: self.access_token.is_some(),
            has_app_secret: self.app_secret.is_some(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// Whether the sessions of `owner_id` may have it.
    pub fn is_for(&self, owner_id: &str) -> bool {
        self.owner_id.as_deref().is_none_or(|own| own == owner_id)
    }
}

/// What a `PUT` says of a number. Credentials that it leaves out stay as they are, because nobody can read them to send
/// them again.
pub struct NumberRequest {
    /// Meta's id of it.
    pub phone_number_id: String,
    /// The number itself, digits only.
    pub display_phone_number: String,
    /// Whose it is; `None` for whoever pairs first.
    pub owner_id: Option<String>,
    /// A new access token.
    pub access_token: Option<String>,
    /// New app secrets.
    pub app_secrets: Option<Vec<String>>,
}

impl NumberRequest {
    /// Reads `{"displayPhoneNumber", "ownerId"?, "accessToken"?, "appSecret"?}`. `appSecret` may be a list.
    pub fn read(phone_number_id: &str, body: &JsonObject) -> Result<Self, ApiError> {
        let invalid = |message: String| ApiError::bad_request("invalid_field", message);
        let display = body.required("displayPhoneNumber")?;
        let digits = display.strip_prefix('+').unwrap_or(display);
        let is_number = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_number || digits.starts_with('0') {
            let message = "displayPhoneNumber must be the number with its country code, 7 to 15 digits";
            return Err(invalid(message.to_owned()));
        }
        let owner_id = body.string("ownerId")?.filter(|owner| !owner.trim().is_empty());
        if owner_id.is_some_and(|owner| owner.len() > OWNER_ID_LIMIT) {
            return Err(invalid(format!("ownerId may have up to {OWNER_ID_LIMIT} bytes")));
        }
        let access_token = body.string("accessToken")?;
        if access_token.is_some_and(|token| !is_credential(token)) {
            return Err(invalid(credential_rule("accessToken")));
        }
        Ok(Self {
            phone_number_id: read_phone_number_id(phone_number_id)?.to_owned(),
            display_phone_number: digits.to_owned(),
            owner_id: owner_id.map(str::to_owned),
            access_token: access_token.map(str::to_owned),
            app_secrets: app_secrets(body.fields().get("appSecret"))?,
        })
    }

    /// The session that alone may have the number.
    pub fn session_id(&self) -> Option<SessionId> {
        self.owner_id.as_deref().map(SessionId::for_owner)
    }
}

/// Reads Meta's id of a number.
pub fn read_phone_number_id(text: &str) -> Result<&str, ApiError> {
    let is_id = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let message = "phoneNumberId must be WhatsApp's id of the number, up to 20 digits";
    if is_id { Ok(text) } else { Err(ApiError::bad_request("invalid_field", message)) }
}

fn app_secrets(value: Option<&Value>) -> Result<Option<Vec<String>>, ApiError> {
    let secrets = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(items)) if (1..=APP_SECRET_LIMIT).contains(&items.len()) => items.as_slice(),
        Some(Value::Array(_)) => &[],
        Some(one) => std::slice::from_ref(one),
    };
    let secrets: Option<Vec<String>> =
        secrets.iter().map(|secret| secret.as_str().filter(|text| is_credential(text)).map(str::to_owned)).collect();
    let secrets = secrets.filter(|secrets| !secrets.is_empty());
    secrets.map(Some).ok_or_else(|| {
        let message = format!("{}, or a list of up to {APP_SECRET_LIMIT}", credential_rule("appSecret"));
        ApiError::bad_request("invalid_field", message)
    })
}

/// What can stand in a header, and is something.
fn is_credential(text: &str) -> bool {
    (1..=CREDENTIAL_LIMIT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn credential_rule(field: &str) -> String {
    format!("{field} must have 1 to {CREDENTIAL_LIMIT} visible ASCII characters without blanks")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::Body;

    fn read(id: &str, body: Value) -> Result<NumberRequest, ApiError> {
        NumberRequest::read(id, &Body::new(body.to_string().into_bytes()).object().unwrap())
    }

    #[test]
    fn a_number_is_read() {
        let put = read(
            "106540352242922",
            json!({"displayPhoneNumber": "+15550783881", "ownerId": "ada", "accessToken": "EAA", "appSecret": ["a", "b"]}),
        )
        .unwrap();
        assert_eq!(put.display_phone_number, "15550783881");
        assert_eq!(put.session_id(), Some(SessionId::for_owner("ada")));
        assert_eq!(put.app_secrets, Some(vec!["a".to_owned(), "b".to_owned()]));
        let put = read("1", json!({"displayPhoneNumber": "15550783881", "appSecret": "a", "ownerId": null})).unwrap();
        assert_eq!((put.owner_id, put.access_token, put.app_secrets), (None, None, Some(vec!["a".to_owned()])));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let with = |field: &str, value: Value| {
            let mut body = json!({"displayPhoneNumber": "15550783881"});
            body[field] = value;
            read("1", body)
        };
        for (field, value) in [
            ("displayPhoneNumber", json!(null)),
            ("displayPhoneNumber", json!("0123456789")),
            ("displayPhoneNumber", json!("123456")),
            ("displayPhoneNumber", json!("1555 078 3881")),
            ("ownerId", json!("x".repeat(257))),
            ("accessToken", json!("")),
            ("accessToken", json!("EAA\nX: y")),
            ("accessToken", json!(7)),
            ("appSecret", json!("")),
            ("appSecret", json!([])),
            ("appSecret", json!(["a", "b", "c"])),
            ("appSecret", json!(["a", 7])),
            ("appSecret", json!({"a": "b"})),
        ] {
            assert!(with(field, value.clone()).is_err(), "{field}: {value}");
        }
        for id in ["", "abc", "123456789012345678901", "1#2"] {
            assert!(read(id, json!({"displayPhoneNumber": "15550783881"})).is_err(), "{id}");
        }
    }
}
