//! Auto-reply rules. They are in the partition of their session.

use super::{
    Rules, Sessions, StoreError,
    item::{self, string},
    keys::Key,
    session::SESSION,
    transaction::Transaction,
    update::{UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    auto_reply::{MAX_RULES, Rule},
    id::{RuleId, SessionId},
    session::Session,
};

const RULE: &str = "rule";

/// The outcome of creating a rule.
#[derive(Debug, PartialEq, Eq)]
pub enum RuleCreated {
    /// The rule was created.
    Created,
    /// There is no such session.
    NoSession,
    /// The session already has [`MAX_RULES`] rules.
    TooMany,
}

impl Sessions<'_> {
    /// Returns a session and its rules, oldest first, with one consistent query.
    pub async fn get_with_rules(self, id: SessionId) -> Result<Option<(Session, Vec<Rule>)>, StoreError> {
        let key = Key::session(id);
        let (mut session, mut rules) = (None, Vec::new());
        let mut start = None;
        loop {
            let output = self
                .0
                .client
                .query()
                .table_name(&self.0.table)
                .key_condition_expression("pk = :pk AND sk BETWEEN :rule AND :session")
                .expression_attribute_values(":pk", string(&key.pk))
                .expression_attribute_values(":rule", string("RULE#"))
                .expression_attribute_values(":session", string(&key.sk))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::request("reading rules"))?;
            for item in output.items.unwrap_or_default() {
                match Key::from_item(&item) {
                    Some(own) if own == key => session = Some(item::read(SESSION, item)?),
                    Some(own) if own.is_rule() => rules.push(item::read(RULE, item)?),
                    _ => {}
                }
            }
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(session.map(|session| (session, rules)));
            }
        }
    }
}

impl Rules<'_> {
    /// Returns the rule with this id. Eventually consistent.
    pub async fn get(self, id: RuleId) -> Result<Option<Rule>, StoreError> {
        let keys = self.0.keys_by_id("querying a rule by id", id).await?;
        let Some(key) = keys.into_iter().find(Key::is_rule) else { return Ok(None) };
        self.0.get("reading a rule", &key).await?.map(|item| item::read(RULE, item)).transpose()
    }

    /// Creates a rule. The session counts its rules, so that concurrent requests don't exceed the limit.
    pub async fn create(self, rule: &Rule) -> Result<RuleCreated, StoreError> {
        let row = item::write(RULE, &Key::rule(rule.session_id, rule.id), rule)?;
        let count = count_rules(rule.session_id, 1)
            .condition(("attribute_not_exists(rule_count) OR rule_count < ?", MAX_RULES));
        let actions = vec![self.0.put_action(row, "attribute_not_exists(pk)"), self.0.update_action(count)];
        match self.0.transact("creating a rule", actions).await? {
            Transaction::Committed => Ok(RuleCreated::Created),
            Transaction::Refused(refusals) => match refusals.into_iter().nth(1).and_then(|refusal| refusal.item) {
                Some(_) => Ok(RuleCreated::TooMany),
                None => Ok(RuleCreated::NoSession),
            },
        }
    }

    /// Replaces the rule with its id. Returns whether it existed.
    pub async fn replace(self, rule: &Rule) -> Result<bool, StoreError> {
        let row = item::write(RULE, &Key::rule(rule.session_id, rule.id), rule)?;
        let outcome = self.0.put_if("changing a rule", row, "attribute_exists(pk)").await?;
        Ok(matches!(outcome, WriteOutcome::Written { .. }))
    }

    /// Deletes a rule. Returns whether it existed.
    pub async fn delete(self, rule: &Rule) -> Result<bool, StoreError> {
        let actions = vec![
            self.0.delete_action(&Key::rule(rule.session_id, rule.id), "attribute_exists(pk)"),
            self.0.update_action(count_rules(rule.session_id, -1)),
        ];
        match self.0.transact("deleting a rule", actions).await? {
            Transaction::Committed => Ok(true),
            Transaction::Refused(_) => Ok(false),
        }
    }
}

fn count_rules(session_id: SessionId, added: i32) -> UpdateBuilder {
    UpdateBuilder::new(&Key::session(session_id)).add("rule_count", added).condition("attribute_exists(pk)")
}
