use serde_json::json;

use super::*;
use crate::domain::{
    chat::Merged,
    id::{ChatId, MessageId, SessionId},
    identity::Address,
    message::Attempt,
};

fn time(second: i64) -> Timestamp {
    Timestamp::from_seconds(second).unwrap()
}

fn session() -> SessionId {
    SessionId::for_owner("ada")
}

fn chat(number: &str) -> Chat {
    let address = Address::from_wa_id(number).unwrap();
    let id = ChatId::for_identity(session(), &address.identity());
    Chat::new(id, session(), &address, number.to_owned(), time(0))
}

fn message(chat_id: ChatId) -> Message {
    let message = json!({
        "id": MessageId::for_inbound("1", "wamid.1"),
        "chat_id": chat_id,
        "session_id": session(),
        "phone_number_id": "1",
        "type": "text",
        "from_me": false,
        "status": "received",
        "wamid": "wamid.1",
        "timestamp": time(1000),
    });
    serde_json::from_value(message).unwrap()
}

fn target(message: &Message, chat: Option<&Chat>, referral: Referral) -> Result<String, TargetError> {
    message.target(&Annotations::default(), chat, referral, time(2000)).map(str::to_owned)
}

const REFERRALS: [Referral; 2] = [Referral::Reply, Referral::Reaction];

#[test]
fn only_messages_of_the_chat_are_targets() {
    let (chat, other) = (chat("201001234567"), chat("201007654321"));
    for referral in REFERRALS {
        assert_eq!(target(&message(chat.id), Some(&chat), referral).as_deref(), Ok("wamid.1"));
        assert_eq!(target(&message(other.id), Some(&chat), referral), Err(TargetError::OtherChat));
        // A chat without messages has no target.
        assert_eq!(target(&message(chat.id), None, referral), Err(TargetError::OtherChat));
        let merged = Merged { chat_id: other.id, at: time(1), newest: time(1) };
        let merged = Chat { merged: vec![merged], ..chat.clone() };
        assert_eq!(target(&message(other.id), Some(&merged), referral).as_deref(), Ok("wamid.1"));
    }
}

#[test]
fn only_messages_that_the_chat_shows_are_targets() {
    let chat = chat("201001234567");
    for kind in [
        MessageType::Reaction,
        MessageType::Edit,
        MessageType::Revoke,
        MessageType::System,
        MessageType::RequestWelcome,
    ] {
        let message = Message { kind, ..message(chat.id) };
        for referral in REFERRALS {
            assert_eq!(target(&message, Some(&chat), referral), Err(TargetError::NotShown), "{kind:?}");
        }
    }
    for kind in [MessageType::Image, MessageType::Template, MessageType::Unsupported, MessageType::Order] {
        assert!(target(&Message { kind, ..message(chat.id) }, Some(&chat), Referral::Reply).is_ok(), "{kind:?}");
    }
}

#[test]
fn a_deleted_message_is_no_target() {
    let chat = chat("201001234567");
    let annotations = Annotations { revoked_at: Some(time(1500)), ..Annotations::default() };
    for referral in REFERRALS {
        let target = message(chat.id).target(&annotations, Some(&chat), referral, time(2000)).map(str::to_owned);
        assert_eq!(target, Err(TargetError::Deleted));
    }
}

#[test]
fn the_status_decides_about_own_messages() {
    let chat = chat("201001234567");
    let unanswered =
        Attempt { at: time(1001), outcome: AttemptOutcome::Unanswered, code: None, fbtrace_id: None, error: None };
    let rejected = Attempt { outcome: AttemptOutcome::Rejected, ..unanswered.clone() };
    for (status, wamid, attempts, expected) in [
        (MessageStatus::Pending, None, vec![], Err(TargetError::NotAccepted)),
        (MessageStatus::Sending, None, vec![], Err(TargetError::NotAccepted)),
        (MessageStatus::Unknown, None, vec![unanswered.clone()], Err(TargetError::NotAccepted)),
        (MessageStatus::Failed, None, vec![], Err(TargetError::NeverSent)),
        (MessageStatus::Failed, None, vec![unanswered.clone(), rejected], Err(TargetError::NeverSent)),
        (MessageStatus::Failed, None, vec![unanswered.clone()], Err(TargetError::NeverConfirmed)),
        // As the table has a message that WhatsApp accepted and could not deliver.
        (MessageStatus::Failed, Some("wamid.1"), vec![], Err(TargetError::NotDelivered)),
        (MessageStatus::Failed, Some("wamid.1"), vec![unanswered], Err(TargetError::NotDelivered)),
        (MessageStatus::Undelivered, Some("wamid.1"), vec![], Err(TargetError::NotDelivered)),
        (MessageStatus::Sent, Some("wamid.1"), vec![], Ok("wamid.1")),
        (MessageStatus::Delivered, Some("wamid.1"), vec![], Ok("wamid.1")),
        (MessageStatus::Read, Some("wamid.1"), vec![], Ok("wamid.1")),
        (MessageStatus::Played, Some("wamid.1"), vec![], Ok("wamid.1")),
    ] {
        let wamid = wamid.map(str::to_owned);
        let message = Message { from_me: true, status, wamid, attempts, ..message(chat.id) };
        for referral in REFERRALS {
            let target = target(&message, Some(&chat), referral);
            assert_eq!(target.as_ref().map(String::as_str).map_err(|error| *error), expected, "{status:?}");
        }
    }
}

#[test]
fn a_reaction_needs_a_message_of_the_last_30_days() {
    let (chat, period) = (chat("201001234567"), 30 * 24 * 60 * 60);
    let at =
        |now, referral| message(chat.id).target(&Annotations::default(), Some(&chat), referral, now).map(str::to_owned);
    assert!(at(time(1000 + period), Referral::Reaction).is_ok());
    assert_eq!(at(time(1001 + period), Referral::Reaction), Err(TargetError::TooOld));
    assert!(at(time(1001 + period), Referral::Reply).is_ok());
}
