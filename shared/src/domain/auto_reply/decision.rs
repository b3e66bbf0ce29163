//! The decision: which rule answers a message, and why the others do not.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    ConsentWord, History, Match, Rule, Trigger, Values, placeholder,
    trigger::{MAX_SEARCHES, is_found},
};
use crate::domain::{
    chat::{Chat, ChatType},
    content::Content,
    message::{Message, MessageStatus, MessageType, Source, placeholder as placeholder_for},
    time::Timestamp,
};

/// The oldest message that is answered, by WhatsApp's clock: after an outage nobody wants answers to yesterday's mail.
pub const MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// How long a person's answer keeps rules out of a chat, and how many replies a chat gets in an hour. The operator sets
/// both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long after a person of the business wrote nothing is answered automatically.
    pub quiet: Duration,
    /// The most automatic replies of one chat in any hour: two systems that answer each other end there.
    pub per_hour: u32,
}

/// A message that may be answered, as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct InboundText<'a> {
    /// What it is.
    pub kind: MessageType,
    /// What was written, where it has words.
    pub text: Option<&'a str>,
    /// When it was written, by WhatsApp's clock.
    pub written_at: Timestamp,
    /// Whether it is the first message that the contact ever wrote.
    pub is_first: bool,
}

/// What is known of where it was written.
#[derive(Clone, Copy, Debug)]
pub struct ChatContext<'a> {
    /// The chat; `None` for one that is not there yet, as a dry run may imagine it.
    pub chat: Option<&'a Chat>,
    /// What the contact calls himself.
    pub name: &'a str,
    /// Its automatic replies.
    pub history: &'a History,
}

/// Why nothing is answered, whatever the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionReason {
    /// Nothing that a person says: a system message, a reaction, something that cannot be shown.
    NotAnswerable,
    /// It was written in a group.
    Group,
    /// It is older than [`MAX_AGE`].
    TooOld,
    /// It is the word STOP.
    StopWord,
    /// The contact said STOP and has not said START since.
    OptedOut,
    /// A person of the business wrote a short time ago.
    AnsweredByPerson,
    /// The chat had all its automatic replies of this hour.
    HourlyLimit,
}

/// What a rule makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answers.
    Answers,
    /// It would, and nothing is answered at present.
    Suppressed(SuppressionReason),
    /// It would, and another one does.
    Outranked,
    /// It is switched off.
    Disabled,
    /// None of its keywords is found.
    NoKeyword,
    /// Its patterns were not tried, because those of the rules before it are all that one message is held against.
    TooManyPatterns,
    /// The contact has written before.
    NotFirstMessage,
    /// Its hours are over, or have not begun.
    OutsideHours,
    /// It answers outside of its hours only.
    WithinHours,
    /// Its time zone is not in this version's database.
    UnknownTimeZone,
    /// It has answered this chat a short time ago.
    CoolingDown {
        /// When it may again.
        until: Timestamp,
    },
    /// With this name or message its reply is none that WhatsApp takes.
    Unsendable,
}

/// What is to be sent.
#[derive(Clone, Debug)]
pub struct SelectedReply<'a> {
    /// The rule that answers.
    pub rule: &'a Rule,
    /// With what.
    pub content: Content,
}

/// What becomes of a message.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// The answer; `None` when there is none.
    pub answer: Option<SelectedReply<'a>>,
    /// Each rule with its verdict, in the order in which they are asked.
    pub verdicts: Vec<(&'a Rule, Verdict)>,
}

impl Decision<'_> {
    /// Why no rule answers though one would; `None` when one does, or none would.
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

/// Whether a stored message is one that a rule may answer at all: something new that a customer wrote to the business.
pub fn answerable(message: &Message) -> bool {
    !message.from_me
        && message.status == MessageStatus::Received
        && matches!(message.source, None | Some(Source::Device))
        && message.kind.is_written()
}

/// Decides. Rules are asked by priority, the oldest first among equals; the first one that can answer does.
pub fn decide<'a>(
    rules: &'a [Rule],
    inbound: &InboundText<'_>,
    context: &ChatContext<'_>,
    limits: Limits,
    now: Timestamp,
) -> Decision<'a> {
    let silence = silence(inbound, context, limits, now);
    let mut rules: Vec<&Rule> = rules.iter().collect();
    rules.sort_by_key(|rule| (std::cmp::Reverse(rule.priority), rule.id));
    let mut answer = None;
    let mut is_taken = false;
    let mut searches = 0;
    let verdicts = rules.into_iter().map(|rule| {
        let verdict = match judge(rule, inbound, context, now, &mut searches) {
            Ok(_) if is_taken => Verdict::Outranked,
            Ok(content) => {
                is_taken = true;
                match silence {
                    Some(silence) => Verdict::Suppressed(silence),
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

/// Why nothing at all answers the question.
fn silence(
    inbound: &InboundText<'_>,
    context: &ChatContext<'_>,
    limits: Limits,
    now: Timestamp,
) -> Option<SuppressionReason> {
    let chat = context.chat;
    if !inbound.kind.is_written() {
        return Some(SuppressionReason::NotAnswerable);
    }
    if chat.is_some_and(|chat| chat.kind == ChatType::Group) {
        return Some(SuppressionReason::Group);
    }
    if now.since(inbound.written_at) > MAX_AGE {
        return Some(SuppressionReason::TooOld);
    }
    if inbound.text.and_then(ConsentWord::read) == Some(ConsentWord::Stop) {
        return Some(SuppressionReason::StopWord);
    }
    if chat.is_some_and(|chat| chat.opted_out) {
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

/// What the rule would answer, or why it would not.
fn judge(
    rule: &Rule,
    inbound: &InboundText<'_>,
    context: &ChatContext<'_>,
    now: Timestamp,
    searches: &mut usize,
) -> Result<Content, Verdict> {
    if !rule.enabled {
        return Err(Verdict::Disabled);
    }
    match &rule.trigger {
        Trigger::Keyword { how, keywords } => {
            if *how == Match::Regex {
                *searches += keywords.len();
                if *searches > MAX_SEARCHES {
                    return Err(Verdict::TooManyPatterns);
                }
            }
            if !inbound.text.is_some_and(|text| is_found(*how, keywords, text)) {
                return Err(Verdict::NoKeyword);
            }
        }
        Trigger::FirstMessage if !inbound.is_first => return Err(Verdict::NotFirstMessage),
        _ => {}
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
        None => Values::new(context.name, &placeholder_for(inbound.kind)),
    };
    placeholder::render(&reply, &values).ok_or(Verdict::Unsendable)
}
