//! Auto-reply: rules that a session's owner sets, and the one place that decides what answers a message.

mod consent;
mod decision;
mod history;
pub(crate) mod placeholder;
mod schedule;
mod trigger;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    consent::ConsentWord,
    decision::{
        ChatContext, Decision, InboundText, Limits, MAX_AGE, SelectedReply, SuppressionReason, Verdict, answerable,
        decide,
    },
    history::History,
    placeholder::Values,
    schedule::{Clock, Range, Schedule, Week},
    trigger::{Match, Trigger},
};
pub(crate) use self::{
    schedule::zone,
    trigger::{compile, folded},
};
use crate::domain::{
    id::{RuleId, SessionId},
    time::Timestamp,
};

/// The most rules of a session: all of them are read, and at worst tried, for every message.
pub const MAX_RULES: u32 = 100;

/// What answers which message. Stored as it is here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Sorts by age.
    pub id: RuleId,
    /// The session whose messages it answers.
    pub session_id: SessionId,
    /// What its owner calls it.
    pub name: String,
    /// Whether it answers at all.
    pub enabled: bool,
    /// Of the rules that could answer a message, the one with the highest priority does; of equals the oldest.
    pub priority: u32,
    /// What it answers.
    pub trigger: Trigger,
    /// When it answers: within these hours; with [`Trigger::OutsideHours`], outside of them.
    pub schedule: Option<Schedule>,
    /// What it answers with: the Cloud API's object as JSON text, its texts with `{{name}}` and `{{message}}`.
    pub reply: String,
    /// Seconds for which it does not answer the same chat again.
    pub cooldown_seconds: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The fields of a rule that its owner sets.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of Rule")]
pub struct RuleFields {
    pub name: String,
    pub enabled: bool,
    pub priority: u32,
    pub trigger: Trigger,
    pub schedule: Option<Schedule>,
    pub reply: String,
    pub cooldown_seconds: u32,
}

impl Rule {
    /// A new rule.
    pub fn new(id: RuleId, session_id: SessionId, fields: RuleFields, now: Timestamp) -> Self {
        let RuleFields { name, enabled, priority, trigger, schedule, reply, cooldown_seconds } = fields;
        let (created_at, updated_at) = (now, now);
        Self {
            id,
            session_id,
            name,
            enabled,
            priority,
            trigger,
            schedule,
            reply,
            cooldown_seconds,
            created_at,
            updated_at,
        }
    }

    /// The same rule with other fields.
    pub fn changed(self, fields: RuleFields, now: Timestamp) -> Self {
        let updated_at = now.max(self.updated_at);
        Self { created_at: self.created_at, updated_at, ..Self::new(self.id, self.session_id, fields, now) }
    }

    /// The rule as answers give it.
    pub fn response(&self) -> RuleResponse<'_> {
        RuleResponse {
            id: self.id,
            session_id: self.session_id,
            name: &self.name,
            enabled: self.enabled,
            priority: self.priority,
            trigger: &self.trigger,
            schedule: self.schedule.as_ref(),
            reply: serde_json::from_str(&self.reply).unwrap_or_default(),
            cooldown_seconds: self.cooldown_seconds,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// A rule as answers give it: `null` where unset.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of Rule")]
pub struct RuleResponse<'a> {
    pub id: RuleId,
    pub session_id: SessionId,
    pub name: &'a str,
    pub enabled: bool,
    pub priority: u32,
    pub trigger: &'a Trigger,
    pub schedule: Option<&'a Schedule>,
    pub reply: Value,
    pub cooldown_seconds: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests;
