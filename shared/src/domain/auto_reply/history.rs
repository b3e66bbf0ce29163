//! The recent auto-replies of a chat, for cooldowns and the hourly limit.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::Rule;
use crate::domain::{
    id::{MessageId, RuleId},
    time::Timestamp,
};

/// The period of the hourly limit.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The recent auto-replies of one chat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The last auto-reply, used for optimistic locking: of two concurrent writers, one fails and reads again.
    #[serde(default)]
    pub last_reply: Option<MessageId>,
    /// The times of the auto-replies within the last hour.
    #[serde(default)]
    pub recent: Vec<Timestamp>,
    /// The time of each rule's last answer, during its cooldown.
    #[serde(default)]
    pub answered: BTreeMap<RuleId, Timestamp>,
}

impl History {
    /// Returns the end of the cooldown of `rule`, or `None` if the rule can answer.
    pub fn cooling_until(&self, rule: &Rule, now: Timestamp) -> Option<Timestamp> {
        self.answered.get(&rule.id).map(|at| at.after(cooldown(rule))).filter(|until| *until > now)
    }

    /// Returns the number of auto-replies in the hour before `now`.
    pub fn in_last_hour(&self, now: Timestamp) -> usize {
        self.recent.iter().filter(|at| at.after(HOUR) > now).count()
    }

    /// Returns the history after `rule` answered with `reply`, without expired entries. `rules` are all rules of the
    /// session.
    #[must_use]
    pub fn after(&self, rule: &Rule, reply: MessageId, rules: &[Rule], now: Timestamp) -> Self {
        let recent = self.recent.iter().copied().filter(|at| at.after(HOUR) > now).chain([now]).collect();
        let mut answered: BTreeMap<RuleId, Timestamp> = rules
            .iter()
            .filter(|other| self.cooling_until(other, now).is_some())
            .filter_map(|other| Some((other.id, *self.answered.get(&other.id)?)))
            .collect();
        answered.insert(rule.id, now);
        Self { last_reply: Some(reply), recent, answered }
    }

    /// Returns the time at which all entries have expired, given all rules of the session, or `now` if they have.
    pub fn expires_at(&self, rules: &[Rule], now: Timestamp) -> Timestamp {
        let cooldowns = rules.iter().filter_map(|rule| Some(self.answered.get(&rule.id)?.after(cooldown(rule))));
        let recent = self.recent.iter().map(|at| at.after(HOUR));
        cooldowns.chain(recent).max().unwrap_or(now)
    }
}

fn cooldown(rule: &Rule) -> Duration {
    Duration::from_secs(rule.cooldown_seconds.into())
}
