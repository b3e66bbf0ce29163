//! The dry run: what the rules would make of a text, and why. Nothing is stored.

use serde_json::{Value, json};

use crate::{
    domain::auto_reply::{
        self, ChatContext, ConsentWord, Decision, InboundText, Limits, Rule, SuppressionReason, Verdict,
    },
    domain::id::{ChatId, SessionId},
    domain::message::MessageType,
    domain::system::System,
    domain::time::Timestamp,
    store::{ReplyContext, Store, StoreError},
};

/// What a contact of whom nothing is known is called.
const SOMEBODY: &str = "Customer";

/// A text that a contact might write.
#[derive(Debug)]
pub struct DryRun {
    /// Whose rules.
    pub session_id: SessionId,
    pub(crate) text: String,
    /// `None` for now.
    pub(crate) at: Option<Timestamp>,
    /// `None` for somebody who has never written.
    pub(crate) chat_id: Option<ChatId>,
}

/// The rules could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// The session has no such chat.
    #[error("Chat not found")]
    ChatNotFound,
}

/// Puts the text to the session's rules as if it came now, or at the time that is given.
pub async fn dry_run(store: &Store, system: System, limits: Limits, run: &DryRun) -> Result<Value, DryRunError> {
    let (_, rules) = store.sessions().get_with_rules(run.session_id).await?.ok_or(DryRunError::SessionNotFound)?;
    let context = match run.chat_id {
        Some(chat_id) => Some(context(store, run.session_id, chat_id).await?),
        None => None,
    };
    let (mut chat, history) = context.map(|context| (context.chat, context.history)).unzip();
    // What the word would do to the chat before the rules are asked.
    if let (Some(chat), Some(ConsentWord::Start)) = (&mut chat, ConsentWord::read(&run.text)) {
        chat.opted_out = false;
    }
    let now = run.at.unwrap_or_else(|| system.now());
    let inbound = InboundText {
        kind: MessageType::Text,
        text: Some(&run.text),
        written_at: now,
        is_first: chat.as_ref().is_none_or(|chat| chat.first_inbound.is_none()),
    };
    let name = chat.as_ref().map_or(SOMEBODY, |chat| chat.name.as_str());
    let history = history.unwrap_or_default();
    let context = ChatContext { chat: chat.as_ref(), name, history: &history };
    Ok(answer(&auto_reply::decide(&rules, &inbound, &context, limits, now)))
}

async fn context(store: &Store, session_id: SessionId, chat_id: ChatId) -> Result<ReplyContext, DryRunError> {
    let context = store.outbox().reply_context(chat_id).await?.filter(|context| context.chat.session_id == session_id);
    context.ok_or(DryRunError::ChatNotFound)
}

fn answer(decision: &Decision<'_>) -> Value {
    let reply = decision.answer.as_ref().map(
        |answer| json!({"rule_id": answer.rule.id, "rule_name": answer.rule.name, "content": answer.content.json}),
    );
    let rules: Vec<Value> = decision.verdicts.iter().map(|(rule, verdict)| explained(rule, *verdict)).collect();
    json!({"success": true, "reply": reply, "rules": rules})
}

fn explained(rule: &Rule, verdict: Verdict) -> Value {
    let (reason, explanation) = match verdict {
        Verdict::Answers => ("answers", "It answers".to_owned()),
        Verdict::Suppressed(silence) => silenced(silence),
        Verdict::Outranked => ("outranked", "It could answer, and a rule that is asked before it does".to_owned()),
        Verdict::Disabled => ("disabled", "It is switched off".to_owned()),
        Verdict::NoKeyword => ("no_keyword", "None of its keywords is found in the text".to_owned()),
        Verdict::TooManyPatterns => {
            ("too_many_patterns", "It was not tried: a message is held against up to 50 patterns".to_owned())
        }
        Verdict::NotFirstMessage => ("not_first_message", "The contact has written before".to_owned()),
        Verdict::OutsideHours => ("outside_hours", "The time is outside of its hours".to_owned()),
        Verdict::WithinHours => {
            ("within_hours", "The time is within its hours, and it answers outside of them".to_owned())
        }
        Verdict::UnknownTimeZone => ("unknown_time_zone", "Its time zone is not known any more".to_owned()),
        Verdict::CoolingDown { until } => {
            ("cooling_down", format!("It has answered this chat, and does so again after {until}"))
        }
        Verdict::Unsendable => ("unsendable", "With this text its reply is none that WhatsApp takes".to_owned()),
    };
    json!({"id": rule.id, "name": rule.name, "reason": reason, "explanation": explanation})
}

fn silenced(silence: SuppressionReason) -> (&'static str, String) {
    let (reason, explanation) = match silence {
        SuppressionReason::NotAnswerable => ("not_answerable", "Nothing of this type is answered"),
        SuppressionReason::Group => ("group", "It could answer, and nothing is answered in groups"),
        SuppressionReason::TooOld => ("too_old", "It could answer, and the message is too old"),
        SuppressionReason::StopWord => ("stop_word", "It could answer, and the text says that nothing may"),
        SuppressionReason::OptedOut => ("opted_out", "It could answer, and the contact has said STOP"),
        SuppressionReason::AnsweredByPerson => {
            ("answered_by_person", "It could answer, and a person of the business wrote a short time ago")
        }
        SuppressionReason::HourlyLimit => {
            ("hourly_limit", "It could answer, and the chat had all its replies of this hour")
        }
    };
    (reason, explanation.to_owned())
}
