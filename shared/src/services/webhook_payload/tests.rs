//! Bodies of WhatsApp's webhooks, from the parser to the rows of the table and back to the bodies that Qasid sends.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        change::{Change, NewChange},
        chat::Chat,
        id::{ChangeId, SessionId, WebhookId},
        inbound::InboundBatch,
        message::{Attempt, AttemptOutcome, Message, MessageStatus, Source},
        whatsapp_error::WhatsAppError,
    },
    store::{MessageMetadata, StatusTimes, StoredEvent, received_rows},
    whatsapp::{Update, updates},
};

const NUMBER: &str = "106540352242922";

fn links() -> MediaLinks {
    MediaLinks::new(None, System::real())
}

fn now() -> Timestamp {
    "2026-11-26T12:00:00.000Z".parse().unwrap()
}

fn identity() -> NumberIdentity {
    NumberIdentity { display_phone_number: Some("15550783881".to_owned()), waba_id: Some("102290129340398".to_owned()) }
}

/// Returns the body that WhatsApp sends for a field with this value after `metadata`.
fn received(field: &str, members: &str) -> String {
    let metadata = format!(r#"{{"display_phone_number":"15550783881","phone_number_id":"{NUMBER}"}}"#);
    let value = format!(r#"{{"messaging_product":"whatsapp","metadata":{metadata},{members}}}"#);
    let entry = format!(r#"{{"id":"102290129340398","changes":[{{"value":{value},"field":"{field}"}}]}}"#);
    format!(r#"{{"object":"whatsapp_business_account","entry":[{entry}]}}"#)
}

fn resolved(kind: ChangeType, chat: Chat, message: Message, metadata: MessageMetadata) -> ResolvedChange {
    let change = NewChange {
        id: ChangeId::for_message(message.id, kind.as_str()),
        kind,
        at: now(),
        chat_id: Some(chat.id),
        subject: Subject::Message { key: message.key().to_string(), source: message.source },
    };
    let change = Change { session_id: message.session_id, sequence: 7, appended_at: now(), change };
    let (message, chat) = (Some(Arc::new((message, metadata))), Some(Arc::new(chat)));
    ResolvedChange { change, message, chat, session: None, event: None }
}

/// Returns the change of the message in a webhook, after it was stored, with its full raw JSON.
fn stored(body: &str) -> (ResolvedChange, String) {
    let message = updates(body.as_bytes()).unwrap().into_iter().find_map(|update| match update {
        Update::Message(message) => Some(*message),
        _ => None,
    });
    let received = message.expect(body);
    let raw = received.message.raw.clone();
    let batch = InboundBatch {
        session_id: SessionId::for_owner("ada"),
        phone_number_id: received.phone_number_id,
        addresses: received.peer.addresses,
        profile: received.peer.profile,
        may_be_copy: false,
        source: received.source,
        received_at: None,
        is_import: false,
        request_id: None,
        messages: vec![received.message],
    };
    let (chat, mut rows) = received_rows(&batch, now());
    let (message, metadata, _) = rows.remove(0);
    let kind = match (message.from_me, message.kind.is_shown_in_inbox()) {
        (_, false) => ChangeType::MessageAction,
        (true, true) => ChangeType::MessageCreated,
        (false, true) => ChangeType::MessageReceived,
    };
    (resolved(kind, chat, message, metadata), raw)
}

/// Returns a message that the API sent to the contact of a chat.
fn sent() -> (Chat, Message, MessageMetadata) {
    let contact = r#"{"profile":{"name":"Ada"},"wa_id":"16505551234"}"#;
    let message =
        r#"{"from":"16505551234","id":"wamid.A","timestamp":"1749416383","type":"text","text":{"body":"Hi"}}"#;
    let body = received("messages", &format!(r#""contacts":[{contact}],"messages":[{message}]"#));
    let (change, _) = stored(&body);
    let (message, metadata) = change.message.as_deref().unwrap().clone();
    let message = Message {
        from_me: true,
        writer: None,
        raw: None,
        status: MessageStatus::Sent,
        wamid: Some("wamid.HBgL+/A=".to_owned()),
        to: Some("16505551234".to_owned()),
        reference: Some("order/17".parse().unwrap()),
        ..message
    };
    (change.chat.as_deref().unwrap().clone(), message, metadata)
}

fn body_of(change: &ResolvedChange) -> Option<String> {
    cloud_api::has_form(change).then(|| cloud_api::message(change, None, &identity())).flatten()
}

#[test]
fn received_messages_have_the_body_that_whatsapp_sent() {
    let contact = r#"{"profile":{"name":"Ad\u00e9 \ud83d\udc4d","username":"@ade"},"wa_id":"16505551234","user_id":"US.1349","identity_key_hash":"a\/b="}"#;
    let head = r#""from":"16505551234","from_user_id":"US.1349","id":"wamid.HBgL+\/A=","timestamp":"1749416383""#;
    for message in [
        r#""text":{"body":"\u00bfEntreg\u00e1is? \ud83d\udc4d\n<a href=\"x\">"},"type":"text""#,
        r#""context":{"from":"15550783881","id":"wamid.B="},"type":"text","text":{"body":"ja"}"#,
        r#""type":"image","image":{"caption":"a","mime_type":"image\/jpeg","sha256":"a\/b=","id":"1","url":"https:\/\/x\/?a=1"}"#,
        r#""type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"1","title":"Yes"}}"#,
        r#""type":"order","order":{"catalog_id":"1","product_items":[{"quantity":1.0,"item_price":7.990}]}"#,
        r#""type":"reaction","reaction":{"message_id":"wamid.B","emoji":"\ud83d\udc4d"}"#,
        r#""type":"edit","edit":{"original_message_id":"wamid.B","message":{"type":"text","text":{"body":"b"}}}"#,
        r#""type":"revoke","revoke":{"original_message_id":"wamid.B"}"#,
        r#""errors":[{"code":131051,"title":"t","error_data":{"details":"d"}}],"type":"unsupported""#,
        r#""group_id":"120363418770915618@g.us","type":"text","text":{"body":"a"}"#,
        r#""type":"hologram","hologram":{"x":[1,2,{"y":null}]}, "odd" : 1e400 "#,
    ] {
        let messages = format!(r#""contacts":[{contact}],"messages":[{{{head},{message}}}]"#);
        for (field, members) in [("messages", messages.clone()), ("standby", format!(r#""standby":{{{messages}}}"#))] {
            let body = received(field, &members);
            let (change, raw) = stored(&body);
            assert!(cloud_api::has_form(&change));
            assert_eq!(cloud_api::message(&change, Some(&raw), &identity()).unwrap(), body);
        }
    }
}

#[test]
fn messages_without_contacts_echoes_and_calls_have_the_body_that_whatsapp_sent() {
    let echo = r#"{"from":"15550783881","to":"16505551234","id":"wamid.C","timestamp":"1749416383","type":"text","text":{"body":"x"}}"#;
    let standby_echo = r#"{"id":"wamid.C","timestamp":"1750101000","message":{"to":"16505551234","type":"text","text":{"body":"x"},"context":{"message_id":"wamid.B"}}}"#;
    let call = r#"{"id":"wacid.A","from":"16505551234","to":"15550783881","event":"connect","timestamp":"1762216151","direction":"USER_INITIATED","session":{"sdp_type":"offer","sdp":"v=0\r\n"}}"#;
    let system = r#"{"from":"16505551234","id":"wamid.D","timestamp":"1749416383","type":"system","system":{"type":"user_changed_number","wa_id":"16505559999"}}"#;
    for (field, members) in [
        ("smb_message_echoes", format!(r#""message_echoes":[{echo}]"#)),
        ("standby", format!(r#""standby":{{"message_echoes":[{standby_echo}]}}"#)),
        ("calls", format!(r#""calls":[{call}]"#)),
        ("messages", format!(r#""messages":[{system}]"#)),
    ] {
        let body = received(field, &members);
        let (change, raw) = stored(&body);
        assert!(cloud_api::has_form(&change), "{body}");
        assert_eq!(cloud_api::message(&change, Some(&raw), &identity()).unwrap(), body);
    }
}

#[test]
fn contact_that_was_not_stored_is_restored_from_the_chat() {
    let contact = r#"{"profile":{"name":"Ad\u00e9"},"wa_id":"16505551234","user_id":"US.1349"}"#;
    let message =
        r#"{"from":"16505551234","id":"wamid.A","timestamp":"1749416383","type":"text","text":{"body":"Hi"}}"#;
    let body = received("messages", &format!(r#""contacts":[{contact}],"messages":[{message}]"#));
    let (mut change, raw) = stored(&body);
    let (mut message, metadata) = change.message.as_deref().unwrap().clone();
    message.writer = None;
    change.message = Some(Arc::new((message, metadata)));
    assert_eq!(cloud_api::message(&change, Some(&raw), &identity()).unwrap(), body);
}

#[test]
fn statuses_have_the_body_that_whatsapp_sends() {
    const CONTACT: &str = r#""contacts":[{"profile":{"name":"Ada"},"wa_id":"16505551234"}]"#;
    let (chat, message, metadata) = sent();
    let pricing = r#"{"billable":true,"pricing_model":"PMP","type":"regular","category":"utility"}"#;
    let conversation = r#"{"id":"8eb644","expiration_timestamp":"1673031000","origin":{"type":"utility"}}"#;
    let metadata = MessageMetadata {
        pricing: Some(pricing.to_owned()),
        conversation: Some(conversation.to_owned()),
        statuses: StatusTimes { delivered_at: Some(now()), ..metadata.statuses.clone() },
        ..metadata
    };
    let head = |status: &str| {
        let ids = r#""id":"wamid.HBgL+\/A=""#;
        let times = format!(r#""status":"{status}","timestamp":"{}""#, now().seconds());
        format!(r#"{ids},{times},"recipient_id":"16505551234","biz_opaque_callback_data":"order\/17""#)
    };
    let price = format!(r#","conversation":{conversation},"pricing":{pricing}"#);
    for (kind, status, rest) in [
        (ChangeType::MessageSent, "sent", price.as_str()),
        (ChangeType::MessageDelivered, "delivered", &price),
        (ChangeType::MessageRead, "read", ""),
        (ChangeType::MessagePlayed, "played", ""),
    ] {
        let change = resolved(kind, chat.clone(), message.clone(), metadata.clone());
        let body = received("messages", &format!(r#"{CONTACT},"statuses":[{{{}{rest}}}]"#, head(status)));
        assert_eq!(body_of(&change).unwrap(), body);
        assert!(matches!(updates(body.as_bytes()).unwrap()[..], [Update::Status(..), ..]));
    }
    // A `read` without `delivered` has the price.
    let metadata = MessageMetadata { statuses: StatusTimes::default(), ..metadata };
    let change = resolved(ChangeType::MessageRead, chat.clone(), message.clone(), metadata);
    assert_eq!(
        body_of(&change).unwrap(),
        received("messages", &format!(r#"{CONTACT},"statuses":[{{{}{price}}}]"#, head("read")))
    );
}

#[test]
fn failures_have_their_errors() {
    let (chat, message, metadata) = sent();
    let errors = |message: &Message, metadata: &MessageMetadata| {
        let change = resolved(ChangeType::MessageFailed, chat.clone(), message.clone(), metadata.clone());
        let body: Value = serde_json::from_str(&body_of(&change).unwrap()).unwrap();
        body["entry"][0]["changes"][0]["value"]["statuses"][0].clone()
    };
    let reported = WhatsAppError {
        code: Some(131_047),
        title: Some("Re-engagement message".to_owned()),
        details: Some("more than 24 hours".to_owned()),
    };
    let with_errors = MessageMetadata { errors: vec![reported], ..metadata.clone() };
    let href = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/";
    let expected = json!([{
        "code": 131_047, "title": "Re-engagement message", "message": "Re-engagement message",
        "error_data": {"details": "more than 24 hours"}, "href": href,
    }]);
    assert_eq!(errors(&message, &with_errors)["errors"], expected);

    let attempt =
        Attempt { at: now(), outcome: AttemptOutcome::Rejected, code: Some(131_047), fbtrace_id: None, error: None };
    let error = Some("Re-engagement message (131047): more than 24 hours".to_owned());
    let refused = Message { attempts: vec![attempt], error, wamid: None, reference: None, ..message.clone() };
    let status = errors(&refused, &metadata);
    assert_eq!(status["errors"], expected);
    let id = message.id.to_string();
    assert_eq!((&status["id"], &status["biz_opaque_callback_data"]), (&json!(id), &json!(id)));

    let expired = Message { error: Some("The message expired".to_owned()), ..message };
    let status = errors(&expired, &metadata);
    assert_eq!(status["errors"][0]["code"], 131_000);
    assert_eq!(status["errors"][0]["error_data"], json!({"details": "The message expired"}));
}

#[test]
fn recipients_are_named_as_whatsapp_names_them() {
    let (chat, message, metadata) = sent();
    let status = |chat: Chat, to: Option<&str>| {
        let message = Message { to: to.map(str::to_owned), ..message.clone() };
        let change = resolved(ChangeType::MessageRead, chat, message, metadata.clone());
        let body: Value = serde_json::from_str(&body_of(&change).unwrap()).unwrap();
        let status = body["entry"][0]["changes"][0]["value"]["statuses"][0].as_object().unwrap().clone();
        let members = status.into_iter().filter(|(name, _)| name.starts_with("recipient"));
        Value::Object(members.collect())
    };
    assert_eq!(status(chat.clone(), Some("US.1349")), json!({"recipient_user_id": "US.1349"}));
    assert_eq!(status(chat.clone(), Some("US.ENT.1")), json!({"recipient_parent_user_id": "US.ENT.1"}));
    let group = json!({"recipient_id": "120363418770915618@g.us", "recipient_type": "group"});
    assert_eq!(status(chat.clone(), Some("120363418770915618@g.us")), group);
    assert_eq!(status(chat.clone(), None), json!({"recipient_id": "16505551234"}));
    // Brazil's ninth digit: WhatsApp's spelling isn't the one that the caller used.
    let brazil = Chat { wa_id: Some("551187654321".to_owned()), user_id: Some("BR.1".to_owned()), ..chat };
    let both = json!({"recipient_id": "551187654321", "recipient_user_id": "BR.1"});
    assert_eq!(status(brazil, Some("5511987654321")), both);
}

#[test]
fn events_have_the_body_that_whatsapp_sent() {
    let account = r#"{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","time":1739321024,"changes":[{"field":"account_update","value":{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"D\u00e9"}}}]}]}"#;
    let payment = r#"{"id":"wamid.A","type":"payment","status":"captured","timestamp":"1749416383","payment":{"reference_id":"1"}}"#;
    for body in [
        account.to_owned(),
        received("messages", r#""errors":[{"code":130429,"title":"t"}]"#),
        received("messages", r#""user_actions":[{"action_type":"marketing_messages_link_click"}]"#),
        received("messages", &format!(r#""statuses":[{payment}]"#)),
        received("calls", r#""calls":[{"id":"wacid.A","event":"ringing","timestamp":"1749416383"}]"#),
        received("standby", r#""standby":{"user_actions":[{"a":1}]}"#),
        received("flows", r#""event":"FLOW_STATUS_CHANGE""#),
    ] {
        let event = updates(body.as_bytes()).unwrap().into_iter().find_map(|update| match update {
            Update::Event(event) => Some(event),
            _ => None,
        });
        let event = event.expect(&body);
        let stored = StoredEvent {
            id: Uuid::nil(),
            field: event.field.clone(),
            reason: None,
            received_at: now(),
            at: event.at(),
            phone_number_id: event.phone_number_id.clone(),
            waba_id: event.waba_id.clone(),
            wamid: None,
            encoding: None,
            raw: event.raw.clone(),
            parts: 1,
        };
        let number = stored.phone_number_id.as_ref().map(|_| identity());
        assert_eq!(cloud_api::event(&stored, &event.raw, number.as_ref()).unwrap(), body);
        let unread = StoredEvent { reason: Some("unknown status".to_owned()), ..stored };
        assert_eq!(cloud_api::event(&unread, &event.raw, number.as_ref()), None);
    }
}

#[test]
fn what_whatsapp_does_not_send_has_no_cloud_api_body() {
    let (chat, message, metadata) = sent();
    let has_form = |kind, message: Message| body_of(&resolved(kind, chat.clone(), message, metadata.clone())).is_some();
    assert!(has_form(ChangeType::MessageSent, message.clone()));
    for kind in [
        ChangeType::MessageCreated,
        ChangeType::MessageUnknown,
        ChangeType::MessageEdited,
        ChangeType::MessageDeleted,
        ChangeType::MessageReaction,
    ] {
        assert!(!has_form(kind, message.clone()), "{kind}");
    }
    let of_worker = Message { phone_number_id: "worker:1".to_owned(), ..message.clone() };
    assert!(!has_form(ChangeType::MessageSent, of_worker));
    let device = Message { source: Some(Source::Device), raw: Some("{}".to_owned()), from_me: false, ..message };
    assert!(!has_form(ChangeType::MessageReceived, device));
}

#[test]
fn erased_messages_have_a_null_body_in_qasids_format_and_none_in_metas() {
    let (chat, message, metadata) = sent();
    let mut change = resolved(ChangeType::MessageDelivered, chat, message.clone(), metadata);
    (change.message, change.chat) = (None, None);
    assert!(!cloud_api::has_form(&change));
    let body: Value = serde_json::from_str(&qasid(&change, &links()).unwrap()).unwrap();
    assert_eq!(
        body,
        json!({
            "type": "message.delivered",
            "timestamp": now(),
            "data": {
                "id": change.change.change.id,
                "sequence": 7,
                "type": "message.delivered",
                "at": now(),
                "session_id": message.session_id,
                "chat_id": message.chat_id,
                "message_id": message.id,
                "status": "delivered",
                "source": null,
                "message": null,
            },
        })
    );
}

#[test]
fn qasids_format_has_the_message_and_its_chat() {
    let contact = r#"{"profile":{"name":"Ada"},"wa_id":"16505551234"}"#;
    let message = r#"{"from":"16505551234","id":"wamid.A","timestamp":"1749416383","type":"hologram","n":1e400}"#;
    let body = received("messages", &format!(r#""contacts":[{contact}],"messages":[{message}]"#));
    let (change, _) = stored(&body);
    let body: Value = serde_json::from_str(&qasid(&change, &links()).unwrap()).unwrap();
    let data = &body["data"];
    assert_eq!((&body["type"], &body["timestamp"]), (&data["type"], &data["at"]));
    assert_eq!(data["message"]["wamid"], "wamid.A");
    assert_eq!(data["chat"]["id"], data["chat_id"]);
    assert_eq!(data["chat"]["name"], "Ada");
    assert_eq!(data.get("status"), None);
}

#[test]
fn a_test_has_the_webhook_and_in_metas_format_a_message_of_metas_test() {
    let id = WebhookId::from_uuid(Uuid::nil());
    let new = NewChange {
        id: ChangeId::from_uuid(Uuid::nil()),
        kind: ChangeType::WebhookTest,
        at: now(),
        chat_id: None,
        subject: Subject::Webhook { id },
    };
    let session_id = SessionId::for_owner("ada");
    let change = Change { session_id, sequence: 0, appended_at: now(), change: new };
    let body: Value =
        serde_json::from_str(&qasid(&ResolvedChange::without_content(change), &links()).unwrap()).unwrap();
    assert_eq!(body["data"]["webhook_id"], json!(id));
    let expected = json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": "0", "changes": [{"field": "messages", "value": {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "16505551111", "phone_number_id": "123456123"},
            "contacts": [{"profile": {"name": "test user name"}, "wa_id": "16315551181"}],
            "messages": [{
                "from": "16315551181", "id": "wamid.TEST-00000000-0000-0000-0000-000000000000",
                "timestamp": now().seconds().to_string(), "type": "text", "text": {"body": "this is a text message"},
            }],
        }}]}],
    });
    let body = cloud_api::test(ChangeId::from_uuid(Uuid::nil()), now());
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
}
