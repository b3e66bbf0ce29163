//! Auto-reply rules, and the decision which rule answers a message.

mod decision;
mod history;
pub(crate) mod placeholder;
mod schedule;
mod trigger;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    decision::{
        ChatContext, Decision, InboundText, Limits, MAX_AGE, SelectedReply, SuppressionReason, Verdict, decide,
        is_answerable,
    },
    history::History,
    placeholder::Values,
    schedule::{Clock, Range, Schedule, Week},
    trigger::{Match, Trigger},
};
pub(crate) use self::{schedule::zone, trigger::compile};
use crate::domain::{
    id::{RuleId, SessionId},
    time::Timestamp,
};

/// The maximum number of rules per session. Every message reads all of them and can evaluate all of them.
pub const MAX_RULES: u32 = 100;

/// An auto-reply rule as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The ID, which sorts by age.
    pub id: RuleId,
    /// The session whose messages the rule answers.
    pub session_id: SessionId,
    /// The name that the session's owner chose.
    pub name: String,
    /// Whether the rule is enabled.
    pub enabled: bool,
    /// The priority. Of the rules that match a message, the one with the highest priority answers. Of equal priorities,
    /// the oldest rule answers.
    pub priority: u32,
    /// The messages that the rule answers.
    pub trigger: Trigger,
    /// The hours in which the rule answers. With [`Trigger::OutsideHours`], it answers outside these hours.
    pub schedule: Option<Schedule>,
    /// The reply: the Cloud API's message object as JSON text. Its texts can contain `{{name}}` and `{{message}}`.
    pub reply: String,
    /// The minimum time between two answers in one chat, in seconds.
    pub cooldown_seconds: u32,
    /// When the rule was created.
    pub created_at: Timestamp,
    /// When the rule was last updated.
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
    /// Creates a rule.
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

    /// Returns the rule with its fields replaced.
    pub fn updated(self, fields: RuleFields, now: Timestamp) -> Self {
        let updated_at = now.max(self.updated_at);
        Self { created_at: self.created_at, updated_at, ..Self::new(self.id, self.session_id, fields, now) }
    }

    /// Returns the rule as shown in API responses.
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

/// A rule as shown in API responses: `null` where unset.
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
