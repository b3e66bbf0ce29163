//! Webhook events other than messages and statuses, and who can see them.
//!
//! An event that names a number belongs to the number's owner. Several owners can have numbers of one WhatsApp Business
//! account, so an event that names only the account is for admins, unless its content says nothing about one of the owners
//! or their customers: see [`SHARED_FIELDS`].

use crate::domain::time::Timestamp;

/// A webhook event, stored as received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct WebhookEvent {
    /// The webhook field, such as `account_update`.
    pub field: String,
    /// Why the event could not be processed, if it is invalid.
    pub reason: Option<&'static str>,
    /// The JSON of the event.
    pub raw: String,
    /// Meta's ID of the business number, if the event has one.
    pub phone_number_id: Option<String>,
    /// The ID of the WhatsApp Business account, if the event has one.
    pub waba_id: Option<String>,
    /// The time of the event by WhatsApp's clock, in Unix seconds as received.
    pub time: Option<String>,
    /// WhatsApp's ID of the message, if the event is an invalid message.
    pub wamid: Option<String>,
    /// The phone number of the business number that the event concerns, digits only, if the event names one without its
    /// ID.
    pub display_phone_number: Option<String>,
    /// Whether every number of the account can list the event: see [`is_shared_by_account`].
    pub is_shared: bool,
}

/// An account-level field that every owner with a number of the account can see.
#[derive(Debug)]
pub struct SharedField {
    /// The webhook field.
    pub field: &'static str,
    /// The members of the field's value that an event can have to be shared.
    pub members: &'static [&'static str],
    /// Why owners can see each other's.
    pub reason: &'static str,
}

/// The shared fields. An event of another field, or with another member, is for admins only: template events contain
/// names and texts of one owner, `account_alerts` the name of the business, `PARTNER_*` events the IDs of other
/// businesses, and fields that Meta adds can contain anything.
///
/// Source: Meta, *Webhooks*, the reference of each field.
pub const SHARED_FIELDS: [SharedField; 3] = [
    SharedField {
        field: "account_update",
        members: &[
            "event",
            "country",
            "ban_info",
            "violation_info",
            "restriction_info",
            "auth_international_rate_eligibility",
            "volume_tier_info",
        ],
        reason: "bans, restrictions, and prices of the account apply to every number",
    },
    SharedField {
        field: "account_review_update",
        members: &["decision"],
        reason: "the result of Meta's review of the account applies to every number",
    },
    SharedField {
        field: "business_capability_update",
        members: &[
            "max_daily_conversation_per_phone",
            "max_daily_conversations_per_business",
            "max_phone_numbers_per_business",
            "max_phone_numbers_per_waba",
        ],
        reason: "messaging limits apply to every number",
    },
];

/// Returns whether every owner with a number of an account can see an event of `field` whose value has these members.
pub fn is_shared_by_account<'a>(field: &str, members: impl IntoIterator<Item = &'a str>) -> bool {
    let shared = SHARED_FIELDS.iter().find(|shared| shared.field == field);
    shared.is_some_and(|shared| members.into_iter().all(|member| shared.members.contains(&member)))
}

impl WebhookEvent {
    /// Returns whether the event names a number, by its ID or by its phone number.
    pub fn names_number(&self) -> bool {
        self.phone_number_id.is_some() || self.display_phone_number.is_some()
    }

    /// Returns when the event happened, if that is a time.
    pub fn at(&self) -> Option<Timestamp> {
        Timestamp::from_seconds(self.time.as_deref()?.parse().ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_fields_with_listed_members_are_shared() {
        assert!(is_shared_by_account("account_update", ["event", "ban_info"]));
        assert!(is_shared_by_account("account_review_update", ["decision"]));
        for (field, members) in [
            ("account_update", &["event", "waba_info"][..]),
            ("account_update", &["event", "phone_number"]),
            ("account_update", &["event", "partner_client_certification_info"]),
            ("message_template_status_update", &["event"]),
            ("account_alerts", &["alert_info"]),
            ("messages", &[]),
            ("", &["decision"]),
            ("account_review_update", &["decision", "comment"]),
        ] {
            assert!(!is_shared_by_account(field, members.iter().copied()), "{field} {members:?}");
        }
    }
}
