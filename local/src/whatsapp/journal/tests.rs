use super::*;
use crate::whatsapp::phones::PhoneSettings;

fn webhook(id: u64) -> Webhook {
    Webhook { id, app_id: "1".to_owned(), body: format!("{{\"n\":{id}}}"), queued_at: 1 }
}

fn received(users: Vec<User>, windows: &[Opening], id: u64) -> JournalEntry {
    JournalEntry::Inbound { users, windows: windows.to_vec(), webhooks: vec![webhook(id)], phones: Vec::new() }
}

fn accepted(id: &str) -> AcceptedMessage {
    AcceptedMessage {
        id: id.to_owned(),
        to: Some("201001234567".to_owned()),
        recipient: None,
        kind: "text".to_owned(),
        body: Map::new(),
        accepted_at: "2026-01-01T00:00:00Z".to_owned(),
        callback_data: Some("key".to_owned()),
    }
}

fn user() -> User {
    User { wa_id: Some("201001234567".to_owned()), user_id: "EG.7".to_owned(), name: None, username: None }
}

fn phone_event() -> PhoneEvent {
    let settings = PhoneSettings { online: false, ..PhoneSettings::default() };
    PhoneEvent::settings("201001234567", settings)
}

#[test]
fn undelivered_webhooks_are_recovered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("whatsapp.jsonl");
    let (journal, recovered) = Journal::open(&path).unwrap();
    assert_eq!(recovered, Recovered::default());
    let opening: Opening =
        serde_json::from_str(r#"{"phoneNumberId": "7", "address": "201001234567", "at": 1}"#).unwrap();
    journal.append(&received(vec![user()], &[], 1)).unwrap();
    journal.append(&received(Vec::new(), std::slice::from_ref(&opening), 2)).unwrap();
    let webhooks = vec![webhook(3), webhook(4)];
    journal
        .append(&JournalEntry::Accepted { message: accepted("wamid.1"), webhooks, phones: vec![phone_event()] })
        .unwrap();
    for id in [2, 3] {
        journal.append(&JournalEntry::Settled { id }).unwrap();
    }
    for value in [1, 2] {
        let value = serde_json::json!([value]);
        journal.append(&JournalEntry::Registry { name: "colors".to_owned(), value }).unwrap();
    }
    let receipt = ReadReceipt {
        message_id: "wamid.2".to_owned(),
        typing_indicator: true,
        accepted_at: "2026-01-01T00:00:00Z".to_owned(),
    };
    journal.append(&JournalEntry::Read { receipt: receipt.clone(), phones: Vec::new() }).unwrap();
    drop(journal);

    let mut users = Users::default();
    users.remember(&user());
    let mut phones = Phones::default();
    phones.apply(phone_event());
    let mut windows = ServiceWindows::default();
    windows.open(opening);
    let expected = Recovered {
        users,
        windows,
        accepted: vec![accepted("wamid.1")],
        read_receipts: vec![receipt],
        phones,
        pending: vec![webhook(1), webhook(4)],
        last_webhook_id: 4,
        registries: BTreeMap::from([("colors".to_owned(), serde_json::json!([2]))]),
    };
    // The second time reads the compacted file.
    assert_eq!(Journal::open(&path).unwrap().1, expected);
    assert_eq!(Journal::open(&path).unwrap().1, expected);
}

#[test]
fn an_incomplete_last_line_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("whatsapp.jsonl");
    let (journal, _) = Journal::open(&path).unwrap();
    journal.append(&received(Vec::new(), &[], 1)).unwrap();
    journal.append(&JournalEntry::Settled { id: 1 }).unwrap();
    drop(journal);
    let length = std::fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 3).unwrap();

    let (journal, recovered) = Journal::open(&path).unwrap();
    assert_eq!(recovered.pending, [webhook(1)]);
    journal.append(&JournalEntry::Settled { id: 1 }).unwrap();
    drop(journal);
    assert_eq!(Journal::open(&path).unwrap().1.pending, []);
}

#[test]
fn the_error_names_the_damaged_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("whatsapp.jsonl");
    std::fs::write(&path, "{\"settled\":{\"id\":1}}\nnonsense\n{\"settled\":{\"id\":2}}\n").unwrap();
    assert!(matches!(Journal::open(&path), Err(JournalError::Damaged { line: 2, .. })));
}

#[test]
fn a_missing_directory_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing").join("whatsapp.jsonl");
    assert!(matches!(Journal::open(&path), Err(JournalError::Io { .. })));
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_read_the_journal() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("whatsapp.jsonl");
    std::fs::write(&path, "").unwrap();
    Journal::open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
