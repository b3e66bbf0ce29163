//! Grouping of updates into tasks that can run concurrently.

use std::collections::{HashMap, HashSet};

use crate::{
    domain::{
        inbound::Inbound,
        message::{MessageType, Source},
        message_key::MessageKey,
        pairing::{PairingAttempt, pairing_attempts},
        status_update::{PaymentUpdate, StatusUpdate},
        webhook_event::WebhookEvent,
    },
    whatsapp::{ContactUpdate, Peer, ReceivedMessage, Update},
};

/// Updates of a webhook that have to be stored together or in order.
pub(super) enum Task {
    Messages(Conversation),
    Pair { attempts: Vec<PairingAttempt>, received: Box<ReceivedMessage> },
    Statuses { updates: Vec<(StatusUpdate, Option<MessageKey>)> },
    Payment(PaymentUpdate),
    Event(WebhookEvent),
    Contact { phone_number_id: String, update: ContactUpdate },
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
/// because a transaction can't write an item twice.
pub(super) fn group(updates: Vec<Update>) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut conversations: HashMap<String, usize> = HashMap::new();
    let mut statuses: HashMap<String, usize> = HashMap::new();
    let mut contact_updates: HashSet<(String, ContactUpdate)> = HashSet::new();
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
            Update::Event(event) => tasks.push(Task::Event(event)),
            Update::Contact { phone_number_id, update } => {
                // The statuses of one webhook often contain the same contact.
                if contact_updates.insert((phone_number_id.clone(), update.clone())) {
                    tasks.push(Task::Contact { phone_number_id, update });
                }
            }
        }
    }
    tasks
}

fn add_message(received: ReceivedMessage, tasks: &mut Vec<Task>, conversations: &mut HashMap<String, usize>) {
    let attempts = pairing_attempts(pairing_text(&received).unwrap_or_default());
    if !attempts.is_empty() {
        tasks.push(Task::Pair { attempts, received: Box::new(received) });
        return;
    }
    let identity = received.peer.addresses[0].identity();
    let conversation = format!("{}#{identity}#{:?}", received.phone_number_id, received.source);
    match conversations.get(&conversation).and_then(|&at| tasks.get_mut(at)) {
        Some(Task::Messages(known)) => {
            for address in received.peer.addresses {
                if !known.peer.addresses.contains(&address) {
                    known.peer.addresses.push(address);
                }
            }
            let is_newer = known.messages.iter().all(|other| other.timestamp <= received.message.timestamp);
            let (newer, older) = (received.peer.profile, std::mem::take(&mut known.peer.profile));
            known.peer.profile = if is_newer { newer.or(older) } else { older.or(newer) };
            if known.messages.iter().all(|other| other.wamid != received.message.wamid) {
                let index = u32::try_from(known.messages.len()).unwrap_or(u32::MAX);
                known.messages.push(Inbound { index, ..received.message });
            }
        }
        _ => {
            conversations.insert(conversation, tasks.len());
            tasks.push(Task::Messages(received.into()));
        }
    }
}

/// Returns the text of a message that can pair a session: a live text from a contact.
fn pairing_text(received: &ReceivedMessage) -> Option<&str> {
    let ReceivedMessage { source, message, .. } = received;
    let can_pair = source.is_none() && !message.from_me && message.kind == MessageType::Text;
    message.body.as_deref().filter(|_| can_pair)
}
