//! Interactive messages.

use super::{
    content::{allowed, patched, refused},
    *,
};

fn button(kind: &str, id: &str, title: &str) -> Value {
    json!({"type": kind, kind: {"id": id, "title": title}})
}

fn buttons() -> Value {
    let buttons = [button("reply", "yes", "Yes"), button("reply", "no", "No")];
    json!({"type": "button", "header": {"type": "text", "text": "Head"}, "body": {"text": "Body"},
        "footer": {"text": "Foot"}, "action": {"buttons": buttons}})
}

fn message(kind: &str, action: Value) -> Value {
    json!({"type": kind, "body": {"text": "Body"}, "action": action})
}

fn named(kind: &str, name: &str, parameters: Value) -> Value {
    message(kind, json!({"name": name, "parameters": parameters}))
}

fn list(rows: usize) -> Value {
    let rows: Vec<Value> = (0..rows).map(|row| json!({"id": row.to_string(), "title": "Row"})).collect();
    message("list", json!({"button": "Options", "sections": [{"title": "Section", "rows": rows}]}))
}

fn products(count: usize) -> Value {
    let items: Vec<Value> = (0..count).map(|item| json!({"product_retailer_id": item.to_string()})).collect();
    let mut message = message("product_list", json!({"catalog_id": "1", "sections": [{"product_items": items}]}));
    message["header"] = json!({"type": "text", "text": "Head"});
    message
}

fn media_card(index: u8) -> Value {
    json!({"card_index": index, "type": "cta_url", "body": {"text": "Card"},
        "header": {"type": "image", "image": {"link": "https://example.org/a.png"}},
        "action": {"name": "cta_url", "parameters": {"display_text": "Open", "url": "https://example.org"}}})
}

fn product_card(index: u8, catalog: &str) -> Value {
    json!({"card_index": index, "type": "product", "action": {"product_retailer_id": "7", "catalog_id": catalog}})
}

fn carousel(cards: Vec<Value>) -> Value {
    message("carousel", json!({"cards": cards}))
}

/// Checks that `content` is allowed with and without each change.
fn changes_are_allowed(content: &Value, changes: &[(&str, Value)]) {
    allowed("interactive", content);
    for (pointer, value) in changes {
        allowed("interactive", &patched(content, pointer, value.clone()));
    }
}

/// Checks that each change of `content` is refused with a code and a sentence.
fn changes_are_refused(content: &Value, changes: &[(&str, Value, u32, &str)]) {
    for (pointer, value, code, sentence) in changes {
        refused("interactive", &patched(content, pointer, value.clone()), *code, sentence);
    }
}

#[test]
fn headers_bodies_and_footers_are_checked() {
    let link = json!({"link": "https://example.org/a"});
    changes_are_allowed(
        &buttons(),
        &[
            ("/header", Value::Null),
            ("/header", json!({"type": "image", "image": {"id": "1"}})),
            ("/header", json!({"type": "video", "video": link})),
            ("/header", json!({"type": "document", "document": {"id": "1", "filename": "a.pdf"}})),
            ("/header/text", json!("é".repeat(60))),
            ("/body/text", json!("é".repeat(1024))),
            ("/footer/text", json!("é".repeat(60))),
            ("/footer/text", json!("")),
            ("/footer", Value::Null),
        ],
    );
    changes_are_refused(
        &buttons(),
        &[
            ("/type", json!("poll"), 100, "Param interactive['type'] must be one of {ADDRESS_MESSAGE, BUTTON,"),
            ("/type", Value::Null, 100, "The parameter interactive['type'] is required."),
            ("/templateId", json!(1), 100, "(#100) Unexpected key \"templateId\" on param \"interactive\"."),
            ("/header/type", json!("sticker"), 100, "must be one of {TEXT, VIDEO, IMAGE, DOCUMENT}"),
            ("/header/text", Value::Null, 131_009, "Text cannot be null for header type text"),
            ("/header/text", json!(""), 131_009, "Header text length invalid. Min length: 1, Max length: 60"),
            ("/header/text", json!("é".repeat(61)), 131_009, "Header text length invalid."),
            ("/header", json!({"type": "image"}), 131_009, "Media cannot be null for header type image"),
            ("/header", json!({"type": "image", "video": link}), 131_009, "Media cannot be null"),
            ("/header", json!({"type": "image", "image": {}}), 131_008, "Either interactive['header']['image']['id']"),
            ("/header", json!({"type": "image", "image": {"link": "x"}}), 100, "is not a valid URI"),
            ("/body", Value::Null, 131_008, "interactive['body'] is required for type button."),
            ("/body/text", json!(""), 100, "The parameter interactive['body']['text'] is required."),
            (
                "/body/text",
                json!("é".repeat(1025)),
                131_009,
                "Body text length invalid. Min length: 1, Max length: 1024",
            ),
            (
                "/footer/text",
                json!("é".repeat(61)),
                131_009,
                "Footer text length invalid. Min length: 0, Max length: 60",
            ),
            ("/action", Value::Null, 100, "The parameter interactive['action'] is required."),
        ],
    );
}

#[test]
fn reply_buttons_are_limited() {
    let reply = |id: &str, title: &str| button("reply", id, title);
    changes_are_allowed(
        &buttons(),
        &[
            ("/action/buttons", json!([reply("1", "A")])),
            ("/action/buttons", json!([reply("1", "A"), reply("2", "B"), reply("3", "C")])),
            ("/action/buttons/0", reply(&"é".repeat(256), &"é".repeat(20))),
        ],
    );
    let four = json!([reply("1", "A"), reply("2", "B"), reply("3", "C"), reply("4", "D")]);
    let count = "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3";
    let title = "Button title length invalid. Min length: 1, Max length: 20";
    changes_are_refused(
        &buttons(),
        &[
            ("/action/buttons", four, 131_009, count),
            ("/action/buttons", json!([]), 131_009, count),
            ("/action/buttons", Value::Null, 131_009, count),
            ("/action/buttons", json!({}), 100, "Param interactive['action']['buttons'] must be an array."),
            ("/action/buttons/0", reply("1", &"é".repeat(21)), 131_009, title),
            ("/action/buttons/0", reply("1", ""), 100, "['buttons'][0]['reply']['title'] is required."),
            ("/action/buttons/0", reply("", "A"), 100, "['buttons'][0]['reply']['id'] is required."),
            ("/action/buttons/0", reply(&"é".repeat(257), "A"), 131_009, "Button id length invalid."),
            ("/action/buttons/0", reply("no", "A"), 131_009, "Duplicate button id"),
            ("/action/buttons/0", reply("1", "No"), 131_009, "Duplicate button title"),
            ("/action/buttons/0/type", json!("url"), 100, "must be one of {REPLY} - got \"url\"."),
            ("/action/buttons/0/reply/url", json!("x"), 100, "Unexpected key \"url\""),
        ],
    );
}

#[test]
fn lists_are_limited() {
    let section = |title: &str, id: &str| json!({"title": title, "rows": [{"id": id, "title": "Row"}]});
    changes_are_allowed(
        &list(10),
        &[
            ("/body/text", json!("é".repeat(4096))),
            ("/header", json!({"type": "text", "text": "Head"})),
            ("/action/button", json!("é".repeat(20))),
            ("/action/sections/0/title", Value::Null),
            ("/action/sections/0/title", json!("é".repeat(24))),
            ("/action/sections/0/rows/0/id", json!("é".repeat(200))),
            ("/action/sections/0/rows/0/title", json!("é".repeat(24))),
            ("/action/sections/0/rows/0/description", json!("é".repeat(72))),
            ("/action/sections", (0..10).map(|index| section("A", &index.to_string())).collect()),
        ],
    );
    let eleven = (0..11).map(|index| section("A", &index.to_string())).collect();
    let two = |first: Value, second: Value| json!([first, second]);
    changes_are_refused(
        &list(10),
        &[
            (
                "/body/text",
                json!("é".repeat(4097)),
                131_009,
                "Body text length invalid. Min length: 1, Max length: 4096",
            ),
            ("/header", json!({"type": "image", "image": {"id": "1"}}), 131_009, "type that list does not support"),
            ("/action/button", Value::Null, 100, "The parameter interactive['action']['button'] is required."),
            ("/action/button", json!("é".repeat(21)), 131_009, "Button label is too long. Max length is 20"),
            ("/action/sections", Value::Null, 100, "The parameter interactive['action']['sections'] is required."),
            ("/action/sections", json!([]), 131_009, "Min allowed sections: 1, Max allowed sections: 10"),
            ("/action/sections", eleven, 131_009, "Min allowed sections: 1, Max allowed sections: 10"),
            (
                "/action/sections",
                two(section("A", "1"), section("", "2")),
                131_008,
                "['sections'][1]['title'] is required",
            ),
            ("/action/sections", two(section("A", "1"), section("B", "1")), 131_009, "Duplicate row id"),
            ("/action/sections", two(section("A", "1"), json!({"title": "B"})), 100, "[1]['rows'] is required."),
            ("/action/sections/0/title", json!("é".repeat(25)), 131_009, "Section title is too long. Max length is 24"),
            ("/action/sections/0/rows", json!([]), 131_009, "['sections'][0]['rows'] must not be empty"),
            ("/action/sections/0/rows/0/id", json!("é".repeat(201)), 131_009, "Row id is too long. Max length is 200"),
            (
                "/action/sections/0/rows/0/title",
                json!("é".repeat(25)),
                131_009,
                "Row title is too long. Max length is 24",
            ),
            (
                "/action/sections/0/rows/0/title",
                json!(""),
                100,
                "(#100) The parameter interactive['action']['sections'][0]['rows'][0]['title'] is required.",
            ),
            (
                "/action/sections/0/rows/0/description",
                json!("é".repeat(73)),
                131_009,
                "Row description is too long. Max length is 72",
            ),
            (
                "/action/sections/0/rows/0/action",
                json!("x"),
                100,
                "Unexpected key \"action\" on param \"interactive['action']['sections'][0]['rows'][0]\".",
            ),
        ],
    );
    refused("interactive", &list(11), 131_009, "Total row count exceed max allowed count: 10");
}

#[test]
fn url_buttons_have_a_label_and_a_url() {
    let message = named("cta_url", "cta_url", json!({"display_text": "Open", "url": "https://example.org?a=b"}));
    changes_are_allowed(
        &message,
        &[
            ("/header", json!({"type": "image", "image": {"id": "1"}})),
            ("/action/parameters/display_text", json!("é".repeat(20))),
            ("/action/parameters/payment_link_preview", json!(true)),
        ],
    );
    changes_are_refused(
        &message,
        &[
            ("/action/name", json!("flow"), 100, "Param interactive['action']['name'] must be one of {CTA_URL}"),
            ("/action/name", Value::Null, 100, "The parameter interactive['action']['name'] is required."),
            ("/action/parameters", Value::Null, 100, "The parameter interactive['action']['parameters'] is required."),
            ("/action/parameters/display_text", json!(""), 100, "['display_text'] is required."),
            ("/action/parameters/display_text", json!("é".repeat(21)), 131_009, "Button title length invalid."),
            ("/action/parameters/url", Value::Null, 100, "['url'] is required."),
            ("/action/parameters/url", json!("example.org"), 100, "['url'] is not a valid URI."),
            ("/action/parameters/title", json!("x"), 100, "Unexpected key \"title\""),
        ],
    );
}

#[test]
fn flows_are_identified_by_id_or_name() {
    let message = named(
        "flow",
        "flow",
        json!({"flow_message_version": "3", "flow_id": "1", "flow_cta": "Book", "flow_token": "t", "mode": "draft",
            "flow_action": "navigate", "flow_action_payload": {"screen": "FIRST", "data": {"a": 1}}}),
    );
    changes_are_allowed(
        &message,
        &[
            ("/action/parameters/flow_message_version", json!(3)),
            ("/action/parameters", json!({"flow_message_version": "3", "flow_name": "booking", "flow_cta": "Book"})),
            ("/action/parameters/flow_action_payload/data", Value::Null),
            ("/action/parameters/flow_action_payload/data", json!("{\"a\": 1}")),
        ],
    );
    let data = "flow_action_payload data must be dynamic_object";
    changes_are_refused(
        &message,
        &[
            ("/action/parameters/flow_message_version", json!("2"), 100, "must be one of {3} - got \"2\"."),
            (
                "/action/parameters/flow_id",
                Value::Null,
                131_008,
                "Either interactive['action']['parameters']['flow_id']",
            ),
            ("/action/parameters/flow_name", json!("booking"), 131_009, "exclude each other"),
            ("/action/parameters/flow_cta", json!(""), 100, "['flow_cta'] is required."),
            ("/action/parameters/mode", json!("test"), 100, "must be one of {DRAFT, PUBLISHED}"),
            ("/action/parameters/flow_action", json!("open"), 100, "must be one of {NAVIGATE, DATA_EXCHANGE}"),
            ("/action/parameters/flow_action_payload/screen", Value::Null, 100, "['screen'] is required."),
            ("/action/parameters/flow_action_payload/data", json!({}), 131_009, data),
            ("/action/parameters/flow_action_payload/data", json!("{}"), 131_009, data),
            ("/action/parameters/flow_action_payload/data", json!([1]), 131_009, data),
            ("/action/parameters/screen", json!("FIRST"), 100, "Unexpected key \"screen\""),
        ],
    );
}

#[test]
fn requests_to_the_user_have_a_named_action() {
    for (kind, name) in [
        ("location_request_message", "send_location"),
        ("contact_request", "request_contact_info"),
        ("request_contact_info", "request_contact_info"),
        ("call_permission_request", "call_permission_request"),
    ] {
        let message = message(kind, json!({"name": name}));
        allowed("interactive", &message);
        changes_are_refused(&message, &[("/action/name", json!("other"), 100, "- got \"other\".")]);
        if kind == "call_permission_request" {
            changes_are_allowed(&message, &[("/body", Value::Null)]);
        } else {
            changes_are_refused(&message, &[("/body", Value::Null, 131_008, "interactive['body'] is required")]);
        }
    }
}

#[test]
fn address_requests_have_a_country() {
    let message = named("address_message", "address_message", json!({"country": "IN", "values": {"city": "Delhi"}}));
    allowed("interactive", &message);
    changes_are_refused(
        &message,
        &[
            ("/action/parameters/country", Value::Null, 100, "['country'] is required."),
            ("/action/parameters/country", json!("India"), 131_009, "['country'] must be an ISO country code"),
            ("/action/parameters/city", json!("Delhi"), 100, "Unexpected key \"city\""),
        ],
    );
}

#[test]
fn call_buttons_are_limited() {
    let message =
        named("voice_call", "voice_call", json!({"display_text": "Call", "ttl_minutes": 43200, "payload": "p"}));
    changes_are_allowed(
        &message,
        &[
            ("/action/parameters", Value::Null),
            ("/action/parameters/display_text", json!("é".repeat(20))),
            ("/action/parameters/ttl_minutes", json!(1)),
            ("/action/parameters/payload", json!("é".repeat(512))),
        ],
    );
    changes_are_refused(
        &message,
        &[
            ("/action/parameters/display_text", json!("é".repeat(21)), 131_009, "Button title length invalid."),
            ("/action/parameters/ttl_minutes", json!(0), 131_009, "['ttl_minutes'] must be from 1 to 43200"),
            ("/action/parameters/ttl_minutes", json!(43201), 131_009, "['ttl_minutes'] must be from 1 to 43200"),
            ("/action/parameters/ttl_minutes", json!(1.5), 100, "must be an integer"),
            ("/action/parameters/payload", json!("é".repeat(513)), 131_009, "Payload length invalid."),
        ],
    );
}

#[test]
fn products_belong_to_a_catalog() {
    let single = message("product", json!({"catalog_id": "1", "product_retailer_id": "2"}));
    changes_are_allowed(&single, &[("/body", Value::Null), ("/footer", json!({"text": "Foot"}))]);
    changes_are_refused(
        &single,
        &[
            ("/header", json!({"type": "text", "text": "Head"}), 131_009, "type that product does not support"),
            ("/action/catalog_id", Value::Null, 100, "['catalog_id'] is required."),
            ("/action/product_retailer_id", Value::Null, 100, "['product_retailer_id'] is required."),
        ],
    );
    let catalog = named("catalog_message", "catalog_message", json!({"thumbnail_product_retailer_id": "2"}));
    changes_are_allowed(&catalog, &[("/action/parameters", Value::Null)]);
    changes_are_refused(
        &catalog,
        &[
            ("/action/parameters", json!({}), 100, "['thumbnail_product_retailer_id'] is required."),
            ("/header", json!({"type": "text", "text": "Head"}), 131_009, "type that catalog_message does not support"),
            ("/body", Value::Null, 131_008, "interactive['body'] is required"),
        ],
    );
}

#[test]
fn lists_of_products_are_limited() {
    let untitled = json!([{"product_items": [{"product_retailer_id": "1"}]}, {"title": "B", "product_items": []}]);
    allowed("interactive", &products(30));
    refused("interactive", &products(31), 131_009, "Total product count exceed max allowed count: 30");
    changes_are_refused(
        &products(1),
        &[
            ("/header", Value::Null, 131_008, "interactive['header'] is required for type product_list."),
            (
                "/header",
                json!({"type": "image", "image": {"id": "1"}}),
                131_009,
                "type that product_list does not support",
            ),
            ("/action/catalog_id", Value::Null, 100, "['catalog_id'] is required."),
            ("/action/sections", untitled, 131_008, "['sections'][0]['title'] is required"),
            ("/action/sections/0/product_items", json!([]), 131_009, "['product_items'] must not be empty"),
            ("/action/sections/0/product_items/0/product_retailer_id", Value::Null, 100, "is required."),
            ("/action/sections/0/rows", json!([]), 100, "Unexpected key \"rows\""),
        ],
    );
}

#[test]
fn the_cards_of_a_carousel_are_alike() {
    let quick = |title: &str| button("quick_reply", title, title);
    let with_replies = |index: u8, replies: Value| patched(&media_card(index), "/action", json!({"buttons": replies}));
    let two = carousel(vec![media_card(0), media_card(1)]);
    changes_are_allowed(
        &two,
        &[
            ("/action/cards", (0..10).map(media_card).collect()),
            ("/action/cards", json!([product_card(0, "1"), product_card(1, "1")])),
            ("/action/cards", json!([with_replies(0, json!([quick("A")])), with_replies(9, json!([quick("B")]))])),
            ("/action/cards/0/body", Value::Null),
            ("/action/cards/0/body/text", json!("é".repeat(160))),
            ("/action/cards/0/body/text", json!("a\nb\nc")),
        ],
    );
    let video = json!({"type": "video", "video": {"link": "https://example.org/a.mp4"}});
    let mixed = json!([with_replies(0, json!([quick("A")])), with_replies(1, json!([quick("A"), quick("B")]))]);
    let alike = "All cards must have the same type, header type, buttons, and catalog";
    changes_are_refused(
        &two,
        &[
            ("/header", json!({"type": "text", "text": "Head"}), 131_009, "type that carousel does not support"),
            ("/footer", json!({"text": "Foot"}), 131_009, "interactive['footer'] is not supported for type carousel"),
            ("/body", Value::Null, 131_008, "interactive['body'] is required"),
            ("/action/cards", Value::Null, 100, "The parameter interactive['action']['cards'] is required."),
            ("/action/cards", json!([media_card(0)]), 131_009, "Min allowed cards: 2, Max allowed cards: 10"),
            ("/action/cards", vec![media_card(0); 11].into(), 131_009, "Min allowed cards: 2, Max allowed cards: 10"),
            ("/action/cards/1/card_index", json!(0), 131_009, "Duplicate card index"),
            ("/action/cards/1/card_index", json!(10), 131_009, "['card_index'] must be from 0 to 9"),
            ("/action/cards/1/card_index", Value::Null, 100, "['card_index'] is required."),
            ("/action/cards/1/type", json!("list"), 100, "must be one of {CTA_URL, PRODUCT}"),
            ("/action/cards/1/header", Value::Null, 131_008, "['header'] is required for type cta_url."),
            ("/action/cards/1/header", json!({"type": "text", "text": "Head"}), 131_009, "must be an image or a video"),
            ("/action/cards/1/header", video, 131_009, alike),
            ("/action/cards/1/body/text", json!("é".repeat(161)), 131_009, "Card body text length invalid."),
            ("/action/cards/1/body/text", json!("a\nb\nc\nd"), 131_009, "must have at most 2 line breaks"),
            (
                "/action/cards/1/action",
                json!({"buttons": [quick(&"é".repeat(21))]}),
                131_009,
                "Button id length invalid.",
            ),
            ("/action/cards/1", product_card(1, "1"), 131_009, alike),
            ("/action/cards", json!([product_card(0, "1"), product_card(1, "2")]), 131_009, alike),
            ("/action/cards", mixed, 131_009, alike),
        ],
    );
}

#[test]
fn the_amounts_of_an_order_add_up() {
    let amount = |value: u32| json!({"value": value, "offset": 100});
    let item =
        json!({"retailer_id": "1", "name": "Cake", "amount": amount(500), "sale_amount": amount(400), "quantity": 2});
    let order = json!({"status": "pending", "items": [item], "subtotal": amount(800), "tax": amount(50),
        "shipping": amount(20), "discount": amount(70)});
    let message = named(
        "order_details",
        "review_and_pay",
        json!({"reference_id": "order-1_2.3", "type": "digital-goods", "payment_type": "br", "payment_settings": [],
            "currency": "BRL", "total_amount": amount(800), "order": order}),
    );
    let regular = json!({"status": "pending", "items": [item], "subtotal": amount(1000), "discount": amount(200)});
    changes_are_allowed(
        &message,
        &[
            ("/header", json!({"type": "image", "image": {"link": "https://example.org/a.png", "provider": {}}})),
            ("/action/parameters/order", Value::Null),
            ("/action/parameters/order", regular),
            ("/action/parameters/reference_id", json!("x".repeat(60))),
        ],
    );
    changes_are_refused(
        &message,
        &[
            ("/header", json!({"type": "text", "text": "Head"}), 131_009, "type that order_details does not support"),
            ("/action/parameters/reference_id", json!("x".repeat(61)), 131_009, "Reference id length invalid."),
            ("/action/parameters/reference_id", json!("a b"), 131_009, "['reference_id'] can have English letters"),
            ("/action/parameters/type", json!("services"), 100, "must be one of {DIGITAL-GOODS, PHYSICAL-GOODS}"),
            ("/action/parameters/currency", json!("real"), 131_009, "must be an ISO 4217 code"),
            ("/action/parameters/total_amount", amount(801), 131_009, "['total_amount'] must be the subtotal"),
            ("/action/parameters/total_amount/offset", json!(10), 131_009, "['offset'] must be from 100 to 100"),
            ("/action/parameters/order/status", json!("shipped"), 100, "must be one of {PENDING}"),
            ("/action/parameters/order/items", json!([]), 131_009, "['subtotal'] must be the sum of the items"),
            ("/action/parameters/order/items/0/quantity", json!(0), 131_009, "must be from 1 to"),
            ("/action/parameters/order/items/0/name", json!("é".repeat(61)), 131_009, "Item name length invalid."),
            ("/action/parameters/order/subtotal", amount(900), 131_009, "['subtotal'] must be the sum of the items"),
            ("/action/parameters/order/discount", amount(2000), 131_009, "['total_amount'] must be the subtotal"),
        ],
    );
}

#[test]
fn order_statuses_are_listed() {
    let message = named(
        "order_status",
        "review_order",
        json!({"reference_id": "1", "order": {"status": "shipped", "description": "é".repeat(120)},
            "payment": {"status": "captured", "timestamp": 1_722_445_231}}),
    );
    changes_are_allowed(&message, &[("/action/parameters/payment", Value::Null)]);
    changes_are_refused(
        &message,
        &[
            ("/action/parameters/order", Value::Null, 100, "['order'] is required."),
            ("/action/parameters/order/status", json!("lost"), 100, "must be one of {PENDING, PROCESSING,"),
            (
                "/action/parameters/order/description",
                json!("é".repeat(121)),
                131_009,
                "Order description length invalid.",
            ),
            ("/action/parameters/payment/status", json!("refunded"), 100, "must be one of {PENDING, CAPTURED, FAILED}"),
            ("/action/parameters/reference_id", json!(""), 100, "['reference_id'] is required."),
        ],
    );
}
