use super::*;
use crate::domain::{
    id::{MessageId, WebhookId},
    identity::Identity,
    message::Source,
    message_key::MessageKey,
};

fn change(kind: ChangeType, chat_id: Option<ChatId>, subject: Subject) -> NewChange {
    NewChange { id: ChangeId::for_stream_event("1", kind.as_str()), kind, at: Timestamp::MAX, chat_id, subject }
}

#[test]
fn a_change_fits_into_one_write_unit_and_reads_back() {
    let session_id = SessionId::for_owner("ada");
    let chat_id = ChatId::for_identity(session_id, &Identity::Group("120363041234567890".to_owned()));
    let message_id = MessageId::for_inbound("106540352242922", "wamid.1");
    let key = MessageKey { chat_id, time: Timestamp::MAX, message_id }.to_string();
    let message = Subject::Message { key, source: Some(Source::AutoReply) };
    let webhook = Subject::Webhook { id: WebhookId::from_uuid(message_id.to_uuid()) };
    for (kind, chat_id, subject) in [
        (ChangeType::MessageDelivered, Some(chat_id), message),
        (ChangeType::ChatMerged, Some(chat_id), Subject::Chat { merged_into: Some(chat_id) }),
        (ChangeType::SessionConnected, None, Subject::Session),
        (ChangeType::AccountEvent, None, Subject::Event { id: message_id.to_uuid() }),
        (ChangeType::WebhookDisabled, None, webhook),
    ] {
        let change = change(kind, chat_id, subject);
        let row = ChangeRow::new(&change, Timestamp::MAX, i64::MAX);
        let item = item::write(CHANGE, &Key::change(session_id, 9_999_999_999_999_999), &row).unwrap();
        assert!(item::size(&item) < 800, "{kind}: {} bytes", item::size(&item));
        // Neither key of an index that it isn't in.
        assert!(["id", "wamid_key", "inbox_key", "due_key"].iter().all(|key| !item.contains_key(*key)), "{kind}");
        let entry = read_entry(session_id, item).unwrap();
        assert_eq!((entry.change.sequence, &entry.change.change), (9_999_999_999_999_999, &change));
    }
}

#[test]
fn numbers_sort_as_text_and_have_partitions_of_a_thousand() {
    let session_id = SessionId::for_owner("ada");
    let key = |sequence| Key::change(session_id, sequence);
    assert!(key(999).sk < key(1_000).sk && key(9_999).sk < key(10_000).sk);
    assert_eq!(key(1).pk, key(999).pk);
    assert_ne!(key(999).pk, key(1_000).pk);
    assert_eq!(key(1_000).pk, key(1_999).pk);
}

#[test]
fn the_end_of_a_log_has_its_number_and_webhooks() {
    let item = |attributes: &[(&str, aws_sdk_dynamodb::types::AttributeValue)]| {
        attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Item>()
    };
    let at = Timestamp::MIN.after(Duration::from_secs(1));
    let row = LogRow::read(Some(item(&[
        ("pk", string("CHANGES#1")),
        ("last", item::number(1_234_567)),
        ("appended_at", string(at.to_string())),
        ("webhook_count", item::number(2)),
    ])));
    let row = row.unwrap();
    assert_eq!(row.end, LogEnd { last: 1_234_567, appended_at: Some(at) });
    assert_eq!((row.webhook_count, row.due_key), (2, None));
    assert_eq!(LogRow::read(None).unwrap().end, LogEnd::default());
}
