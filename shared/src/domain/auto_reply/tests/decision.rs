use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    chat::Chat,
    consent::{Consent, ConsentDecision, ConsentWord, ConsentWords, MarketingConsent},
    id::{ChatId, MessageId},
    identity::{Address, Identity},
    message::MessageType,
};

const LIMITS: Limits = Limits { quiet: Duration::from_secs(3_600), per_hour: 5 };
const NOW: &str = "2026-01-12T12:00:00Z";

fn chat() -> Chat {
    let session_id = SessionId::for_owner("ada");
    let id = ChatId::for_identity(session_id, &Identity::Phone("201001234567".to_owned()));
    Chat::new(id, session_id, &Address::Phone("201001234567".to_owned()), "Mona".to_owned(), time(NOW))
}

/// Returns a chat whose contact sent STOP.
fn opted_out() -> Chat {
    let consent = Consent { consent_keyword: Some(ConsentWord::Stop.decision(time(NOW))), ..Consent::default() };
    Chat { consent, ..chat() }
}

fn inbound(text: &str) -> InboundText<'_> {
    InboundText { kind: MessageType::Text, text: Some(text), written_at: time(NOW), is_first: false }
}

fn verdicts(rules: &[Rule], inbound: &InboundText<'_>, chat: &Chat, history: &History) -> Vec<(u32, Verdict)> {
    let context = ChatContext { chat: Some(chat), name: &chat.name, history, words: ConsentWords::default() };
    let decision = decide(rules, inbound, &context, LIMITS, time(NOW));
    let answers = decision.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Answers).count();
    assert_eq!(answers, usize::from(decision.answer.is_some()));
    decision.verdicts.iter().map(|(rule, verdict)| (rule.priority, *verdict)).collect()
}

fn verdict(rule: Rule, inbound: &InboundText<'_>, chat: &Chat) -> Verdict {
    verdicts(&[rule], inbound, chat, &History::default())[0].1
}

#[test]
fn matching_rule_with_highest_priority_answers() {
    let keyword = json!({"type": "keyword", "match": "equals", "keywords": ["price"]});
    let rules = [
        rule(1, json!({"priority": 1})),
        rule(2, json!({"priority": 7, "trigger": keyword})),
        rule(3, json!({"priority": 9, "enabled": false})),
        rule(4, json!({"priority": 8, "trigger": {"type": "first_message"}})),
    ];
    let expected =
        [(9, Verdict::Disabled), (8, Verdict::NotFirstMessage), (7, Verdict::Answers), (1, Verdict::Outranked)];
    assert_eq!(verdicts(&rules, &inbound("PRICE"), &chat(), &History::default()), expected);
    let other = verdicts(&rules, &inbound("hello"), &chat(), &History::default());
    assert_eq!((other[2].1, other[3].1), (Verdict::NoKeyword, Verdict::Answers));
    // Of equal priorities, the oldest rule answers.
    let equal = [rule(6, json!({})), rule(5, json!({}))];
    let (chat, history) = (chat(), History::default());
    let context =
        ChatContext { chat: Some(&chat), name: &chat.name, history: &history, words: ConsentWords::default() };
    let decision = decide(&equal, &inbound("hello"), &context, LIMITS, time(NOW));
    assert_eq!(decision.answer.unwrap().rule.id, equal[1].id);
}

#[test]
fn trigger_and_schedule_both_apply() {
    // `NOW` is a Monday.
    let hours = |from: &str, to: &str| json!({"timeZone": "UTC", "hours": {"monday": [{"from": from, "to": to}]}});
    let rule = |trigger: &str, from: &str, to: &str| {
        rule(1, json!({"trigger": {"type": trigger}, "schedule": hours(from, to)}))
    };
    for (rule, expected) in [
        (rule("any", "09:00", "17:00"), Verdict::Answers),
        (rule("any", "13:00", "17:00"), Verdict::OutsideHours),
        (rule("outside_hours", "09:00", "17:00"), Verdict::WithinHours),
        (rule("outside_hours", "13:00", "17:00"), Verdict::Answers),
    ] {
        assert_eq!(verdict(rule, &inbound("hello"), &chat()), expected);
    }
    let first = super::rule(1, json!({"trigger": {"type": "first_message"}}));
    assert_eq!(verdict(first, &InboundText { is_first: true, ..inbound("hello") }, &chat()), Verdict::Answers);
}

#[test]
fn suppressed_messages_get_no_reply() {
    let any = || rule(1, json!({}));
    let suppressed = |inbound: &InboundText<'_>, chat: &Chat| match verdict(any(), inbound, chat) {
        Verdict::Suppressed(reason) => Some(reason),
        other => {
            assert_eq!(other, Verdict::Answers);
            None
        }
    };
    let without_text = |kind| InboundText { kind, text: None, ..inbound("") };
    assert_eq!(suppressed(&without_text(MessageType::Image), &chat()), None);
    assert_eq!(suppressed(&without_text(MessageType::Reaction), &chat()), Some(SuppressionReason::NotAnswerable));
    assert_eq!(suppressed(&without_text(MessageType::Unsupported), &chat()), Some(SuppressionReason::NotAnswerable));

    let written_at = |at: &str| InboundText { written_at: time(at), ..inbound("hello") };
    assert_eq!(suppressed(&written_at("2026-01-12T11:55:00Z"), &chat()), None);
    assert_eq!(suppressed(&written_at("2026-01-12T11:54:59.999Z"), &chat()), Some(SuppressionReason::TooOld));

    assert_eq!(suppressed(&inbound("Stop!"), &chat()), Some(SuppressionReason::StopWord));
    for stop in ["SAIR", "BAJA", "توقف", "退订", "ＳＴＯＰ", "İPTAL"] {
        let expected = (stop != "İPTAL").then_some(SuppressionReason::StopWord);
        assert_eq!(suppressed(&inbound(stop), &chat()), expected, "{stop}");
    }
    assert_eq!(suppressed(&inbound("hello"), &opted_out()), Some(SuppressionReason::OptedOut));
    // A contact who stops marketing messages in WhatsApp's settings still gets answers.
    let denied = Some(ConsentDecision { marketing: MarketingConsent::Denied, since: time(NOW) });
    let consent = Consent { consent_whatsapp: denied, consent_api: denied, ..Consent::default() };
    assert_eq!(suppressed(&inbound("hello"), &Chat { consent, ..chat() }), None);
    let answered = |at: &str| Chat { answered_at: Some(time(at)), ..chat() };
    assert_eq!(suppressed(&inbound("hello"), &answered("2026-01-12T11:00:00Z")), None);
    assert_eq!(
        suppressed(&inbound("hello"), &answered("2026-01-12T11:00:00.001Z")),
        Some(SuppressionReason::AnsweredByPerson)
    );
    let group = Chat::new(chat().id, chat().session_id, &Address::Group("1".to_owned()), "G".to_owned(), time(NOW));
    assert_eq!(suppressed(&inbound("hello"), &group), Some(SuppressionReason::Group));
}

#[test]
fn words_of_the_session_replace_the_default_stop_words() {
    let (stop, chat, history) = (["Iptal".to_owned()], chat(), History::default());
    let decide = |text: &str| {
        let words = ConsentWords { stop: Some(&stop), start: None };
        let context = ChatContext { chat: Some(&chat), name: "Mona", history: &history, words };
        decide(&[rule(1, json!({}))], &inbound(text), &context, LIMITS, time(NOW)).verdicts[0].1
    };
    assert_eq!(decide("İPTAL!"), Verdict::Suppressed(SuppressionReason::StopWord));
    assert_eq!(decide("STOP"), Verdict::Answers);
}

#[test]
fn opened_chat_is_answered_by_first_message_rules_only() {
    let opened = InboundText { kind: MessageType::RequestWelcome, text: None, is_first: true, ..inbound("") };
    let hello = json!({"message": "Hello {{name}}: {{message}}"});
    let rules = [
        rule(1, json!({"priority": 9})),
        rule(2, json!({"priority": 8, "trigger": {"type": "keyword", "match": "contains", "keywords": ["w"]}})),
        rule(3, json!({"priority": 7, "trigger": {"type": "first_message"}, "reply": hello})),
    ];
    let (chat, history) = (chat(), History::default());
    let context = ChatContext { chat: Some(&chat), name: "Mona", history: &history, words: ConsentWords::default() };
    let decision = decide(&rules, &opened, &context, LIMITS, time(NOW));
    assert_eq!(decision.answer.unwrap().content.body.as_deref(), Some("Hello Mona: …"));
    let verdicts = |inbound: &InboundText<'_>| -> Vec<Verdict> {
        decide(&rules, inbound, &context, LIMITS, time(NOW)).verdicts.iter().map(|(_, verdict)| *verdict).collect()
    };
    assert_eq!(verdicts(&opened), [Verdict::ChatOpened, Verdict::ChatOpened, Verdict::Answers]);
    // The first text after it is not the contact's first message.
    assert_eq!(verdicts(&inbound("hello")), [Verdict::Answers, Verdict::NoKeyword, Verdict::NotFirstMessage]);
    // A contact who opens the chat again has written before.
    let again = InboundText { is_first: false, ..opened };
    assert_eq!(verdicts(&again)[2], Verdict::NotFirstMessage);
    assert_eq!(suppression_of(&again, &opted_out()), None);
    assert_eq!(suppression_of(&opened, &opted_out()), Some(SuppressionReason::OptedOut));
}

/// Returns why a `first_message` rule that matches doesn't answer.
fn suppression_of(inbound: &InboundText<'_>, chat: &Chat) -> Option<SuppressionReason> {
    match verdict(rule(1, json!({"trigger": {"type": "first_message"}})), inbound, chat) {
        Verdict::Suppressed(reason) => Some(reason),
        _ => None,
    }
}

#[test]
fn only_matching_rule_is_suppressed() {
    let suppressed = |rules: &[Rule], chat: &Chat| {
        let history = History::default();
        let context = ChatContext { chat: Some(chat), name: "Mona", history: &history, words: ConsentWords::default() };
        decide(rules, &inbound("hello"), &context, LIMITS, time(NOW)).suppressed()
    };
    let opted_out = opted_out();
    let first = rule(1, json!({"trigger": {"type": "first_message"}}));
    assert_eq!(suppressed(std::slice::from_ref(&first), &opted_out), None);
    assert_eq!(
        suppressed(&[first, rule(2, json!({}))], &opted_out),
        Some(Verdict::Suppressed(SuppressionReason::OptedOut))
    );
    assert_eq!(suppressed(&[rule(2, json!({}))], &chat()), None);
}

proptest! {
    /// For any sequence of messages, a chat gets at most the hourly limit of replies, and no rule answers within its
    /// cooldown.
    #[test]
    fn hourly_limit_and_cooldowns_hold(
        gaps in prop::collection::vec(0u64..1_500, 1..80),
        cooldowns in prop::collection::vec(0u32..8_000, 1..4),
    ) {
        let with_cooldown = |(id, cooldown): (u128, &u32)| rule(id, json!({"cooldownSeconds": cooldown}));
        let rules: Vec<Rule> = (1..).zip(&cooldowns).map(with_cooldown).collect();
        let (chat, mut history, mut now) = (chat(), History::default(), time(NOW));
        let mut sent: Vec<(RuleId, Timestamp)> = Vec::new();
        for gap in gaps {
            now = now.after(Duration::from_secs(gap));
            let context = ChatContext { chat: Some(&chat), name: "Mona", history: &history, words: ConsentWords::default() };
            let inbound = InboundText { written_at: now, ..inbound("hello") };
            let decision = decide(&rules, &inbound, &context, LIMITS, now);
            let Some(answer) = decision.answer else { continue };
            let cooldown = Duration::from_secs(answer.rule.cooldown_seconds.into());
            for (rule, at) in &sent {
                prop_assert!(*rule != answer.rule.id || now.since(*at) >= cooldown);
            }
            sent.push((answer.rule.id, now));
            let hour = sent.iter().filter(|(_, at)| now.since(*at) < Duration::from_secs(3_600)).count();
            prop_assert!(hour <= LIMITS.per_hour as usize);
            let reply = MessageId::from_uuid(Uuid::from_u128(sent.len() as u128));
            history = history.after(answer.rule, reply, &rules, now);
            prop_assert_eq!(history.last_reply, Some(reply));
            prop_assert!(history.recent.len() <= LIMITS.per_hour as usize && history.expires_at(&rules, now) > now);
        }
    }
}
