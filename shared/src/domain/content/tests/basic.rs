use serde_json::{Value, json};

use super::*;
use crate::domain::message::MessageType;

fn image() -> Value {
    json!({"type": "image", "image": {"link": "https://example.org/a.png", "caption": "A"}})
}

#[test]
fn message_field_is_a_text_message() {
    let content = read_value(&json!({"message": "hi", "to": "+1", "validUntil": 5})).unwrap().unwrap();
    assert_eq!(content.kind, MessageType::Text);
    assert_eq!(content.body.as_deref(), Some("hi"));
    assert_eq!(content.json, json!({"type": "text", "text": {"body": "hi"}}));
    assert_eq!(content.reply_to, None);
}

#[test]
fn request_without_message_has_no_content() {
    for request in [json!({}), json!({"message": " "}), json!({"message": null, "type": null}), json!({"image": null})]
    {
        assert_eq!(read_value(&request), Ok(None), "{request}");
    }
}

#[test]
fn conflicting_and_unknown_types_are_rejected() {
    rejects(&json!({"message": 5}), "message must be a string");
    rejects(&json!({"type": ["text"]}), "type must be a string");
    rejects(&json!({"message": "hi", "type": "text"}), "message and type can't be combined: use one of them");
    let types =
        "text, image, video, audio, document, sticker, location, contacts, reaction, interactive, template, pin";
    rejects(&json!({"type": "fax", "fax": {}}), &format!("type must be one of {types}"));
    rejects(&json!({"type": "unsupported"}), &format!("type must be one of {types}"));
}

#[test]
fn content_without_type_is_rejected() {
    rejects(&json!({"image": {"id": "1"}}), "type is required");
}

#[test]
fn message_field_has_the_text_limit() {
    assert!(read_value(&json!({"message": "é".repeat(4096)})).is_ok());
    rejects(&json!({"message": "é".repeat(4097)}), "message has 4097 characters: WhatsApp allows up to 4096");
}

#[test]
fn text_messages_are_validated() {
    let text = json!({"type": "text", "text": {"body": "see https://example.org", "preview_url": true}});
    assert_eq!(accepts(&text).body.as_deref(), Some("see https://example.org"));
    limits_text(&text, "/text/body", 4096);
    rejects(&without(&text, "/text"), "text is required");
    rejects(&without(&text, "/text/body"), "text.body is required");
    rejects(&with(&text, "/text/body", json!(" \n")), "text.body is required");
    rejects(&with(&text, "/text/body", json!(5)), "text.body must be a string");
    rejects(&with(&text, "/text/preview_url", json!("true")), "text.preview_url must be true or false");
    rejects(&with(&text, "/text", json!("hi")), "text must be an object");
    let sentence = "text.preview is not a field of this message: did you mean text.preview_url?";
    rejects(&with(&text, "/text/preview", json!(true)), sentence);
}

#[test]
fn every_media_type_is_accepted() {
    let kinds = [
        ("image", MessageType::Image, json!({"caption": "A"})),
        ("video", MessageType::Video, json!({"caption": "A"})),
        ("audio", MessageType::Audio, json!({"voice": true})),
        ("document", MessageType::Document, json!({"caption": "A", "filename": "a.pdf"})),
        ("sticker", MessageType::Sticker, json!({})),
    ];
    for (name, kind, more) in kinds {
        for (source, at) in [("id", "1234"), ("link", "https://example.org/a")] {
            let mut media = more.clone();
            media[source] = json!(at);
            let content = accepts(&json!({"type": name, name: media}));
            assert_eq!(content.kind, kind);
            assert_eq!(content.body.as_deref(), more["caption"].as_str());
        }
    }
}

#[test]
fn media_requires_exactly_one_source() {
    let image = image();
    let sentence = "image.id and image.link can't be combined: use one of them";
    rejects(&with(&image, "/image/id", json!("1")), sentence);
    rejects(&without(&image, "/image/link"), "image.id or image.link or image.media is required");
    rejects(&json!({"type": "image", "image": {"id": " "}}), "image.id or image.link or image.media is required");
    rejects(&json!({"type": "image", "image": {"id": 5}}), "image.id must be a string");
    rejects(&with(&image, "/image/link", json!({})), "image.link must be a string");
    rejects(&with(&image, "/image/link", json!("")), "image.id or image.link or image.media is required");
    for (link, expected) in [
        ("https://example.org/a b.png", "a URL without spaces: write a space as %20"),
        ("http://example.org/a.png", "a URL that starts with https://"),
        ("https://u:p@example.org/a.png", "a URL without a user name and password"),
        ("https://10.0.0.1/a.png", "a URL with a public host: WhatsApp can't reach hosts in private networks"),
    ] {
        rejects(&with(&image, "/image/link", json!(link)), &format!("image.link must be {expected}"));
    }
    let blank = json!({"type": "image", "image": {"id": " ", "link": "https://example.org/a.png"}});
    let content = read_value(&blank).unwrap().unwrap();
    assert_eq!(content.json["image"], json!({"link": "https://example.org/a.png"}));
}

/// Returns the place of the uploaded file in a valid message.
fn file_in(message: &Value) -> Option<(MessageType, String, String)> {
    let file = read_value(message).unwrap().unwrap().uploaded_file()?;
    assert_eq!(file.id.to_string(), UPLOAD);
    Some((file.kind, file.path(), file.pointer))
}

const UPLOAD: &str = "01a21bc2-d8f3-7d11-a1c4-0f6b3f1f6a52";

#[test]
fn uploaded_files_are_found_in_messages_and_headers() {
    let place = |kind, path: &str, pointer: &str| Some((kind, path.to_owned(), pointer.to_owned()));
    let kinds = [
        ("image", MessageType::Image),
        ("video", MessageType::Video),
        ("audio", MessageType::Audio),
        ("document", MessageType::Document),
        ("sticker", MessageType::Sticker),
    ];
    for (name, kind) in kinds {
        let message = json!({"type": name, name: {"media": UPLOAD}});
        assert_eq!(file_in(&message), place(kind, &format!("{name}.media"), &format!("/{name}")));
    }
    let gif = json!({"type": "gif", "gif": {"media": UPLOAD}});
    let text = json!({"type": "text", "text": "Mona"});
    let card = json!({"card_index": 0, "components": [{"type": "header", "parameters": [gif]}]});
    let components = json!([{"type": "body", "parameters": [text]}, {"type": "carousel", "cards": [card]}]);
    let template = json!({"name": "sale", "language": {"code": "en"}, "components": components});
    let path = "template.components[1].cards[0].components[0].parameters[0].gif.media";
    let pointer = "/template/components/1/cards/0/components/0/parameters/0/gif";
    let template = json!({"type": "template", "template": template});
    assert_eq!(file_in(&template), place(MessageType::Video, path, pointer));
    assert_eq!(file_in(&image()), None);
    // A flow's own data.
    let data = json!({"header": {"type": "image", "image": {"media": UPLOAD}}});
    let parameters = json!({
        "flow_message_version": "3", "flow_id": "1", "flow_cta": "Go", "flow_action_payload": {"screen": "A", "data": data},
    });
    let flow = json!({"type": "flow", "body": {"text": "B"}, "action": {"name": "flow", "parameters": parameters}});
    assert_eq!(file_in(&json!({"type": "interactive", "interactive": flow})), None);
}

#[test]
fn message_has_one_uploaded_file() {
    let header = |kind: &str| json!({"type": kind, kind: {"media": UPLOAD}});
    let card = |index: u8| {
        let button = json!({"name": "cta_url", "parameters": {"display_text": "Buy", "url": "https://example.org"}});
        json!({"card_index": index, "type": "cta_url", "header": header("image"), "action": button})
    };
    let carousel = json!({"type": "carousel", "body": {"text": "B"}, "action": {"cards": [card(0), card(1)]}});
    let message = json!({"type": "interactive", "interactive": carousel});
    let path = |card: u8| format!("interactive.action.cards[{card}].header.image.media");
    rejects(&message, &format!("{} and {} can't be combined: use one of them", path(0), path(1)));
    accepts(&with(&message, "/interactive/action/cards/1/header/image", json!({"id": "1"})));
}

#[test]
fn captions_and_file_names_are_limited() {
    limits_text(&image(), "/image/caption", 1024);
    limits_text(&json!({"type": "video", "video": {"id": "1"}}), "/video/caption", 1024);
    let document = json!({"type": "document", "document": {"id": "1"}});
    limits_text(&document, "/document/caption", 1024);
    limits_text(&document, "/document/filename", 240);
    for (kind, known) in [("audio", "id, link, media, voice"), ("sticker", "id, link, media")] {
        let request = json!({"type": kind, kind: {"id": "1", "caption": "A"}});
        let sentence = format!("{kind}.caption is not a field of this message: its fields are {known}");
        rejects(&request, &sentence);
    }
    let blank = read_value(&with(&image(), "/image/caption", json!(" "))).unwrap().unwrap();
    assert_eq!((blank.body, blank.json), (None, without(&image(), "/image/caption")));
}

#[test]
fn null_counts_as_missing() {
    let given = with(&image(), "/image/id", Value::Null);
    assert_eq!(read_value(&given).unwrap().unwrap().json, image());
    let button = json!({"type": "button", "sub_type": "voice_call", "index": null});
    let template = json!({"name": "call", "language": {"code": "en"}, "components": [button]});
    let template = json!({"type": "template", "template": template});
    assert_eq!(read_value(&template).unwrap().unwrap().json, without(&template, "/template/components/0/index"));
    let parameters = json!({"display_text": "Buy", "url": "https://example.org"});
    let action = json!({"name": "cta_url", "buttons": null, "parameters": parameters});
    let header = json!({"type": "image", "image": {"id": "1"}});
    let card = json!({"type": "cta_url", "card_index": 0, "header": header, "action": action});
    let cards = json!({"cards": [with(&card, "/card_index", json!(1)), card]});
    let carousel = json!({"type": "carousel", "body": {"text": "B"}, "action": cards});
    let message = json!({"type": "interactive", "interactive": carousel});
    let sent = ["0", "1"].iter().fold(message.clone(), |message, card| {
        without(&message, &format!("/interactive/action/cards/{card}/action/buttons"))
    });
    assert_eq!(read_value(&message).unwrap().unwrap().json, sent);
}

#[test]
fn locations_are_validated() {
    let place = json!({"latitude": "37.44", "longitude": -122.16, "name": "N", "address": "A"});
    let location = json!({"type": "location", "location": place});
    accepts(&location);
    for (name, limit) in [("latitude", 90), ("longitude", 180)] {
        let path = format!("/location/{name}");
        for degrees in [json!(limit), json!(-limit), json!(format!("{limit}.0")), json!(format!("-{limit}")), json!(0)]
        {
            accepts(&with(&location, &path, degrees));
        }
        let sentence = format!("location.{name} must be a number of degrees from -{limit} to {limit}");
        let over = f64::from(limit) + 0.000_001;
        let wrong =
            [json!(over), json!(-over), json!(over.to_string()), json!(""), json!("N"), json!("inf"), json!([])];
        for degrees in wrong.into_iter().chain([json!("NaN"), json!("1e1"), json!("1,5"), json!(true)]) {
            rejects(&with(&location, &path, degrees), &sentence);
        }
        rejects(&without(&location, &path), &format!("location.{name} is required"));
    }
}

#[test]
fn contact_cards_are_validated() {
    let card = json!({
        "name": {
            "formatted_name": "A B", "first_name": "A", "last_name": "B", "middle_name": "", "prefix": "Dr.",
            "suffix": "II",
        },
        "birthday": "1999-01-23",
        "org": {"company": "C", "department": "D", "title": "T"},
        "phones": [{"phone": "+16505559999", "type": "CELL", "wa_id": "16505559999"}, {"phone": "+1"}],
        "emails": [{"email": "a@example.org", "type": "WORK"}],
        "urls": [{"url": "https://example.org", "type": "WORK"}],
        "addresses": [{
            "street": "S", "city": "C", "state": "CA", "zip": "1", "country": "X", "country_code": "x", "type": "HOME",
        }],
    });
    let contacts = json!({"type": "contacts", "contacts": [card]});
    accepts(&contacts);
    for path in ["name", "name/formatted_name"] {
        let sentence = format!("contacts[0].{} is required", path.replace('/', "."));
        rejects(&without(&contacts, &format!("/contacts/0/{path}")), &sentence);
    }
    for birthday in ["1999-02-30", "19990123", "23.01.1999", "1999-1-23", "-001999-01-23", "1999-01-23T00:00"] {
        let request = with(&contacts, "/contacts/0/birthday", json!(birthday));
        rejects(&request, "contacts[0].birthday must be a date in the format YYYY-MM-DD");
    }
    rejects(&with(&contacts, "/contacts/0/phones", json!("+1")), "contacts[0].phones must be an array");
    rejects(&with(&contacts, "/contacts/0/phones/1", json!("+1")), "contacts[0].phones[1] must be an object");
    let sentence =
        "contacts[0].phones[1].waId is not a field of this message: did you mean contacts[0].phones[1].wa_id?";
    rejects(&with(&contacts, "/contacts/0/phones/1/waId", json!("1")), sentence);
    accepts(&with(&contacts, "/contacts", json!(vec![card.clone(); 257])));
    for count in [0, 258] {
        let request = with(&contacts, "/contacts", json!(vec![card.clone(); count]));
        rejects(&request, &format!("contacts has {count} entries: WhatsApp allows 1 to 257"));
    }
}

#[test]
fn received_contact_card_without_a_name_can_be_sent() {
    let card = |card: Value| json!({"type": "contacts", "contacts": [card]});
    let phones = json!([{"phone": "+1 650 555 9999", "wa_id": "16505559999"}]);
    for (vcard, name) in [
        ("BEGIN:VCARD\r\nVERSION:3.0\r\nN:B;A;;;\r\nFN:A B\r\nEND:VCARD", "A B"),
        ("BEGIN:VCARD\nitem1.fn;CHARSET=UTF-8:A\\, B\\nC\\;\nEND:VCARD", "A, B C;"),
        ("BEGIN:VCARD\r\nFN:Al\r\n ice\r\nEND:VCARD", "Alice"),
        ("BEGIN:VCARD\nFN: \nEND:VCARD", "+1 650 555 9999"),
        ("BEGIN:VCARD\nFN;ENCODING=QUOTED-PRINTABLE:=41\nEND:VCARD", "+1 650 555 9999"),
        ("FN", "+1 650 555 9999"),
        ("", "+1 650 555 9999"),
    ] {
        let received = card(json!({"phones": phones, "vcard": vcard, "origin": "other"}));
        let sent = card(json!({"phones": phones, "name": {"formatted_name": name}}));
        assert_eq!(read_value(&received).unwrap().unwrap().json, sent, "{vcard}");
    }
    let received = json!({"phones": [{"wa_id": "16505559999"}], "origin": "other"});
    let sent = json!({"phones": [{"wa_id": "16505559999"}], "name": {"formatted_name": "16505559999"}});
    assert_eq!(read_value(&card(received)).unwrap().unwrap().json, card(sent));
    let named = json!({"name": {"formatted_name": "Ada"}, "vcard": "FN:A B"});
    assert_eq!(read_value(&card(named)).unwrap().unwrap().json, card(json!({"name": {"formatted_name": "Ada"}})));
    rejects(&card(json!({"origin": "other"})), "contacts[0].name is required");
    rejects(&card(json!({"phones": phones})), "contacts[0].name is required");
}

#[test]
fn identity_hash_of_the_recipient_is_sent() {
    let text = json!({"type": "text", "text": {"body": "hi"}, "recipient_identity_key_hash": "DF2lS5v2W6x="});
    accepts(&text);
    let message = json!({"message": "hi", "recipient_identity_key_hash": "DF2lS5v2W6x="});
    assert_eq!(read_value(&message).unwrap().unwrap().json, text);
    let sentence = "recipient_identity_key_hash must be a string";
    rejects(&with(&text, "/recipient_identity_key_hash", json!(5)), sentence);
}

#[test]
fn reactions_are_validated() {
    let reaction = json!({"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}});
    assert_eq!(accepts(&reaction).body.as_deref(), Some("👍"));
    assert_eq!(accepts(&with(&reaction, "/reaction/emoji", json!(""))).body, None);
    limits_text(&reaction, "/reaction/message_id", 1024);
    rejects(&without(&reaction, "/reaction/emoji"), "reaction.emoji is required");
    rejects(&without(&reaction, "/reaction/message_id"), "reaction.message_id is required");
    let sentence = "reaction.emoji must be one emoji, or empty to remove the reaction";
    for emoji in ["👍👍", "ok", " "] {
        rejects(&with(&reaction, "/reaction/emoji", json!(emoji)), sentence);
    }
    let reply = with(&reaction, "/context", json!({"message_id": "wamid.2"}));
    rejects(&reply, "context.message_id and reaction can't be combined: use one of them");
}

#[test]
fn replies_are_validated() {
    let reply = |context: Value| with(&json!({"message": "hi"}), "/context", context);
    let id = "0197f0a0-0000-7000-8000-000000000001";
    let content = read_value(&reply(json!({"message_id": id}))).unwrap().unwrap();
    assert_eq!(content.reply_to.as_deref(), Some(id));
    assert_eq!(content.json, json!({"type": "text", "text": {"body": "hi"}}));
    let typed = with(&image(), "/context", json!({"message_id": "wamid.1"}));
    let content = read_value(&typed).unwrap().unwrap();
    assert_eq!((content.reply_to.as_deref(), content.json), (Some("wamid.1"), image()));

    assert!(read_value(&reply(json!({"message_id": "w".repeat(1024)}))).is_ok());
    let sentence = "context.message_id has 1025 characters: WhatsApp allows up to 1024";
    rejects(&reply(json!({"message_id": "w".repeat(1025)})), sentence);
    assert_eq!(read_value(&reply(Value::Null)).unwrap().unwrap().reply_to, None);
    rejects(&reply(json!({})), "context.message_id is required");
    rejects(&reply(json!({"message_id": ""})), "context.message_id is required");
    rejects(&reply(json!("wamid.1")), "context must be an object");
    let sentence = "context.id is not a field of this message: its fields are message_id";
    rejects(&reply(json!({"message_id": "wamid.1", "id": "1"})), sentence);
}

#[test]
fn error_truncates_long_member_names() {
    let mut request = json!({"type": "text", "text": {"body": "hi"}});
    request["text"]["x".repeat(10_000)] = json!(1);
    assert!(read_value(&request).unwrap_err().to_string().len() < 200);
}

/// What WhatsApp adds to content that it delivers.
#[test]
fn received_content_can_be_sent_again() {
    let file = json!({"id": "1", "mime_type": "a/b", "sha256": "c", "url": "https://lookaside.fbsbx.com/1"});
    let sent = json!({"id": "1"});
    let file = |name: &str, value: Value| with(&file, &format!("/{name}"), value);
    let place = json!({"latitude": 1.5, "longitude": 2.5, "name": "N", "address": "A"});
    let card = json!({"name": {"formatted_name": "A"}, "phones": [{"phone": "+1", "type": "CELL", "wa_id": "1"}]});
    for (kind, received, sent) in [
        ("image", file("caption", json!("A")), with(&sent, "/caption", json!("A"))),
        ("video", file("caption", json!("A")), with(&sent, "/caption", json!("A"))),
        ("audio", file("voice", json!(true)), with(&sent, "/voice", json!(true))),
        ("document", file("filename", json!("a.pdf")), with(&sent, "/filename", json!("a.pdf"))),
        ("sticker", file("animated", json!(true)), sent),
        ("location", with(&place, "/url", json!("https://example.org")), place),
        (
            "contacts",
            json!([with(&with(&card, "/origin", json!("other")), "/vcard", json!("BEGIN:VCARD"))]),
            json!([card]),
        ),
    ] {
        let content = read_value(&json!({"type": kind, kind: received})).unwrap().unwrap();
        assert_eq!(content.json, json!({"type": kind, kind: sent}));
    }
}

#[test]
fn pins_are_validated() {
    let pin = json!({"type": "pin", "pin": {"type": "pin", "message_id": "wamid.1", "expiration_days": 30}});
    assert_eq!(accepts(&pin).kind, MessageType::Pin);
    accepts(&json!({"type": "pin", "pin": {"type": "unpin", "message_id": "wamid.1"}}));
    limits_text(&pin, "/pin/message_id", 1024);
    accepts(&with(&pin, "/pin/expiration_days", json!("1")));
    for days in [json!(0), json!(31), json!(1.5), json!("x"), json!("")] {
        let sentence = "pin.expiration_days must be a whole number from 1 to 30";
        rejects(&with(&pin, "/pin/expiration_days", days), sentence);
    }
    rejects(&without(&pin, "/pin/expiration_days"), "pin.expiration_days is required");
    rejects(&without(&pin, "/pin/message_id"), "pin.message_id is required");
    rejects(&with(&pin, "/pin/type", json!("keep")), "pin.type must be one of pin, unpin");
    let reply = with(&pin, "/context", json!({"message_id": "wamid.2"}));
    rejects(&reply, "context.message_id and pin can't be combined: use one of them");
}
