use serde_json::{Value, json};

use super::*;

fn message(interactive: Value) -> Value {
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

const ACTION: &str = "/interactive/action";

#[test]
fn the_body_is_what_there_is_to_read() {
    for request in [buttons(), list(), url_button(), flow()] {
        assert_eq!(accepts(&request).body.as_deref(), Some("B"));
    }
}

#[test]
fn texts_around_the_action() {
    for (request, limit) in [(buttons(), 1024), (list(), 4096), (url_button(), 1024), (flow(), 1024)] {
        limits(&request, "/interactive/body/text", limit);
        limits(&with(&request, "/interactive/footer", json!({"text": ""})), "/interactive/footer/text", 60);
        let header = json!({"type": "text", "text": ""});
        limits(&with(&request, "/interactive/header", header), "/interactive/header/text", 60);
        refuses(&without(&request, "/interactive/body"), "interactive.body is required");
        refuses(&without(&request, "/interactive/action"), "interactive.action is required");
        refuses(&with(&request, "/interactive/body", json!("B")), "interactive.body must be an object");
        let empty = with(&request, "/interactive/footer", json!({"text": ""}));
        refuses(&empty, "interactive.footer.text is required");
    }
}

#[test]
fn headers() {
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
        refuses(&request, "interactive.header.type must be text");
        let request = with(&buttons(), "/interactive/header", json!({"type": kind}));
        refuses(&request, &format!("interactive.header.{kind} is required"));
    }
    let header = json!({"type": "image", "image": {"link": "https://127.0.0.1/a"}});
    let sentence = "interactive.header.image.link must be a public https address without credentials";
    refuses(&with(&buttons(), "/interactive/header", header), sentence);
    let header = json!({"type": "sticker"});
    let sentence = "interactive.header.type must be one of text, image, video, document";
    refuses(&with(&buttons(), "/interactive/header", header), sentence);
}

#[test]
fn types() {
    let sentence = "interactive.type must be one of button, list, cta_url, flow, location_request_message, \
        contact_request, request_contact_info, address_message, call_permission_request, voice_call, product, \
        product_list, catalog_message, carousel";
    refuses(&message(json!({"type": "buttons"})), sentence);
    refuses(&message(json!({})), "interactive.type is required");
}

#[test]
fn reply_buttons() {
    let at = |path: &str| format!("{ACTION}/buttons/{path}");
    limits(&buttons(), &at("1/reply/title"), 20);
    limits(&buttons(), &at("1/reply/id"), 256);
    for count in [1, 3] {
        accepts(&with(&buttons(), "/interactive/action/buttons", (0..count).map(button).collect()));
    }
    for count in [0, 4] {
        let request = with(&buttons(), "/interactive/action/buttons", (0..count).map(button).collect());
        refuses(&request, &format!("interactive.action.buttons has {count} entries: WhatsApp takes 1 to 3"));
    }
    for (name, value) in [("id", "id0"), ("title", "Title 0")] {
        let sentence = format!(
            "interactive.action.buttons[1].reply.{name} is the same as one before it: WhatsApp takes each only once"
        );
        refuses(&with(&buttons(), &at(&format!("1/reply/{name}")), json!(value)), &sentence);
    }
    let sentence = "interactive.action.buttons[0].type must be reply";
    refuses(&with(&buttons(), &at("0/type"), json!("url")), sentence);
}

#[test]
fn lists() {
    limits(&list(), "/interactive/action/button", 20);
    limits(&list(), "/interactive/action/sections/1/title", 24);
    limits(&list(), "/interactive/action/sections/1/rows/0/id", 200);
    limits(&list(), "/interactive/action/sections/1/rows/0/title", 24);
    limits(&list(), "/interactive/action/sections/0/rows/1/description", 72);
    let sections = |sections: Value| with(&list(), "/interactive/action/sections", sections);

    let ten: Value = (0..10).map(|at| json!({"title": "S", "rows": rows(at..at + 1)})).collect();
    accepts(&sections(ten));
    for count in [0, 11] {
        let wrong = (0..count).map(|at| json!({"title": "S", "rows": rows(at..at + 1)})).collect();
        let sentence = format!("interactive.action.sections has {count} entries: WhatsApp takes 1 to 10");
        refuses(&sections(wrong), &sentence);
    }
    accepts(&sections(json!([{"rows": rows(0..10)}])));
    accepts(&sections(json!([{"title": "S", "rows": rows(0..5)}, {"title": "S", "rows": rows(5..10)}])));
    let sentence = "interactive.action.sections has 11 rows in all: WhatsApp takes 1 to 10";
    refuses(&sections(json!([{"title": "S", "rows": rows(0..5)}, {"title": "S", "rows": rows(5..11)}])), sentence);
    let sentence = "interactive.action.sections[0].rows has 0 entries: WhatsApp takes 1 to 10";
    refuses(&sections(json!([{"title": "S", "rows": []}])), sentence);
    let sentence = "interactive.action.sections[1].title is required";
    refuses(&sections(json!([{"title": "S", "rows": rows(0..1)}, {"rows": rows(1..2)}])), sentence);
    let sentence = "interactive.action.sections[1].rows[0].id is the same as one before it: \
        WhatsApp takes each only once";
    refuses(&sections(json!([{"title": "S", "rows": rows(0..1)}, {"title": "T", "rows": rows(0..1)}])), sentence);
}

#[test]
fn url_buttons() {
    let parameters = "interactive.action.parameters";
    limits(&url_button(), "/interactive/action/parameters/display_text", 20);
    let request = with(&url_button(), "/interactive/action/parameters/url", json!("example.org"));
    refuses(&request, &format!("{parameters}.url must be an http or https address"));
    let request = with(&url_button(), "/interactive/action/name", json!("url"));
    refuses(&request, "interactive.action.name must be cta_url");
    let request = without(&url_button(), "/interactive/action/parameters");
    refuses(&request, &format!("{parameters} is required"));
}

#[test]
fn flows() {
    let at = |name: &str| format!("{ACTION}/parameters/{name}");
    let parameters = "interactive.action.parameters";
    limits(&flow(), &at("flow_cta"), 30);
    accepts(&with(&without(&flow(), &at("flow_id")), &at("flow_name"), json!("N")));
    accepts(&with(&flow(), &at("flow_action_payload/data"), json!("{}")));
    let sentence = format!("{parameters}.flow_id and {parameters}.flow_name exclude each other: give one of them");
    refuses(&with(&flow(), &at("flow_name"), json!("N")), &sentence);
    let sentence = format!("{parameters}.flow_id or {parameters}.flow_name is required");
    refuses(&without(&flow(), &at("flow_id")), &sentence);
    for (name, value, expected) in [
        ("flow_message_version", json!("4"), "3"),
        ("flow_message_version", json!(3), "a string"),
        ("mode", json!("live"), "one of draft, published"),
        ("flow_action", json!("go"), "one of navigate, data_exchange"),
        ("flow_action_payload", json!("S"), "an object"),
    ] {
        refuses(&with(&flow(), &at(name), value), &format!("{parameters}.{name} must be {expected}"));
    }
    refuses(&without(&flow(), &at("flow_message_version")), &format!("{parameters}.flow_message_version is required"));
}

#[test]
fn requests_for_location_and_contact() {
    for (kind, action) in [
        ("location_request_message", "send_location"),
        ("contact_request", "request_contact_info"),
        ("request_contact_info", "request_contact_info"),
    ] {
        let request = message(json!({"type": kind, "body": {"text": "B"}, "action": {"name": action}}));
        limits(&request, "/interactive/body/text", 1024);
        let wrong = with(&request, "/interactive/action/name", json!("ask"));
        refuses(&wrong, &format!("interactive.action.name must be {action}"));
        let sentence = "interactive.footer is not a field of this message: WhatsApp documents type, body, action";
        refuses(&with(&request, "/interactive/footer", json!({"text": "F"})), sentence);
    }
}

#[test]
fn other_types_pass_with_their_action() {
    for kind in ["address_message", "call_permission_request", "voice_call", "product", "catalog_message", "carousel"] {
        let action = json!({"name": kind, "parameters": {"any": [1, null]}});
        let request = message(json!({"type": kind, "body": {"text": "B"}, "footer": {"text": "F"}, "action": action}));
        limits(&request, "/interactive/body/text", 1024);
        accepts(&without(&request, "/interactive/body"));
        refuses(&without(&request, "/interactive/action"), "interactive.action is required");
        refuses(&with(&request, "/interactive/action", json!([])), "interactive.action must be an object");
    }
}
