//! The error codes of the API and their HTTP statuses.

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident $status:literal $code:literal,)+) => {
        /// The `code` of an error response. A code always has the same status. `docs/api.md` lists them for callers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)+
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The HTTP status of responses with this code.
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)+
                }
            }

            /// The code as responses contain it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }
        }
    };
}

error_codes! {
    /// A required field or query parameter is missing or blank.
    MissingField 400 "missing_field",
    /// A field has the wrong type or an unacceptable value.
    InvalidField 400 "invalid_field",
    /// The endpoint has no such field.
    UnknownField 400 "unknown_field",
    /// A text exceeds WhatsApp's limit.
    TextTooLong 400 "text_too_long",
    /// A query parameter has an unacceptable value.
    InvalidQuery 400 "invalid_query",
    /// The endpoint has no such query parameter.
    UnknownParameter 400 "unknown_parameter",
    /// The cursor isn't from this list.
    InvalidCursor 400 "invalid_cursor",
    /// A header has an unacceptable value.
    InvalidHeader 400 "invalid_header",
    /// The body isn't a JSON object in UTF-8.
    InvalidJson 400 "invalid_json",
    /// `to` isn't an address that WhatsApp can deliver to.
    InvalidRecipient 400 "invalid_recipient",
    /// A message that the request refers to isn't one of the session.
    InvalidMessage 400 "invalid_message",
    /// The file is larger than WhatsApp delivers.
    MediaTooLarge 400 "media_too_large",
    /// WhatsApp doesn't deliver files of this type.
    MediaTypeNotSendable 400 "media_type_not_sendable",
    /// The receiver of a webhook failed the verification.
    WebhookVerificationFailed 400 "webhook_verification_failed",
    /// The request has no authorizer result.
    Unauthenticated 401 "unauthenticated",
    /// The webhook's signature is missing or wrong.
    InvalidSignature 401 "invalid_signature",
    /// The key lacks the scope that the endpoint needs.
    MissingScope 403 "missing_scope",
    /// The key belongs to another owner.
    OtherOwner 403 "other_owner",
    /// The webhook was called without the deployment's firewall.
    WrongAddress 403 "wrong_address",
    /// The webhook's verify token is wrong.
    VerificationFailed 403 "verification_failed",
    /// No such session for this caller.
    SessionNotFound 404 "session_not_found",
    /// No such chat for this caller.
    ChatNotFound 404 "chat_not_found",
    /// No such message for this caller.
    MessageNotFound 404 "message_not_found",
    /// No such file for this caller.
    MediaNotFound 404 "media_not_found",
    /// No such auto-reply rule for this caller.
    AutoReplyNotFound 404 "auto_reply_not_found",
    /// No such webhook for this caller.
    WebhookNotFound 404 "webhook_not_found",
    /// No failed delivery of this change to this webhook.
    AttemptNotFound 404 "attempt_not_found",
    /// No such API key.
    KeyNotFound 404 "key_not_found",
    /// No such number.
    NumberNotFound 404 "number_not_found",
    /// No such path.
    PathNotFound 404 "path_not_found",
    /// The path doesn't support the method.
    MethodNotAllowed 405 "method_not_allowed",
    /// The session was never linked to a number.
    SessionNotConnected 409 "session_not_connected",
    /// The contact refuses marketing messages, and the message's category is `marketing`.
    MarketingConsentDenied 409 "marketing_consent_denied",
    /// The contact's last message is over 24 hours old, and the message isn't a template.
    OutsideServiceWindow 409 "outside_service_window",
    /// WhatsApp hasn't accepted the message that the request refers to.
    MessageNotAccepted 409 "message_not_accepted",
    /// The message that the request refers to failed.
    MessageFailed 409 "message_failed",
    /// The message that the request refers to was deleted by its sender.
    MessageDeleted 409 "message_deleted",
    /// The deployment leaves files at WhatsApp.
    MediaNotKept 409 "media_not_kept",
    /// The file isn't in the bucket.
    MediaNotStored 409 "media_not_stored",
    /// The file to send isn't uploaded.
    MediaNotUploaded 409 "media_not_uploaded",
    /// The contact has not written, so there is no message to show a typing indicator below.
    NoInboundMessage 409 "no_inbound_message",
    /// The session is served by a worker, which can't do this.
    WorkerSession 409 "worker_session",
    /// The idempotency key was used with another body.
    IdempotencyKeyReused 409 "idempotency_key_reused",
    /// The session isn't served by a worker.
    NotAWorkerSession 409 "not_a_worker_session",
    /// The session is linked through the Cloud API.
    PairedOverCloudApi 409 "paired_over_cloud_api",
    /// The session is connected, so it needs no QR code.
    SessionConnected 409 "session_connected",
    /// The lease is invalid or has expired.
    LeaseLost 409 "lease_lost",
    /// The message was settled with another outcome.
    AlreadySettled 409 "already_settled",
    /// Another message of the session has the ID.
    IdInUse 409 "id_in_use",
    /// The session has the maximum number of rules.
    TooManyAutoReplies 409 "too_many_auto_replies",
    /// The session has the maximum number of webhooks.
    TooManyWebhooks 409 "too_many_webhooks",
    /// The webhook is disabled.
    WebhookDisabled 409 "webhook_disabled",
    /// An earlier replay of the webhook isn't finished.
    ReplayRunning 409 "replay_running",
    /// The number is linked to a session.
    NumberLinked 409 "number_linked",
    /// The deployment has the maximum number of numbers.
    TooManyNumbers 409 "too_many_numbers",
    /// The deployment has no key to encrypt credentials with.
    NoNumbersKey 409 "no_numbers_key",
    /// Changes after the given number are no longer stored.
    ChangesExpired 410 "changes_expired",
    /// The body exceeds the endpoint's limit.
    BodyTooLarge 413 "body_too_large",
    /// A bug.
    InternalError 500 "internal_error",
    /// WhatsApp refused a request to it, or didn't respond.
    WhatsAppError 424 "whatsapp_error",
    /// A dependency didn't respond.
    Unavailable 503 "unavailable",
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_documented_codes_equal_the_enum() {
        let documentation = include_str!("../../../docs/api.md");
        let section = documentation.split_once("## Error codes").unwrap().1;
        let section = section.split("\n## ").next().unwrap();
        let documented: BTreeSet<(&str, u16)> = section
            .lines()
            .filter_map(|line| {
                let mut cells = line.trim_matches('|').split('|').map(str::trim);
                let code = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
                Some((code, cells.next()?.parse().unwrap()))
            })
            .collect();
        let known: BTreeSet<(&str, u16)> = ErrorCode::ALL.iter().map(|code| (code.as_str(), code.status())).collect();
        assert_eq!(documented, known);
        assert_eq!(known.len(), ErrorCode::ALL.len());
    }
}
