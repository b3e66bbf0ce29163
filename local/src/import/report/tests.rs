use serde_json::json;

use super::*;

fn message(old_chat: &str, contact: &str) -> Message {
    Message { old_chat: old_chat.to_owned(), contact: contact.to_owned(), json: String::new() }
}

fn add(report: &mut Report, chats: &[(&str, &str, Option<&str>)]) {
    let found =
        chats.iter().filter_map(|(_, contact, chat_id)| Some(json!({"contact": contact, "chat_id": (*chat_id)?})));
    let imported = json!({"imported": chats.len(), "duplicates": 1, "chats": found.collect::<Vec<_>>()});
    let messages: Vec<Message> = chats.iter().map(|(old, contact, _)| message(old, contact)).collect();
    report.add(&serde_json::from_value(imported).unwrap(), messages.iter());
}

#[test]
fn duplicate_chats_are_counted_across_requests() {
    let mut report = Report::default();
    add(&mut report, &[("1", "+20", Some("a")), ("2", "0020", Some("a")), ("3", "30", Some("b")), ("4", "40", None)]);
    add(
        &mut report,
        &[("1", "+20", Some("a")), ("5", "020", Some("a")), ("6", "060", Some("c")), ("7", "60", Some("c"))],
    );
    assert_eq!(report.collapse(), Collapse { before: 6, after: 3, duplicates: 5, became: 2 });
    let text = report.text("s", "http://127.0.0.1:8787", Some(9));
    for line in [
        "Messages: 0 rows read, 8 imported, 2 already there, 0 rejected",
        "Chats with messages: 6 before, 3 now",
        "5 chats of the old tables were duplicates and became 2",
        "Chats without messages to import, left out: 2",
        "Chats whose messages are all stored in another chat already: 1",
    ] {
        assert!(text.contains(line), "{text}");
    }
    // The chat is known as soon as one of its messages is stored in it.
    add(&mut report, &[("4", "40", Some("d"))]);
    assert_eq!(report.collapse().before, 7);
}
