//! Merging two chats of one contact.

use crate::domain::{
    chat::{Chat, ChatStatus, MAX_MERGED, Merged},
    message_key::MessageKey,
    time::Timestamp,
};

/// Two chats after a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The surviving chat.
    pub survivor: Chat,
    /// The other chat, which is now a pointer to the survivor.
    pub merged: Chat,
}

/// Merges two chats of one contact into the older one, regardless of the argument order. Returns `None` if the survivor
/// would have more than [`MAX_MERGED`] merged chats.
pub fn merge(one: &Chat, other: &Chat, at: Timestamp) -> Option<Merge> {
    let age = |chat: &Chat| (chat.created_at, chat.id);
    let (survivor, other) = if age(one) <= age(other) { (one, other) } else { (other, one) };
    let newest = other.last_message_at.max(Some(at)).unwrap_or(at);
    let mut merged = survivor.merged.clone();
    merged.push(Merged { chat_id: other.id, at, newest });
    merged.extend(other.merged.iter().cloned());
    if merged.len() > MAX_MERGED {
        return None;
    }
    let pointer = Chat { merged_into: Some(survivor.id), merged_at: Some(at), ..other.clone() };
    Some(Merge { survivor: combined(survivor, other, merged), merged: pointer })
}

/// Combines the fields of two chats. The literal lists every field, so that the compiler rejects a forgotten one.
fn combined(survivor: &Chat, other: &Chat, merged: Vec<Merged>) -> Chat {
    let (latest, earlier) = newest_first(survivor, other, |chat| chat.last_message_at);
    let (latest_inbound, _) = newest_first(survivor, other, |chat| chat.last_inbound_at);
    let (current, former) =
        newest_first(survivor, other, |chat| chat.last_inbound_at.max(chat.addresses_at).max(chat.moved_at));
    let (profile, earlier_profile) = newest_first(survivor, other, |chat| chat.profile_at);
    let newest = |of: fn(&Chat) -> &Option<String>| of(profile).clone().or_else(|| of(earlier_profile).clone());
    let (younger, older) = newest_first(survivor, other, |chat| Some(chat.created_at));
    // A phone number is a better name than an opaque ID.
    let named = [survivor, other].into_iter().find(|chat| chat.phone_jid.is_some()).unwrap_or(survivor);
    let address = |of: fn(&Chat) -> &Option<String>| {
        // A contact who changed to an unknown number is not reachable under the former one.
        of(current).clone().or_else(|| of(former).clone().filter(|_| current.moved_at.is_none()))
    };
    let chat = Chat {
        id: survivor.id,
        session_id: survivor.session_id,
        remote_id: survivor.remote_id.clone(),
        phone_jid: address(|chat| &chat.phone_jid),
        name: named.name.clone(),
        profile_name: newest(|chat| &chat.profile_name),
        saved_name: [&survivor.saved_name, &other.saved_name]
            .into_iter()
            .flatten()
            .max_by_key(|saved| saved.at)
            .cloned(),
        custom_name: survivor.custom_name.clone().or_else(|| other.custom_name.clone()),
        username: newest(|chat| &chat.username),
        profile_at: profile.profile_at,
        kind: survivor.kind,
        status: if urgency(survivor.status) <= urgency(other.status) { survivor.status } else { other.status },
        is_unread: survivor.is_unread || other.is_unread,
        unread_count: survivor.unread_count + other.unread_count,
        last_message: latest.last_message.clone().or_else(|| earlier.last_message.clone()),
        last_message_at: latest.last_message_at,
        created_at: survivor.created_at,
        wa_id: address(|chat| &chat.wa_id),
        user_id: address(|chat| &chat.user_id),
        lid: address(|chat| &chat.lid),
        addresses_at: survivor.addresses_at.max(other.addresses_at),
        moved_at: survivor.moved_at.max(other.moved_at),
        last_outbound: last_outbound(survivor, other),
        last_inbound_at: latest_inbound.last_inbound_at,
        last_inbound_wamid: latest_inbound.last_inbound_wamid.clone(),
        entry_point_until: survivor.entry_point_until.max(other.entry_point_until),
        merged,
        merged_into: None,
        merged_at: None,
        answered_at: survivor.answered_at.max(other.answered_at),
        first_inbound: older.first_inbound.or(younger.first_inbound),
        consent: survivor.consent.merged(&other.consent),
        pending_annotation_until: survivor.pending_annotation_until.max(other.pending_annotation_until),
    };
    // A contact who changed addresses goes by the current one, whichever change was reported first.
    if chat.moved_at.is_some() { chat.named_by_destination() } else { chat }
}

fn newest_first<'c>(one: &'c Chat, other: &'c Chat, time: fn(&Chat) -> Option<Timestamp>) -> (&'c Chat, &'c Chat) {
    if time(one) >= time(other) { (one, other) } else { (other, one) }
}

/// Ranks the statuses: the merged chat gets the one with the lower rank, which needs more attention.
fn urgency(status: ChatStatus) -> u8 {
    match status {
        ChatStatus::Inbox => 0,
        ChatStatus::Pending => 1,
        ChatStatus::Resolved => 2,
        ChatStatus::Archived => 3,
    }
}

/// Returns the link to the later of the two chats' last outbound messages, relative to the survivor. The chat's next
/// message follows it and doesn't wait for the other chain, which keeps its own order.
fn last_outbound(survivor: &Chat, other: &Chat) -> Option<String> {
    let last = |chat: &Chat| chat.last_outbound.as_deref().and_then(|link| MessageKey::linked(chat.id, link));
    let last = last(survivor).into_iter().chain(last(other)).max_by_key(|key| key.time);
    last.map(|key| key.link_from(survivor.id))
}
