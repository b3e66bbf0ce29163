//! What has answered a chat lately: the memory behind cooldowns and the hourly limit.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::Rule;
use crate::domain::{
    id::{MessageId, RuleId},
    time::Timestamp,
};

/// The span that the hourly limit looks back.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The automatic replies of one chat, as far as they matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The last one. Each writer expects the one that it has read, so that of two at once one reads again.
    #[serde(default)]
    pub last_reply: Option<MessageId>,
    /// When those of the last hour were written.
    #[serde(default)]
    pub recent: Vec<Timestamp>,
    /// When each rule last answered, while its cooldown lasts.
    #[serde(default)]
    pub answered: BTreeMap<RuleId, Timestamp>,
}

impl History {
    /// Until when `rule` does not answer; `None` when it may.
    pub fn cooling_until(&self, rule: &Rule, now: Timestamp) -> Option<Timestamp> {
        self.answered.get(&rule.id).map(|at| at.after(cooldown(rule))).filter(|until| *until > now)
    }

    /// How many replies the hour before `now` had.
    pub fn in_last_hour(&self, now: Timestamp) -> usize {
        self.recent.iter().filter(|at| at.after(HOUR) > now).count()
    }

    /// The history after `rule` answered with `reply`. What cannot matter any more is left out; `rules` are all there are.
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

    /// When nothing of it matters any more, given all the rules; `now` when nothing does.
    pub fn expires_at(&self, rules: &[Rule], now: Timestamp) -> Timestamp {
        let cooled = rules.iter().filter_map(|rule| Some(self.answered.get(&rule.id)?.after(cooldown(rule))));
        let forgotten = self.recent.iter().map(|at| at.after(HOUR));
        cooled.chain(forgotten).max().unwrap_or(now)
    }
}

fn cooldown(rule: &Rule) -> Duration {
    Duration::from_secs(rule.cooldown_seconds.into())
}
