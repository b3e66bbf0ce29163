//! Decides which rule answers a message, and why the others don't.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    History, Match, Rule, Trigger, Values, placeholder,
    trigger::{MAX_PATTERNS_PER_MESSAGE, SearchText},
};
use crate::domain::{
    chat::{Chat, ChatType},
    consent::{ConsentWord, ConsentWords},
    content::Content,
    message::{Message, MessageStatus, MessageType, Source, preview},
    text::Accents,
    time::Timestamp,
};

/// The maximum age of a message to answer, by WhatsApp's clock. It prevents answers to old messages after an outage.
pub const MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// The limits that the operator configures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time to suppress auto-replies after an agent replies.
    pub quiet: Duration,
    /// The maximum number of auto-replies per chat and hour. It ends loops between two auto-responders.
    pub per_hour: u32,
}

/// The inbound message to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct InboundText<'a> {
    /// The message type.
    pub kind: MessageType,
    /// The text or caption, if any.
    pub text: Option<&'a str>,
    /// When the contact sent the message, by WhatsApp's clock.
    pub written_at: Timestamp,
    /// Whether it is the contact's first message.
    pub is_first: bool,
}

/// The chat of the message.
#[derive(Clone, Copy, Debug)]
pub struct ChatContext<'a> {
    /// The chat. `None` if it doesn't exist, which is possible in a dry run.
    pub chat: Option<&'a Chat>,
    /// The contact's name, for `{{name}}`.
    pub name: &'a str,
    /// The auto-replies of the chat.
    pub history: &'a History,
    /// The session's STOP and START words.
    pub words: ConsentWords<'a>,
}

/// Why a message gets no auto-reply, regardless of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionReason {
    /// A person didn't write the message: it is a system message, a reaction, or an unsupported message.
    NotAnswerable,
    /// The chat is a group.
    Group,
    /// The message is older than [`MAX_AGE`].
    TooOld,
    /// The message is a STOP word.
    StopWord,
    /// The contact sent STOP and has not sent START since.
    OptedOut,
    /// An agent wrote within the last [`Limits::quiet`].
    AnsweredByPerson,
    /// The chat has reached [`Limits::per_hour`].
    HourlyLimit,
}

/// The result of evaluating a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rule answers the message.
    Answers,
    /// The rule matches, but the message gets no auto-reply.
    Suppressed(SuppressionReason),
    /// The rule matches, but a rule with a higher priority answers.
    Outranked,
    /// The rule is disabled.
    Disabled,
    /// No keyword matches.
    NoKeyword,
    /// The patterns were not searched, because earlier rules used up the limit of patterns per message.
    TooManyPatterns,
    /// The contact has written before.
    NotFirstMessage,
    /// The contact opened the chat without writing, which only rules for the first message answer.
    ChatOpened,
    /// The rule answers only within its hours.
    OutsideHours,
    /// The rule answers only outside its hours.
    WithinHours,
    /// The bundled time zone database doesn't contain the rule's time zone.
    UnknownTimeZone,
    /// The rule answered this chat within its cooldown.
    CoolingDown {
        /// The end of the cooldown.
        until: Timestamp,
    },
    /// With this name or message, WhatsApp would reject the reply.
    Unsendable,
}

/// The reply to send.
#[derive(Clone, Debug)]
pub struct SelectedReply<'a> {
    /// The rule that answers.
    pub rule: &'a Rule,
    /// The content to send.
    pub content: Content,
}

/// The result of evaluating all rules.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// The reply, if any.
    pub answer: Option<SelectedReply<'a>>,
    /// Each rule with its verdict, in evaluation order.
    pub verdicts: Vec<(&'a Rule, Verdict)>,
}

impl Decision<'_> {
    /// Returns why a matching rule doesn't answer. Returns `None` if a rule answers or no rule matches.
    pub fn suppressed(&self) -> Option<Verdict> {
        if self.answer.is_some() {
            return None;
        }
        let is_suppressed = |verdict: &Verdict| {
            matches!(verdict, Verdict::Suppressed(_) | Verdict::CoolingDown { .. } | Verdict::Unsendable)
        };
        self.verdicts.iter().map(|(_, verdict)| *verdict).find(is_suppressed)
    }
}

/// Returns whether rules can answer a stored message: a new message that a contact wrote to the business.
pub fn is_answerable(message: &Message) -> bool {
    !message.from_me
        && message.status == MessageStatus::Received
        && matches!(message.source, None | Some(Source::Device))
        && (message.kind.is_user_authored() || message.kind == MessageType::RequestWelcome)
}

/// Evaluates `rules` by descending priority, and by age among equals. The first rule that matches answers.
pub fn decide<'a>(
    rules: &'a [Rule],
    inbound: &InboundText<'_>,
    context: &ChatContext<'_>,
    limits: Limits,
    now: Timestamp,
) -> Decision<'a> {
    let suppression = suppression(inbound, context, limits, now);
    let mut rules: Vec<&Rule> = rules.iter().collect();
    rules.sort_by_key(|rule| (std::cmp::Reverse(rule.priority), rule.id));
    let mut answer = None;
    let mut has_match = false;
    let mut searches = 0;
    let text = inbound.text.map(SearchText::new);
    let verdicts = rules.into_iter().map(|rule| {
        let verdict = match evaluate(rule, inbound, text.as_ref(), context, now, &mut searches) {
            Ok(_) if has_match => Verdict::Outranked,
            Ok(content) => {
                has_match = true;
                match suppression {
                    Some(reason) => Verdict::Suppressed(reason),
                    None => {
                        answer = Some(SelectedReply { rule, content });
                        Verdict::Answers
                    }
                }
            }
            Err(verdict) => verdict,
        };
        (rule, verdict)
    });
    let verdicts = verdicts.collect();
    Decision { answer, verdicts }
}

/// Returns why the message gets no auto-reply, regardless of the rules.
fn suppression(
    inbound: &InboundText<'_>,
    context: &ChatContext<'_>,
    limits: Limits,
    now: Timestamp,
) -> Option<SuppressionReason> {
    let chat = context.chat;
    if !inbound.kind.is_user_authored() && inbound.kind != MessageType::RequestWelcome {
        return Some(SuppressionReason::NotAnswerable);
    }
    if chat.is_some_and(|chat| chat.kind == ChatType::Group) {
        return Some(SuppressionReason::Group);
    }
    if now.since(inbound.written_at) > MAX_AGE {
        return Some(SuppressionReason::TooOld);
    }
    if inbound.text.and_then(|text| context.words.find(text)) == Some(ConsentWord::Stop) {
        return Some(SuppressionReason::StopWord);
    }
    if chat.is_some_and(|chat| chat.consent.denies_auto_replies()) {
        return Some(SuppressionReason::OptedOut);
    }
    if chat.and_then(|chat| chat.answered_at).is_some_and(|at| at > now.before(limits.quiet)) {
        return Some(SuppressionReason::AnsweredByPerson);
    }
    if context.history.in_last_hour(now) >= limits.per_hour as usize {
        return Some(SuppressionReason::HourlyLimit);
    }
    None
}

/// Returns the reply of a matching rule, or why the rule doesn't match. `searches` counts the patterns searched so far.
fn evaluate(
    rule: &Rule,
    inbound: &InboundText<'_>,
    text: Option<&SearchText<'_>>,
    context: &ChatContext<'_>,
    now: Timestamp,
    searches: &mut usize,
) -> Result<Content, Verdict> {
    if !rule.enabled {
        return Err(Verdict::Disabled);
    }
    match &rule.trigger {
        Trigger::FirstMessage if !inbound.is_first => return Err(Verdict::NotFirstMessage),
        Trigger::FirstMessage => {}
        _ if inbound.kind == MessageType::RequestWelcome => return Err(Verdict::ChatOpened),
        Trigger::Keyword { how, keywords, ignore_accents } => {
            let accents = if *ignore_accents { Accents::Ignored } else { Accents::Distinct };
            if *how == Match::Regex {
                *searches += keywords.len();
                if *searches > MAX_PATTERNS_PER_MESSAGE {
                    return Err(Verdict::TooManyPatterns);
                }
            }
            if !text.is_some_and(|text| text.matches_any(*how, accents, keywords)) {
                return Err(Verdict::NoKeyword);
            }
        }
        Trigger::OutsideHours | Trigger::Any => {}
    }
    if let Some(schedule) = &rule.schedule {
        match (schedule.is_open(now), &rule.trigger) {
            (None, _) => return Err(Verdict::UnknownTimeZone),
            (Some(true), Trigger::OutsideHours) => return Err(Verdict::WithinHours),
            (Some(false), Trigger::OutsideHours) | (Some(true), _) => {}
            (Some(false), _) => return Err(Verdict::OutsideHours),
        }
    }
    if let Some(until) = context.history.cooling_until(rule, now) {
        return Err(Verdict::CoolingDown { until });
    }
    let reply: Map<String, Value> = serde_json::from_str(&rule.reply).map_err(|_| Verdict::Unsendable)?;
    let values = match inbound.text {
        Some(text) => Values::new(context.name, text),
        None if inbound.kind == MessageType::RequestWelcome => Values::new(context.name, ""),
        None => Values::new(context.name, &preview(inbound.kind, None)),
    };
    placeholder::render(&reply, &values).ok_or(Verdict::Unsendable)
}
