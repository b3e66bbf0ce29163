//! Products, carousels, and orders.

use serde_json::{Value, json};

use super::{
    interactive::{ACTION, checks_action, with_action},
    *,
};

/// The action of the first card of a carousel.
const FIRST_ACTION: &str = "/interactive/action/cards/0/action";

fn products(ids: std::ops::Range<usize>) -> Value {
    ids.map(|at| json!({"product_retailer_id": at.to_string()})).collect()
}

#[test]
fn products_are_validated() {
    let product = with_action("product", json!({"catalog_id": "1", "product_retailer_id": "2"}));
    accepts(&without(&product, "/interactive/body"));
    for name in ["catalog_id", "product_retailer_id"] {
        let path = format!("{ACTION}/{name}");
        rejects(&without(&product, &path), &format!("interactive.action.{name} is required"));
    }
    let header = json!({"type": "text", "text": "H"});
    let sentence = "interactive.header is not a field of this message: its fields are type, body, footer, action";
    rejects(&with(&product, "/interactive/header", header), sentence);
    let catalog = with_action("catalog_message", json!({"name": "catalog_message"}));
    checks_action(&catalog, "catalog_message");
    accepts(&with(&catalog, "/interactive/action/parameters", json!({"thumbnail_product_retailer_id": "1"})));
    rejects(&without(&catalog, "/interactive/body"), "interactive.body is required");
}

#[test]
fn product_lists_are_validated() {
    let sections = |sections: Value| {
        let list = with_action("product_list", json!({"catalog_id": "1", "sections": sections}));
        with(&list, "/interactive/header", json!({"type": "text", "text": "H"}))
    };
    let list = sections(json!([{"title": "S", "product_items": products(0..15)},
        {"title": "T", "product_items": products(15..30)}]));
    accepts(&list);
    accepts(&sections(json!([{"product_items": products(0..30)}])));
    limits_text(&list, "/interactive/action/sections/0/title", 24);
    rejects(&without(&list, "/interactive/header"), "interactive.header is required");
    rejects(&without(&list, "/interactive/action/catalog_id"), "interactive.action.catalog_id is required");
    let image = json!({"type": "image", "image": {"id": "1"}});
    rejects(&with(&list, "/interactive/header", image), "interactive.header.type must be text");
    let at = "interactive.action.sections";
    for count in [0, 31] {
        let sentence = format!("{at}[0].product_items has {count} entries: WhatsApp allows 1 to 30");
        rejects(&sections(json!([{"title": "S", "product_items": products(0..count)}])), &sentence);
    }
    let split =
        json!([{"title": "S", "product_items": products(0..15)}, {"title": "T", "product_items": products(0..16)}]);
    rejects(&sections(split), &format!("{at} has 31 products in total: WhatsApp allows 1 to 30"));
    let untitled = json!([{"product_items": products(0..1)}, {"title": "T", "product_items": products(1..2)}]);
    rejects(&sections(untitled), &format!("{at}[0].title is required"));
    for count in [0, 11] {
        let many = (0..count).map(|_| json!({"title": "S", "product_items": products(0..1)})).collect();
        rejects(&sections(many), &format!("{at} has {count} entries: WhatsApp allows 1 to 10"));
    }
    rejects(
        &sections(json!([{"title": "S", "product_items": [{}]}])),
        &format!("{at}[0].product_items[0].product_retailer_id is required"),
    );
}

#[test]
fn carousels_are_validated() {
    let url = json!({"name": "cta_url", "parameters": {"display_text": "Shop", "url": "https://example.org"}});
    let header = json!({"type": "image", "image": {"link": "https://example.org/a.png"}});
    let card = |index: usize| {
        json!({"card_index": index, "type": "cta_url", "header": header, "action": url,
        "body": {"text": "a\nb\nc"}})
    };
    let cards = |count: usize| with_action("carousel", json!({"cards": (0..count).map(card).collect::<Value>()}));
    let carousel = cards(2);
    for count in [2, 10] {
        accepts(&cards(count));
    }
    for count in [0, 1, 11] {
        let sentence = format!("interactive.action.cards has {count} entries: WhatsApp allows 2 to 10");
        rejects(&cards(count), &sentence);
    }
    limits_text(&carousel, "/interactive/action/cards/1/body/text", 160);
    let at = |path: &str| format!("{ACTION}/cards/1/{path}");
    let field = "interactive.action.cards[1]";
    let replies = |titles: &[&str]| {
        let reply = |title: &&str| json!({"type": "quick_reply", "quick_reply": {"id": title, "title": title}});
        json!({"buttons": titles.iter().map(reply).collect::<Value>()})
    };
    let with_replies = with(&with(&carousel, &at("action"), replies(&["A"])), FIRST_ACTION, replies(&["B"]));
    accepts(&with_replies);
    limits_text(&with_replies, &at("action/buttons/0/quick_reply/id"), 20);
    let product = |index: usize, catalog: &str| {
        json!({"card_index": index, "type": "product",
            "action": {"product_retailer_id": "1", "catalog_id": catalog}})
    };
    let products = |catalog: &str| with_action("carousel", json!({"cards": [product(0, "1"), product(1, catalog)]}));
    accepts(&products("1"));
    let video = json!({"type": "video", "video": {"link": "https://example.org/a.mp4"}});
    for (request, member) in [
        (with(&carousel, "/interactive/action/cards/1", product(1, "1")), "type"),
        (with(&carousel, &at("header"), video), "header"),
        (with(&carousel, &at("action"), replies(&["A"])), "action"),
        (with(&with_replies, &at("action"), replies(&["A", "B"])), "action"),
        (products("2"), "action"),
    ] {
        rejects(&request, &format!("{field}.{member} must be like that of the first card"));
    }
    let sentence = format!("{field}.body.text must be a text with up to 2 line breaks");
    rejects(&with(&carousel, &at("body/text"), json!("a\nb\nc\nd")), &sentence);
    let sentence = format!("{field}.card_index repeats an earlier value: WhatsApp requires unique values");
    rejects(&with(&carousel, &at("card_index"), json!(0)), &sentence);
    let sentence = format!("{field}.card_index must be a whole number from 0 to 9");
    rejects(&with(&carousel, &at("card_index"), json!(10)), &sentence);
    rejects(&without(&carousel, &at("header")), &format!("{field}.header is required"));
    rejects(&with(&carousel, &at("type"), json!("url")), &format!("{field}.type must be one of cta_url, product"));
    rejects(&without(&carousel, "/interactive/body"), "interactive.body is required");
}

/// An order as in Meta's example for India, with members of this country only.
fn order() -> Value {
    let amount = |value: u64| json!({"value": value, "offset": 100});
    let item = json!({"name": "Cake", "amount": amount(400), "sale_amount": amount(300), "quantity": 2,
        "retailer_id": "1", "country_of_origin": "India"});
    with_action(
        "order_details",
        json!({"name": "review_and_pay", "parameters": {
            "reference_id": "order-1_a.B", "type": "physical-goods", "currency": "INR", "total_amount": amount(850),
            "payment_type": "upi", "payment_configuration": "config", "beneficiaries": [{"name": "A"}],
            "payment_settings": [{"type": "payment_gateway", "payment_gateway": {"type": "razorpay"}}],
            "order": {"status": "pending", "items": [item], "subtotal": amount(600), "tax": amount(100),
                "shipping": amount(200), "discount": amount(50),
                "expiration": {"timestamp": "1700000000", "description": "D"}},
        }}),
    )
}

#[test]
fn orders_are_validated() {
    let parameters = "interactive.action.parameters";
    let at = |path: &str| format!("{ACTION}/parameters/{path}");
    checks_action(&order(), "review_and_pay");
    accepts(&without(&order(), &at("order")));
    let image = json!({"type": "image", "image": {"id": "1"}});
    accepts(&with(&order(), "/interactive/header", image));
    let text = json!({"type": "text", "text": "H"});
    rejects(&with(&order(), "/interactive/header", text), "interactive.header.type must be image");
    accepts(&without(&order(), &at("order/expiration/description")));
    limits_text(&order(), &at("order/expiration/description"), 120);
    // The sum of the amounts instead of the sale amounts.
    let full_price = with(&order(), &at("order/subtotal/value"), json!(800));
    accepts(&with(&full_price, &at("total_amount/value"), json!(1050)));
    limits_text(&order(), &at("order/items/0/name"), 60);
    for (path, value, sentence) in [
        ("reference_id", json!("a b"), ".reference_id must be letters, digits, underscores, dashes, and dots"),
        ("reference_id", json!("é"), ".reference_id must be letters, digits, underscores, dashes, and dots"),
        ("reference_id", json!(""), ".reference_id is required"),
        ("type", json!("goods"), ".type must be one of digital-goods, physical-goods"),
        ("currency", json!("inr"), ".currency must be a currency code of ISO 4217, such as INR"),
        ("total_amount/offset", json!(10), ".total_amount.offset must be 100"),
        ("total_amount/value", json!(8.5), ".total_amount.value must be a whole number that is not negative"),
        (
            "total_amount/value",
            json!(851),
            ".total_amount.value must be the sum of order.subtotal, order.tax, and order.shipping, less order.discount",
        ),
        (
            "order/subtotal/value",
            json!(700),
            ".order.subtotal.value must be the sum of the items' amounts, or sale amounts, times their quantities",
        ),
        ("order/status", json!("paid"), ".order.status must be pending"),
        ("order/items", json!([]), ".order.items has 0 entries: WhatsApp requires at least 1"),
        ("order/items/0/quantity", json!(0), ".order.items[0].quantity must be a whole number of at least 1"),
        ("payment_settings", json!({}), ".payment_settings must be an array"),
        ("payment_settings", json!([{}]), ".payment_settings[0].type is required"),
        (
            "order/items/0/quantity",
            json!(u64::MAX),
            ".order.subtotal.value must be the sum of the items' amounts, \
            or sale amounts, times their quantities",
        ),
    ] {
        rejects(&with(&order(), &at(path), value), &format!("{parameters}{sentence}"));
    }
    for name in ["reference_id", "type", "currency", "total_amount"] {
        rejects(&without(&order(), &at(name)), &format!("{parameters}.{name} is required"));
    }
}

#[test]
fn order_statuses_are_validated() {
    let status = with_action(
        "order_status",
        json!({"name": "review_order", "parameters": {
        "reference_id": "r", "order": {"status": "shipped", "description": "D"},
        "payment": {"status": "captured", "timestamp": 1_722_445_231}}}),
    );
    checks_action(&status, "review_order");
    limits_text(&status, "/interactive/action/parameters/order/description", 120);
    let sentence = "interactive.action.parameters.order.status must be one of pending, processing, partially-shipped, \
        partially_shipped, shipped, completed, canceled";
    rejects(&with(&status, "/interactive/action/parameters/order/status", json!("lost")), sentence);
    let sentence = "interactive.action.parameters.payment.status must be one of pending, captured, failed";
    rejects(&with(&status, "/interactive/action/parameters/payment/status", json!("paid")), sentence);
}
