//! One message, whichever way it came: a customer's, an echo of what the business sent from its phone, or of the past.

use serde_json::{Value, json, value::RawValue};

use super::{
    Sender, contact_update,
    contacts::{self, Person},
    content::{self, Understood},
    json::Members,
};
use crate::{
    domain::identity::Address,
    domain::inbound::Inbound,
    domain::message::{MessageStatus, MessageType},
    domain::message_action::{ActionKind, MessageAction},
    domain::time::Timestamp,
};

/// The most that is kept of what was understood, in bytes; a message has its own JSON beside it, however long.
const CONTENT_LIMIT: usize = 64 * 1024;

/// Who stands for whom in [`MessageAction::by`].
const ME: &str = "me";
const CONTACT: &str = "contact";

type Read = Result<(Sender, Inbound), &'static str>;

/// A customer's message.
pub(super) fn inbound(raw: &RawValue, people: &[Person]) -> Read {
    let message = Members::read(raw).ok_or("a message that is no object")?;
    let writer = contacts::sender(contacts::named(&message, "from", ["from_user_id", "from_parent_user_id"]), people);
    if let Some(group_id) = message.text("group_id") {
        let group = Address::from_group_id(&group_id).ok_or("a group id that is none")?;
        let by =
            writer.as_ref().map_or_else(|| CONTACT.to_owned(), |writer| writer.addresses[0].identity().to_string());
        let inbound = read(raw, &message, &message, Direction::In { by: &by, author: writer.as_ref() })?;
        return Ok((Sender { addresses: vec![group], name: None }, inbound));
    }
    // A change of user id names no sender: it is filed under the forms that the person had, else those that he has.
    let about = || contacts::sender(contact_update::about(&message)?, &[]);
    let sender = writer.or_else(about).or_else(|| told_of(&message)).ok_or("no sender that we could answer")?;
    let inbound = read(raw, &message, &message, Direction::In { by: CONTACT, author: None })?;
    Ok((sender, inbound))
}

/// Whom a system message without a sender is about, when it does not say who he was.
fn told_of(message: &Members<'_>) -> Option<Sender> {
    contacts::sender(contacts::named(&message.members("system")?, "wa_id", ["user_id", "parent_user_id"]), &[])
}

/// What the business sent by other means (Meta: "smb_message_echoes webhook reference"). In `standby` the message is the
/// body of the send request, under `message`.
pub(super) fn echo(raw: &RawValue, people: &[Person]) -> Read {
    let echo = Members::read(raw).ok_or("an echo that is no object")?;
    let request = echo.members("message");
    let message = request.as_ref().unwrap_or(&echo);
    let recipient = || contacts::named(message, "", ["recipient", ""]);
    let sender = match (message.text("to"), message.text("recipient_type").as_deref()) {
        (Some(group_id), Some("group")) => {
            Address::from_group_id(&group_id).map(|group| Sender { addresses: vec![group], name: None })
        }
        _ => {
            let named = contacts::named(message, "to", ["to_user_id", "to_parent_user_id"]);
            contacts::sender(contacts::joined(named, [recipient()]), people)
        }
    };
    let sender = sender.ok_or("no recipient that we know how to reach")?;
    let inbound = read(raw, &echo, message, Direction::Out(MessageStatus::Sent))?;
    Ok((sender, inbound))
}

/// A message from before the number was connected: in its chat, either way.
pub(super) fn past(raw: &RawValue, thread: &Members<'_>, display_number: Option<&str>) -> Read {
    let message = Members::read(raw).ok_or("a message that is no object")?;
    let context = thread.members("context").unwrap_or_default();
    let mut peer = contacts::named(&context, "wa_id", ["user_id", "parent_user_id"]);
    if peer.is_empty() {
        peer = contacts::named(thread, "id", ["id", ""]);
    }
    let mut sender = contacts::sender(peer, &[]).ok_or("a thread with nobody that we know how to reach")?;
    sender.name = context.text("username");
    let from = message.text("from").map(|from| from.trim_start_matches('+').to_owned());
    // The business is the one that writes to somebody; where that is not said, the one whose number it is.
    let is_ours = message.raw("to").is_some() || (from.is_some() && from.as_deref() == display_number);
    let direction = if is_ours {
        let status = message.members("history_context").and_then(|context| context.text("status"));
        Direction::Out(past_status(status.as_deref()))
    } else {
        Direction::In { by: CONTACT, author: None }
    };
    let inbound = read(raw, &message, &message, direction)?;
    Ok((sender, inbound))
}

/// The words of the history webhook. What was still to be sent by the phone then may have been.
fn past_status(word: Option<&str>) -> MessageStatus {
    match word {
        Some("DELIVERED") => MessageStatus::Delivered,
        Some("READ") => MessageStatus::Read,
        Some("PLAYED") => MessageStatus::Played,
        Some("ERROR") => MessageStatus::Undelivered,
        Some("PENDING") => MessageStatus::Unknown,
        _ => MessageStatus::Sent,
    }
}

/// Which way a message went.
enum Direction<'a> {
    In { by: &'a str, author: Option<&'a Sender> },
    Out(MessageStatus),
}

/// `head` has id and time, `message` has type and content; they differ in a standby echo.
fn read(
    raw: &RawValue,
    head: &Members<'_>,
    message: &Members<'_>,
    direction: Direction<'_>,
) -> Result<Inbound, &'static str> {
    let wamid = head.wamid("id")?;
    let timestamp = head.time("timestamp").ok_or("no time")?;
    let understood = content::understand(message);
    let (from_me, by, author, status) = match direction {
        Direction::In { by, author } => (false, by, author, MessageStatus::Received),
        Direction::Out(status) => (true, ME, None, status),
    };
    let has_referral = message.members("referral").is_some();
    Ok(Inbound {
        opens_window: !from_me && understood.kind != MessageType::System,
        has_referral: !from_me && has_referral,
        action: action(message, &understood, &wamid, timestamp, (from_me, by)),
        ours: message.text("biz_opaque_callback_data").and_then(|data| data.parse().ok()).filter(|_| from_me),
        content: written(message, &understood, author),
        kind: understood.kind,
        body: understood.body,
        raw: raw.get().to_owned(),
        wamid,
        timestamp,
        from_me,
        status,
    })
}

/// What was understood, in the Cloud API's own shape; `None` where the body says it all.
fn written(message: &Members<'_>, understood: &Understood, author: Option<&Sender>) -> Option<String> {
    let mut members = understood.members.clone();
    for name in ["context", "referral"] {
        if let Some(object @ Value::Object(_)) = message.value(name) {
            members.insert(name.to_owned(), object);
        }
    }
    // A send request names the quoted message otherwise than a webhook does.
    if let Some(Value::Object(context)) = members.get_mut("context")
        && let Some(id) = context.remove("message_id")
    {
        context.insert("id".to_owned(), id);
    }
    let errors = content::errors(message);
    if !errors.is_empty() {
        members.insert("errors".to_owned(), json!(errors));
    }
    if let Some(author) = author {
        members.insert("author".to_owned(), named(author));
    }
    let has_content = !members.is_empty();
    members.insert("type".to_owned(), json!(understood.kind));
    let text = Value::Object(members).to_string();
    (has_content && text.len() <= CONTENT_LIMIT).then_some(text)
}

/// Who wrote in a group.
fn named(author: &Sender) -> Value {
    let mut named = json!({"name": author.name});
    for address in &author.addresses {
        match address {
            Address::Phone(digits) => named["phone"] = json!(digits),
            Address::Bsuid(id) if !address.is_parent() => named["user_id"] = json!(id),
            Address::Bsuid(_) | Address::Group(_) => {}
        }
    }
    named
}

fn action(
    message: &Members<'_>,
    understood: &Understood,
    wamid: &str,
    at: Timestamp,
    (from_me, by): (bool, &str),
) -> Option<MessageAction> {
    let target = understood.target.clone()?;
    let act = match understood.kind {
        MessageType::Reaction => ActionKind::React(understood.body.clone()),
        MessageType::Revoke => ActionKind::Revoke,
        MessageType::Edit => {
            let edit = message.members("edit").unwrap_or_default();
            let edited = edit.members("message").unwrap_or_default();
            let new = content::understand(&edited);
            ActionKind::Edit { content: written(&edited, &new, None), body: new.body }
        }
        _ => return None,
    };
    Some(MessageAction { target, wamid: wamid.to_owned(), at, from_me, by: by.to_owned(), act })
}
