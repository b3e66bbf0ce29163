//! Meta's error codes with their HTTP statuses and titles (Meta, *Cloud API error codes*).

use serde_json::{Value, json};

const HELP: &str = "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes";

/// Returns the HTTP status and title of an error code; status 400 for an unlisted code.
pub(super) fn describe(code: u32) -> (u16, &'static str) {
    match code {
        0 => (401, "Unable to authenticate the app user"),
        1 => (400, "An unknown error has occurred."),
        2 => (503, "Service temporarily unavailable"),
        3 => (500, "Application does not have the capability to make this API call."),
        4 => (400, "Application request limit reached"),
        10 => (403, "Application does not have permission for this action"),
        33 => (400, "Parameter value is not valid"),
        100 => (400, "Invalid parameter"),
        190 => (401, "Invalid OAuth access token - Cannot parse access token"),
        200..=299 => (403, "Permissions error"),
        368 => (403, "Temporarily blocked for policies violations"),
        80007 => (400, "Rate limit issues"),
        130_403 => (400, "The recipient is blocked by the business"),
        130_429 => (400, "Rate limit hit"),
        130_472 => (400, "User's number is part of an experiment"),
        130_497 => (403, "Business account is restricted from messaging users in this country."),
        131_000 => (500, "Something went wrong"),
        131_005 => (403, "Access denied"),
        131_008 => (400, "Required parameter is missing"),
        131_009 => (400, "Parameter value is not valid"),
        131_016 => (500, "Service unavailable"),
        131_021 => (400, "Recipient cannot be sender"),
        131_026 => (400, "Message undeliverable"),
        131_030 => (400, "Recipient phone number not in allowed list"),
        131_031 => (403, "Account has been locked"),
        131_037 => (400, "Display name approval needed"),
        131_041 => (400, "Group unknown"),
        131_042 => (400, "Business eligibility payment issue"),
        131_045 => (500, "Incorrect certificate"),
        131_047 => (400, "Re-engagement message"),
        131_048 => (400, "Spam rate limit hit"),
        131_049 => (400, "This message was not delivered to maintain healthy ecosystem engagement."),
        131_050 => (400, "User has stopped marketing messages from this business"),
        131_051 => (400, "Unsupported message type"),
        131_053 => (400, "Media upload error"),
        131_055 => (400, "Method not allowed"),
        131_056 => (400, "(Business Account, Consumer Account) pair rate limit hit"),
        131_057 => (500, "Account in maintenance mode"),
        131_062 => (400, "Business-scoped User ID (BSUID) recipients are not supported for this message."),
        132_000 => (400, "Number of parameters does not match the expected number of params"),
        132_001 => (404, "Template name does not exist in the translation"),
        132_005 => (400, "Translated text too long"),
        132_007 => (400, "Template format character policy violated"),
        132_012 => (400, "Parameter format does not match format in the created template"),
        132_015 => (400, "Template is paused"),
        132_016 => (400, "Template is disabled"),
        132_018 => (400, "There's an issue with the parameters in your template"),
        133_004 => (503, "Server Temporarily Unavailable"),
        133_005 => (400, "Two step verification PIN Mismatch"),
        133_006 => (400, "Phone number re-verification needed"),
        133_010 => (400, "Phone number not registered"),
        133_016 => (400, "Account register/deregister rate limit exceeded"),
        138_000 => (401, "Calling not enabled"),
        138_006 => (401, "No approved call permission from the recipient"),
        134_100 => (400, "Only marketing messages supported"),
        139_100 => (400, "Failed to block/unblock users"),
        139_101 => (400, "Blocklist limit reached"),
        139_102 => (400, "Blocklist concurrent update"),
        147_001 => (400, "Username not available"),
        _ => (400, "Error"),
    }
}

/// Builds an element of `errors` in a status webhook. Without `details`, it has those of the code.
pub(super) fn webhook_error(code: u32, details: Option<&str>) -> Value {
    let (_, title) = describe(code);
    let details = details.unwrap_or(match code {
        131_047 => {
            "Message failed to send because more than 24 hours have passed since the customer last replied to this \
             number."
        }
        _ => title,
    });
    json!({
        "code": code,
        "title": title,
        "message": title,
        "error_data": {"details": details},
        "href": HELP,
    })
}
