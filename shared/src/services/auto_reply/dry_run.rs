//! The dry run: evaluates a session's rules for a text and explains each rule's result. Stores nothing.

use serde_json::{Value, json};

use crate::{
    domain::{
        auto_reply::{self, ChatContext, Decision, InboundText, Limits, Rule, SuppressionReason, Verdict},
        chat::Chat,
        consent::ConsentWord,
        id::{ChatId, SessionId},
        message::MessageType,
        system::System,
        text::{Accents, normalize},
        time::Timestamp,
    },
    store::{ReplyContext, Store, StoreError},
};

/// The name of a contact without a chat.
const DEFAULT_NAME: &str = "Customer";

/// A text to evaluate as if a contact had sent it.
#[derive(Debug)]
pub struct DryRun {
    /// The session with the rules.
    pub session_id: SessionId,
    pub(crate) text: String,
    /// When the contact sends the text; `None` for now.
    pub(crate) at: Option<Timestamp>,
    /// The contact's chat; `None` for a contact who has never written.
    pub(crate) chat_id: Option<ChatId>,
}

/// The rules could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// The session has no such chat.
    #[error("Chat not found")]
    ChatNotFound,
}

/// Evaluates the session's rules. Returns the response's JSON: the reply, if any, and each rule's result.
///
/// # Errors
///
/// [`DryRunError::SessionNotFound`] or [`DryRunError::ChatNotFound`] if the session or its chat doesn't exist.
pub async fn dry_run(store: &Store, system: System, limits: Limits, run: &DryRun) -> Result<Value, DryRunError> {
    let (session, rules) =
        store.sessions().get_with_rules(run.session_id).await?.ok_or(DryRunError::SessionNotFound)?;
    let context = match run.chat_id {
        Some(chat_id) => Some(context(store, run.session_id, chat_id).await?),
        None => None,
    };
    let (mut chat, history) = context.map(|context| (context.chat, context.history)).unzip();
    let now = run.at.unwrap_or_else(|| system.now());
    let words = session.consent_words();
    let word = words.find(&run.text);
    // A received START opts the contact in before the rules are evaluated. STOP is never answered.
    if let (Some(chat), Some(ConsentWord::Start)) = (&mut chat, word) {
        chat.consent.consent_keyword = Some(ConsentWord::Start.decision(now));
    }
    let inbound = InboundText {
        kind: MessageType::Text,
        text: Some(&run.text),
        written_at: now,
        is_first: chat.as_ref().is_none_or(|chat| chat.first_inbound.is_none()),
    };
    let name = chat.as_ref().map_or(DEFAULT_NAME, Chat::contact_name);
    let history = history.unwrap_or_default();
    let context = ChatContext { chat: chat.as_ref(), name, history: &history, words };
    Ok(response(&run.text, word, &auto_reply::decide(&rules, &inbound, &context, limits, now)))
}

async fn context(store: &Store, session_id: SessionId, chat_id: ChatId) -> Result<ReplyContext, DryRunError> {
    let context = store.outbox().reply_context(chat_id).await?.filter(|context| context.chat.session_id == session_id);
    context.ok_or(DryRunError::ChatNotFound)
}

fn response(text: &str, word: Option<ConsentWord>, decision: &Decision<'_>) -> Value {
    let reply = decision.answer.as_ref().map(|selected| {
        let (rule, content) = (selected.rule, &selected.content);
        json!({"rule_id": rule.id, "rule_name": rule.name, "content": content.json})
    });
    let rules: Vec<Value> = decision.verdicts.iter().map(|(rule, verdict)| explained(rule, *verdict)).collect();
    let consent_word = word.map(|word| match word {
        ConsentWord::Stop => "stop",
        ConsentWord::Start => "start",
    });
    let text = normalize(text, Accents::Distinct);
    json!({"success": true, "reply": reply, "rules": rules, "text": text, "consent_word": consent_word})
}

fn explained(rule: &Rule, verdict: Verdict) -> Value {
    let (reason, explanation) = match verdict {
        Verdict::Answers => ("answers", "The rule matches and replies".to_owned()),
        Verdict::Suppressed(reason) => suppressed(reason),
        Verdict::Outranked => ("outranked", "The rule matches, but another rule with precedence replies".to_owned()),
        Verdict::Disabled => ("disabled", "The rule is disabled".to_owned()),
        Verdict::NoKeyword => ("no_keyword", "The text contains none of the rule's keywords".to_owned()),
        Verdict::TooManyPatterns => {
            ("too_many_patterns", "The rule was not evaluated: up to 50 patterns are evaluated per message".to_owned())
        }
        Verdict::NotFirstMessage => ("not_first_message", "The contact has written before".to_owned()),
        Verdict::ChatOpened => ("chat_opened", "The contact opened the chat without writing".to_owned()),
        Verdict::OutsideHours => ("outside_hours", "The time is outside the rule's hours".to_owned()),
        Verdict::WithinHours => {
            ("within_hours", "The time is within the rule's hours, and the rule replies outside them".to_owned())
        }
        Verdict::UnknownTimeZone => ("unknown_time_zone", "The rule's time zone is unknown".to_owned()),
        Verdict::CoolingDown { until } => {
            ("cooling_down", format!("The rule has replied in this chat and does not reply again before {until}"))
        }
        Verdict::Unsendable => ("unsendable", "With this text, the reply is not a valid WhatsApp message".to_owned()),
    };
    json!({"id": rule.id, "name": rule.name, "reason": reason, "explanation": explanation})
}

fn suppressed(reason: SuppressionReason) -> (&'static str, String) {
    let (reason, explanation) = match reason {
        SuppressionReason::NotAnswerable => ("not_answerable", "Messages of this type are not answered"),
        SuppressionReason::Group => ("group", "The rule matches, but messages in groups are not answered"),
        SuppressionReason::TooOld => ("too_old", "The rule matches, but the message is too old"),
        SuppressionReason::StopWord => ("stop_word", "The rule matches, but the text is a STOP word"),
        SuppressionReason::OptedOut => ("opted_out", "The rule matches, but the contact has opted out with STOP"),
        SuppressionReason::AnsweredByPerson => ("answered_by_person", "The rule matches, but an agent wrote recently"),
        SuppressionReason::HourlyLimit => {
            ("hourly_limit", "The rule matches, but the chat has reached its hourly limit")
        }
    };
    (reason, explanation.to_owned())
}
