//! The hourly counters of sessions. See [`crate::domain::stats`].
//!
//! An hour is an item of less than 1 KB, so an addition is one write unit.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Stats, StoreError,
    item::{Attribute, Item, number, string},
    keys::{Key, stats_pk},
    update::{Condition, UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    id::SessionId,
    stats::{Addition, Counters, Histogram, LIFETIME, MAX_CODES, Range},
    time::Timestamp,
};

const STATS: &str = "stats";

/// The set of the codes that an hour counts.
const CODES: &str = "codes";

/// Prefixes of attributes with a number at their end. They are short, because an hour has up to 56 of them.
const ACCEPT_LATENCY: &str = "a";
const DELIVERY_LATENCY: &str = "d";
const CODE: &str = "e";

/// The attribute with the time of the last webhook.
const LAST_WEBHOOK_AT: &str = "last_webhook_at";

/// The number of hours among which the last webhook is looked for.
const RECENT_HOURS: i32 = 24;

/// Attempts to add while other writers add new codes.
const ROUNDS: usize = 4;

impl Stats<'_> {
    /// Adds to the counters of an hour. Adding the same again right after it changes nothing.
    ///
    /// # Errors
    ///
    /// If the counters can't be written. It is then unknown whether they were.
    pub async fn add(self, addition: &Addition) -> Result<(), StoreError> {
        let operation = "adding to counters";
        let mut known = BTreeSet::new();
        for _ in 0..ROUNDS {
            let counters = addition.counters.clone().limited(&known);
            match self.0.update(operation, update(addition, &counters, &known)).await? {
                WriteOutcome::Written { .. } => return Ok(()),
                // The SDK retries an update whose response was lost, and the stream repeats a batch.
                WriteOutcome::Refused { item: Some(item) } if item.get("batch") == Some(&addition.id.attribute()) => {
                    return Ok(());
                }
                WriteOutcome::Refused { item } => known = item.as_ref().map(codes).unwrap_or_default(),
            }
        }
        Err(StoreError::Contention { operation })
    }

    /// Returns the hours of a range in which something was counted, oldest first. Eventually consistent.
    pub async fn read(self, session_id: SessionId, range: Range) -> Result<Vec<(Timestamp, Counters)>, StoreError> {
        let mut pages = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            // `BETWEEN` includes both ends.
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", string(stats_pk(session_id)))
            .expression_attribute_values(":from", string(range.from.to_string()))
            .expression_attribute_values(":to", string(range.to.to_string()))
            .into_paginator()
            .send();
        let mut hours = Vec::new();
        while let Some(page) = pages.next().await {
            let items = page.map_err(StoreError::request("reading counters"))?.items.unwrap_or_default();
            for item in items {
                hours.push(read(&item)?);
            }
        }
        hours.retain(|(hour, _)| *hour < range.to);
        Ok(hours)
    }

    /// Returns when content of a webhook was last stored for a session, within its last `RECENT_HOURS` hours with
    /// counters. Eventually consistent.
    pub async fn last_webhook_at(self, session_id: SessionId) -> Result<Option<Timestamp>, StoreError> {
        let output = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", string(stats_pk(session_id)))
            .scan_index_forward(false)
            .limit(RECENT_HOURS)
            .send()
            .await
            .map_err(StoreError::request("reading the time of the last webhook"))?;
        Ok(output.items().iter().find_map(|hour| time(hour, LAST_WEBHOOK_AT)))
    }

    /// Returns the keys of the hours that began up to a time.
    pub(super) async fn keys_until(self, session_id: SessionId, until: Timestamp) -> Result<Vec<Key>, StoreError> {
        let query = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .key_condition_expression("pk = :pk AND sk <= :until")
            .expression_attribute_values(":pk", string(stats_pk(session_id)))
            .expression_attribute_values(":until", string(until.to_string()));
        self.0.query_keys("reading counters to erase", query).await
    }
}

/// Returns the update that adds counters to an hour that has the `known` codes. Its condition fails if the hour was last
/// updated with the same addition, or would have too many codes.
fn update(addition: &Addition, counters: &Counters, known: &BTreeSet<u32>) -> UpdateBuilder {
    let Addition { session_id, hour, id, .. } = addition;
    let update = UpdateBuilder::new(&Key::stats(*session_id, *hour))
        .set("entity", STATS)
        .set("batch", *id)
        .set(LAST_WEBHOOK_AT, counters.last_webhook_at)
        .set("expires_at", hour.after(LIFETIME).seconds())
        .condition(("attribute_not_exists(#batch) OR #batch <> ?", *id));
    let update = numbers(counters).into_iter().fold(update, |update, (name, count)| update.add(&name, count));
    if counters.codes.is_empty() {
        return update;
    }
    let codes: Vec<String> = counters.codes.keys().map(ToString::to_string).collect();
    let is_known = codes.iter().map(|code| ("contains(#codes, ?)", number(code)).into()).reduce(Condition::and);
    let new = counters.codes.keys().filter(|code| !known.contains(code)).count();
    let has_room = ("attribute_not_exists(#codes) OR size(#codes) <= ?", MAX_CODES.saturating_sub(new));
    let condition = Condition::from(has_room).or(is_known.unwrap_or_default());
    update.add(CODES, AttributeValue::Ns(codes)).condition(condition)
}

/// Returns the counters that aren't 0 with the names of their attributes.
fn numbers(counters: &Counters) -> HashMap<String, u64> {
    let Counters { received, sent, delivered, read, failed, codes, accept_latency, delivery_latency, .. } = counters;
    let mut numbers = HashMap::from([
        ("received".to_owned(), *received),
        ("sent".to_owned(), *sent),
        ("delivered".to_owned(), *delivered),
        ("read".to_owned(), *read),
        ("failed".to_owned(), *failed),
    ]);
    numbers.extend(codes.iter().map(|(code, count)| (format!("{CODE}{code}"), *count)));
    for (prefix, histogram) in [(ACCEPT_LATENCY, accept_latency), (DELIVERY_LATENCY, delivery_latency)] {
        numbers.insert(format!("{prefix}_ms"), histogram.sum_ms);
        numbers.extend(histogram.counts.iter().enumerate().map(|(at, count)| (format!("{prefix}{at}"), *count)));
    }
    numbers.retain(|_, count| *count > 0);
    numbers
}

/// Reads an hour.
fn read(item: &Item) -> Result<(Timestamp, Counters), StoreError> {
    let invalid = |source: &str| StoreError::Item { kind: STATS, source: source.into() };
    let count = |name: &str| match item.get(name) {
        None => Ok(0),
        Some(AttributeValue::N(text)) => text.parse().map_err(|_| invalid("a counter isn't a whole number")),
        Some(_) => Err(invalid("a counter isn't a number")),
    };
    let histogram = |prefix: &str| {
        let mut histogram = Histogram { sum_ms: count(&format!("{prefix}_ms"))?, ..Histogram::default() };
        for (at, bucket) in histogram.counts.iter_mut().enumerate() {
            *bucket = count(&format!("{prefix}{at}"))?;
        }
        Ok::<_, StoreError>(histogram)
    };
    let codes = codes(item).into_iter().map(|code| Ok((code, count(&format!("{CODE}{code}"))?)));
    let counters = Counters {
        received: count("received")?,
        sent: count("sent")?,
        delivered: count("delivered")?,
        read: count("read")?,
        failed: count("failed")?,
        codes: codes.collect::<Result<_, StoreError>>()?,
        accept_latency: histogram(ACCEPT_LATENCY)?,
        delivery_latency: histogram(DELIVERY_LATENCY)?,
        last_webhook_at: time(item, LAST_WEBHOOK_AT),
    };
    Ok((time(item, "sk").ok_or_else(|| invalid("the sort key isn't a time"))?, counters))
}

fn time(item: &Item, attribute: &str) -> Option<Timestamp> {
    item.get(attribute)?.as_s().ok()?.parse().ok()
}

/// Returns the codes that an hour counts.
fn codes(item: &Item) -> BTreeSet<u32> {
    let codes = item.get(CODES).and_then(|codes| codes.as_ns().ok());
    codes.into_iter().flatten().filter_map(|code| code.parse().ok()).collect()
}

#[cfg(test)]
mod tests;
