use serde_json::{Value, json};

use super::*;

pub(super) fn message(interactive: Value) -> Value {
    json!({"type": "interactive", "interactive": interactive})
}

fn button(at: usize) -> Value {
    json!({"type": "reply", "reply": {"id": format!("id{at}"), "title": format!("Title {at}")}})
}

fn buttons() -> Value {
    message(json!({
        "type": "button",
        "header": {"type": "text", "text": "H"},
        "body": {"text": "B"},
        "footer": {"text": "F"},
        "action": {"buttons": [button(0), button(1)]},
    }))
}

fn rows(ids: std::ops::Range<usize>) -> Value {
    ids.map(|at| json!({"id": format!("id{at}"), "title": "T", "description": "D"})).collect()
}

fn list() -> Value {
    let sections = json!([{"title": "S", "rows": rows(0..2)}, {"title": "S", "rows": rows(2..3)}]);
    let header = json!({"type": "text", "text": "H"});
    let action = json!({"button": "Options", "sections": sections});
    message(json!({"type": "list", "header": header, "body": {"text": "B"}, "footer": {"text": "F"}, "action": action}))
}

fn url_button() -> Value {
    let parameters = json!({"display_text": "Open", "url": "https://example.org/?a=b"});
    message(json!({"type": "cta_url", "body": {"text": "B"}, "footer": {"text": "F"},
        "header": {"type": "image", "image": {"link": "https://example.org/a.png"}},
        "action": {"name": "cta_url", "parameters": parameters}}))
}

fn flow() -> Value {
    let parameters = json!({
        "flow_message_version": "3", "flow_id": "1", "flow_cta": "Book", "flow_token": "t", "mode": "draft",
        "flow_action": "navigate", "flow_action_payload": {"screen": "S", "data": {"a": null}},
    });
    message(json!({"type": "flow", "body": {"text": "B"}, "action": {"name": "flow", "parameters": parameters}}))
}

pub(super) const ACTION: &str = "/interactive/action";

#[test]
fn readable_text_is_the_body() {
    for request in [buttons(), list(), url_button(), flow()] {
        assert_eq!(accepts(&request).body.as_deref(), Some("B"));
    }
}

#[test]
fn header_body_and_footer_are_limited() {
    for (request, limit) in [(buttons(), 1024), (list(), 4096), (url_button(), 1024), (flow(), 1024)] {
        limits_text(&request, "/interactive/body/text", limit);
        limits_text(&with(&request, "/interactive/footer", json!({"text": ""})), "/interactive/footer/text", 60);
        let header = json!({"type": "text", "text": ""});
        limits_text(&with(&request, "/interactive/header", header), "/interactive/header/text", 60);
        rejects(&without(&request, "/interactive/body"), "interactive.body is required");
        rejects(&without(&request, "/interactive/action"), "interactive.action is required");
        rejects(&with(&request, "/interactive/body", json!("B")), "interactive.body must be an object");
        let empty = with(&request, "/interactive/footer", json!({"text": ""}));
        rejects(&empty, "interactive.footer.text is required");
    }
}

#[test]
fn headers_are_validated() {
    for (kind, media) in [
        ("image", json!({"id": "1"})),
        ("video", json!({"link": "https://example.org/a.mp4"})),
        ("document", json!({"id": "1", "filename": "a.pdf"})),
    ] {
        let header = json!({"type": kind, kind: media});
        for request in [buttons(), url_button(), flow()] {
            accepts(&with(&request, "/interactive/header", header.clone()));
        }
        let request = with(&list(), "/interactive/header", header.clone());
        rejects(&request, "interactive.header.type must be text");
        let request = with(&buttons(), "/interactive/header", json!({"type": kind}));
        rejects(&request, &format!("interactive.header.{kind} is required"));
    }
    let header = json!({"type": "image", "image": {"link": "https://127.0.0.1/a"}});
    let sentence = "interactive.header.image.link must be a URL with a public host: WhatsApp can't reach hosts in private networks";
    rejects(&with(&buttons(), "/interactive/header", header), sentence);
    for provider in [json!({"name": "P"}), json!("P")] {
        let image = json!({"link": "https://example.org/a.png", "provider": provider});
        accepts(&with(&buttons(), "/interactive/header", json!({"type": "image", "image": image})));
    }
    for provider in [json!({}), json!({"name": ""}), json!({"name": "P", "id": "1"}), json!(1), json!("")] {
        let header = json!({"type": "image", "image": {"id": "1", "provider": provider}});
        let sentence =
            "interactive.header.image.provider must be a name, as a string or in an object with the field name";
        rejects(&with(&buttons(), "/interactive/header", header), sentence);
    }
    let header = json!({"type": "sticker"});
    let sentence = "interactive.header.type must be one of text, image, video, document";
    rejects(&with(&buttons(), "/interactive/header", header), sentence);
}

#[test]
fn unknown_types_are_rejected() {
    let sentence = "interactive.type must be one of button, list, cta_url, flow, location_request_message, \
        contact_request, request_contact_info, address_message, call_permission_request, voice_call, product, \
        product_list, catalog_message, carousel, order_details, order_status";
    rejects(&message(json!({"type": "buttons"})), sentence);
    rejects(&message(json!({})), "interactive.type is required");
}

#[test]
fn reply_buttons_are_validated() {
    let at = |path: &str| format!("{ACTION}/buttons/{path}");
    limits_text(&buttons(), &at("1/reply/title"), 20);
    limits_text(&buttons(), &at("1/reply/id"), 256);
    for count in [1, 3] {
        accepts(&with(&buttons(), "/interactive/action/buttons", (0..count).map(button).collect()));
    }
    for count in [0, 4] {
        let request = with(&buttons(), "/interactive/action/buttons", (0..count).map(button).collect());
        rejects(&request, &format!("interactive.action.buttons has {count} entries: WhatsApp allows 1 to 3"));
    }
    for (name, value) in [("id", "id0"), ("title", "Title 0")] {
        let sentence = format!(
            "interactive.action.buttons[1].reply.{name} repeats an earlier value: WhatsApp requires unique values"
        );
        rejects(&with(&buttons(), &at(&format!("1/reply/{name}")), json!(value)), &sentence);
    }
    let sentence = "interactive.action.buttons[0].type must be reply";
    rejects(&with(&buttons(), &at("0/type"), json!("url")), sentence);
}

#[test]
fn lists_are_validated() {
    limits_text(&list(), "/interactive/action/button", 20);
    limits_text(&list(), "/interactive/action/sections/1/title", 24);
    limits_text(&list(), "/interactive/action/sections/1/rows/0/id", 200);
    limits_text(&list(), "/interactive/action/sections/1/rows/0/title", 24);
    limits_text(&list(), "/interactive/action/sections/0/rows/1/description", 72);
    let sections = |sections: Value| with(&list(), "/interactive/action/sections", sections);

    let ten: Value = (0..10).map(|at| json!({"title": "S", "rows": rows(at..at + 1)})).collect();
    accepts(&sections(ten));
    for count in [0, 11] {
        let wrong = (0..count).map(|at| json!({"title": "S", "rows": rows(at..at + 1)})).collect();
        let sentence = format!("interactive.action.sections has {count} entries: WhatsApp allows 1 to 10");
        rejects(&sections(wrong), &sentence);
    }
    accepts(&sections(json!([{"rows": rows(0..10)}])));
    accepts(&sections(json!([{"title": "S", "rows": rows(0..5)}, {"title": "S", "rows": rows(5..10)}])));
    let sentence = "interactive.action.sections has 11 rows in total: WhatsApp allows 1 to 10";
    rejects(&sections(json!([{"title": "S", "rows": rows(0..5)}, {"title": "S", "rows": rows(5..11)}])), sentence);
    let sentence = "interactive.action.sections[0].rows has 0 entries: WhatsApp allows 1 to 10";
    rejects(&sections(json!([{"title": "S", "rows": []}])), sentence);
    let sentence = "interactive.action.sections[1].title is required";
    rejects(&sections(json!([{"title": "S", "rows": rows(0..1)}, {"rows": rows(1..2)}])), sentence);
    let sentence = "interactive.action.sections[1].rows[0].id repeats an earlier value: \
        WhatsApp requires unique values";
    rejects(&sections(json!([{"title": "S", "rows": rows(0..1)}, {"title": "T", "rows": rows(0..1)}])), sentence);
}

#[test]
fn url_buttons_are_validated() {
    let parameters = "interactive.action.parameters";
    limits_text(&url_button(), "/interactive/action/parameters/display_text", 20);
    let request = with(&url_button(), "/interactive/action/parameters/url", json!("example.org"));
    rejects(&request, &format!("{parameters}.url must be a URL that starts with https:// or http://"));
    accepts(&with(&url_button(), "/interactive/action/parameters/payment_link_preview", json!(true)));
    let request = with(&url_button(), "/interactive/action/name", json!("url"));
    rejects(&request, "interactive.action.name must be cta_url");
    let request = without(&url_button(), "/interactive/action/parameters");
    rejects(&request, &format!("{parameters} is required"));
}

#[test]
fn flows_are_validated() {
    let at = |name: &str| format!("{ACTION}/parameters/{name}");
    let parameters = "interactive.action.parameters";
    limits_text(&flow(), &at("flow_cta"), 30);
    accepts(&with(&without(&flow(), &at("flow_id")), &at("flow_name"), json!("N")));
    accepts(&with(&flow(), &at("flow_action_payload/data"), json!("{\"a\": 1}")));
    for data in [json!({}), json!("{}"), json!(""), json!("a"), json!("[1]"), json!([1])] {
        let sentence = format!("{parameters}.flow_action_payload.data must be an object with at least one member");
        rejects(&with(&flow(), &at("flow_action_payload/data"), data), &sentence);
    }
    let blank = with(&with(&flow(), &at("flow_name"), json!("")), &at("flow_id"), json!(" "));
    rejects(&blank, &format!("{parameters}.flow_id or {parameters}.flow_name is required"));
    let sentence = format!("{parameters}.flow_id and {parameters}.flow_name can't be combined: use one of them");
    rejects(&with(&flow(), &at("flow_name"), json!("N")), &sentence);
    let sentence = format!("{parameters}.flow_id or {parameters}.flow_name is required");
    rejects(&without(&flow(), &at("flow_id")), &sentence);
    for (name, value, expected) in [
        ("flow_message_version", json!("4"), "3"),
        ("flow_message_version", json!(3), "a string"),
        ("mode", json!("live"), "one of draft, published"),
        ("flow_action", json!("go"), "one of navigate, data_exchange"),
        ("flow_action_payload", json!("S"), "an object"),
    ] {
        rejects(&with(&flow(), &at(name), value), &format!("{parameters}.{name} must be {expected}"));
    }
    rejects(&without(&flow(), &at("flow_message_version")), &format!("{parameters}.flow_message_version is required"));
}

#[test]
fn location_and_contact_requests_are_validated() {
    for (kind, action) in [
        ("location_request_message", "send_location"),
        ("contact_request", "request_contact_info"),
        ("request_contact_info", "request_contact_info"),
    ] {
        let request = message(json!({"type": kind, "body": {"text": "B"}, "action": {"name": action}}));
        limits_text(&request, "/interactive/body/text", 1024);
        let wrong = with(&request, "/interactive/action/name", json!("ask"));
        rejects(&wrong, &format!("interactive.action.name must be {action}"));
        let sentence = "interactive.footer is not a field of this message: its fields are type, body, action";
        rejects(&with(&request, "/interactive/footer", json!({"text": "F"})), sentence);
    }
}

pub(super) fn with_action(kind: &str, action: Value) -> Value {
    message(json!({"type": kind, "body": {"text": "B"}, "action": action}))
}

/// Checks that `kind` requires an action with the name `name` and refuses unknown members.
#[track_caller]
pub(super) fn checks_action(request: &Value, name: &str) {
    accepts(request);
    rejects(&without(request, ACTION), "interactive.action is required");
    rejects(&with(request, ACTION, json!([])), "interactive.action must be an object");
    rejects(&with(request, "/interactive/action/name", json!("x")), &format!("interactive.action.name must be {name}"));
}

#[test]
fn calls_and_addresses_are_validated() {
    let call = with_action(
        "voice_call",
        json!({"name": "voice_call", "parameters": {
        "display_text": "Call", "ttl_minutes": 43200, "payload": "p"}}),
    );
    checks_action(&call, "voice_call");
    accepts(&without(&call, "/interactive/action/parameters"));
    limits_text(&call, "/interactive/action/parameters/display_text", 20);
    limits_text(&call, "/interactive/action/parameters/payload", 512);
    for minutes in [json!(0), json!(43201), json!(-1)] {
        let sentence = "interactive.action.parameters.ttl_minutes must be a whole number from 1 to 43200";
        rejects(&with(&call, "/interactive/action/parameters/ttl_minutes", minutes), sentence);
    }
    let permission = with_action("call_permission_request", json!({"name": "call_permission_request"}));
    checks_action(&permission, "call_permission_request");
    accepts(&without(&permission, "/interactive/body"));
    let address = with_action(
        "address_message",
        json!({"name": "address_message", "parameters": {
        "country": "IN", "values": {"name": "A"}, "saved_addresses": [{"id": "1", "value": {"city": "C"}}]}}),
    );
    checks_action(&address, "address_message");
    let country = "/interactive/action/parameters/country";
    rejects(&without(&address, country), "interactive.action.parameters.country is required");
    let sentence = "interactive.action.parameters.country must be a country code of ISO 3166, such as IN";
    for value in ["India", "in", ""] {
        let sentence = if value.is_empty() { "interactive.action.parameters.country is required" } else { sentence };
        rejects(&with(&address, country, json!(value)), sentence);
    }
}
