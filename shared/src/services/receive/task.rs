//! Grouping of updates into tasks that can run concurrently.

use std::collections::{HashMap, HashSet};

use crate::{
    domain::{
        call::CallStatus,
        inbound::Inbound,
        message::{MessageType, Source},
        message_key::MessageKey,
        pairing::{PairingAttempt, pairing_attempts},
        status_update::{PaymentUpdate, StatusUpdate},
        time::Timestamp,
        webhook_event::WebhookEvent,
    },
    whatsapp::{ContactUpdate, Peer, ReceivedMessage, Update},
};

/// The maximum number of addresses of a conversation. A contact has up to three, and each is an action of the
/// transaction that stores the messages. Further messages of the same contact are stored separately.
const MAX_ADDRESSES: usize = 10;

/// Updates of a webhook that have to be stored together or in order.
pub(super) enum Task {
    Messages(Conversation),
    Pair { attempts: Vec<PairingAttempt>, received: Box<ReceivedMessage> },
    Statuses { updates: Vec<(StatusUpdate, Option<MessageKey>)> },
    Payment(PaymentUpdate),
    Event(WebhookEvent),
    Contact { phone_number_id: String, wamid: Option<String>, update: ContactUpdate },
}

/// Messages with one contact from one source.
pub(super) struct Conversation {
    pub(super) phone_number_id: String,
    pub(super) waba_id: Option<String>,
    pub(super) peer: Peer,
    pub(super) source: Option<Source>,
    pub(super) messages: Vec<Inbound>,
}

impl From<ReceivedMessage> for Conversation {
    fn from(received: ReceivedMessage) -> Self {
        let ReceivedMessage { phone_number_id, waba_id, peer, source, message } = received;
        Self { phone_number_id, waba_id, peer, source, messages: vec![message] }
    }
}

/// Groups updates that write the same items: messages by contact, statuses by message. Removes duplicate wamids,
/// because a transaction can't write an item twice, and equal events.
pub(super) fn group(updates: Vec<Update>) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut conversations: HashMap<String, OpenConversation> = HashMap::new();
    let mut statuses: HashMap<String, usize> = HashMap::new();
    let mut contact_updates: HashSet<(String, ContactUpdate)> = HashSet::new();
    let mut events: HashSet<WebhookEvent> = HashSet::new();
    for update in updates {
        match update {
            Update::Message(received) => add_message(*received, &mut tasks, &mut conversations),
            Update::Status(update, key) => {
                let message = format!("{}#{}", update.phone_number_id, update.wamid);
                match statuses.get(&message).and_then(|&at| tasks.get_mut(at)) {
                    Some(Task::Statuses { updates }) => updates.push((*update, key)),
                    _ => {
                        statuses.insert(message, tasks.len());
                        tasks.push(Task::Statuses { updates: vec![(*update, key)] });
                    }
                }
            }
            Update::Payment(update) => tasks.push(Task::Payment(update)),
            Update::Event(event) => {
                events.insert(event);
            }
            Update::Contact { phone_number_id, wamid, update } => {
                // The statuses of one webhook often contain the same contact.
                if contact_updates.insert((phone_number_id.clone(), update.clone())) {
                    tasks.push(Task::Contact { phone_number_id, wamid, update });
                }
            }
        }
    }
    tasks.extend(events.into_iter().map(Task::Event));
    tasks
}

/// A task with messages of a conversation, and the index of each by its wamid.
struct OpenConversation {
    task: usize,
    messages: HashMap<String, usize>,
    /// The latest time of its messages.
    newest: Timestamp,
}

fn add_message(
    received: ReceivedMessage,
    tasks: &mut Vec<Task>,
    conversations: &mut HashMap<String, OpenConversation>,
) {
    let attempts = pairing_attempts(pairing_text(&received).unwrap_or_default());
    if !attempts.is_empty() {
        tasks.push(Task::Pair { attempts, received: Box::new(received) });
        return;
    }
    let identity = received.peer.addresses[0].identity();
    let conversation = format!("{}#{identity}#{:?}", received.phone_number_id, received.source);
    if let Some(open) = conversations.get_mut(&conversation)
        && let Some(Task::Messages(known)) = tasks.get_mut(open.task)
        && known.peer.addresses.len() <= MAX_ADDRESSES
    {
        for address in received.peer.addresses {
            if !known.peer.addresses.contains(&address) {
                known.peer.addresses.push(address);
            }
        }
        let is_newer = open.newest <= received.message.timestamp;
        open.newest = open.newest.max(received.message.timestamp);
        let (newer, older) = (received.peer.profile, std::mem::take(&mut known.peer.profile));
        known.peer.profile = if is_newer { newer.or(older) } else { older.or(newer) };
        match open.messages.get(&received.message.wamid).and_then(|&at| known.messages.get_mut(at)) {
            Some(first) => merge_call(first, received.message),
            None => {
                let index = u32::try_from(known.messages.len()).unwrap_or(u32::MAX);
                open.messages.insert(received.message.wamid.clone(), known.messages.len());
                known.messages.push(Inbound { index, ..received.message });
            }
        }
        return;
    }
    let messages = HashMap::from([(received.message.wamid.clone(), 0)]);
    let newest = received.message.timestamp;
    conversations.insert(conversation, OpenConversation { task: tasks.len(), messages, newest });
    tasks.push(Task::Messages(received.into()));
}

/// Replaces the start of a call by its end. Both are one message.
fn merge_call(first: &mut Inbound, second: Inbound) {
    let is_final = |message: &Inbound| message.call.is_some_and(CallStatus::is_final);
    if first.call.is_some() && is_final(&second) && !is_final(first) {
        let (timestamp, index) = (first.timestamp.min(second.timestamp), first.index);
        *first = Inbound { timestamp, index, ..second };
    }
}

/// Returns the text of a message that can pair a session: a live text from a contact.
fn pairing_text(received: &ReceivedMessage) -> Option<&str> {
    let ReceivedMessage { source, message, .. } = received;
    let can_pair = source.is_none() && !message.from_me && message.kind == MessageType::Text;
    message.body.as_deref().filter(|_| can_pair)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::whatsapp::updates;

    fn tasks(field: &str, value: Value) -> Vec<Task> {
        let mut value = value;
        value["metadata"] = json!({"phone_number_id": "1065", "display_phone_number": "15550783881"});
        let body = json!({"entry": [{"changes": [{"field": field, "value": value}]}]});
        group(updates(body.to_string().as_bytes()).unwrap())
    }

    fn call(event: &str, timestamp: u32) -> Value {
        json!({"id": "wacid.1", "from": "201001234567", "to": "15550783881", "event": event,
            "direction": "USER_INITIATED", "timestamp": timestamp})
    }

    #[test]
    fn the_webhooks_of_one_call_are_one_message_in_any_order() {
        let (connect, terminate) = (call("connect", 100), call("terminate", 130));
        for calls in [[&connect, &terminate, &terminate], [&terminate, &connect, &connect]] {
            let tasks = tasks("calls", json!({"calls": calls}));
            let [Task::Messages(conversation)] = &tasks[..] else { panic!() };
            let [message] = &conversation.messages[..] else { panic!() };
            assert_eq!(message.call, Some(CallStatus::Missed));
            assert!(message.raw.contains("terminate"));
        }
    }

    #[test]
    fn equal_events_are_one_task() {
        let message = json!({"id": "a", "from": "1"});
        assert_eq!(tasks("messages", json!({"messages": vec![message; 50]})).len(), 1);
    }

    #[test]
    fn a_contact_with_many_addresses_is_split() {
        let message = |n: usize| {
            json!({"id": format!("m.{n}"), "from": "201001234567", "from_user_id": format!("EG.{n}"),
                "timestamp": "1", "type": "text", "text": {"body": "x"}})
        };
        let messages: Vec<Value> = (0..100).map(message).collect();
        let mut stored = 0;
        for task in tasks("messages", json!({"messages": messages})) {
            let Task::Messages(conversation) = task else { panic!() };
            assert!(conversation.peer.addresses.len() <= MAX_ADDRESSES + 3);
            stored += conversation.messages.len();
        }
        assert_eq!(stored, 100);
    }
}
