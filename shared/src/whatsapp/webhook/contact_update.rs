//! Address changes: what a webhook reveals about a contact's addresses, apart from its messages (Meta, *Business-scoped
//! user IDs* and *system messages webhook reference*).

use super::{
    contacts::{Contact, addresses, complete, union},
    json::Object,
};
use crate::domain::{
    consent::{ConsentDecision, MarketingConsent},
    identity::Address,
    profile::SavedName,
    time::Timestamp,
};

/// News about a contact's addresses, about the name of a contact or group, or about a contact's consent. Times are WhatsApp's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ContactUpdate {
    /// The addresses belong to the same contact.
    Linked {
        /// Two or more addresses.
        addresses: Vec<Address>,
        /// When they were seen together.
        at: Timestamp,
    },
    /// The contact changed addresses.
    Changed {
        /// The former addresses, at least one.
        from: Vec<Address>,
        /// The new addresses, at least one.
        to: Vec<Address>,
        /// When they changed.
        at: Timestamp,
    },
    /// The business saved a contact's name in the address book of its phone or removed it, or a group has a subject.
    Named {
        /// The addresses of the contact or group, at least one.
        addresses: Vec<Address>,
        /// The name.
        name: SavedName,
    },
    /// The contact stopped or resumed marketing messages in WhatsApp's settings.
    Consent {
        /// The contact's addresses, at least one.
        addresses: Vec<Address>,
        /// The decision.
        decision: ConsentDecision,
    },
}

/// Reads what a message reveals beyond its sender: an address change, the addresses of a group participant, or a phone
/// number that the contact shared on request.
pub(super) fn from_message(message: &Object<'_>, contacts: &[Contact]) -> Option<ContactUpdate> {
    if let Some(change) = address_change(message) {
        return Some(change);
    }
    let shared = shared_number(message);
    if message.raw("group_id").is_none() && shared.is_none() {
        return None;
    }
    let sender = addresses(message, "from", ["from_user_id", "from_parent_user_id"]);
    linked(union(complete(sender, contacts), shared.map(|shared| vec![shared])), message)
}

/// Reads the addresses of a status's recipient, or of the group participant. Meta's documentation has some keys in two
/// spellings.
pub(super) fn from_status(status: &Object<'_>, contacts: &[Contact]) -> Option<ContactUpdate> {
    let recipient = if status.string("recipient_type").as_deref() == Some("group") {
        let user_ids = ["recipient_participant_user_id", "recipient_participant_parent_user_id"];
        let other = ["participant_recipient_user_id", "participant_recipient_parent_user_id"];
        union(
            addresses(status, "recipient_participant_id", user_ids),
            [addresses(status, "participant_recipient_id", other)],
        )
    } else {
        let other = addresses(status, "", ["parent_recipient_user_id", ""]);
        union(addresses(status, "recipient_id", ["recipient_user_id", "recipient_parent_user_id"]), [other])
    };
    linked(complete(recipient, contacts), status)
}

/// Reads an entry of the field `user_id_update`. Meta announced and withdrew it, but some accounts receive it.
pub(super) fn from_user_id_update(update: &Object<'_>) -> Option<ContactUpdate> {
    let user_id = |key: &str, which: &str| update.object(key)?.string(which).as_deref().and_then(Address::from_user_id);
    let both = |which: &str| ["user_id", "parent_user_id"].into_iter().filter_map(|key| user_id(key, which)).collect();
    changed(both("previous"), union(addresses(update, "wa_id", ["", ""]), [both("current")]), update)
}

/// Reads an entry of the field `user_preferences` (Meta, *user_preferences webhook reference*). A preference belongs to one
/// business-scoped user ID and not to its parent. An entry without addresses is about the only contact of the webhook. A
/// refusal without a usable time is in the future, which its receiver replaces by the time of receipt.
pub(super) fn from_user_preference(preference: &Object<'_>, contacts: &[Contact]) -> Option<ContactUpdate> {
    if preference.string("category")? != "marketing_messages" {
        return None;
    }
    let marketing = match preference.string("value")?.as_str() {
        "stop" => MarketingConsent::Denied,
        "resume" => MarketingConsent::Granted,
        _ => return None,
    };
    let mut addresses = addresses(preference, "wa_id", ["user_id", ""]);
    if let ([contact], true) = (contacts, addresses.is_empty()) {
        addresses = contact.addresses().iter().filter(|address| !address.is_parent()).cloned().collect();
    }
    let since = match (preference.time("timestamp"), marketing) {
        (Some(since), _) => since,
        (None, MarketingConsent::Denied) => Timestamp::MAX,
        (None, _) => return None,
    };
    (!addresses.is_empty())
        .then_some(ContactUpdate::Consent { addresses, decision: ConsentDecision { marketing, since } })
}

/// Returns the former addresses of the contact whose address change a system message reports.
pub(super) fn former_addresses(message: &Object<'_>) -> Option<Vec<Address>> {
    match address_change(message)? {
        ContactUpdate::Changed { from, .. } => Some(from),
        ContactUpdate::Linked { .. } | ContactUpdate::Named { .. } | ContactUpdate::Consent { .. } => None,
    }
}

/// Reads the address change that a system message reports. Earlier API versions have `new_wa_id` and `customer`.
fn address_change(message: &Object<'_>) -> Option<ContactUpdate> {
    let system = message.object("system")?;
    let kind = system.string("type")?;
    if !matches!(kind.as_str(), "user_changed_number" | "user_changed_user_id" | "customer_changed_number") {
        return None;
    }
    let wa_id = if system.raw("wa_id").is_some() { "wa_id" } else { "new_wa_id" };
    let to = addresses(&system, wa_id, ["user_id", "parent_user_id"]);
    let mut from = union(
        addresses(message, "from", ["", ""]),
        [addresses(&system, "customer", ["previous_user_id", "previous_parent_user_id"])],
    );
    if from.is_empty() {
        from.extend(system.string("body").and_then(|body| former_address_in_body(&body, &to)));
    }
    changed(from, to, message)
}

/// Reads the former address from `User … changed from <old> to <new>`, the only place that has it in webhooks of early
/// 2026. The contact chooses the name in the sentence, so only the end counts, and only if `<new>` is one of `to`.
fn former_address_in_body(body: &str, to: &[Address]) -> Option<Address> {
    let (old, new) = body.rsplit_once(" changed from ")?.1.split_once(" to ")?;
    let address = |text: &str| Address::from_user_id(text).or_else(|| Address::from_wa_id(text));
    to.contains(&address(new.trim())?).then(|| address(old.trim())).flatten()
}

/// Returns the phone number of a contact card that the sender shared with the contact request button. Other cards can
/// belong to anyone.
fn shared_number(message: &Object<'_>) -> Option<Address> {
    let is_own = |object: &Object<'_>| object.string("origin").as_deref() == Some("contact_request");
    let cards = message.array("contacts")?.into_iter().filter_map(Object::parse);
    let card = cards.into_iter().find(|card| is_own(card) || is_own(message))?;
    let phone = Object::parse(card.array("phones")?.first()?)?;
    let number = phone.string("wa_id").as_deref().and_then(Address::from_wa_id);
    number.or_else(|| Address::parse(&phone.string("phone")?, None).ok())
}

/// Returns an update with the time of `source`, or `None` with fewer than two addresses.
fn linked(addresses: Vec<Address>, source: &Object<'_>) -> Option<ContactUpdate> {
    let at = source.time("timestamp")?;
    (addresses.len() > 1).then_some(ContactUpdate::Linked { addresses, at })
}

/// Returns an update with the time of `source`, or `None` if either side is empty.
fn changed(from: Vec<Address>, to: Vec<Address>, source: &Object<'_>) -> Option<ContactUpdate> {
    let at = source.time("timestamp")?;
    (!from.is_empty() && !to.is_empty()).then_some(ContactUpdate::Changed { from, to, at })
}

#[cfg(test)]
mod tests;
