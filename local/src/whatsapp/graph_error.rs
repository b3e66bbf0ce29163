//! Errors in the format of the Graph API.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{clock::random, error_code, journal::JournalError};

/// A Graph API error response (Meta, *Handle errors*). Meta recommends handling errors by `code`.
#[derive(Debug)]
pub(super) struct GraphError {
    pub(super) status: u16,
    pub(super) code: u32,
    pub(super) subcode: Option<u32>,
    kind: &'static str,
    message: String,
    pub(super) details: Option<String>,
    /// A title and a sentence for the user.
    user_message: Option<Box<(String, String)>>,
    /// The value of `Retry-After` in seconds.
    retry_after: Option<u64>,
}

impl GraphError {
    /// Creates the error `code` with Meta's status and title, and optional details.
    pub(super) fn new(code: u32, details: Option<String>) -> GraphError {
        let (status, title) = error_code::describe(code);
        // Meta writes the general Graph errors without their number.
        let message = if matches!(code, 0 | 1 | 2 | 190) { title.to_owned() } else { format!("(#{code}) {title}") };
        // WhatsApp codes have six digits, and only they include `error_data`.
        let details = details.or_else(|| (code >= 100_000).then(|| title.to_owned()));
        GraphError {
            status,
            code,
            subcode: None,
            kind: "OAuthException",
            message,
            details,
            user_message: None,
            retry_after: None,
        }
    }

    /// Creates the error `code` with another title.
    pub(super) fn titled(code: u32, title: &str) -> GraphError {
        let message = if code == 1 { title.to_owned() } else { format!("(#{code}) {title}") };
        GraphError { message, ..GraphError::new(code, None) }
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// A missing or invalid parameter, with Meta's wording.
    pub(super) fn parameter(sentence: &str) -> GraphError {
        GraphError { message: format!("(#100) {sentence}"), ..GraphError::new(100, None) }
    }

    /// A parameter that is required.
    pub(super) fn missing(name: &str) -> GraphError {
        GraphError::parameter(&format!("The parameter {name} is required."))
    }

    /// A text with more characters than allowed.
    pub(super) fn too_long(name: &str, maximum: usize) -> GraphError {
        GraphError::parameter(&format!("Param {name} must be at most {maximum} characters long."))
    }

    /// A parameter whose value is not in a list.
    pub(super) fn not_one_of(name: &str, values: &[&str]) -> GraphError {
        GraphError::parameter(&format!("Param {name} must be one of {{{}}}.", values.join(", ")))
    }

    /// An invalid template, with Meta's subcode, title, and sentence for the user.
    pub(super) fn for_user(subcode: u32, title: &str, sentence: &str) -> GraphError {
        let error = GraphError { message: "Invalid parameter".to_owned(), ..GraphError::new(100, None) };
        error.with_subcode(subcode).with_user_message(title, sentence)
    }

    /// An object that does not exist, is not accessible with this token, or does not support the operation. Meta does
    /// not distinguish these cases.
    pub(super) fn unsupported(method: &str, object: &str) -> GraphError {
        let method = method.to_lowercase();
        GraphError {
            subcode: Some(33),
            kind: "GraphMethodException",
            message: format!(
                "Unsupported {method} request. Object with ID '{object}' does not exist, cannot be \
                 loaded due to missing permissions, or does not support this operation. Please \
                 read the Graph API documentation at https://developers.facebook.com/docs/graph-api"
            ),
            ..GraphError::new(100, None)
        }
    }

    /// An `appsecret_proof` that isn't the HMAC of the access token with the app's secret.
    pub(super) fn invalid_proof() -> GraphError {
        GraphError {
            kind: "GraphMethodException",
            message: "Invalid appsecret_proof provided in the API argument".to_owned(),
            ..GraphError::new(100, None)
        }
    }

    /// A path outside of the Graph API.
    pub(super) fn unknown_path(path: &str) -> GraphError {
        GraphError { message: format!("Unknown path components: {path}"), ..GraphError::new(2500, None) }
    }

    /// A body that exceeds the size limit.
    pub(super) fn too_large() -> GraphError {
        GraphError { status: 413, ..GraphError::parameter("The request body is larger than 4 MB") }
    }

    /// Sets the subcode.
    pub(super) fn with_subcode(self, subcode: u32) -> GraphError {
        GraphError { subcode: Some(subcode), ..self }
    }

    /// Sets `error_user_title` and `error_user_msg`.
    pub(super) fn with_user_message(self, title: &str, message: &str) -> GraphError {
        GraphError { user_message: Some(Box::new((title.to_owned(), message.to_owned()))), ..self }
    }

    /// Sets the HTTP status, if given.
    pub(super) fn with_status(self, status: Option<u16>) -> GraphError {
        GraphError { status: status.unwrap_or(self.status), ..self }
    }

    /// Sets the `Retry-After` header in seconds, if given.
    pub(super) fn with_retry_after(self, retry_after: Option<u64>) -> GraphError {
        GraphError { retry_after, ..self }
    }
}

/// The simulator could not store a change. The output has the cause.
impl From<JournalError> for GraphError {
    fn from(_: JournalError) -> GraphError {
        GraphError::new(131_000, None)
    }
}

impl IntoResponse for GraphError {
    fn into_response(self) -> Response {
        self.into_response_with(json!({}))
    }
}

impl GraphError {
    /// Returns the response with these members beside `error`.
    pub(super) fn into_response_with(self, mut body: Value) -> Response {
        let mut error = json!({
            "message": self.message,
            "type": self.kind,
            "code": self.code,
            "fbtrace_id": trace_id(),
        });
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = json!(subcode);
        }
        if let Some(user_message) = self.user_message {
            let (title, message) = *user_message;
            error["error_user_title"] = json!(title);
            error["error_user_msg"] = json!(message);
        }
        if let Some(details) = self.details {
            error["error_data"] = json!({"messaging_product": "whatsapp", "details": details});
        }
        if self.code == 2 {
            error["is_transient"] = json!(true);
        }
        body["error"] = error;
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == 190 {
            let challenge = HeaderValue::from_static(r#"OAuth "Facebook Platform" "invalid_token""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Returns an ID in the format of Meta's trace IDs: `A` and 22 characters.
fn trace_id() -> String {
    format!("A{}", URL_SAFE_NO_PAD.encode(random().as_bytes()))
}
