use super::*;
use crate::{
    domain::{
        auto_reply::Rule,
        id::{RuleId, SessionId},
    },
    http::Body,
};

fn fields(body: &Value) -> Result<RuleFields, ApiError> {
    RuleFields::read(&Body::new(body.to_string().into_bytes()))
}

fn rule(changes: Value) -> Rule {
    let mut body = json!({"name": "R", "trigger": {"type": "any"}, "reply": {"message": "Hello {{name}}"}});
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let id = RuleId::from_uuid(uuid::Uuid::from_u128(1));
    Rule::new(id, SessionId::for_owner("ada"), fields(&body).unwrap(), "2026-01-01T00:00:00Z".parse().unwrap())
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut body = json!({"name": "R", "trigger": {"type": "any"}, "reply": {"message": "Hello"}});
    change(&mut body);
    match fields(&body) {
        Ok(fields) => panic!("{fields:?}"),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn defaults_apply_to_missing_fields() {
    let rule = rule(json!({"name": " Greet\u{202e}ing\u{200b} "}));
    assert_eq!((rule.name.as_str(), rule.enabled, rule.priority, rule.cooldown_seconds), ("Greeting", true, 0, 0));
    assert_eq!(rule.reply, r#"{"text":{"body":"Hello {{name}}"},"type":"text"}"#);
    let row = serde_json::to_value(rule.response()).unwrap();
    assert_eq!(row["trigger"], json!({"type": "any"}));
    assert_eq!(row["reply"], json!({"type": "text", "text": {"body": "Hello {{name}}"}}));
    assert_eq!(row["schedule"], Value::Null);
}

#[test]
fn a_response_contains_the_rule_as_requested() {
    let hours = json!([{"from": "09:00", "to": "12:30"}, {"from": "22:00", "to": "02:00"}]);
    let rule = rule(json!({
        "trigger": {"type": "keyword", "match": "starts_with", "keywords": ["Price"], "ignoreAccents": true},
        "schedule": {"timeZone": "Africa/Cairo", "hours": {"friday": hours}},
    }));
    let row = serde_json::to_value(rule.response()).unwrap();
    let trigger = json!({"type": "keyword", "match": "starts_with", "keywords": ["Price"], "ignore_accents": true});
    assert_eq!(row["trigger"], trigger);
    assert_eq!(row["schedule"]["time_zone"], "Africa/Cairo");
    assert_eq!((&row["schedule"]["hours"]["friday"], &row["schedule"]["hours"]["monday"]), (&hours, &json!([])));
}

#[test]
fn an_invalid_rule_is_refused_with_the_field_and_the_reason() {
    type Change = fn(&mut Value);
    let cases: Vec<(Change, &str)> = vec![
        (|rule| rule["name"] = json!(" "), "name is required"),
        (|rule| rule["name"] = json!("x".repeat(101)), "name must have up to 100 characters"),
        (|rule| rule["name"] = json!("\u{200b}"), "name must have a visible character"),
        (|rule| rule["name"] = json!("\u{301}\u{202e}"), "name must have a visible character"),
        (|rule| rule["enabled"] = json!("yes"), "enabled must be true or false"),
        (|rule| rule["priority"] = json!(1001), "priority must be a whole number from 0 to 1000"),
        (|rule| rule["cooldownSeconds"] = json!(-1), "cooldownSeconds must be a whole number from 0 to 2592000"),
        (|rule| rule["trigger"] = json!(null), "trigger is required"),
        (|rule| rule["trigger"] = json!({}), "trigger.type is required"),
        (
            |rule| rule["trigger"] = json!({"type": "never"}),
            "trigger.type must be one of keyword, first_message, outside_hours, any",
        ),
        (
            |rule| rule["trigger"] = json!({"type": "any", "keywords": ["x"]}),
            "trigger.keywords is not a field of trigger: it can have type",
        ),
        (
            |rule| rule["trigger"] = json!({"type": "outside_hours"}),
            "schedule is required with the trigger outside_hours",
        ),
        (
            |rule| rule["trigger"] = json!({"type": "keyword", "match": "like", "keywords": ["x"]}),
            "trigger.match must be one of equals, contains, starts_with, regex",
        ),
        (
            |rule| rule["trigger"] = json!({"type": "keyword", "match": "equals", "keywords": []}),
            "trigger.keywords must be an array of 1 to 50 strings with this match",
        ),
        (
            |rule| rule["trigger"] = json!({"type": "keyword", "match": "equals", "keywords": ["a", "  "]}),
            "trigger.keywords[1] must be a string of 1 to 200 characters, not all of them invisible",
        ),
        (
            |rule| rule["trigger"] = json!({"type": "keyword", "match": "equals", "keywords": ["\u{200f}\u{fe0f}"]}),
            "trigger.keywords[0] must be a string of 1 to 200 characters, not all of them invisible",
        ),
        (
            |rule| {
                let keywords = json!(["\u{640}\u{64e}"]);
                rule["trigger"] =
                    json!({"type": "keyword", "match": "contains", "keywords": keywords, "ignoreAccents": true});
            },
            "trigger.keywords[0] must be a string of 1 to 200 characters, not all of them invisible",
        ),
        (
            |rule| {
                rule["trigger"] =
                    json!({"type": "keyword", "match": "equals", "keywords": ["a"], "ignoreAccents": "yes"});
            },
            "trigger.ignoreAccents must be true or false",
        ),
        (
            |rule| {
                rule["trigger"] =
                    json!({"type": "keyword", "match": "regex", "keywords": ["a"], "ignoreAccents": true});
            },
            "trigger.ignoreAccents must be left out with regex: the pattern decides about accents",
        ),
        (
            |rule| rule["trigger"] = json!({"type": "any", "ignoreAccents": true}),
            "trigger.ignoreAccents is not a field of trigger",
        ),
        (
            |rule| rule["trigger"] = json!({"type": "keyword", "match": "regex", "keywords": ["a("]}),
            "trigger.keywords[0] is no regular expression: unclosed group",
        ),
        (
            |rule| rule["trigger"] = json!({"type": "keyword", "match": "regex", "keywords": ["(\\w{50}){50}"]}),
            "trigger.keywords[0] is too large a pattern: use fewer or smaller repetitions",
        ),
        (|rule| rule["schedule"] = json!({"hours": {}}), "schedule.timeZone is required"),
        (
            |rule| rule["schedule"] = json!({"timeZone": "Cairo", "hours": {}}),
            "schedule.timeZone must be the IANA name of a time zone, such as Africa/Cairo",
        ),
        (
            |rule| rule["schedule"] = json!({"timeZone": "UTC", "hours": {}}),
            "schedule.hours must have at least one range, such as monday from 09:00 to 17:00",
        ),
        (
            |rule| rule["schedule"] = json!({"timeZone": "UTC", "hours": {"mon": []}}),
            "schedule.hours.mon is not a field of schedule.hours: it can have monday, tuesday, wednesday, thursday, friday, saturday, sunday",
        ),
        (
            |rule| {
                rule["schedule"] = json!({"timeZone": "UTC", "hours": {"monday": [{"from": "9:00", "to": "17:00"}]}})
            },
            "schedule.hours.monday[0].from must be a time of the day like 09:30, up to 24:00",
        ),
        (
            |rule| {
                rule["schedule"] = json!({"timeZone": "UTC", "hours": {"monday": [{"from": "09:00", "to": "09:00"}]}})
            },
            "schedule.hours.monday[0] must have a from before its to, or after it for hours that go on past midnight: \
             the whole day is 00:00 to 24:00",
        ),
        (|rule| rule["reply"] = json!("Hello"), "reply must be an object"),
        (|rule| rule["reply"] = json!({}), "reply.type is required"),
        (|rule| rule["reply"] = json!({"message": " "}), "reply.text.body is required"),
        (
            |rule| rule["reply"] = json!({"message": "x", "sessionId": "y"}),
            "reply.sessionId is not a field of a reply that has message",
        ),
        (
            |rule| rule["reply"] = json!({"type": "text", "text": {"body": "x"}, "image": {}}),
            "reply.image is not a field of a reply of type text",
        ),
        (
            |rule| rule["reply"] = json!({"message": "Hi {{first_name}}"}),
            "reply.text.body has an unknown placeholder: use {{name}} and {{message}}, and no other double braces",
        ),
        (
            |rule| rule["reply"] = json!({"type": "image", "image": {"link": "https://{{message}}/a.png"}}),
            "reply.image.link must not contain double braces: placeholders are allowed in texts only",
        ),
        (
            |rule| rule["reply"] = json!({"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}}),
            "reply.type must be a message, which a reaction is not",
        ),
        (
            |rule| rule["reply"] = json!({"type": "text", "text": {"body": "x"}, "context": {"message_id": "wamid.1"}}),
            "reply.context must be left out: a rule answers more than one message",
        ),
        (
            |rule| rule["reply"] = json!({"message": "x".repeat(4_096) + "{{name}}"}),
            "reply.text.body has 4097 characters: WhatsApp allows up to 4096",
        ),
    ];
    for (change, expected) in cases {
        let error = refused(change);
        assert!(error.contains(expected), "{error}\n{expected}");
    }
}

#[test]
fn reply_has_only_what_is_sent() {
    for (reply, expected) in [
        (
            json!({"type": "location", "location": {"latitude": 5e-324, "longitude": ".1", "name": "Shop", "url": []}}),
            json!({"type": "location", "location": {"latitude": 5e-324, "longitude": ".1", "name": "Shop"}}),
        ),
        (
            json!({"type": "image", "image": {"id": "1", "link": null, "sha256": 7, "caption": "Hi {{name}}"}}),
            json!({"type": "image", "image": {"id": "1", "caption": "Hi {{name}}"}}),
        ),
        (
            json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "Ada", "first_name": "Ada", "suffix": null}}]}),
            json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "Ada", "first_name": "Ada"}}]}),
        ),
    ] {
        let stored: Value = serde_json::from_str(&rule(json!({"reply": reply})).reply).unwrap();
        assert_eq!(stored, expected);
    }
}
