//! Numbers as requests contain them.

use serde_json::Value;

use crate::{
    domain::{number::NumberRequest, session::OWNER_ID_LIMIT},
    http::{ApiError, Body},
};

/// The maximum length of an access token or app secret, in characters. Meta's have up to about 300 and 32.
const CREDENTIAL_LIMIT: usize = 2048;

/// The maximum number of app secrets of a number: the old and the new one during a rotation.
const APP_SECRET_LIMIT: usize = 2;

impl NumberRequest {
    /// Parses `{"displayPhoneNumber", "ownerId"?, "accessToken"?, "appSecret"?}`. `appSecret` may be a list of up to two.
    pub fn read(phone_number_id: String, body: &Body) -> Result<Self, ApiError> {
        let body = body.object(&["displayPhoneNumber", "ownerId", "accessToken", "appSecret"])?;
        let display = body.required("displayPhoneNumber")?;
        let digits = display.strip_prefix('+').unwrap_or(display);
        let is_number = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_number || digits.starts_with('0') {
            let message = "displayPhoneNumber must be the number with its country code, 7 to 15 digits";
            return Err(ApiError::invalid_field(message));
        }
        let owner_id = body.string("ownerId")?.filter(|owner| !owner.trim().is_empty());
        if owner_id.is_some_and(|owner| owner.len() > OWNER_ID_LIMIT) {
            return Err(ApiError::invalid_field(format!("ownerId may have up to {OWNER_ID_LIMIT} bytes")));
        }
        let access_token = body.string("accessToken")?;
        if access_token.is_some_and(|token| !is_credential(token)) {
            return Err(ApiError::invalid_field(credential_rule("accessToken")));
        }
        Ok(Self {
            phone_number_id,
            display_phone_number: digits.to_owned(),
            owner_id: owner_id.map(str::to_owned),
            access_token: access_token.map(str::to_owned),
            app_secrets: app_secrets(body.value("appSecret"))?,
        })
    }
}

fn app_secrets(value: Option<&Value>) -> Result<Option<Vec<String>>, ApiError> {
    let secrets = match value {
        None => return Ok(None),
        Some(Value::Array(items)) if (1..=APP_SECRET_LIMIT).contains(&items.len()) => items.as_slice(),
        Some(Value::Array(_)) => &[],
        Some(one) => std::slice::from_ref(one),
    };
    let secrets: Option<Vec<String>> =
        secrets.iter().map(|secret| secret.as_str().filter(|text| is_credential(text)).map(str::to_owned)).collect();
    let secrets = secrets.filter(|secrets| !secrets.is_empty());
    secrets.map(Some).ok_or_else(|| {
        let message = format!("{}, or a list of up to {APP_SECRET_LIMIT}", credential_rule("appSecret"));
        ApiError::invalid_field(message)
    })
}

/// Whether the text can be a header's value and isn't empty.
fn is_credential(text: &str) -> bool {
    (1..=CREDENTIAL_LIMIT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn credential_rule(field: &str) -> String {
    format!("{field} must have 1 to {CREDENTIAL_LIMIT} visible ASCII characters without spaces")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::id::SessionId;

    fn read(body: Value) -> Result<NumberRequest, ApiError> {
        NumberRequest::read("106540352242922".to_owned(), &Body::new(body.to_string().into_bytes()))
    }

    #[test]
    fn a_number_is_read() {
        let put = read(
            json!({"displayPhoneNumber": "+15550783881", "ownerId": "ada", "accessToken": "EAA", "appSecret": ["a", "b"]}),
        )
        .unwrap();
        assert_eq!(put.display_phone_number, "15550783881");
        assert_eq!(put.session_id(), Some(SessionId::for_owner("ada")));
        assert_eq!(put.app_secrets, Some(vec!["a".to_owned(), "b".to_owned()]));
        let put = read(json!({"displayPhoneNumber": "15550783881", "appSecret": "a", "ownerId": null})).unwrap();
        assert_eq!((put.owner_id, put.access_token, put.app_secrets), (None, None, Some(vec!["a".to_owned()])));
    }

    #[test]
    fn an_invalid_field_is_refused() {
        let with = |field: &str, value: Value| {
            let mut body = json!({"displayPhoneNumber": "15550783881"});
            body[field] = value;
            read(body)
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
    }
}
