//! The checks of a business number: its state, its quality, its name, and whether WhatsApp lets it send.

use super::{Check, NumberInfo};
use crate::domain::whatsapp_error::{ReadError, Refusal};

/// The check that shows whether WhatsApp answered.
pub(super) const STATUS: &str = "number_status";
const QUALITY: &str = "quality";
const THROUGHPUT: &str = "throughput";
const DISPLAY_NAME: &str = "display_name";
const SENDING: &str = "sending";

/// The messages per second that WhatsApp accepts without an upgrade (Meta, *Throughput*).
const STANDARD_THROUGHPUT: u32 = 80;

const MANAGER: &str = "Open WhatsApp Manager, Account tools, Phone numbers, and follow what it says about the number.";

/// What WhatsApp says about a number besides its settings. A field that WhatsApp leaves out is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberReview {
    /// The review status of the display name.
    pub name_status: Option<String>,
    /// Whether everything that takes part in sending is available (Meta, *Messaging health status*).
    pub can_send_message: Option<String>,
    /// What takes part in sending.
    pub entities: Vec<HealthEntity>,
}

/// Something that takes part in sending: the number, the account, the business, or the app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthEntity {
    /// `PHONE_NUMBER`, `WABA`, `BUSINESS`, or `APP`.
    pub kind: String,
    /// Meta's ID.
    pub id: String,
    /// `AVAILABLE`, `LIMITED`, or `BLOCKED`.
    pub can_send_message: String,
    /// The errors of a blocked entity: the description, and a possible solution.
    pub errors: Vec<(String, Option<String>)>,
    /// The limits of a limited entity.
    pub additional_info: Vec<String>,
}

impl NumberReview {
    /// Returns the WhatsApp Business Account of the number.
    pub fn account_id(&self) -> Option<&str> {
        self.entities.iter().find(|entity| entity.kind == "WABA").map(|entity| entity.id.as_str())
    }
}

/// Checks that the number is registered and connected.
pub fn number_status(info: &Result<NumberInfo, ReadError>, phone_number_id: &str) -> Check {
    let info = match info {
        Ok(info) => info,
        // The object "does not exist, cannot be loaded due to missing permissions".
        Err(ReadError::Refused(Refusal { code: Some(100), is_token_refused: true, .. })) => {
            return Check::bad(
                STATUS,
                "The access token has no access to the number, or the number was deleted at WhatsApp.",
                "In Meta Business Suite, open Settings, Accounts, WhatsApp accounts, select the number's account, and \
                 assign it to the system user of the token.",
            );
        }
        Err(error) => return Check::unread(STATUS, error),
    };
    let is_registered = info.platform_type.as_deref() != Some("NOT_APPLICABLE");
    let check = match info.status.as_deref() {
        Some("CONNECTED") if is_registered => Check::good(STATUS),
        Some("FLAGGED") => Check::warning(
            STATUS,
            "WhatsApp has flagged the number, because contacts block or report it.",
            "Send fewer and more relevant messages. If the quality stays low for 7 days, WhatsApp limits the number.",
        ),
        Some("RESTRICTED" | "RATE_LIMITED") => {
            Check::bad(STATUS, "WhatsApp restricts the number, because it reached its messaging limit.", MANAGER)
        }
        Some("BANNED") => {
            Check::bad(STATUS, "WhatsApp has banned the number.", "Appeal in WhatsApp Manager, Account overview.")
        }
        Some("CONNECTED" | "PENDING" | "DISCONNECTED" | "OFFLINE" | "UNVERIFIED") => Check::bad(
            STATUS,
            "The number is not registered for the Cloud API, so it can't send or receive.",
            format!(
                "Verify the number in WhatsApp Manager, Account tools, Phone numbers. Then register it: POST \
                 https://graph.facebook.com/v26.0/{phone_number_id}/register with messaging_product and a six-digit pin."
            ),
        ),
        Some("DELETED" | "MIGRATED") => Check::bad(
            STATUS,
            "The number was deleted or moved to another account at WhatsApp.",
            "Add it to a WhatsApp Business Account that the access token may use, and register it again.",
        ),
        Some(other) => Check::bad(STATUS, format!("WhatsApp reports the status {other} for the number."), MANAGER),
        None => Check::unknown(STATUS, "WhatsApp did not return the status of the number."),
    };
    check
        .with("status", info.status.clone())
        .with("platform_type", info.platform_type.clone())
        .with("code_verification_status", info.code_verification_status.clone())
}

/// Checks how contacts rate the number's messages (Meta, *Business phone number quality rating*).
pub fn quality(info: &Result<NumberInfo, ReadError>) -> Check {
    let rating = match info {
        Ok(info) => info.quality_rating.as_deref(),
        Err(error) => return Check::unread(QUALITY, error),
    };
    const FIX: &str = "Send only what contacts asked for, let them opt out, and look at the quality of each template in \
         WhatsApp Manager, Message templates.";
    let check = match rating {
        Some("RED") => Check::bad(QUALITY, "Contacts often block or report the number: its quality is low.", FIX),
        Some("YELLOW") => {
            Check::warning(QUALITY, "Some contacts block or report the number: its quality is medium.", FIX)
        }
        Some(_) => Check::good(QUALITY),
        None => Check::unknown(QUALITY, "WhatsApp did not return the quality of the number."),
    };
    check.with("quality_rating", rating)
}

/// Checks that the deployment doesn't send faster than WhatsApp accepts.
pub fn throughput(info: &Result<NumberInfo, ReadError>, messages_per_second: u32) -> Check {
    let level = match info {
        Ok(info) => info.throughput.as_deref(),
        Err(error) => return Check::unread(THROUGHPUT, error),
    };
    let check = match level {
        Some("STANDARD") if messages_per_second > STANDARD_THROUGHPUT => Check::bad(
            THROUGHPUT,
            format!(
                "The deployment sends up to {messages_per_second} messages a second, but WhatsApp accepts \
                 {STANDARD_THROUGHPUT} from this number."
            ),
            format!("The operator sets the parameter MessagesPerSecond to {STANDARD_THROUGHPUT} and deploys."),
        ),
        Some("STANDARD" | "HIGH") => Check::good(THROUGHPUT),
        Some("NOT_APPLICABLE") => Check::unknown(
            THROUGHPUT,
            "The number has no throughput until it is registered. See the check number_status.",
        ),
        Some(other) => Check::good(THROUGHPUT).with("level", other),
        None => Check::unknown(THROUGHPUT, "WhatsApp did not return the throughput of the number."),
    };
    check.with("level", level).with("messages_per_second", messages_per_second)
}

/// Checks the display name (Meta, *Display names*).
pub fn display_name(info: &Result<NumberInfo, ReadError>, review: &Result<NumberReview, ReadError>) -> Check {
    let status = match review {
        Ok(review) => review.name_status.as_deref(),
        Err(error) => return Check::unread(DISPLAY_NAME, error),
    };
    const FIX: &str = "Choose another name in WhatsApp Manager, Account tools, Phone numbers, Profile, by WhatsApp's \
         display name guidelines, or appeal there.";
    let check = match status {
        Some("APPROVED" | "AVAILABLE_WITHOUT_REVIEW") => Check::good(DISPLAY_NAME),
        Some("PENDING_REVIEW") => Check::warning(
            DISPLAY_NAME,
            "WhatsApp is still reviewing the display name. Until then, contacts may see the number instead.",
            "Wait for the result: the event phone_number_name_update reports it.",
        ),
        Some("DECLINED") => Check::bad(DISPLAY_NAME, "WhatsApp has declined the display name.", FIX),
        Some("EXPIRED") => Check::bad(
            DISPLAY_NAME,
            "The certificate of the display name has expired, so the number can't be registered again.",
            FIX,
        ),
        Some("NONE") => Check::warning(DISPLAY_NAME, "The number has no approved display name.", FIX),
        Some(_) => Check::unknown(DISPLAY_NAME, "WhatsApp reports an unknown status of the display name."),
        None => Check::unknown(DISPLAY_NAME, "WhatsApp did not return the status of the display name."),
    };
    let name = info.as_ref().ok().and_then(|info| info.verified_name.clone());
    check.with("name_status", status).with("verified_name", name)
}

/// Checks whether WhatsApp lets the number, its account, its business, and the app send.
pub fn sending(review: &Result<NumberReview, ReadError>) -> Check {
    let review = match review {
        Ok(review) => review,
        Err(error) => return Check::unread(SENDING, error),
    };
    let names = |kind: &str| match kind {
        "PHONE_NUMBER" => "the number".to_owned(),
        "WABA" => "the WhatsApp Business Account".to_owned(),
        "BUSINESS" => "the business portfolio".to_owned(),
        "APP" => "the Meta app".to_owned(),
        other => other.to_owned(),
    };
    let of =
        |status: &str| review.entities.iter().filter(|entity| entity.can_send_message == status).collect::<Vec<_>>();
    let (blocked, limited) = (of("BLOCKED"), of("LIMITED"));
    let joined = |entities: &[&HealthEntity]| entities.iter().map(|e| names(&e.kind)).collect::<Vec<_>>().join(" and ");
    let sentences = |texts: Vec<&str>| {
        let mut known: Vec<&str> = Vec::new();
        texts.into_iter().for_each(|text| {
            if !known.contains(&text) {
                known.push(text)
            }
        });
        known.join(" ")
    };
    let check = match review.can_send_message.as_deref() {
        Some("AVAILABLE") => Check::good(SENDING),
        Some("LIMITED") => Check::warning(
            SENDING,
            format!("WhatsApp limits {}.", joined(&limited)),
            sentences(limited.iter().flat_map(|entity| &entity.additional_info).map(String::as_str).collect()),
        ),
        Some("BLOCKED") => {
            let errors = || blocked.iter().flat_map(|entity| &entity.errors);
            let descriptions = sentences(errors().map(|(description, _)| description.as_str()).collect());
            let solutions = sentences(errors().filter_map(|(_, solution)| solution.as_deref()).collect());
            Check::bad(
                SENDING,
                format!("WhatsApp blocks {}: {descriptions}", joined(&blocked)),
                if solutions.is_empty() { MANAGER.to_owned() } else { solutions },
            )
        }
        _ => Check::unknown(SENDING, "WhatsApp did not return whether the number can send."),
    };
    let entities = review.entities.iter();
    let entities: serde_json::Map<_, _> =
        entities.map(|entity| (entity.kind.clone(), entity.can_send_message.as_str().into())).collect();
    check.with("can_send_message", review.can_send_message.clone()).with("entities", entities)
}
