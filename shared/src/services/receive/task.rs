//! Grouping of updates into tasks that can run concurrently.

use std::collections::{HashMap, HashSet};

use crate::{
    domain::{
        call::CallStatus,
        identity::Identity,
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
    /// Conversations with one peer, to store one after the other.
    Messages(Vec<Conversation>),
    Pair {
        attempts: Vec<PairingAttempt>,
        received: Box<ReceivedMessage>,
    },
    Statuses {
        updates: Vec<(StatusUpdate, Option<MessageKey>)>,
    },
    Payment(PaymentUpdate),
    Event(WebhookEvent),
    Contact {
        phone_number_id: String,
        wamid: Option<String>,
        update: ContactUpdate,
    },
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
    let mut conversations = Conversations::default();
    let mut statuses: HashMap<String, usize> = HashMap::new();
    let mut contact_updates: HashSet<(String, ContactUpdate)> = HashSet::new();
    let mut events: HashSet<WebhookEvent> = HashSet::new();
    for (position, update) in updates.into_iter().enumerate() {
        match update {
            Update::Message(mut received) => {
                received.message.index = u32::try_from(position).unwrap_or(u32::MAX);
                conversations.add(*received, &mut tasks);
            }
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
                if events.insert(event.clone()) {
                    tasks.push(Task::Event(event));
                }
            }
            Update::Contact { phone_number_id, wamid, update } => {
                // The statuses of one webhook often contain the same contact.
                if contact_updates.insert((phone_number_id.clone(), update.clone())) {
                    tasks.push(Task::Contact { phone_number_id, wamid, update });
                }
            }
        }
    }
    tasks
}

/// The conversations with one peer: a task, and the indexes of its messages.
struct PeerConversations {
    task: usize,
    /// One for each conversation of the task.
    open: Vec<OpenConversation>,
}

/// A conversation that can get more messages, and the index of each message by its wamid.
struct OpenConversation {
    /// The identity of its first address.
    identity: Identity,
    messages: HashMap<String, usize>,
    /// The seconds of its messages.
    seconds: HashSet<Timestamp>,
    /// The latest time of its messages.
    newest: Timestamp,
}

/// The tasks of a body with messages.
#[derive(Default)]
struct Conversations {
    peers: Vec<PeerConversations>,
    /// Indexes of `peers` by number and identity.
    by_identity: HashMap<(String, Identity), usize>,
}

impl Conversations {
    /// Adds a message to the last conversation of its contact and source, unless a later conversation with the peer has
    /// messages of the same second: within a second, messages are stored in the order of the body.
    fn add(&mut self, received: ReceivedMessage, tasks: &mut Vec<Task>) {
        let attempts = pairing_attempts(pairing_text(&received).unwrap_or_default());
        if !attempts.is_empty() {
            tasks.push(Task::Pair { attempts, received: Box::new(received) });
            return;
        }
        let keys: Vec<(String, Identity)> = received
            .peer
            .addresses
            .iter()
            .map(|address| (received.phone_number_id.clone(), address.identity()))
            .collect();
        let Some((_, identity)) = keys.first().cloned() else { return };
        let known = keys.iter().find_map(|key| self.by_identity.get(key).copied());
        let peer = known.unwrap_or_else(|| {
            self.peers.push(PeerConversations { task: tasks.len(), open: Vec::new() });
            tasks.push(Task::Messages(Vec::new()));
            self.peers.len() - 1
        });
        for key in keys {
            self.by_identity.entry(key).or_insert(peer);
        }
        let Some(peer) = self.peers.get_mut(peer) else { return };
        let Some(Task::Messages(conversations)) = tasks.get_mut(peer.task) else { return };
        let second = received.message.timestamp.whole_second();
        let last = (0..peer.open.len())
            .rev()
            .find(|&at| peer.open[at].identity == identity && conversations[at].source == received.source)
            .filter(|&at| conversations[at].peer.addresses.len() <= MAX_ADDRESSES)
            .filter(|&at| peer.open[at + 1..].iter().all(|later| !later.seconds.contains(&second)));
        if let Some(at) = last {
            peer.open[at].add(received, &mut conversations[at]);
            return;
        }
        peer.open.push(OpenConversation {
            identity,
            messages: HashMap::from([(received.message.wamid.clone(), 0)]),
            seconds: HashSet::from([second]),
            newest: received.message.timestamp,
        });
        conversations.push(received.into());
    }
}

impl OpenConversation {
    fn add(&mut self, received: ReceivedMessage, known: &mut Conversation) {
        for address in received.peer.addresses {
            if !known.peer.addresses.contains(&address) {
                known.peer.addresses.push(address);
            }
        }
        let is_newer = self.newest <= received.message.timestamp;
        self.newest = self.newest.max(received.message.timestamp);
        self.seconds.insert(received.message.timestamp.whole_second());
        let (newer, older) = (received.peer.profile, std::mem::take(&mut known.peer.profile));
        known.peer.profile = if is_newer { newer.or(older) } else { older.or(newer) };
        match self.messages.get(&received.message.wamid).and_then(|&at| known.messages.get_mut(at)) {
            Some(first) => merge_call(first, received.message),
            None => {
                self.messages.insert(received.message.wamid.clone(), known.messages.len());
                known.messages.push(received.message);
            }
        }
    }
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
            let [Task::Messages(conversations)] = &tasks[..] else { panic!() };
            let [conversation] = &conversations[..] else { panic!() };
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
            let Task::Messages(conversations) = task else { panic!() };
            for conversation in conversations {
                assert!(conversation.peer.addresses.len() <= MAX_ADDRESSES + 3);
                stored += conversation.messages.len();
            }
        }
        assert_eq!(stored, 100);
    }

    /// Returns the wamids of the conversations of the only task, in the order in which they are stored.
    fn conversations(changes: &[(&str, &str, u32)]) -> Vec<Vec<(String, u32)>> {
        let changes: Vec<Value> = changes
            .iter()
            .map(|(field, id, second)| {
                let mut message =
                    json!({"id": id, "timestamp": second.to_string(), "type": "text", "text": {"body": "x"}});
                let is_echo = *field == "smb_message_echoes";
                (message["from"], message["to"]) = if is_echo {
                    (json!("15550783881"), json!("201001234567"))
                } else {
                    (json!("201001234567"), json!(null))
                };
                let mut value = json!({"metadata": {"phone_number_id": "1065"}});
                value[if is_echo { "message_echoes" } else { "messages" }] = json!([message]);
                json!({"field": field, "value": value})
            })
            .collect();
        let tasks = group(updates(json!({"entry": [{"changes": changes}]}).to_string().as_bytes()).unwrap());
        let is_messages = |task: &Task| matches!(task, Task::Messages(_));
        let tasks: Vec<Task> = tasks.into_iter().filter(is_messages).collect();
        let [Task::Messages(conversations)] = &tasks[..] else { panic!() };
        let wamids = |conversation: &Conversation| {
            conversation.messages.iter().map(|message| (message.wamid.clone(), message.index)).collect()
        };
        conversations.iter().map(wamids).collect()
    }

    #[test]
    fn messages_and_echoes_of_one_second_are_stored_in_the_order_of_the_body() {
        let (inbound, echo) = ("messages", "smb_message_echoes");
        let wamids = |changes: &[(&str, &str, u32)]| -> Vec<Vec<String>> {
            let ids = |messages: Vec<(String, u32)>| messages.into_iter().map(|(id, _)| id).collect();
            conversations(changes).into_iter().map(ids).collect()
        };
        assert_eq!(wamids(&[(inbound, "1", 9), (echo, "2", 9), (inbound, "3", 9)]), [["1"], ["2"], ["3"]]);
        assert_eq!(wamids(&[(echo, "1", 9), (inbound, "2", 9)]), [["1"], ["2"]]);
        // The times order the messages of different seconds.
        let apart = wamids(&[(inbound, "1", 9), (echo, "2", 10), (inbound, "3", 11), (echo, "4", 12)]);
        assert_eq!(apart, [["1", "3"], ["2", "4"]]);
        let positions = conversations(&[(inbound, "1", 9), (echo, "2", 9), (inbound, "3", 9)]);
        assert!(positions.iter().flatten().map(|(_, index)| *index).is_sorted_by(|a, b| a < b));
    }
}
