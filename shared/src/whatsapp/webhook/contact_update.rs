//! What a webhook tells of a person beside the message that it brings: forms that are his together, and the change from
//! one to another (Meta: "Business-scoped user IDs", "system messages webhook reference").

use super::{
    contacts::{Person, complete, joined, named},
    json::Members,
};
use crate::{domain::identity::Address, domain::time::Timestamp};

/// Something about how a person is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ContactUpdate {
    /// These forms, two at least, were seen together.
    Together {
        /// The forms.
        addresses: Vec<Address>,
        /// When, by WhatsApp's clock.
        at: Timestamp,
    },
    /// He gave up some forms, one at least, for others.
    Moved {
        /// The forms that he had.
        from: Vec<Address>,
        /// The forms that he has.
        to: Vec<Address>,
        /// When, by WhatsApp's clock.
        at: Timestamp,
    },
}

/// What a message tells that its sender's own forms do not say: a participant's forms in a group, a number that a person
/// has shared on request, a change.
pub(super) fn by_message(message: &Members<'_>, people: &[Person]) -> Option<ContactUpdate> {
    if let Some(change) = change(message) {
        return Some(change);
    }
    let shared = shared_number(message);
    if message.raw("group_id").is_none() && shared.is_none() {
        return None;
    }
    let named = named(message, "from", ["from_user_id", "from_parent_user_id"]);
    together(joined(complete(named, people), shared.map(|shared| vec![shared])), message)
}

/// The forms of a message's recipient, or of the participant of a group whom a status is about. Meta's pages have some
/// names in two spellings.
pub(super) fn by_status(status: &Members<'_>, people: &[Person]) -> Option<ContactUpdate> {
    let named = if status.text("recipient_type").as_deref() == Some("group") {
        let user_ids = ["recipient_participant_user_id", "recipient_participant_parent_user_id"];
        let other = ["participant_recipient_user_id", "participant_recipient_parent_user_id"];
        joined(named(status, "recipient_participant_id", user_ids), [named(status, "participant_recipient_id", other)])
    } else {
        let other = named(status, "", ["parent_recipient_user_id", ""]);
        joined(named(status, "recipient_id", ["recipient_user_id", "recipient_parent_user_id"]), [other])
    };
    together(complete(named, people), status)
}

/// The changes of the field `user_id_update`, which Meta has announced and withdrawn, and which some accounts got.
pub(super) fn by_update(update: &Members<'_>) -> Option<ContactUpdate> {
    let part = |name: &str, part: &str| update.members(name)?.text(part).as_deref().and_then(Address::from_user_id);
    let both = |which: &str| ["user_id", "parent_user_id"].into_iter().filter_map(|name| part(name, which)).collect();
    moved(both("previous"), joined(named(update, "wa_id", ["", ""]), [both("current")]), update)
}

/// Whom a system message is about: the forms that he had, else those that he has.
pub(super) fn about(message: &Members<'_>) -> Option<Vec<Address>> {
    match change(message)? {
        ContactUpdate::Moved { from, .. } => Some(from),
        ContactUpdate::Together { .. } => None,
    }
}

/// The change that a system message tells. `new_wa_id` and `customer` are names of earlier versions of the API.
fn change(message: &Members<'_>) -> Option<ContactUpdate> {
    let system = message.members("system")?;
    let kind = system.text("type")?;
    if !matches!(kind.as_str(), "user_changed_number" | "user_changed_user_id" | "customer_changed_number") {
        return None;
    }
    let number = if system.raw("wa_id").is_some() { "wa_id" } else { "new_wa_id" };
    let to = named(&system, number, ["user_id", "parent_user_id"]);
    let mut from = joined(
        named(message, "from", ["", ""]),
        [named(&system, "customer", ["previous_user_id", "previous_parent_user_id"])],
    );
    if from.is_empty() {
        from.extend(system.text("body").and_then(|body| former_in_sentence(&body, &to)));
    }
    moved(from, to, message)
}

/// "User … changed from <old> to <new>": the only place of the old form in the messages of early 2026. The name in the
/// sentence is the person's own choice, so that only its end is believed, and only when it agrees with the new form.
fn former_in_sentence(body: &str, to: &[Address]) -> Option<Address> {
    let (old, new) = body.rsplit_once(" changed from ")?.1.split_once(" to ")?;
    let read = |text: &str| Address::from_user_id(text).or_else(|| Address::from_wa_id(text));
    to.contains(&read(new.trim())?).then(|| read(old.trim())).flatten()
}

/// A card that came by the button to share one's own number is about its sender; any other card may be about anybody.
fn shared_number(message: &Members<'_>) -> Option<Address> {
    let is_own = |object: &Members<'_>| object.text("origin").as_deref() == Some("contact_request");
    let cards = message.list("contacts")?.into_iter().filter_map(Members::read);
    let card = cards.into_iter().find(|card| is_own(card) || is_own(message))?;
    let phone = Members::read(card.list("phones")?.first()?)?;
    let number = phone.text("wa_id").as_deref().and_then(Address::from_wa_id);
    number.or_else(|| Address::parse(&phone.text("phone")?))
}

fn together(addresses: Vec<Address>, dated: &Members<'_>) -> Option<ContactUpdate> {
    let at = dated.time("timestamp")?;
    (addresses.len() > 1).then_some(ContactUpdate::Together { addresses, at })
}

fn moved(from: Vec<Address>, to: Vec<Address>, dated: &Members<'_>) -> Option<ContactUpdate> {
    let at = dated.time("timestamp")?;
    (!from.is_empty() && !to.is_empty()).then_some(ContactUpdate::Moved { from, to, at })
}

#[cfg(test)]
mod tests;
