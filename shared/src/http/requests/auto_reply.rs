//! Auto-reply rules as requests contain them. Everything that could fail when a rule replies is rejected here.

use serde_json::{Map, Value, json};

use crate::{
    domain::{
        auto_reply::{
            Clock, Match, Range, RuleFields, Schedule, Trigger, Values, Week, compile, folded, placeholder, zone,
        },
        content,
        message::MessageType,
    },
    http::{ApiError, ErrorCode, JsonObject, service_errors::content_error_code},
};

/// The maximum length of a rule's name, in characters.
const NAME_LIMIT: usize = 100;

/// The maximum priority.
const MAX_PRIORITY: u32 = 1_000;

/// The maximum cooldown, in seconds: 30 days.
const MAX_COOLDOWN: u32 = 30 * 24 * 60 * 60;

/// The maximum number of keywords of a rule, and of patterns, each of which is a separate search.
const MAX_KEYWORDS: usize = 50;
const MAX_PATTERNS: usize = 5;

/// The maximum length of a keyword or pattern, in characters.
const KEYWORD_LIMIT: usize = 200;

/// The maximum number of ranges of a day.
const MAX_RANGES: usize = 10;

/// The maximum size of a reply, in bytes of JSON, which keeps a rule well below DynamoDB's item limit.
const REPLY_LIMIT: usize = 32 * 1024;

impl RuleFields {
    /// Parses `{"name", "trigger", "reply", "schedule"?, "enabled"?, "priority"?, "cooldownSeconds"?}`. By default, a rule
    /// is enabled, has priority 0, and replies to a chat as often as the hourly limit allows.
    pub fn read(body: &JsonObject) -> Result<Self, ApiError> {
        let name = body.required("name")?.trim();
        if name.chars().count() > NAME_LIMIT {
            return Err(ApiError::invalid_field(format!("name must have up to {NAME_LIMIT} characters")));
        }
        let trigger = body.object("trigger")?.ok_or_else(|| ApiError::missing_field("trigger"))?;
        let trigger = read_trigger(&trigger)?;
        let schedule = body.object("schedule")?.map(|schedule| read_schedule(&schedule)).transpose()?;
        if trigger == Trigger::OutsideHours && schedule.is_none() {
            return Err(ApiError::new(ErrorCode::MissingField, "schedule is required with the trigger outside_hours"));
        }
        let reply = body.object("reply")?.ok_or_else(|| ApiError::missing_field("reply"))?;
        Ok(Self {
            name: name.to_owned(),
            enabled: body.boolean("enabled")?.unwrap_or(true),
            priority: body.whole_number("priority", 0..=MAX_PRIORITY)?.unwrap_or(0),
            trigger,
            schedule,
            reply: read_reply(reply.fields())?,
            cooldown_seconds: body.whole_number("cooldownSeconds", 0..=MAX_COOLDOWN)?.unwrap_or(0),
        })
    }
}

fn read_trigger(trigger: &JsonObject) -> Result<Trigger, ApiError> {
    let kind = trigger.string("type").map_err(|_| ApiError::invalid_field("trigger.type must be a string"))?;
    let known = ["type", "match", "keywords"];
    only(trigger, "trigger", if kind == Some("keyword") { &known } else { &known[..1] })?;
    match kind.ok_or_else(|| ApiError::missing_field("trigger.type"))? {
        "keyword" => read_keywords(trigger),
        "first_message" => Ok(Trigger::FirstMessage),
        "outside_hours" => Ok(Trigger::OutsideHours),
        "any" => Ok(Trigger::Any),
        _ => Err(ApiError::invalid_field("trigger.type must be one of keyword, first_message, outside_hours, any")),
    }
}

fn read_keywords(trigger: &JsonObject) -> Result<Trigger, ApiError> {
    let how = match trigger.value("match").ok_or_else(|| ApiError::missing_field("trigger.match"))?.as_str() {
        Some("equals") => Match::Equals,
        Some("contains") => Match::Contains,
        Some("starts_with") => Match::StartsWith,
        Some("regex") => Match::Regex,
        _ => return Err(ApiError::invalid_field("trigger.match must be one of equals, contains, starts_with, regex")),
    };
    let most = if how == Match::Regex { MAX_PATTERNS } else { MAX_KEYWORDS };
    let given = trigger.value("keywords").ok_or_else(|| ApiError::missing_field("trigger.keywords"))?.as_array();
    let Some(given) = given.filter(|given| (1..=most).contains(&given.len())) else {
        return Err(ApiError::invalid_field(format!(
            "trigger.keywords must be an array of 1 to {most} strings with this match"
        )));
    };
    let mut keywords = Vec::with_capacity(given.len());
    for (at, keyword) in given.iter().enumerate() {
        let field = format!("trigger.keywords[{at}]");
        let keyword = keyword.as_str().filter(|keyword| !folded(keyword).is_empty());
        let keyword = keyword.filter(|keyword| keyword.chars().count() <= KEYWORD_LIMIT);
        let Some(keyword) = keyword else {
            return Err(ApiError::invalid_field(format!(
                "{field} must be a string of 1 to {KEYWORD_LIMIT} characters"
            )));
        };
        if how == Match::Regex {
            check_pattern(&field, keyword)?;
        }
        keywords.push(keyword.to_owned());
    }
    Ok(Trigger::Keyword { how, keywords })
}

fn check_pattern(field: &str, pattern: &str) -> Result<(), ApiError> {
    match compile(pattern) {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(_)) => {
            Err(ApiError::invalid_field(format!("{field} is too large a pattern: use fewer or smaller repetitions")))
        }
        Err(error) => {
            // The last line of the message names the error; the lines above it mark the position.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Err(ApiError::invalid_field(format!("{field} is no regular expression: {reason}")))
        }
    }
}

fn read_schedule(schedule: &JsonObject) -> Result<Schedule, ApiError> {
    only(schedule, "schedule", &["timeZone", "hours"])?;
    let name = schedule.value("timeZone").ok_or_else(|| ApiError::missing_field("schedule.timeZone"))?;
    let zone = name.as_str().and_then(zone);
    let Some(time_zone) = zone.as_ref().and_then(|zone| zone.iana_name()) else {
        return Err(ApiError::invalid_field(
            "schedule.timeZone must be the IANA name of a time zone, such as Africa/Cairo",
        ));
    };
    let hours = schedule.object("hours").map_err(|_| ApiError::invalid_field("schedule.hours must be an object"))?;
    let hours = hours.ok_or_else(|| ApiError::missing_field("schedule.hours"))?;
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    only(&hours, "schedule.hours", &days)?;
    let day = |day: &str| read_day(hours.value(day), &format!("schedule.hours.{day}"));
    let hours = Week {
        monday: day(days[0])?,
        tuesday: day(days[1])?,
        wednesday: day(days[2])?,
        thursday: day(days[3])?,
        friday: day(days[4])?,
        saturday: day(days[5])?,
        sunday: day(days[6])?,
    };
    if hours == Week::default() {
        return Err(ApiError::invalid_field(
            "schedule.hours must have at least one range, such as monday from 09:00 to 17:00",
        ));
    }
    Ok(Schedule { time_zone: time_zone.to_owned(), hours })
}

fn read_day(ranges: Option<&Value>, field: &str) -> Result<Vec<Range>, ApiError> {
    let Some(ranges) = ranges else { return Ok(Vec::new()) };
    let Some(ranges) = ranges.as_array().filter(|ranges| ranges.len() <= MAX_RANGES) else {
        return Err(ApiError::invalid_field(format!("{field} must be an array of up to {MAX_RANGES} ranges")));
    };
    ranges.iter().enumerate().map(|(at, range)| read_range(range, &format!("{field}[{at}]"))).collect()
}

fn read_range(range: &Value, field: &str) -> Result<Range, ApiError> {
    let clock = |name: &str| {
        let clock = range.get(name).and_then(Value::as_str).and_then(Clock::parse);
        clock.ok_or_else(|| {
            ApiError::invalid_field(format!("{field}.{name} must be a time of the day like 09:30, up to 24:00"))
        })
    };
    let (from, to) = (clock("from")?, clock("to")?);
    if from == to || from.is_midnight_after() {
        return Err(ApiError::invalid_field(format!(
            "{field} must have a from before its to, or after it for hours that go on past midnight: the whole day is 00:00 to 24:00"
        )));
    }
    if range.as_object().is_some_and(|range| range.len() > 2) {
        return Err(ApiError::invalid_field(format!("{field} must have from and to and nothing else")));
    }
    Ok(Range { from, to })
}

/// Returns the reply as the table stores it: the object of its type only.
fn read_reply(reply: &Map<String, Value>) -> Result<String, ApiError> {
    let refused = |error: content::ContentError| ApiError::new(content_error_code(&error), format!("reply.{error}"));
    let reply = match reply.get("message") {
        Some(text) if !reply.contains_key("type") => &only_text(reply, text)?,
        _ => reply,
    };
    placeholder::check(reply, "reply").map_err(|error| ApiError::invalid_field(error.to_string()))?;
    let sample = content::read(&placeholder::fill_members(reply, &Values::shortest())).map_err(refused)?;
    let sample = sample.ok_or_else(|| ApiError::missing_field("reply.type"))?;
    // Both refer to one message, but a rule replies to many.
    if sample.kind == MessageType::Reaction {
        return Err(ApiError::invalid_field("reply.type must be a message, which a reaction is not"));
    }
    if sample.reply_to.is_some() {
        return Err(ApiError::invalid_field("reply.context must be left out: a rule answers more than one message"));
    }
    let kind = sample.json["type"].as_str().unwrap_or_default();
    if let Some(name) = reply.keys().find(|name| *name != "type" && *name != kind) {
        let name: String = name.chars().take(64).collect();
        return Err(ApiError::invalid_field(format!("reply.{name} is not a field of a reply of type {kind}")));
    }
    let stored = json!({"type": kind, kind: reply.get(kind)}).to_string();
    if stored.len() > REPLY_LIMIT {
        return Err(ApiError::invalid_field(format!("reply must have up to {} KiB", REPLY_LIMIT / 1024)));
    }
    Ok(stored)
}

/// Expands `{"message": "…"}`, the short form of a text.
fn only_text(reply: &Map<String, Value>, text: &Value) -> Result<Map<String, Value>, ApiError> {
    if let Some(name) = reply.keys().find(|name| *name != "message") {
        let name: String = name.chars().take(64).collect();
        return Err(ApiError::invalid_field(format!("reply.{name} is not a field of a reply that has message")));
    }
    if !text.is_string() {
        return Err(ApiError::invalid_field("reply.message must be a string"));
    }
    Ok(Map::from_iter([("type".to_owned(), json!("text")), ("text".to_owned(), json!({"body": text}))]))
}

/// Rejects unknown fields: a misspelled name would make a rule that does something else than its owner intends.
fn only(object: &JsonObject, path: &str, known: &[&str]) -> Result<(), ApiError> {
    match object.fields().keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => {
            let name: String = name.chars().take(64).collect();
            Err(ApiError::invalid_field(format!("{path}.{name} is not a field here: it can have {}", known.join(", "))))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
