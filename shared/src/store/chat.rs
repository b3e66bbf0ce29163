//! The update of a chat in the transactions that add messages to it.

use aws_sdk_dynamodb::types::TransactWriteItem;

use super::{
    Chats,
    consent::consent_attribute,
    keys::{Key, inbox_key, inbox_position},
    update::{Condition, UpdateBuilder},
};
use crate::domain::{
    chat::{Chat, ChatStatus, ChatType},
    consent::{Consent, ConsentSource, MarketingConsent},
    time::Timestamp,
};

pub(super) const CHAT: &str = "chat";

/// The attribute with the time of the last update that is a change by itself. An update that isn't one, because it comes
/// with a message, removes it, so that the stream mapping of `relay` can tell the two apart.
pub(super) const CHANGED: &str = "changed";

pub(super) const IDENTITY: &str = "identity";

/// The effect of a batch of messages on its chat.
pub(super) struct Summary<'a> {
    /// The chat as it should be if it is new.
    pub(super) chat: &'a Chat,
    /// Inbound messages add to the unread count. A message from the business clears it.
    pub(super) unread: Unread,
    /// Whether the inbox shows the batch's last message: not if the chat has a later one.
    pub(super) shows: bool,
    /// Whether the chat is resolved or archived, and an inbound message moves it back to the inbox.
    pub(super) reopens: bool,
    /// Whether the profile of `chat` is the contact's latest, by WhatsApp's clock.
    pub(super) has_latest_profile: bool,
    /// Whether the addresses of `chat` are the contact's latest, by WhatsApp's clock.
    pub(super) has_latest_addresses: bool,
    /// Whether the chat has an older saved name than `chat`.
    pub(super) replaces_saved_name: bool,
    /// How many chats the writer believes are merged into this one. `None` if that doesn't matter.
    pub(super) merged: Option<usize>,
    /// The condition for the update, besides that `last_message_at` doesn't go back to an earlier second.
    pub(super) expects: Expected<'a>,
}

/// The state that the writer expects the chat to have.
pub(super) enum Expected<'a> {
    /// Any state.
    Anything,
    /// No pending annotation: see [`super::Messages::put_early_action`].
    NoPendingAnnotation,
    /// The chat doesn't exist.
    New,
    /// The chat exists, and this is its last outbound message.
    LastOutbound(Option<&'a str>),
    /// As `LastOutbound`, and this is the contact's consent.
    Consent(Option<&'a str>, &'a Consent),
    /// As `LastOutbound`, the contact accepts automatic replies, and no agent has replied after this time.
    Quiet(Option<&'a str>, Timestamp),
}

/// The effect of a batch of messages on the unread count and status of its chat.
pub(super) enum Unread {
    /// Counts unread messages and marks the chat as unread.
    Add {
        /// Number of unread messages.
        count: usize,
    },
    /// Leaves an existing chat as it is.
    Keep,
    /// Marks the chat as read: an agent has replied.
    Clear,
    /// Changes nothing: an automatic reply doesn't read the chat.
    Leave,
}

impl Chats<'_> {
    /// Returns the action that creates or updates a chat. It fails if the chat was merged into another one, or if
    /// `last_message_at` would go back to an earlier second.
    pub(super) fn upsert(self, summary: &Summary<'_>) -> TransactWriteItem {
        let chat = summary.chat;
        let update = UpdateBuilder::new(&Key::chat(chat.id))
            .set("entity", CHAT)
            .set("session_id", chat.session_id)
            .set("type", if chat.kind == ChatType::Group { "GROUP" } else { "INDIVIDUAL" })
            .set_if_absent("remote_id", &chat.remote_id)
            .set_if_absent("created_at", chat.created_at)
            .set_if_absent("phone_jid", chat.phone_jid.as_ref())
            // `relay` then has nothing to do with the update: see `CHANGED`.
            .remove([CHANGED])
            // A writer that still finds the contact under a merged chat has to resolve the chat again.
            .condition("attribute_not_exists(merged_into)");
        let update = match summary.merged {
            None => update,
            Some(0) => update.condition("attribute_not_exists(merged)"),
            Some(count) => update.condition(("size(merged) = ?", count)),
        };
        let update = match &chat.saved_name {
            None => update,
            Some(saved) if summary.replaces_saved_name => update
                .set("saved_name", saved)
                .condition(("attribute_not_exists(saved_name) OR saved_name.#at <= ?", saved.at)),
            Some(saved) => update
                .set_if_absent("saved_name", saved)
                .condition(("attribute_not_exists(saved_name) OR saved_name.#at >= ?", saved.at)),
        };
        let inbox = inbox_key(chat.session_id, ChatStatus::Inbox, chat.id.shard(self.0.inbox_shards));
        let update = match summary.unread {
            Unread::Add { .. } | Unread::Keep => update_by_inbound(update, summary, inbox),
            Unread::Clear => update
                .set_if_absent("name", &chat.name)
                .set_if_absent("wa_id", chat.wa_id.as_ref())
                .set_if_absent("user_id", chat.user_id.as_ref())
                .set_if_absent("lid", chat.lid.as_ref())
                .set("status", ChatStatus::Inbox)
                .set("inbox_key", inbox)
                .set("is_unread", false)
                .set("unread_count", 0)
                .set("answered_at", chat.answered_at)
                .set("last_outbound", chat.last_outbound.as_ref()),
            Unread::Leave => update.set("last_outbound", chat.last_outbound.as_ref()),
        };
        self.0.update_action(expect(self.update_last_message(update, summary), &summary.expects))
    }

    fn update_last_message(self, update: UpdateBuilder, summary: &Summary<'_>) -> UpdateBuilder {
        let chat = summary.chat;
        let (Some(last), Some(at)) = (&chat.last_message, chat.last_message_at) else { return update };
        let position = inbox_position(at, chat.id);
        if summary.shows {
            return update
                .set("last_message", last)
                .set("last_message_at", at)
                .set("inbox_position", position)
                .set("expires_at", self.0.expires_at(at))
                .condition(("attribute_not_exists(last_message_at) OR last_message_at <= ?", at.end_of_second()));
        }
        // A chat that begins with a message that isn't shown, such as a reaction, still has a position in the inbox.
        update
            .set_if_absent("last_message", last)
            .set_if_absent("last_message_at", at)
            .set_if_absent("inbox_position", position)
    }
}

fn update_by_inbound(update: UpdateBuilder, summary: &Summary<'_>, inbox: String) -> UpdateBuilder {
    let Summary { chat, shows, has_latest_profile, has_latest_addresses, .. } = *summary;
    let update = update.set_if_absent("name", &chat.name);
    let profile = [("profile_name", chat.profile_name.as_ref()), ("username", chat.username.as_ref())];
    let update = set_if_latest(update, has_latest_profile, ("profile_at", chat.profile_at), profile);
    let addresses = [("wa_id", chat.wa_id.as_ref()), ("user_id", chat.user_id.as_ref()), ("lid", chat.lid.as_ref())];
    let update = set_if_latest(update, has_latest_addresses, ("addresses_at", chat.addresses_at), addresses);
    let opening = chat.last_inbound_at.filter(|_| shows);
    let update = match chat.entry_point_until {
        Some(until) if shows => update.set("entry_point_until", until),
        until => update.set_if_absent("entry_point_until", until),
    };
    let update = update
        .set("last_inbound_at", opening)
        .set("last_inbound_wamid", chat.last_inbound_wamid.as_ref().filter(|_| opening.is_some()))
        .set("pending_annotation_until", chat.pending_annotation_until)
        .set_if_absent("first_inbound", chat.first_inbound);
    let Unread::Add { count } = summary.unread else {
        return update
            .set_if_absent("status", ChatStatus::Inbox)
            .set_if_absent("inbox_key", inbox)
            .set_if_absent("is_unread", false)
            .set_if_absent("unread_count", 0);
    };
    // An update can't choose by the status that it finds: it requires the expected one, and the caller tries the other.
    let closed = [ChatStatus::Resolved, ChatStatus::Archived];
    let update = if summary.reopens {
        let update = update.set("status", ChatStatus::Inbox).set("inbox_key", inbox);
        update.condition(("#status IN (?, ?)", closed))
    } else {
        let update = update.set_if_absent("status", ChatStatus::Inbox).set_if_absent("inbox_key", inbox);
        update.condition(("attribute_not_exists(#status) OR NOT #status IN (?, ?)", closed))
    };
    update.set("is_unread", true).add("unread_count", count)
}

/// Sets attributes that WhatsApp reported together at a time, and the time, and requires that none was reported later.
/// Only fills in absent attributes if they are not the latest.
fn set_if_latest<const N: usize>(
    update: UpdateBuilder,
    is_latest: bool,
    (clock, at): (&str, Option<Timestamp>),
    attributes: [(&str, Option<&String>); N],
) -> UpdateBuilder {
    let Some(at) = at else { return update };
    let update = attributes.into_iter().fold(update, |update, (name, value)| {
        if is_latest { update.set(name, value) } else { update.set_if_absent(name, value) }
    });
    if !is_latest {
        return update;
    }
    let is_latest = format!("attribute_not_exists({clock}) OR {clock} <= ?");
    update.set(clock, at).condition((is_latest.as_str(), at))
}

fn expect(update: UpdateBuilder, expected: &Expected<'_>) -> UpdateBuilder {
    match *expected {
        Expected::Anything => update,
        Expected::NoPendingAnnotation => update.condition("attribute_not_exists(pending_annotation_until)"),
        Expected::New => update.condition("attribute_not_exists(pk)"),
        Expected::LastOutbound(last) => update.condition(Condition::equals("last_outbound", last)),
        Expected::Consent(last, consent) => ConsentSource::ALL
            .into_iter()
            .fold(update.condition(Condition::equals("last_outbound", last)), |update, source| {
                update.condition(Condition::equals(consent_attribute(source), consent.of(source)))
            }),
        Expected::Quiet(last, since) => update
            .condition(Condition::equals("last_outbound", last))
            .condition("attribute_exists(pk)")
            .condition((
                "attribute_not_exists(consent_keyword) OR consent_keyword.marketing <> ?",
                MarketingConsent::Denied.as_str(),
            ))
            .condition(("attribute_not_exists(answered_at) OR answered_at <= ?", since)),
    }
}
