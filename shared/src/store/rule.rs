//! Auto-reply rules, beside their session.

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{Delete, ReturnValuesOnConditionCheckFailure as OnFailure, Update},
};

use super::{
    Store, StoreError,
    item::{self, number, string},
    keys::Key,
    session::SESSION,
    transaction::{Transaction, delete_action, put_action, update_action},
};
use crate::{
    domain::auto_reply::{MAX_RULES, Rule},
    domain::id::{RuleId, SessionId},
    domain::session::Session,
};

const RULE: &str = "rule";

/// What making a rule found.
#[derive(Debug, PartialEq, Eq)]
pub enum RuleCreated {
    /// It is made.
    Created,
    /// There is no such session.
    NoSession,
    /// The session has [`MAX_RULES`] already.
    TooMany,
}

impl Store {
    /// A session and its rules, oldest first; `None` when there is no such session. One query, read consistently.
    pub async fn session_with_rules(&self, id: SessionId) -> Result<Option<(Session, Vec<Rule>)>, StoreError> {
        let key = Key::session(id);
        let (mut session, mut rules) = (None, Vec::new());
        let mut start = None;
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.table)
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

    /// The rule with this id. The index that finds it follows the table by a moment.
    pub async fn rule(&self, id: RuleId) -> Result<Option<Rule>, StoreError> {
        let keys = self.keys_by_id("finding a rule by its id", id).await?;
        let Some(key) = keys.into_iter().find(Key::is_rule) else { return Ok(None) };
        self.get("reading a rule", &key).await?.map(|item| item::read(RULE, item)).transpose()
    }

    /// Makes a rule. The session counts its rules, so that two that are made at once do not pass the limit.
    pub async fn create_rule(&self, rule: &Rule) -> Result<RuleCreated, StoreError> {
        let put = self.put(item::write(RULE, &Key::rule(rule.session_id, rule.id), rule)?, "attribute_not_exists(pk)");
        let condition = "attribute_exists(pk) AND (attribute_not_exists(rule_count) OR rule_count < :most)";
        let mut count = self.count_rules(rule.session_id, 1, condition)?;
        count.expression_attribute_values.get_or_insert_default().insert(":most".to_owned(), number(MAX_RULES));
        match self.transact("making a rule", vec![put_action(put), update_action(count)]).await? {
            Transaction::Committed => Ok(RuleCreated::Created),
            Transaction::Refused(refusals) => match refusals.into_iter().nth(1).and_then(|refusal| refusal.item) {
                Some(_) => Ok(RuleCreated::TooMany),
                None => Ok(RuleCreated::NoSession),
            },
        }
    }

    /// Writes a rule in place of the one with its id. Whether there was one.
    pub async fn replace_rule(&self, rule: &Rule) -> Result<bool, StoreError> {
        let row = item::write(RULE, &Key::rule(rule.session_id, rule.id), rule)?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(row));
        let put = put.condition_expression("attribute_exists(pk)");
        match self.retry_on_conflict(|| put.clone().send()).await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(StoreError::request("changing a rule")(error)),
            },
        }
    }

    /// Deletes a rule. Whether there was one.
    pub async fn delete_rule(&self, rule: &Rule) -> Result<bool, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(Key::rule(rule.session_id, rule.id).attributes()))
            .condition_expression("attribute_exists(pk)")
            .build()
            .map_err(|source| StoreError::Request { operation: "deleting a rule", source: source.into() })?;
        let count = self.count_rules(rule.session_id, -1, "attribute_exists(pk)")?;
        match self.transact("deleting a rule", vec![delete_action(delete), update_action(count)]).await? {
            Transaction::Committed => Ok(true),
            Transaction::Refused(_) => Ok(false),
        }
    }

    fn count_rules(&self, session_id: SessionId, added: i32, condition: &str) -> Result<Update, StoreError> {
        Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::session(session_id).attributes()))
            .update_expression("ADD rule_count :added")
            .condition_expression(condition)
            .expression_attribute_values(":added", number(added))
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .build()
            .map_err(|source| StoreError::Request { operation: "counting rules", source: source.into() })
    }
}
