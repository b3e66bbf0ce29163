//! Auto-reply rules as requests contain them. Everything that could fail when a rule replies is rejected here.

use serde_json::{Map, Value, json};

use crate::{
    domain::{
        auto_reply::{Clock, Match, Range, RuleFields, Schedule, Trigger, Values, Week, compile, placeholder, zone},
        contact_name::clean_name,
        content, names,
        text::{Accents, normalize},
    },
    http::{ApiError, Body, ErrorCode, JsonObject, service_errors::content_error_code},
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
    pub fn read(body: &Body) -> Result<Self, ApiError> {
        let body = body.object(&["name", "trigger", "reply", "schedule", "enabled", "priority", "cooldownSeconds"])?;
        let name = body.required("name")?.trim();
        if name.chars().count() > NAME_LIMIT {
            return Err(ApiError::invalid_field(format!("name must have up to {NAME_LIMIT} characters")));
        }
        let name = clean_name(name).ok_or_else(|| body.invalid("name", "must have a visible character"))?;
        let trigger = read_trigger(&body)?;
        let schedule = body.object("schedule", &["timeZone", "hours"])?;
        let schedule = schedule.map(|schedule| read_schedule(&schedule)).transpose()?;
        if trigger == Trigger::OutsideHours && schedule.is_none() {
            return Err(ApiError::new(ErrorCode::MissingField, "schedule is required with the trigger outside_hours"));
        }
        let reply = body.value("reply").ok_or_else(|| ApiError::missing_field("reply"))?.as_object();
        let reply = reply.ok_or_else(|| ApiError::invalid_field("reply must be an object"))?;
        Ok(Self {
            name,
            enabled: body.boolean("enabled")?.unwrap_or(true),
            priority: body.whole_number("priority", 0..=MAX_PRIORITY)?.unwrap_or(0),
            trigger,
            schedule,
            reply: read_reply(reply)?,
            cooldown_seconds: body.whole_number("cooldownSeconds", 0..=MAX_COOLDOWN)?.unwrap_or(0),
        })
    }
}

fn read_trigger(body: &JsonObject) -> Result<Trigger, ApiError> {
    let kind = body.value("trigger").and_then(|trigger| trigger.get("type")).and_then(Value::as_str);
    let known: &[&str] = match kind {
        Some("first_message" | "outside_hours" | "any") => &["type"],
        _ => &["type", "match", "keywords", "ignoreAccents"],
    };
    let trigger = body.object("trigger", known)?.ok_or_else(|| body.missing("trigger"))?;
    match trigger.required("type")? {
        "keyword" => read_keywords(&trigger),
        "first_message" => Ok(Trigger::FirstMessage),
        "outside_hours" => Ok(Trigger::OutsideHours),
        "any" => Ok(Trigger::Any),
        _ => Err(ApiError::invalid_field("trigger.type must be one of keyword, first_message, outside_hours, any")),
    }
}

fn read_keywords(trigger: &JsonObject) -> Result<Trigger, ApiError> {
    let how = match trigger.value("match").ok_or_else(|| trigger.missing("match"))?.as_str() {
        Some("equals") => Match::Equals,
        Some("contains") => Match::Contains,
        Some("starts_with") => Match::StartsWith,
        Some("regex") => Match::Regex,
        _ => return Err(ApiError::invalid_field("trigger.match must be one of equals, contains, starts_with, regex")),
    };
    let ignore_accents = trigger.boolean("ignoreAccents")?.unwrap_or(false);
    if ignore_accents && how == Match::Regex {
        return Err(trigger.invalid("ignoreAccents", "must be left out with regex: the pattern decides about accents"));
    }
    let accents = if ignore_accents { Accents::Ignored } else { Accents::Distinct };
    let most = if how == Match::Regex { MAX_PATTERNS } else { MAX_KEYWORDS };
    let given = trigger.value("keywords").ok_or_else(|| trigger.missing("keywords"))?.as_array();
    let Some(given) = given.filter(|given| (1..=most).contains(&given.len())) else {
        return Err(ApiError::invalid_field(format!(
            "trigger.keywords must be an array of 1 to {most} strings with this match"
        )));
    };
    let mut keywords = Vec::with_capacity(given.len());
    for (at, keyword) in given.iter().enumerate() {
        let field = format!("trigger.keywords[{at}]");
        let keyword = keyword.as_str().filter(|keyword| !normalize(keyword, accents).is_empty());
        let keyword = keyword.filter(|keyword| keyword.chars().count() <= KEYWORD_LIMIT);
        let Some(keyword) = keyword else {
            return Err(ApiError::invalid_field(format!(
                "{field} must be a string of 1 to {KEYWORD_LIMIT} characters, not all of them invisible"
            )));
        };
        if how == Match::Regex {
            check_pattern(&field, keyword)?;
        }
        keywords.push(keyword.to_owned());
    }
    Ok(Trigger::Keyword { how, keywords, ignore_accents })
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

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

fn read_schedule(schedule: &JsonObject) -> Result<Schedule, ApiError> {
    let name = schedule.value("timeZone").ok_or_else(|| schedule.missing("timeZone"))?;
    let zone = name.as_str().and_then(zone);
    let Some(time_zone) = zone.as_ref().and_then(|zone| zone.iana_name()) else {
        return Err(schedule.invalid("timeZone", "must be the IANA name of a time zone, such as Africa/Cairo"));
    };
    let hours = schedule.object("hours", &DAYS)?.ok_or_else(|| schedule.missing("hours"))?;
    let day = |day: &str| read_day(hours.value(day), &hours.path(day));
    let hours = Week {
        monday: day("monday")?,
        tuesday: day("tuesday")?,
        wednesday: day("wednesday")?,
        thursday: day("thursday")?,
        friday: day("friday")?,
        saturday: day("saturday")?,
        sunday: day("sunday")?,
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
    let range = JsonObject::nested(range, field.to_owned(), &["from", "to"])?;
    let clock = |name: &str| {
        let clock = range.value(name).and_then(Value::as_str).and_then(Clock::parse);
        clock.ok_or_else(|| range.invalid(name, "must be a time of the day like 09:30, up to 24:00"))
    };
    let (from, to) = (clock("from")?, clock("to")?);
    if from == to || from.is_midnight_after() {
        return Err(ApiError::invalid_field(format!(
            "{field} must have a from before its to, or after it for hours that go on past midnight: the whole day is 00:00 to 24:00"
        )));
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
    if let Some(member) = sample.target_member() {
        return Err(ApiError::invalid_field(format!("reply.type must be a message, which a {member} is not")));
    }
    if sample.reply_to.is_some() {
        return Err(ApiError::invalid_field("reply.context must be left out: a rule answers more than one message"));
    }
    let kind = sample.json["type"].as_str().unwrap_or_default();
    // An upload can be erased with a chat, but a rule replies in many.
    if let Some(file) = sample.uploaded_file() {
        let path = file.path();
        let message = format!("reply.{path} must be left out: give the link of a file, or the id of WhatsApp's upload");
        return Err(ApiError::invalid_field(message));
    }
    if let Some(name) = reply.keys().find(|name| *name != "type" && *name != kind) {
        return Err(unknown_in_reply(name, &format!("is not a field of a reply of type {kind}")));
    }
    let object = reply.get(kind).map(|object| sent_members(object, &sample.json[kind]));
    let stored = json!({"type": kind, kind: object}).to_string();
    if stored.len() > REPLY_LIMIT {
        return Err(ApiError::invalid_field(format!("reply must have up to {} KiB", REPLY_LIMIT / 1024)));
    }
    Ok(stored)
}

/// Returns the members of a reply that are sent: those of `sample`, the same message without members that have no value, and
/// without those of received messages, which can have any.
fn sent_members(reply: &Value, sample: &Value) -> Value {
    match (reply, sample) {
        (Value::Object(reply), Value::Object(sample)) => {
            let sent = |(name, value): (&String, _)| Some((name.clone(), sent_members(value, sample.get(name)?)));
            reply.iter().filter_map(sent).collect()
        }
        (Value::Array(reply), Value::Array(sample)) => {
            reply.iter().zip(sample).map(|(reply, sample)| sent_members(reply, sample)).collect()
        }
        _ => reply.clone(),
    }
}

/// Expands `{"message": "…"}`, the short form of a text.
fn only_text(reply: &Map<String, Value>, text: &Value) -> Result<Map<String, Value>, ApiError> {
    if let Some(name) = reply.keys().find(|name| *name != "message") {
        return Err(unknown_in_reply(name, "is not a field of a reply that has message"));
    }
    if !text.is_string() {
        return Err(ApiError::invalid_field("reply.message must be a string"));
    }
    Ok(Map::from_iter([("type".to_owned(), json!("text")), ("text".to_owned(), json!({"body": text}))]))
}

fn unknown_in_reply(name: &str, problem: &str) -> ApiError {
    ApiError::new(ErrorCode::UnknownField, format!("reply.{} {problem}", names::displayed(name)))
}

#[cfg(test)]
mod tests;
