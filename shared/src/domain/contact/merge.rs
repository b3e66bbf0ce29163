//! What two chats become that turn out to be with one person.

use crate::{
    domain::chat::{Chat, ChatStatus, MAX_MERGED, Merged},
    domain::identity::Address,
    domain::message_key::MessageKey,
    domain::time::Timestamp,
};

/// The rows of two chats after they were merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The chat that goes on.
    pub survivor: Chat,
    /// The chat that points to it from now on.
    pub ended: Chat,
}

/// Merges two chats of one person: the older one goes on, whichever of the two is named first. `None` when it would be
/// more than [`MAX_MERGED`].
pub fn merge(one: &Chat, other: &Chat, at: Timestamp) -> Option<Merge> {
    let age = |chat: &Chat| (chat.created_at, chat.id);
    let (survivor, ended) = if age(one) <= age(other) { (one, other) } else { (other, one) };
    let newest = ended.last_message_at.max(Some(at)).unwrap_or(at);
    let mut merged = survivor.merged.clone();
    merged.push(Merged { chat_id: ended.id, at, newest });
    merged.extend(ended.merged.iter().cloned());
    if merged.len() > MAX_MERGED {
        return None;
    }
    let ended_row = Chat { merged_into: Some(survivor.id), merged_at: Some(at), ..ended.clone() };
    Some(Merge { survivor: joined(survivor, ended, merged), ended: ended_row })
}

/// Every attribute is named, so that a new one is not forgotten here.
fn joined(survivor: &Chat, ended: &Chat, merged: Vec<Merged>) -> Chat {
    let (shown, hidden) = newest_first(survivor, ended, |chat| chat.last_message_at);
    let (heard, unheard) = newest_first(survivor, ended, |chat| chat.last_inbound_at);
    let (reached, _) = newest_first(survivor, ended, |chat| chat.last_inbound_at.max(chat.moved_at));
    // Of two words in one second STOP counts.
    let told =
        if (ended.consent_at, ended.opted_out) > (survivor.consent_at, survivor.opted_out) { ended } else { survivor };
    let named = [heard, unheard].into_iter().find(|chat| has_own_name(chat)).unwrap_or(survivor);
    let either = |of: fn(&Chat) -> &Option<String>| {
        of(reached).clone().or_else(|| {
            // One who moved on to an unknown number is not looked for under the number that he left.
            let other = if std::ptr::eq(reached, survivor) { ended } else { survivor };
            of(other).clone().filter(|_| reached.moved_at.is_none())
        })
    };
    Chat {
        id: survivor.id,
        session_id: survivor.session_id,
        remote_id: survivor.remote_id.clone(),
        phone_jid: either(|chat| &chat.phone_jid),
        name: named.name.clone(),
        custom_name: survivor.custom_name.clone().or_else(|| ended.custom_name.clone()),
        kind: survivor.kind,
        status: if urgency(survivor.status) <= urgency(ended.status) { survivor.status } else { ended.status },
        is_unread: survivor.is_unread || ended.is_unread,
        unread_count: survivor.unread_count + ended.unread_count,
        last_message: shown.last_message.clone().or_else(|| hidden.last_message.clone()),
        last_message_at: shown.last_message_at,
        created_at: survivor.created_at,
        wa_id: either(|chat| &chat.wa_id),
        user_id: either(|chat| &chat.user_id),
        moved_at: survivor.moved_at.max(ended.moved_at),
        last_outbound: last_outbound(survivor, ended),
        last_inbound_at: heard.last_inbound_at,
        last_inbound_wamid: heard.last_inbound_wamid.clone(),
        entry_point_until: survivor.entry_point_until.max(ended.entry_point_until),
        merged,
        merged_into: None,
        merged_at: None,
        answered_at: survivor.answered_at.max(ended.answered_at),
        // Sort keys sort by time, and hold the message's own id.
        first_inbound: [&survivor.first_inbound, &ended.first_inbound].into_iter().flatten().min().cloned(),
        opted_out: told.opted_out,
        consent_at: told.consent_at,
        pending_annotation_until: survivor.pending_annotation_until.max(ended.pending_annotation_until),
    }
}

fn newest_first<'c>(one: &'c Chat, other: &'c Chat, time: fn(&Chat) -> Option<Timestamp>) -> (&'c Chat, &'c Chat) {
    if time(one) >= time(other) { (one, other) } else { (other, one) }
}

/// Whether a chat is called by what the contact calls himself, and not by an address.
fn has_own_name(chat: &Chat) -> bool {
    Address::parse(&chat.name).is_none()
}

/// What asks for more attention wins.
fn urgency(status: ChatStatus) -> u8 {
    match status {
        ChatStatus::Inbox => 0,
        ChatStatus::Pending => 1,
        ChatStatus::Resolved => 2,
        ChatStatus::Archived => 3,
    }
}

/// The later end of the two chains, as the survivor names it: the next message comes after it. That the other chain has
/// ended by then is not waited for; each goes on in its own order.
fn last_outbound(survivor: &Chat, ended: &Chat) -> Option<String> {
    let end = |chat: &Chat| chat.last_outbound.as_deref().and_then(|link| MessageKey::linked(chat.id, link));
    let last = end(survivor).into_iter().chain(end(ended)).max_by_key(|key| key.time);
    last.map(|key| key.link_from(survivor.id))
}
