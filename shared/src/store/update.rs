//! Conditional writes: expressions that bind their own names and values, for a single request or for a transaction.

use std::{collections::HashMap, error::Error};

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::{
        AttributeValue, ConditionCheck, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure,
        TransactWriteItem, Update, error::ConditionalCheckFailedException,
    },
};

use super::{
    Store, StoreError,
    item::{Attribute, Item, MaybeAttribute},
    keys::Key,
};
use crate::domain::session::Setting;

/// A condition expression. Each `?` stands for one of its values, and `#name` for an attribute whose name DynamoDB
/// reserves.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    text: String,
    values: Vec<AttributeValue>,
}

impl Condition {
    /// Returns a condition that every item fulfills, whether it exists or not.
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// Requires that an attribute has a value, or is absent for `None`.
    pub(super) fn equals<V: Attribute>(attribute: &str, value: Option<V>) -> Self {
        match value {
            Some(value) => (&*format!("#{attribute} = ?"), value).into(),
            None => (&*format!("attribute_not_exists(#{attribute})")).into(),
        }
    }

    /// Requires this condition and another one.
    pub(super) fn and(self, other: Self) -> Self {
        self.join("AND", other)
    }

    /// Requires this condition or another one.
    pub(super) fn or(self, other: Self) -> Self {
        self.join("OR", other)
    }

    fn join(mut self, operator: &str, other: Self) -> Self {
        self.text = format!("({}) {operator} ({})", self.text, other.text);
        self.values.extend(other.values);
        self
    }

    /// Returns the expression with its names and values. DynamoDB refuses empty expressions and maps.
    pub(super) fn build(self) -> (Option<String>, Bindings) {
        let mut bindings = Bindings::default();
        let text = (!self.text.is_empty()).then(|| bindings.bind(self));
        (text, bindings)
    }
}

impl From<&str> for Condition {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }
}

impl<V: Values> From<(&str, V)> for Condition {
    fn from((text, values): (&str, V)) -> Self {
        Self { text: text.to_owned(), values: values.into_attributes() }
    }
}

/// The values of a condition: one, or several of the same type.
pub(super) trait Values {
    fn into_attributes(self) -> Vec<AttributeValue>;
}

impl<V: Attribute> Values for V {
    fn into_attributes(self) -> Vec<AttributeValue> {
        vec![self.attribute()]
    }
}

impl<V: Attribute, const N: usize> Values for [V; N] {
    fn into_attributes(self) -> Vec<AttributeValue> {
        self.into_iter().map(Attribute::attribute).collect()
    }
}

/// The names and values of an expression.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings {
    names: HashMap<String, String>,
    values: Item,
}

impl Bindings {
    fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    fn bind(&mut self, condition: Condition) -> String {
        let mut values = condition.values.into_iter();
        let mut expression = String::with_capacity(condition.text.len());
        for (index, part) in condition.text.split('?').enumerate() {
            if index > 0 {
                expression += &values.next().map(|value| self.value(value)).unwrap_or_default();
            }
            expression += part;
        }
        for reserved in condition.text.split('#').skip(1) {
            let end = reserved.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(reserved.len());
            self.name(&reserved[..end]);
        }
        expression
    }

    pub(super) fn into_parts(self) -> (Option<HashMap<String, String>>, Option<Item>) {
        ((!self.names.is_empty()).then_some(self.names), (!self.values.is_empty()).then_some(self.values))
    }
}

/// An update of one item. Every condition has to hold.
#[derive(Clone, Debug)]
pub(super) struct UpdateBuilder {
    key: Key,
    set: Vec<String>,
    add: Vec<String>,
    remove: Vec<String>,
    conditions: Vec<String>,
    bindings: Bindings,
    return_values: Option<ReturnValue>,
}

impl UpdateBuilder {
    /// Returns an update that changes nothing yet.
    pub(super) fn new(key: &Key) -> Self {
        Self {
            key: key.clone(),
            set: Vec::new(),
            add: Vec::new(),
            remove: Vec::new(),
            conditions: Vec::new(),
            bindings: Bindings::default(),
            return_values: None,
        }
    }

    /// Sets an attribute. `None` leaves it as it is.
    pub(super) fn set(mut self, attribute: &str, value: impl MaybeAttribute) -> Self {
        if let Some(value) = value.maybe_attribute() {
            let assignment = format!("{} = {}", self.bindings.name(attribute), self.bindings.value(value));
            self.set.push(assignment);
        }
        self
    }

    /// Sets an attribute that the item doesn't have. `None` leaves it as it is.
    pub(super) fn set_if_absent(mut self, attribute: &str, value: impl MaybeAttribute) -> Self {
        if let Some(value) = value.maybe_attribute() {
            let (name, value) = (self.bindings.name(attribute), self.bindings.value(value));
            self.set.push(format!("{name} = if_not_exists({name}, {value})"));
        }
        self
    }

    /// Sets an attribute, or removes it for `None`.
    pub(super) fn set_or_remove(self, attribute: &str, value: Option<impl Attribute>) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self.remove([attribute]),
        }
    }

    /// Changes a setting. An absent attribute is the default.
    pub(super) fn change(self, attribute: &str, change: Setting<impl MaybeAttribute>) -> Self {
        match change {
            Setting::Keep => self,
            Setting::Reset => self.remove([attribute]),
            Setting::Set(value) => self.set_or_remove(attribute, value.maybe_attribute()),
        }
    }

    /// Adds to a number, which counts as 0 while it is absent.
    pub(super) fn add(mut self, attribute: &str, value: impl Attribute) -> Self {
        let addition = format!("{} {}", self.bindings.name(attribute), self.bindings.value(value.attribute()));
        self.add.push(addition);
        self
    }

    /// Removes attributes.
    pub(super) fn remove<const N: usize>(mut self, attributes: [&str; N]) -> Self {
        self.remove.extend(attributes.map(|attribute| self.bindings.name(attribute)));
        self
    }

    /// Requires a condition.
    pub(super) fn condition(mut self, condition: impl Into<Condition>) -> Self {
        let condition = self.bindings.bind(condition.into());
        self.conditions.push(if condition.contains(" OR ") { format!("({condition})") } else { condition });
        self
    }

    /// Asks for the whole item after the update.
    pub(super) fn returning_new(mut self) -> Self {
        self.return_values = Some(ReturnValue::AllNew);
        self
    }

    fn expression(&self) -> Option<String> {
        let clauses = [("SET", &self.set), ("ADD", &self.add), ("REMOVE", &self.remove)];
        let clauses = clauses.into_iter().filter(|(_, parts)| !parts.is_empty());
        let clauses: Vec<String> = clauses.map(|(word, parts)| format!("{word} {}", parts.join(", "))).collect();
        (!clauses.is_empty()).then(|| clauses.join(" "))
    }

    fn condition_expression(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }

    /// Returns the update as an action of a transaction: a mere condition check if it changes nothing.
    #[allow(clippy::expect_used, reason = "the members that the SDK requires are set")]
    pub(super) fn into_action(self, table: &str) -> TransactWriteItem {
        let (key, expression, condition) = (self.key.attributes(), self.expression(), self.condition_expression());
        let (names, values) = self.bindings.into_parts();
        let action = TransactWriteItem::builder();
        if expression.is_none() {
            let check = ConditionCheck::builder()
                .table_name(table)
                .set_key(Some(key))
                .set_condition_expression(condition)
                .set_expression_attribute_names(names)
                .set_expression_attribute_values(values)
                .build();
            return action.condition_check(check.expect("table, key, and condition are set")).build();
        }
        let update = Update::builder()
            .table_name(table)
            .set_key(Some(key))
            .set_update_expression(expression)
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .build();
        action.update(update.expect("table, key, and expression are set")).build()
    }
}

/// The outcome of a conditional write.
#[derive(Debug)]
pub(super) enum WriteOutcome {
    /// The condition held.
    Written {
        /// The item after the write, if the request asked for it.
        item: Option<Item>,
    },
    /// The condition failed.
    Refused {
        /// The item as it is; `None` when there is no such item.
        item: Option<Item>,
    },
}

impl Store {
    /// Runs an update, again while a transaction holds the item.
    pub(super) async fn update(
        &self,
        operation: &'static str,
        update: UpdateBuilder,
    ) -> Result<WriteOutcome, StoreError> {
        self.send_update(operation, update, OnFailure::AllOld).await
    }

    /// Runs an update and returns whether its condition held.
    pub(super) async fn update_if(&self, operation: &'static str, update: UpdateBuilder) -> Result<bool, StoreError> {
        let outcome = self.send_update(operation, update, OnFailure::None).await?;
        Ok(matches!(outcome, WriteOutcome::Written { .. }))
    }

    async fn send_update(
        &self,
        operation: &'static str,
        update: UpdateBuilder,
        on_failure: OnFailure,
    ) -> Result<WriteOutcome, StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(update.key.attributes()))
            .set_update_expression(update.expression())
            .set_condition_expression(update.condition_expression())
            .set_return_values(update.return_values)
            .return_values_on_condition_check_failure(on_failure);
        let (names, values) = update.bindings.into_parts();
        let request = request.set_expression_attribute_names(names).set_expression_attribute_values(values);
        self.conditional(operation, || request.clone().send(), |output| output.attributes).await
    }

    /// Writes an item if its condition holds, again while a transaction holds the item.
    pub(super) async fn put_if(
        &self,
        operation: &'static str,
        item: Item,
        condition: impl Into<Condition>,
    ) -> Result<WriteOutcome, StoreError> {
        let (condition, bindings) = condition.into().build();
        let (names, values) = bindings.into_parts();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        self.conditional(operation, || put.clone().send(), |_| None).await
    }

    /// Writes an item unless there is one with its key.
    pub(super) async fn put_if_absent(&self, operation: &'static str, item: Item) -> Result<(), StoreError> {
        self.put_if(operation, item, "attribute_not_exists(pk)").await.map(drop)
    }

    /// Deletes an item if its condition holds, again while a transaction holds the item.
    pub(super) async fn delete_if(
        &self,
        operation: &'static str,
        key: &Key,
        condition: impl Into<Condition>,
    ) -> Result<WriteOutcome, StoreError> {
        let (condition, bindings) = condition.into().build();
        let (names, values) = bindings.into_parts();
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values);
        self.conditional(operation, || delete.clone().send(), |_| None).await
    }

    async fn conditional<T, E, R, F>(
        &self,
        operation: &'static str,
        send: impl FnMut() -> F,
        item: impl Fn(T) -> Option<Item>,
    ) -> Result<WriteOutcome, StoreError>
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, R>>>,
    {
        match self.retry_on_conflict(send).await {
            Ok(output) => Ok(WriteOutcome::Written { item: item(output) }),
            Err(error) => match error.as_service_error().and_then(Error::source).and_then(<dyn Error>::downcast_ref) {
                Some(ConditionalCheckFailedException { item, .. }) => Ok(WriteOutcome::Refused { item: item.clone() }),
                None => Err(StoreError::request(operation)(error)),
            },
        }
    }
}

#[cfg(test)]
mod tests;
