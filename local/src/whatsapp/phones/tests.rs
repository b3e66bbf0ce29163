use serde_json::json;

use super::*;
use crate::whatsapp::users::Address;

fn message(id: &str, number: &str, origin: Origin, state: MessageState) -> Entry {
    let content = content("text", json!({"text": {"body": id}}).as_object().unwrap());
    Entry::new(id.to_owned(), number.to_owned(), origin, "text".to_owned(), 1_749_416_383, state, content)
}

fn from_phone(id: &str) -> Entry {
    message(id, "1", Origin::Phone, MessageState::Delivered)
}

fn from_business(id: &str, state: MessageState) -> Entry {
    let recipient = Address::Phone("201001234567".to_owned());
    message(id, "1", Origin::Business { recipient, callback_data: None }, state)
}

fn phones(entries: impl IntoIterator<Item = Entry>) -> Phones {
    let mut phones = Phones::default();
    entries.into_iter().for_each(|entry| phones.apply(PhoneEvent::of("a", entry)));
    phones
}

fn states(phones: &Phones) -> Vec<MessageState> {
    phones.entries("a").iter().map(|entry| entry.state).collect()
}

#[test]
fn a_snapshot_restores_the_phones() {
    let mut phones = phones([from_phone("1"), from_business("2", MessageState::Sent), from_phone("3")]);
    let settings = PhoneSettings { online: false, ..PhoneSettings::default() };
    phones.apply(PhoneEvent::settings("b", settings));
    // The first message is the last that changed.
    phones.read_by_business("1").into_iter().for_each(|event| phones.apply(event));
    let stored = serde_json::to_string(&phones.snapshot().collect::<Vec<_>>()).unwrap();
    let mut restored = Phones::default();
    serde_json::from_str::<Vec<PhoneEvent>>(&stored).unwrap().into_iter().for_each(|event| restored.apply(event));
    assert_eq!(restored, phones);
    assert_eq!(restored.page("a", 3, 10).messages.len(), 1);
}

#[test]
fn a_read_receipt_reads_all_messages_before() {
    let mut phones = phones([
        from_phone("1"),
        from_business("2", MessageState::Delivered),
        message("3", "2", Origin::Phone, MessageState::Delivered),
        from_phone("4"),
        from_phone("5"),
    ]);
    phones.read_by_business("4").into_iter().for_each(|event| phones.apply(event));
    use MessageState::{Delivered, Read};
    assert_eq!(states(&phones), [Read, Delivered, Delivered, Read, Delivered]);
    assert_eq!(phones.read_by_business("4"), []);
    assert_eq!(phones.read_by_business("unknown"), []);

    let settings = PhoneSettings { read_receipts: false, ..PhoneSettings::default() };
    phones.apply(PhoneEvent::settings("a", settings));
    assert_eq!(phones.read_by_business("5"), []);
}

#[test]
fn messages_wait_for_the_phone() {
    use MessageState::{Blocked, Delivered, Failed, Held, Read, Sent};
    let states = [Held, Sent, Blocked, Failed(1), Delivered, Read];
    let phones = phones(
        states.into_iter().map(|state| from_business(state.name(), state)).chain([from_phone("from the phone")]),
    );
    let due = |settings| phones.due("a", settings).into_iter().map(|(entry, to)| (entry.id, to)).collect::<Vec<_>>();
    let usual = PhoneSettings::default();
    assert_eq!(due(PhoneSettings { online: false, ..usual }), []);
    let closed = PhoneSettings { automatic_ticks: AutomaticTicks::Delivered, ..usual };
    assert_eq!(due(closed), [("sent".to_owned(), Delivered)]);
    assert_eq!(due(usual), [("sent".to_owned(), Read), ("delivered".to_owned(), Read)]);
}

#[test]
fn a_typing_indicator_ends_with_the_next_message_or_after_25_seconds() {
    let mut phones = phones([from_phone("1"), from_business("2", MessageState::Delivered)]);
    let cursor = phones.page("a", 0, 10).cursor;
    phones.apply(phones.typing("1", 100).unwrap());
    assert!(phones.page("a", cursor, 10).cursor > cursor);
    let typing = |phones: &Phones, now| phones.conversations("a", now)[0].typing;
    assert!(typing(&phones, 124));
    assert!(!typing(&phones, 125));
    // The phone is offline.
    phones.apply(PhoneEvent::of("a", from_business("3", MessageState::Sent)));
    assert!(typing(&phones, 124));
    phones.apply(PhoneEvent::of("a", from_business("3", MessageState::Delivered)));
    assert!(!typing(&phones, 124));
    assert_eq!(phones.conversations("a", 0)[0].unread, 2);
    assert_eq!(phones.typing("unknown", 100), None);

    // The cursor of a typing indicator stays valid after a restart.
    phones.apply(phones.typing("1", 100).unwrap());
    let mut restored = Phones::default();
    phones.snapshot().for_each(|event| restored.apply(event));
    assert_eq!(restored.page("a", 0, 10), phones.page("a", 0, 10));
}

#[test]
fn phones_are_listed_in_pages() {
    let mut phones = Phones::default();
    for key in ["3", "1", "2"] {
        phones.apply(PhoneEvent::settings(key, PhoneSettings::default()));
    }
    assert_eq!(phones.keys("", 2), ["1", "2"]);
    assert_eq!(phones.keys("2", 2), ["3"]);
}
