use super::*;

fn entry(id: &str, origin: Origin, kind: &str, content: Value, state: MessageState) -> Entry {
    let content = super::super::content(kind, content.as_object().unwrap());
    Entry::new(id.to_owned(), "1".to_owned(), origin, kind.to_owned(), 1_749_416_383, state, content)
}

fn from_phone(id: &str, kind: &str, content: Value) -> Entry {
    entry(id, Origin::Phone, kind, content, MessageState::Delivered)
}

fn from_business(id: &str, kind: &str, content: Value, state: MessageState) -> Entry {
    let recipient = Address::Phone("201001234567".to_owned());
    entry(id, Origin::Business { recipient, callback_data: None }, kind, content, state)
}

fn feed(entries: impl IntoIterator<Item = Entry>) -> Feed {
    let mut feed = Feed::default();
    entries.into_iter().for_each(|entry| feed.put(entry));
    feed
}

fn ids(page: &Page) -> Vec<&str> {
    page.messages.iter().filter_map(|message| message["id"].as_str()).collect()
}

#[test]
fn an_entry_has_the_format_of_the_cloud_api() {
    let text = json!({"text": {"body": "hi"}, "context": {"id": "0"}, "to": "1"});
    let feed = feed([
        from_phone("1", "text", text),
        from_business("2", "text", json!({"text": {"body": "hello"}}), MessageState::Failed(131_047)),
    ]);
    assert_eq!(
        feed.page(0, 10).messages,
        [
            json!({"id": "1", "position": 0, "phoneNumberId": "1", "from": "phone", "type": "text",
                "at": "2025-06-08T20:59:43Z", "status": "delivered", "text": {"body": "hi"}, "context": {"id": "0"}}),
            json!({"id": "2", "position": 1, "phoneNumberId": "1", "from": "business", "type": "text",
                "at": "2025-06-08T20:59:43Z", "status": "failed", "errorCode": 131_047, "text": {"body": "hello"}}),
        ]
    );
}

#[test]
fn a_cursor_yields_new_and_changed_messages() {
    let text = |id| from_business(id, "text", json!({"text": {}}), MessageState::Sent);
    let mut feed = feed([text("1"), text("2"), text("3")]);
    let first = feed.page(0, 2);
    assert_eq!((ids(&first), first.cursor, first.more), (vec!["1", "2"], 2, true));
    let changed = feed.get("1").unwrap().with_state(MessageState::Delivered);
    feed.put(changed);
    // Changed messages keep their place in the conversation.
    let second = feed.page(first.cursor, 2);
    assert_eq!((ids(&second), second.cursor, second.more), (vec!["1", "3"], 4, false));
    assert_eq!(second.messages[0]["status"], "delivered");
    assert_eq!(second.messages[0]["position"], 0);
    assert_eq!(feed.page(4, 2), Page { messages: Vec::new(), cursor: 4, more: false });
    // The cursor of another run.
    assert_eq!(feed.page(9, 2).cursor, 4);
}

#[test]
fn a_reaction_is_shown_on_its_message() {
    let react = |emoji: &str| json!({"reaction": {"message_id": "1", "emoji": emoji}});
    let mut feed = feed([from_phone("1", "text", json!({"text": {}}))]);
    feed.put(from_phone("2", "reaction", react("👍")));
    let cursor = feed.page(0, 10).cursor;
    feed.put(from_business("3", "reaction", react("🎉"), MessageState::Sent));
    let both = |feed: &Feed| feed.get("1").unwrap().to_json(0)["reactions"].clone();
    assert_eq!(both(&feed), json!([{"from": "phone", "emoji": "👍"}]));
    feed.put(feed.get("3").unwrap().with_state(MessageState::Delivered));
    assert_eq!(both(&feed), json!([{"from": "phone", "emoji": "👍"}, {"from": "business", "emoji": "🎉"}]));
    assert_eq!(ids(&feed.page(cursor, 10)), ["1", "3"]);
    feed.put(from_phone("4", "reaction", react("")));
    feed.put(from_phone("5", "reaction", json!({"reaction": {"message_id": "unknown", "emoji": "👍"}})));
    assert_eq!(both(&feed), json!([{"from": "business", "emoji": "🎉"}]));
}

#[test]
fn edits_and_deletions_change_their_message() {
    let mut feed = feed([
        from_phone("1", "text", json!({"text": {"body": "a"}})),
        from_phone("2", "text", json!({"text": {"body": "b"}})),
    ]);
    let message = json!({"type": "text", "text": {"body": "c"}});
    feed.put(from_phone("3", "edit", json!({"edit": {"original_message_id": "1", "message": message}})));
    feed.put(from_phone("4", "revoke", json!({"revoke": {"original_message_id": "2"}})));
    let json = |id| feed.get(id).unwrap().to_json(0);
    assert_eq!((&json("1")["text"]["body"], &json("1")["edited"]), (&json!("c"), &json!(true)));
    assert_eq!((json("2").get("text"), &json("2")["deleted"]), (None, &json!(true)));
}
