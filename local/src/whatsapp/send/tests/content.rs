//! Texts, media, locations, contacts, reactions, pins, and templates.

use super::*;

/// Returns `content` with the value at `pointer` replaced. `null` is equivalent to a missing member.
pub(super) fn patched(content: &Value, pointer: &str, value: Value) -> Value {
    let mut content = content.clone();
    let (object, member) = pointer.rsplit_once('/').unwrap();
    match content.pointer_mut(object).unwrap() {
        Value::Array(items) => items[member.parse::<usize>().unwrap()] = value,
        object => object[member] = value,
    }
    content
}

/// Checks that the content is refused with this code and that the error contains this sentence.
pub(super) fn refused(kind: &str, content: &Value, code: u32, sentence: &str) {
    let error = check(kind, content).expect_err(&format!("{kind}: {content}"));
    let text = format!("{error:?}").replace('\\', "");
    assert_eq!((error.code, error.status), (code, 400), "{content}: {text}");
    assert!(text.contains(sentence), "{content}: {text}");
}

pub(super) fn allowed(kind: &str, content: &Value) {
    check(kind, content).unwrap_or_else(|error| panic!("{content}: {error:?}"));
}

fn check(kind: &str, content: &Value) -> Result<(), GraphError> {
    check_content(&parameters(&json!({"type": kind, kind: content})), kind)
}

#[test]
fn texts_are_limited() {
    allowed("text", &json!({"body": "é".repeat(4096), "preview_url": "true"}));
    allowed("text", &json!({"body": 7, "preview_url": null}));
    let long = json!({"body": "é".repeat(4097)});
    refused("text", &long, 100, "(#100) Param text['body'] must be at most 4096 characters long.");
    for content in [json!({}), json!({"body": ""}), json!({"body": null})] {
        refused("text", &content, 100, "(#100) The parameter text['body'] is required.");
    }
    refused("text", &json!({"body": {}}), 100, "Param text['body'] must be a string.");
    refused("text", &json!({"body": "hi", "preview_url": "yes"}), 100, "preview_url'] must be a boolean");
    refused(
        "text",
        &json!({"body": "hi", "caption": "x"}),
        100,
        "(#100) Unexpected key \"caption\" on param \"text\".",
    );
    refused("text", &json!("hi"), 100, "Param text must be a JSON object.");
}

#[test]
fn media_need_an_id_or_a_link() {
    for kind in ["audio", "document", "image", "sticker", "video"] {
        allowed(kind, &json!({"id": "1479537139650973"}));
        allowed(kind, &json!({"id": 1_479_537_139_650_973_u64, "link": null}));
        allowed(kind, &json!({"link": "https://example.org/file"}));
        for content in [json!({}), json!({"id": ""}), json!({"id": null, "link": null})] {
            refused(kind, &content, 131_008, &format!("Either {kind}['id'] or {kind}['link'] is required."));
        }
        let both = json!({"id": "1", "link": "https://example.org/file"});
        refused(kind, &both, 131_009, &format!("{kind}['id'] and {kind}['link'] exclude each other"));
        for link in ["file", "ftp://example.org/file", "https://", "/file"] {
            refused(kind, &json!({"link": link}), 100, &format!("Param {kind}['link'] is not a valid URI."));
        }
        refused(kind, &json!({"id": "1", "url": "x"}), 100, &format!("Unexpected key \"url\" on param \"{kind}\"."));
        refused(kind, &json!("1"), 100, "must be a JSON object");
    }
}

#[test]
fn media_have_the_members_of_their_kind() {
    for kind in ["document", "image", "video"] {
        allowed(kind, &json!({"id": "1", "caption": "é".repeat(1024)}));
        let long = json!({"id": "1", "caption": "é".repeat(1025)});
        refused(kind, &long, 100, &format!("Param {kind}['caption'] must be at most 1024 characters long."));
    }
    allowed("audio", &json!({"id": "1", "voice": true}));
    refused("audio", &json!({"id": "1", "voice": "loud"}), 100, "must be a boolean");
    allowed("document", &json!({"id": "1", "filename": "a.pdf"}));
    for (kind, member) in [("image", "filename"), ("video", "voice"), ("audio", "filename"), ("sticker", "caption")] {
        let content = json!({"id": "1", member: "x"});
        refused(kind, &content, 100, &format!("Unexpected key \"{member}\" on param \"{kind}\"."));
    }
}

#[test]
fn locations_have_coordinates() {
    let location = json!({"latitude": "37.44216251868683", "longitude": -122.161_535, "name": "A", "address": "B"});
    allowed("location", &location);
    allowed("location", &json!({"latitude": 90, "longitude": -180}));
    refused("location", &json!({"latitude": 1}), 100, "The parameter location['longitude'] is required.");
    for (member, value) in [("latitude", "90.1"), ("longitude", "-180.1"), ("latitude", "north"), ("longitude", "NaN")]
    {
        let content = patched(&location, &format!("/{member}"), json!(value));
        refused("location", &content, 131_009, &format!("location['{member}'] must be in decimal degrees"));
    }
    refused("location", &patched(&location, "/name", json!([])), 100, "Param location['name'] must be a string.");
    refused("location", &patched(&location, "/url", json!("x")), 100, "Unexpected key");
}

#[test]
fn contacts_have_a_name() {
    let contact = json!({
        "addresses": [{"street": "1 Hacker Way", "city": "Menlo Park", "state": "CA", "zip": "94025",
            "country": "United States", "country_code": "US", "type": "Pop-Up"}],
        "birthday": "1999-01-23",
        "emails": [{"email": "b@example.org", "type": "Work (old)"}],
        "name": {"formatted_name": "Barbara J. Johnson", "first_name": "Barbara", "suffix": null},
        "org": {"company": "Lucky Shrub", "department": "Legal", "title": "Lead Counsel"},
        "phones": [{"phone": "+19175559999", "type": "Mobile", "wa_id": "19175559999"}, {"wa_id": "1"}],
        "urls": [{"url": "https://www.example.org", "type": "Company"}],
    });
    let cards = |count: usize| Value::Array(vec![contact.clone(); count]);
    allowed("contacts", &cards(1));
    allowed("contacts", &cards(257));
    allowed("contacts", &json!([{"name": {"formatted_name": "A"}, "phones": [], "org": null}]));
    refused("contacts", &cards(0), 131_009, "Min allowed contacts: 1, Max allowed contacts: 257");
    refused("contacts", &cards(258), 131_009, "Max allowed contacts: 257");
    refused("contacts", &json!({}), 100, "Param contacts must be an array.");
    refused("contacts", &json!([{}]), 100, "The parameter contacts[0]['name'] is required.");
    for (pointer, value, code, sentence) in [
        ("/0/name/formatted_name", json!(""), 100, "contacts[0]['name']['formatted_name'] is required."),
        ("/0/name/nickname", json!("B"), 100, "Unexpected key \"nickname\" on param \"contacts[0]['name']\"."),
        ("/0/photo", json!("x"), 100, "Unexpected key \"photo\" on param \"contacts[0]\"."),
        ("/0/birthday", json!("23.1.1999"), 131_009, "contacts[0]['birthday'] must be a date"),
        ("/0/birthday", json!("1999-02-29"), 131_009, "must be a date in the form YYYY-MM-DD"),
        ("/0/birthday", json!("1999-1-23"), 131_009, "must be a date in the form YYYY-MM-DD"),
        ("/0/phones", json!({}), 100, "Param contacts[0]['phones'] must be an array."),
        ("/0/phones/1/phone", json!({}), 100, "Param contacts[0]['phones'][1]['phone'] must be a string."),
        ("/0/emails/0/mail", json!("x"), 100, "Unexpected key \"mail\""),
        ("/0/org/company", json!([]), 100, "must be a string"),
    ] {
        refused("contacts", &patched(&cards(1), pointer, value), code, sentence);
    }
}

#[test]
fn reactions_have_one_emoji() {
    let reaction = |emoji: Value| json!({"message_id": "wamid.1", "emoji": emoji});
    let sequences = ["👩‍❤️‍💋‍👨", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🇪🇬", "5️⃣", "#⃣", "👍🏽", "❤️"];
    for emoji in ["", "👍", "❤", "©", "ℹ️", "Ⓜ️", "🅰️", "㊗️", "🫡"].into_iter().chain(sequences)
    {
        allowed("reaction", &reaction(json!(emoji)));
    }
    let incomplete = ["🇪", "🇪🇬🇪🇬", "\u{200d}", "👍\u{200d}", "\u{fe0f}"];
    for emoji in ["a", "5", "ok", "👍👍", "👍!", " ", ":)", "好"].into_iter().chain(incomplete) {
        refused("reaction", &reaction(json!(emoji)), 131_009, "reaction['emoji'] must be one emoji");
    }
    refused("reaction", &reaction(Value::Null), 100, "The parameter reaction['emoji'] is required.");
    refused("reaction", &reaction(json!({})), 100, "must be a string");
    refused("reaction", &json!({"emoji": "👍"}), 100, "The parameter reaction['message_id'] is required.");
    refused("reaction", &json!({"message_id": "1", "emoji": "👍", "text": "x"}), 100, "Unexpected key");
}

#[test]
fn pins_have_a_duration() {
    let pin = json!({"type": "pin", "message_id": "wamid.1", "expiration_days": "30"});
    allowed("pin", &pin);
    allowed("pin", &json!({"type": "unpin", "message_id": "wamid.1"}));
    for (pointer, value, code, sentence) in [
        ("/type", json!("hold"), 100, "Param pin['type'] must be one of {PIN, UNPIN} - got \"hold\"."),
        ("/type", Value::Null, 100, "The parameter pin['type'] is required."),
        ("/message_id", json!(""), 100, "The parameter pin['message_id'] is required."),
        ("/expiration_days", Value::Null, 131_008, "pin['expiration_days'] is required to pin."),
        ("/expiration_days", json!(0), 131_009, "pin['expiration_days'] must be from 1 to 30"),
        ("/expiration_days", json!(31), 131_009, "pin['expiration_days'] must be from 1 to 30"),
        ("/expiration_days", json!("soon"), 100, "Param pin['expiration_days'] must be an integer."),
        ("/until", json!(1), 100, "Unexpected key \"until\" on param \"pin\"."),
    ] {
        refused("pin", &patched(&pin, pointer, value), code, sentence);
    }
}

#[test]
fn templates_have_a_name_and_a_language() {
    let template = json!({"name": "hello_world", "language": {"code": "en_US", "policy": "deterministic"},
        "components": [{"type": "body", "parameters": []}]});
    allowed("template", &template);
    allowed("template", &json!({"name": "hello_world", "language": {"code": "en_US"}}));
    for (pointer, value, sentence) in [
        ("/name", json!(""), "The parameter template['name'] is required."),
        ("/language", Value::Null, "The parameter template['language'] is required."),
        ("/language", json!("en_US"), "Param template['language'] must be a JSON object."),
        ("/language/code", Value::Null, "The parameter template['language']['code'] is required."),
        ("/language/policy", json!("fallback"), "must be one of {DETERMINISTIC} - got \"fallback\"."),
        ("/components", json!({}), "Param template['components'] must be an array."),
        ("/components/0/type", Value::Null, "The parameter template['components'][0]['type'] is required."),
        ("/components/0/text", json!("x"), "Unexpected key \"text\" on param \"template['components'][0]\"."),
        ("/parameters", json!([]), "Unexpected key \"parameters\" on param \"template\"."),
    ] {
        refused("template", &patched(&template, pointer, value), 100, sentence);
    }
}
