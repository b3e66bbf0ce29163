//! Every request body and query with edge values in every place. None panics, and each is accepted or refused with a code
//! and a sentence. Times of accepted requests can be printed and shifted.

use std::collections::BTreeSet;

use lambda_http::Body as ResponseBody;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    domain::{
        auto_reply::{Rule, RuleFields},
        caller::Caller,
        id::{ChatId, RuleId, SessionId},
        inbox::{ChatChange, MessageList},
        number::NumberRequest,
        session::SettingsChange,
        time::Timestamp,
        webhook_endpoint::{WebhookChange, WebhookEndpoint},
    },
    http::{ApiError, Body, Method, Query, routes},
    services::{
        api_keys::NewApiKey,
        auto_reply::DryRun,
        changes::ChangeList,
        import::ImportRequest,
        media::NewUpload,
        send::SendRequest,
        sessions::NewSession,
        webhook_deliveries::ReplayRequest,
        worker::{ClaimRequest, ReceiveRequest, SettleRequest},
    },
};

const NO_BODY: [Method; 2] = [Method::GET, Method::DELETE];

const ID: &str = "00000000-0000-4000-8000-000000000000";

/// A valid body of a route, and its parser, which returns the times in it.
#[derive(Clone, Debug)]
struct Case {
    route: &'static str,
    body: Value,
    parse: fn(&Body) -> Result<Vec<Timestamp>, ApiError>,
}

fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000).unwrap()
}

fn admin() -> Caller {
    Caller::admin("k")
}

fn send(body: &Body) -> Result<Vec<Timestamp>, ApiError> {
    SendRequest::read(body, None, &admin()).map(|request| request.valid_until.into_iter().collect())
}

fn receive(body: &Body) -> Result<Vec<Timestamp>, ApiError> {
    ReceiveRequest::read(body, &admin()).map(|request| vec![request.message.timestamp])
}

fn settle(body: &Body) -> Result<Vec<Timestamp>, ApiError> {
    SettleRequest::read(body).map(|_| Vec::new())
}

/// Reads a rule, and does what follows: stores, returns, and reads it again, and evaluates its schedule at the edges.
fn rule(body: &Body) -> Result<Vec<Timestamp>, ApiError> {
    let rule =
        Rule::new(RuleId::from_uuid(uuid::Uuid::nil()), SessionId::for_owner("ada"), RuleFields::read(body)?, now());
    serde_json::to_string(&rule.response()).unwrap();
    let stored: Rule = serde_json::from_str(&serde_json::to_string(&rule).unwrap()).unwrap();
    assert_eq!(stored, rule);
    if let Some(schedule) = &rule.schedule {
        for at in ["1970-01-01T00:00:00Z", "9999-12-30T21:59:59Z"] {
            assert!(schedule.is_open(at.parse().unwrap()).is_some());
        }
    }
    Ok(vec![rule.created_at])
}

/// A webhook for all sessions.
fn webhook() -> WebhookEndpoint {
    let webhook = json!({
        "id": ID, "url": "https://example.com/", "events": ["*"], "enabled": true, "secret_version": 1,
        "created_at": now(), "updated_at": now(),
    });
    serde_json::from_value(webhook).unwrap()
}

fn cases() -> Vec<Case> {
    let message = |fields: Value| {
        let mut body = json!({"sessionId": ID, "to": "+201001234567", "validUntil": "2027-01-01T00:00:00Z", "reference": "order 7", "category": "marketing", "priority": "bulk"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    let received = |fields: Value| {
        let mut body = json!({"sessionId": ID, "id": "3EB0", "from": "201001234567", "timestamp": 1_749_416_383});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    let hours = json!({"monday": [{"from": "09:00", "to": "17:00"}], "friday": [{"from": "22:00", "to": "02:00"}]});
    let button = json!({"type": "reply", "reply": {"id": "1", "title": "Yes"}});
    let case = |route, body, parse| Case { route, body, parse };
    let send = |fields| case("POST /api/messages/send", message(fields), send);
    let receive = |fields| case("POST /api/messages/receive", received(fields), receive);
    let settle = |outcome: Value| {
        let mut body = json!({"messageId": ID, "lease": ID});
        body.as_object_mut().unwrap().extend(outcome.as_object().unwrap().clone());
        case("POST /api/outbox/settle", body, settle)
    };
    let rule = |body| case("POST /api/auto-replies", body, rule);
    vec![
        case(
            "POST /api/session/create",
            json!({"userId": "ada", "phoneNumberId": "1", "unknownPolicy": "fail", "defaultCountry": "EG", "stopWords": ["BAJA"], "startWords": ["ALTA"]}),
            |body| NewSession::read(body).map(|_| Vec::new()),
        ),
        case(
            "PATCH /api/session",
            json!({"sessionId": ID, "unknownPolicy": "resend", "defaultCountry": "EG", "stopWords": ["BAJA"], "startWords": ["ALTA"]}),
            |body| SettingsChange::read_for_session(body, &admin()).map(|_| Vec::new()),
        ),
        case("POST /api/session/resume", json!({"sessionId": ID}), |body| {
            read_resumed_session(body, &admin()).map(|_| Vec::new())
        }),
        case("PUT /api/session/qr", json!({"sessionId": ID, "qr": "2@x", "expiresInSeconds": 20}), |body| {
            Ok(vec![now().after(WorkerQr::read(body, &admin())?.lifetime)])
        }),
        case("PUT /api/session/state", json!({"sessionId": ID, "isConnected": true, "isReady": false}), |body| {
            WorkerState::read(body, &admin()).map(|_| Vec::new())
        }),
        case("POST /api/outbox/claim", json!({"sessionId": ID, "limit": 10, "leaseSeconds": 60}), |body| {
            Ok(vec![now().after(ClaimRequest::read(body, &admin())?.lease)])
        }),
        settle(json!({"sent": {"id": "3EB0"}})),
        settle(json!({"failed": {"reason": "no"}})),
        receive(json!({"name": "Ada", "type": "text", "text": "hello"})),
        receive(json!({"text": {"body": "hello"}, "timestamp": "2025-06-08T20:59:43Z"})),
        receive(json!({"type": "image", "image": {"id": "1"}, "timestamp": "1749416383"})),
        case(
            "POST /api/media",
            json!({"sessionId": ID, "mimeType": "image/png", "size": 1, "fileName": "a.png"}),
            |body| NewUpload::read(body, &admin()).map(|_| Vec::new()),
        ),
        case(
            "POST /api/messages/import",
            json!({"sessionId": ID, "messages": [
                {"id": "1", "contact": "+201001234567", "name": "Ada", "fromMe": false, "body": "hello",
                    "timestamp": "2025-06-08T20:59:43Z", "wamid": "wamid.1"},
                {"id": "2", "contact": "1@g.us", "fromMe": true, "type": "image", "timestamp": "2025-06-08T21:59:43Z",
                    "status": "read"},
            ]}),
            |body| {
                let request = ImportRequest::read(body, &admin())?;
                Ok(request.messages.iter().map(|message| message.timestamp).collect())
            },
        ),
        case(
            "PATCH /api/chats/{chatId}",
            json!({"status": "INBOX", "name": "Ada", "isUnread": true, "consent": {"marketing": "granted"}}),
            |body| ChatChange::read(body).map(|_| Vec::new()),
        ),
        case(
            "POST /api/auto-replies/dry-run",
            json!({"sessionId": ID, "text": "hello", "at": "2027-01-01T00:00:00Z", "chatId": ID}),
            |body| DryRun::read(body, &admin()).map(|run| run.at.into_iter().collect()),
        ),
        case(
            "POST /api/keys",
            json!({"name": "x", "ownerId": "ada", "scopes": ["rules", "chats:write"], "expiresAt": "2027-01-01T00:00:00Z"}),
            |body| NewApiKey::read(body, now()).map(|key| key.valid_until.into_iter().collect()),
        ),
        case(
            "POST /api/webhooks",
            json!({
                "sessionId": ID, "url": "https://example.com/hook", "events": ["message.*", "chat.merged"], "format": "cloud_api",
                "order": "chat", "headers": {"authorization": "Bearer x"}, "description": "Bot", "enabled": true, "verifyToken": "x",
            }),
            |body| NewWebhook::read(body, &admin(), false).map(|_| Vec::new()),
        ),
        case(
            "PATCH /api/webhooks/{webhookId}",
            json!({
                "url": "https://example.com/hook", "events": ["*"], "format": "qasid", "order": "none",
                "headers": {"authorization": "Bearer x"}, "description": "Bot", "enabled": false,
            }),
            |body| WebhookChange::read(body, false).map(|_| Vec::new()),
        ),
        case("POST /api/webhooks/{webhookId}/secret", json!({"graceSeconds": 60}), |body| {
            read_rotation(body).map(|grace| vec![now().after(grace)])
        }),
        case(
            "POST /api/webhooks/{webhookId}/replay",
            json!({"since": "2026-11-01T00:00:00Z", "until": "2026-11-02T00:00:00Z", "only": "failed", "sessionId": ID}),
            |body| ReplayRequest::read(body, &webhook(), &admin(), now()).map(|_| Vec::new()),
        ),
        case("POST /api/webhooks/{webhookId}/replay", json!({"after": 1, "until": 2, "sessionId": ID}), |body| {
            ReplayRequest::read(body, &webhook(), &admin(), now()).map(|_| Vec::new())
        }),
        case(
            "PUT /api/numbers/{phoneNumberId}",
            json!({"displayPhoneNumber": "+15550783881", "ownerId": "ada", "accessToken": "EAA", "appSecret": ["a", "b"]}),
            |body| NumberRequest::read("1".to_owned(), body).map(|_| Vec::new()),
        ),
        rule(json!({
            "name": "x", "enabled": true, "priority": 1, "cooldownSeconds": 60, "reply": {"message": "Hi {{name}}"},
            "trigger": {"type": "keyword", "match": "equals", "keywords": ["price", "cost"]},
            "schedule": {"timeZone": "Africa/Cairo", "hours": hours},
        })),
        rule(json!({
            "name": "x", "trigger": {"type": "outside_hours"}, "schedule": {"timeZone": "UTC", "hours": hours},
            "reply": {"type": "image", "image": {"link": "https://example.com/a.png", "caption": "{{message}}"}},
        })),
        rule(json!({
            "name": "x", "reply": {"message": "Hi"},
            "trigger": {"type": "keyword", "match": "regex", "keywords": ["a(b|c)+"]},
        })),
        send(json!({"message": "hello", "context": {"message_id": "wamid.1"}})),
        send(json!({"type": "text", "text": {"body": "hello", "preview_url": true}, "messaging_product": "whatsapp"})),
        send(json!({"type": "document", "document": {"link": "https://example.com/a.pdf", "filename": "a.pdf"}})),
        send(json!({"type": "audio", "audio": {"id": "123"}, "recipient_type": "individual"})),
        send(json!({"type": "location", "location": {"latitude": 30.0, "longitude": "31.2", "name": "Cairo"}})),
        send(json!({
            "type": "contacts",
            "contacts": [{"name": {"formatted_name": "Ada", "first_name": "Ada"}, "phones": [{"phone": "+20100"}]}],
        })),
        send(json!({"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}})),
        send(json!({
            "type": "interactive",
            "interactive": {"type": "button", "body": {"text": "?"}, "action": {"buttons": [button]}},
        })),
        send(json!({
            "type": "template",
            "template": {
                "name": "hello", "language": {"code": "en"},
                "components": [{"type": "body", "parameters": [{"type": "text", "text": "x"}]}],
            },
        })),
    ]
}

/// Values at which parsers, the table, or WhatsApp change what they do.
fn edges() -> Vec<Value> {
    let texts =
        |unit: &str, counts: &[usize]| counts.iter().map(|count| json!(unit.repeat(*count))).collect::<Vec<_>>();
    let times = [
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2027-02-29T00:00:00Z",
        "2027-01-01T24:00:00Z",
        "2027-01-01T00:00:00+14:00",
        "2027-01-01T00:00:00-23:59",
        "2027-01-01T00:00:00",
        "2027-01-01",
        "9999-12-30T21:59:59.999Z",
        "9999-12-30T22:00:00Z",
        "9999-12-30T22:00:01Z",
        "9999-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59-12:00",
        "+010000-01-01T00:00:00Z",
        "-000001-01-01T00:00:00Z",
        "2027-01-01T00:00:00[Africa/Cairo]",
        "253402200000",
        "253402207200",
        "253402300799",
        "253402300800",
        "-1",
        "9223372036854775807",
        "9223372036854775808",
        "1e3",
        "00",
    ];
    let numbers = [
        json!(0),
        json!(-0.0),
        json!(-1),
        json!(1),
        json!(0.5),
        json!(3600),
        json!(3601),
        json!(253_402_200_000_i64),
        json!(253_402_207_199_i64),
        json!(253_402_207_200_i64),
        json!(253_402_300_799_i64),
        json!(253_402_300_800_i64),
        json!(u32::MAX),
        json!(1_u64 << 32),
        json!(1_u64 << 53),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(1_u64 << 63),
        json!(u64::MAX),
        json!(1e308),
        json!(-1e308),
        json!(5e-324),
        json!(1.7e18),
    ];
    let characters = [
        "",
        " ",
        "\0",
        "a\0b",
        "\u{ffff}",
        "\u{fffd}",
        "\u{feff}",
        "\u{202e}abc",
        "\u{2066}a",
        "e\u{301}",
        "\u{301}",
        "\u{10ffff}",
        "😀",
        "👨‍👩‍👧‍👦",
        "\u{200b}",
        "\u{3164}",
        "\n",
        "\t",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "ﷺ",
        "İ",
        "ß",
        "{{name}}",
        "{{",
        "}}",
        "../..",
        "'\"\\",
        "<script>",
        "null",
        "true",
        "%00",
        "201001234567@s.whatsapp.net",
        "1@g.us",
        "US.1",
    ];
    let limits = [
        63, 64, 65, 100, 101, 200, 255, 256, 257, 512, 513, 1000, 1001, 1024, 1025, 2000, 2001, 2048, 2049, 4096, 4097,
    ];
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let deep_object = (0..100).fold(json!(1), |inner, _| json!({"a": inner}));
    let mut edges = vec![
        json!(null),
        json!(true),
        json!(false),
        json!([]),
        json!({}),
        json!([null]),
        json!({"": null}),
        deep,
        deep_object,
    ];
    edges.extend(times.map(|time| json!(time)));
    edges.extend(numbers);
    edges.extend(characters.map(|text| json!(text)));
    edges.extend(texts("a", &limits));
    edges.extend(texts("é", &[128, 129, 512, 513, 1024, 1025]));
    edges.extend(texts("😀", &[64, 256, 257, 4096, 4097]));
    edges.push(json!(vec!["x"; 1000]));
    edges
}

/// The JSON pointers of all values in a body.
fn pointers(value: &Value, prefix: &str, found: &mut Vec<String>) {
    found.push(prefix.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                pointers(value, &format!("{prefix}/{name}"), found);
            }
        }
        Value::Array(entries) => {
            for (index, value) in entries.iter().enumerate() {
                pointers(value, &format!("{prefix}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn pointers_of(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    pointers(value, "", &mut found);
    found
}

/// Parses a body, and checks the result. Returns whether it is accepted.
fn check(case: &str, result: Result<Vec<Timestamp>, ApiError>) -> bool {
    match result {
        Ok(times) => {
            for time in times {
                let day = std::time::Duration::from_secs(24 * 60 * 60);
                for time in [time, time.after(day), time.before(day), time.whole_second()] {
                    assert_eq!(time.to_string().parse::<Timestamp>().ok(), Some(time), "{case}");
                }
            }
            true
        }
        Err(error) => {
            let status = error.code().status();
            let response = error.into_api_response("r").into_response(&Method::GET, "r");
            let ResponseBody::Text(body) = response.body() else { panic!("{case}: no text") };
            let body: Value = serde_json::from_str(body).unwrap();
            let sentence = body["error"].as_str().unwrap();
            assert!((400..500).contains(&status), "{case}: {body}");
            assert!((10..1000).contains(&sentence.len()), "{case}: {body}");
            assert!(!sentence.chars().any(char::is_control), "{case}: {body}");
            false
        }
    }
}

fn read(case: &Case, text: String) -> bool {
    let name: String = text.chars().take(300).collect();
    check(&name, (case.parse)(&Body::new(text.into_bytes())))
}

#[test]
fn every_case_is_valid() {
    for case in cases() {
        assert!(read(&case, case.body.to_string()), "{}", case.body);
    }
}

#[test]
fn every_edge_value_in_every_place_is_accepted_or_refused() {
    let edges = edges();
    for case in cases() {
        for pointer in pointers_of(&case.body) {
            for edge in &edges {
                let mut body = case.body.clone();
                *body.pointer_mut(&pointer).unwrap() = edge.clone();
                read(&case, body.to_string());
            }
        }
    }
}

/// An unknown member is refused in every object, and named. The exceptions are objects that are stored as they are.
#[test]
fn an_unknown_member_of_every_object_is_named() {
    for case in cases() {
        for pointer in pointers_of(&case.body) {
            let mut body = case.body.clone();
            let Some(Value::Object(object)) = body.pointer_mut(&pointer) else { continue };
            object.insert("nonsense".to_owned(), json!(1));
            // A number isn't the value of a header.
            if pointer == "/headers" {
                continue;
            }
            let is_stored_as_it_is = case.body["id"] == "3EB0" && matches!(pointer.as_str(), "/image" | "/text");
            match (case.parse)(&Body::new(body.to_string().into_bytes())) {
                Ok(_) => assert!(is_stored_as_it_is, "{body}"),
                Err(error) => {
                    assert_eq!(error.code(), crate::http::ErrorCode::UnknownField, "{body}: {error:?}");
                    assert!(format!("{error:?}").contains("nonsense"), "{error:?}");
                }
            }
        }
    }
}

#[test]
fn a_repeated_member_of_every_object_is_refused() {
    for case in cases() {
        let text = case.body.to_string();
        for (index, _) in text.match_indices('{').filter(|(index, _)| text.as_bytes().get(index + 1) == Some(&b'"')) {
            let name = text[index + 2..].split('"').next().unwrap();
            // A placeholder is no object.
            if text.as_bytes().get(index + 2 + name.len() + 1) != Some(&b':') {
                continue;
            }
            let doubled = format!("{}\"{name}\":1,{}", &text[..=index], &text[index + 1..]);
            assert!(!read(&case, doubled.clone()), "{doubled}");
        }
    }
}

fn any_edge() -> impl Strategy<Value = Value> {
    proptest::sample::select(edges())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn several_edge_values_at_once_are_accepted_or_refused(
        case in proptest::sample::select(cases()),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any_edge()), 2..5),
        cut in proptest::option::weighted(0.1, any::<proptest::sample::Index>()),
    ) {
        let mut body = case.body.clone();
        for (place, edge) in changes {
            let pointers = pointers_of(&body);
            let pointer: &String = place.get(&pointers);
            *body.pointer_mut(pointer).unwrap() = edge;
        }
        let mut text = body.to_string();
        if let Some(cut) = cut {
            let mut at = cut.index(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            text.truncate(at);
        }
        read(&case, text);
    }

    #[test]
    fn any_bytes_are_accepted_or_refused(
        case in proptest::sample::select(cases()),
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        check("bytes", (case.parse)(&Body::new(bytes.clone())));
        let body = Body::new(bytes);
        check("none", body.none().map(|()| Vec::new()));
    }

    #[test]
    fn any_query_is_accepted_or_refused(raw in query(), route in proptest::sample::select(routes::ALL.to_vec())) {
        for operation in route.operations {
            let query = Query::new(&raw, operation.query);
            check(&raw, query.check_names().map(|()| Vec::new()));
            for name in operation.query {
                check(&raw, query.one(name).map(|_| Vec::new()));
            }
        }
        let query = |path: &str| {
            let route = routes::route_of(path).unwrap();
            Query::new(&raw, route.operation(&Method::GET).unwrap().query)
        };
        let chat_id: ChatId = ID.parse().unwrap();
        let times = |list: Result<MessageList, ApiError>| {
            list.map(|list| list.after.iter().flat_map(|after| [after.second, after.arrived_at]).collect())
        };
        let chats = ChatQuery::read(&query("/api/chats")).map(|chats| match chats {
            ChatQuery::List(list) => list.after.map(|after| after.at).into_iter().collect(),
            ChatQuery::Lookup(_) => Vec::new(),
        });
        check(&raw, chats);
        check(&raw, times(MessageList::read(chat_id, &query("/api/chats/x/messages"))));
        check(&raw, times(MessageList::export(chat_id, &query("/api/chats/x/export"))));
        check(&raw, ChangeList::read(&query("/api/changes")).map(|_| Vec::new()));
        check(&raw, QrFormat::read(&query("/api/qr")).map(|_| Vec::new()));
        check(&raw, read_session_page(&query("/api/sessions")).map(|(_, after)| after.map(|after| after.at).into_iter().collect()));
        check(&raw, read_key_page(&query("/api/keys")).map(|(_, after)| after.map(|after| after.at).into_iter().collect()));
    }
}

/// A query string of known and unknown names and edge values, and any text.
fn query() -> impl Strategy<Value = String> {
    let names = [
        "sessionId",
        "phone",
        "status",
        "type",
        "unread",
        "limit",
        "cursor",
        "order",
        "format",
        "after",
        "types",
        "limit[]",
        "",
        "%zz",
        "session_id",
    ];
    let values = [
        "",
        ID,
        "INBOX",
        "GROUP",
        "true",
        "0",
        "1",
        "100",
        "101",
        "-1",
        "1e2",
        "4294967296",
        "18446744073709551615",
        "18446744073709551616",
        "message.*,chat.created",
        "%00",
        "%2F",
        "%zz",
        "%",
        "%e2%82",
        "%C0%AF",
        "%ED%A0%80",
        "%F4%90%80%80",
        "+",
        "+1",
        "%2B1",
        "asc",
        "dataurl",
        "AAAA",
        "é",
    ];
    let value = prop_oneof![
        4 => proptest::sample::select(values.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => (0..2_000_usize).prop_map(|length| "A".repeat(length)),
        // Cursors with times at both ends.
        1 => cursor(),
    ];
    let pair = (proptest::sample::select(names.to_vec()), value).prop_map(|(name, value)| format!("{name}={value}"));
    proptest::collection::vec(pair, 0..4).prop_map(|pairs| pairs.join("&"))
}

fn cursor() -> impl Strategy<Value = String> {
    let edges: Vec<Timestamp> = [0, 1, 253_402_207_199, 253_402_207_200, 253_402_300_799]
        .into_iter()
        .filter_map(Timestamp::from_seconds)
        .collect();
    let lists = vec!["keys".to_owned(), "sessions".to_owned(), format!("messages/{ID}")];
    (proptest::sample::select(edges), proptest::sample::select(lists))
        .prop_map(|(at, list)| crate::domain::cursor::Position { at, id: uuid::Uuid::nil() }.cursor(&list))
}

#[test]
fn every_route_with_a_body_has_a_case() {
    // These take the body of `POST /api/auto-replies`, no body, and WhatsApp's.
    let others = [
        "PUT /api/auto-replies/{ruleId}",
        "POST /api/chats/{chatId}/read",
        "POST /api/chats/{chatId}/typing",
        "POST /api/webhook",
        "POST /api/webhooks/{webhookId}/attempts/{changeId}/retry",
        "POST /api/webhooks/{webhookId}/test",
    ];
    let mut known: BTreeSet<String> = cases().iter().map(|case| case.route.to_owned()).collect();
    known.extend(others.map(str::to_owned));
    let mut with_body = BTreeSet::new();
    for route in routes::ALL {
        for operation in route.operations.iter().filter(|operation| !NO_BODY.contains(&operation.method)) {
            with_body.insert(format!("{} {}", operation.method, route.path));
        }
    }
    assert_eq!(known, with_body);
}
