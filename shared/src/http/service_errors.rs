//! The responses to errors of lower layers: one code for each. The sentence is the error's own.

use super::{ApiError, ErrorCode};
use crate::{
    domain::content::ContentError,
    secrets::{SecretsError, cipher::CipherError, signing_key::SigningKeyError},
    services::{
        api_keys::ApiKeyError, auto_reply::DryRunError, changes::ChangesError, chats::ChatError,
        credentials::CredentialsError, erasure::ErasureError, export::ExportError, import::ImportError,
        media::MediaError, messages::MessageError, numbers::NumberError, read_receipt::TypingError,
        receive::ReceiveError, rules::RuleError, send::NotStored, sessions::SessionError, stats::StatsError,
        templates::TemplateError, webhook::WebhookError, webhook_deliveries::WebhookDeliveryError,
        webhook_endpoints::WebhookEndpointError, webhook_sender::SendWebhookError, worker::WorkerError,
        worker_session::WorkerSessionError,
    },
    store::StoreError,
};

/// `Error: Variant => Code, …; Source, …;`, where a source is a variant that holds the error of another row.
macro_rules! service_errors {
    ($($error:ident: $($variant:ident => $code:ident),*; $($source:ident),*;)+) => {
        $(impl From<$error> for ApiError {
            fn from(error: $error) -> Self {
                let code = match error {
                    $($error::$variant { .. } => ErrorCode::$code,)*
                    $($error::$source(source) => return source.into(),)*
                };
                Self::new(code, error.to_string())
            }
        })+
    };
}

service_errors! {
    ApiKeyError: NotFound => KeyNotFound; Store;
    ChangesError:
        SessionNotFound => SessionNotFound,
        Expired => ChangesExpired,
        AfterEnd => InvalidQuery;
        Json, Store;
    ChatError: NotFound => ChatNotFound, SessionNotFound => SessionNotFound, InvalidAddress => InvalidQuery; Store;
    DryRunError: ChatNotFound => ChatNotFound, SessionNotFound => SessionNotFound; Store;
    ErasureError: ChatNotFound => ChatNotFound, SessionNotFound => SessionNotFound; Store;
    ImportError:
        SessionNotFound => SessionNotFound,
        Contact => InvalidField,
        Future => InvalidField,
        OutOfTime => Unavailable;
        Store;
    MessageError: NotFound => MessageNotFound, SessionNotFound => SessionNotFound; Store;
    NotStored:
        SessionNotFound => SessionNotFound,
        SessionNotConnected => SessionNotConnected,
        Recipient => InvalidRecipient,
        LidOverCloudApi => InvalidRecipient,
        Expired => InvalidField,
        MarketingConsentDenied => MarketingConsentDenied,
        OutsideServiceWindow => OutsideServiceWindow,
        UnknownMessage => InvalidMessage,
        InvalidTarget => InvalidMessage,
        MessageNotAccepted => MessageNotAccepted,
        MessageFailed => MessageFailed,
        MessageDeleted => MessageDeleted,
        IdempotencyKeyReused => IdempotencyKeyReused;
        Media, Store, Response;
    NumberError:
        NotFound => NumberNotFound,
        TooMany => TooManyNumbers,
        LinkedToOtherOwner => NumberLinked,
        Linked => NumberLinked,
        NoKey => NoNumbersKey;
        Cipher, Store;
    RuleError:
        NotFound => AutoReplyNotFound,
        SessionNotFound => SessionNotFound,
        TooMany => TooManyAutoReplies;
        Store;
    SessionError: NotFound => SessionNotFound, UnknownNumber => InvalidField, Words => InvalidField; Store;
    StatsError: SessionNotFound => SessionNotFound, Range => InvalidQuery; Store;
    TemplateError:
        SessionNotFound => SessionNotFound,
        SessionNotConnected => SessionNotConnected,
        WorkerSession => WorkerSession,
        Refused => WhatsAppError,
        NoResponse => WhatsAppError,
        UnknownAccount => WhatsAppError;
        Credentials, Store;
    TypingError:
        SessionNotFound => SessionNotFound,
        SessionNotConnected => SessionNotConnected,
        WorkerSession => WorkerSession,
        NoInboundMessage => NoInboundMessage;
        Store;
    WebhookDeliveryError:
        NotFound => AttemptNotFound,
        MessageNotFound => MessageNotFound,
        Disabled => WebhookDisabled,
        ReplayRunning => ReplayRunning,
        Expired => ChangesExpired,
        AfterEnd => InvalidField;
        Store, Send;
    WebhookEndpointError:
        NotFound => WebhookNotFound,
        SessionNotFound => SessionNotFound,
        TooMany => TooManyWebhooks,
        Verification => WebhookVerificationFailed;
        SigningKey, Store;
    WebhookError: NotVerified => VerificationFailed, Signature => InvalidSignature; Credentials, Receive;
    WorkerError:
        SessionNotFound => SessionNotFound,
        MessageNotFound => MessageNotFound,
        NotAWorkerSession => NotAWorkerSession,
        PairedOverCloudApi => PairedOverCloudApi,
        AlreadySettled => AlreadySettled,
        IdInUse => IdInUse,
        LeaseLost => LeaseLost;
        Store, Response;
    WorkerSessionError: Connected => SessionConnected; Worker;
}

/// 503 for errors of dependencies.
macro_rules! unavailable {
    ($($error:ty),+) => {
        $(impl From<$error> for ApiError {
            fn from(error: $error) -> Self {
                Self::unavailable(&error)
            }
        })+
    };
}

unavailable!(StoreError, SecretsError, CipherError, CredentialsError, SigningKeyError);

impl From<MediaError> for ApiError {
    fn from(error: MediaError) -> Self {
        let code = match &error {
            MediaError::SessionNotFound => ErrorCode::SessionNotFound,
            MediaError::NotKept => ErrorCode::MediaNotKept,
            MediaError::NotFound(_) => ErrorCode::MediaNotFound,
            MediaError::NotUploaded(_) => ErrorCode::MediaNotUploaded,
            MediaError::OtherType { .. } => ErrorCode::InvalidField,
            MediaError::NotStored(_) => ErrorCode::MediaNotStored,
            MediaError::Store(_) | MediaError::Bucket(_) => return Self::unavailable(&error),
            MediaError::Url(_) => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}

impl From<SendWebhookError> for ApiError {
    fn from(error: SendWebhookError) -> Self {
        match error {
            SendWebhookError::Store(error) => error.into(),
            SendWebhookError::SigningKey(error) => error.into(),
        }
    }
}

impl From<ReceiveError> for ApiError {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::NotJson(_) => Self::new(ErrorCode::InvalidJson, "The body is not valid JSON"),
            ReceiveError::Store(error) => error.into(),
        }
    }
}

/// 500: a stored value isn't JSON, or a response can't be serialized.
impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<ExportError> for ApiError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Store(error) => error.into(),
            ExportError::Json(error) => error.into(),
        }
    }
}

/// The code of an error in a message's content.
pub(super) fn content_error_code(error: &ContentError) -> ErrorCode {
    match error {
        ContentError::Missing { .. } => ErrorCode::MissingField,
        ContentError::TooLong { .. } => ErrorCode::TextTooLong,
        ContentError::Unknown { .. } => ErrorCode::UnknownField,
        _ => ErrorCode::InvalidField,
    }
}

impl From<ContentError> for ApiError {
    fn from(error: ContentError) -> Self {
        Self::new(content_error_code(&error), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::content;

    #[test]
    fn content_errors_have_the_codes_of_the_contract() {
        for (request, code) in [
            (json!({"type": "text"}), ErrorCode::MissingField),
            (json!({"message": "a".repeat(4097)}), ErrorCode::TextTooLong),
            (json!({"type": "fax"}), ErrorCode::InvalidField),
            (json!({"type": "text", "text": {"body": "a", "preview": true}}), ErrorCode::UnknownField),
        ] {
            let error = content::read(request.as_object().unwrap()).unwrap_err();
            assert_eq!(content_error_code(&error), code, "{request}");
        }
    }
}
