//! Everything that WhatsApp sends is understood, stored once, and accounted for.

use std::path::Path;

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::system::{System, text_message};

const CUSTOMER: &str = "201001234567";

/// A webhook of another field than `messages`, for the simulated number.
fn field(system: &System, field: &str, mut value: Value) -> Value {
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({"display_phone_number": system.ready.display_phone_number, "phone_number_id": system.ready.phone_number_id});
    json!({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [{"field": field, "value": value}]}]})
}

/// A customer's message of any type.
fn message(id: &str, at: i64, kind: &str, object: Value) -> Value {
    let mut message = json!({"from": CUSTOMER, "id": id, "timestamp": at.to_string(), "type": kind});
    message[kind] = object;
    message
}

async fn receives(system: &System, messages: &Value) {
    delivers(system, &system.webhook_body(messages)).await;
}

async fn delivers(system: &System, body: &Value) {
    let answer = system.webhook(body).await;
    assert_eq!(answer.status, 200, "{body}: {}; {:#?}", answer.json, system.lines());
}

async fn details(system: &System, id: &str) -> Value {
    let answer = system.get(&format!("/api/messages/{id}")).await;
    assert_eq!(answer.status, 200, "{id}: {}", answer.json);
    answer.json["message"].clone()
}

async fn chat(system: &System) -> Value {
    let mut chats = system.items("chat").await;
    assert_eq!(chats.len(), 1);
    chats.remove(0)
}

/// What the schedule does once a minute.
async fn invoke_deliver(system: &System) {
    system.running().lambda().invoke("deliver", b"{}".to_vec().into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_shows_what_it_is_and_what_was_done_to_it() {
    let system = System::start().await;
    system.connect("ada").await;
    let image = json!({"id": "7", "mime_type": "image/jpeg", "sha256": "c2hh", "caption": "a cat"});
    let mut picture = message("w.image", 100, "image", image.clone());
    picture["context"] = json!({"from": CUSTOMER, "id": "w.text"});
    receives(&system, &json!([message("w.text", 90, "text", json!({"body": "hi"})), picture])).await;
    let shown = details(&system, "w.image").await;
    assert_eq!((&shown["type"], &shown["body"]), (&json!("image"), &json!("a cat")));
    assert_eq!(shown["content"], json!({"type": "image", "image": image}));
    assert_eq!(shown["context"]["id"], "w.text");
    assert_eq!(
        (&shown["reactions"], &shown["edited_at"], &shown["revoked_at"]),
        (&json!([]), &Value::Null, &Value::Null)
    );
    assert_eq!(chat(&system).await["last_message"], "a cat");

    let react =
        |id: &str, at: i64, emoji: &str| message(id, at, "reaction", json!({"message_id": "w.image", "emoji": emoji}));
    let edit = json!({"original_message_id": "w.image", "message": {"type": "image", "image": {"caption": "a dog"}}});
    let acts = json!([react("w.r2", 120, "❤"), react("w.r1", 110, "👍"), message("w.e", 130, "edit", edit)]);
    for _ in 0..2 {
        receives(&system, &acts).await;
    }
    let shown = details(&system, "w.image").await;
    assert_eq!(shown["reactions"], json!([{"by": "contact", "emoji": "❤", "at": "1970-01-01T00:02:00.000Z"}]));
    assert_eq!((&shown["body"], &shown["original_body"]), (&json!("a dog"), &json!("a cat")));
    assert_eq!(
        (&shown["edited_at"], &shown["content"]["image"]["id"]),
        (&json!("1970-01-01T00:02:10.000Z"), &json!("7"))
    );
    let after = chat(&system).await;
    assert_eq!((&after["last_message"], &after["unread_count"]), (&json!("a dog"), &json!(2)));
    // Each of them is a message of its own as well, which was delivered twice.
    assert_eq!(
        (&details(&system, "w.r1").await["type"], &details(&system, "w.r1").await["duplicates"]),
        (&json!("reaction"), &json!(1))
    );

    receives(
        &system,
        &json!([react("w.r3", 140, ""), message("w.d", 150, "revoke", json!({"original_message_id": "w.image"}))]),
    )
    .await;
    let shown = details(&system, "w.image").await;
    assert_eq!((&shown["reactions"], &shown["revoked_at"]), (&json!([]), &json!("1970-01-01T00:02:30.000Z")));
    let after = chat(&system).await;
    assert_eq!((&after["last_message"], &after["unread_count"]), (&json!("[deleted message]"), &json!(2)));
}

/// In each round a message and what is done to it arrive at once, so each may be first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_before_its_message_waits_for_it() {
    let system = System::start().await;
    system.connect("ada").await;
    let acts = |n: usize| {
        let target = format!("w.{n}");
        json!([
            message(&format!("w.{n}.r"), 200, "reaction", json!({"message_id": target, "emoji": "👍"})),
            message(
                &format!("w.{n}.e"),
                201,
                "edit",
                json!({"original_message_id": target, "message": {"type": "text", "text": {"body": "new"}}})
            ),
            message(&format!("w.{n}.d"), 202, "revoke", json!({"original_message_id": target})),
        ])
    };
    let text = |n: usize| json!([message(&format!("w.{n}"), 100, "text", json!({"body": "old"}))]);
    receives(&system, &acts(0)).await;
    assert_eq!(system.items("parked_effect").await.len(), 3);
    let trace = system.get("/api/messages/w.0").await;
    assert_eq!((&trace.json["message"], &trace.json["trace"][0]["outcome"]), (&Value::Null, &json!("parked_effect")));
    // The index by wamid is a moment behind the table, so all of them are looked at once more.
    assert_eq!(system.due().await, 3);
    for parked in system.items("parked_effect").await {
        let (pk, sk) = (parked["pk"].as_str().unwrap(), parked["sk"].as_str().unwrap());
        system.set_string(pk, sk, "due_at", "2020-01-01T00:00:00.000Z").await;
    }
    system
        .until("nothing is to be looked at", async || {
            invoke_deliver(&system).await;
            system.due().await == 0
        })
        .await;
    assert_eq!(system.items("parked_effect").await.len(), 3);
    receives(&system, &text(0)).await;
    for n in 1..12 {
        tokio::join!(async { receives(&system, &acts(n)).await }, async { receives(&system, &text(n)).await });
    }
    for n in 0..12 {
        let shown = details(&system, &format!("w.{n}")).await;
        assert_eq!((&shown["reactions"][0]["emoji"], &shown["body"]), (&json!("👍"), &json!("new")), "{n}: {shown}");
        assert!(shown["revoked_at"].is_string() && shown["original_body"] == "old", "{n}: {shown}");
    }
    assert_eq!(system.items("chat").await[0]["unread_count"], 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_business_sends_from_its_phone_is_a_persons_answer() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let now = jiff::Timestamp::now().as_second();
    receives(&system, &json!([message("w.in", now, "text", json!({"body": "hi"}))])).await;
    let echo = |id: &str, at: i64, kind: &str, object: Value| {
        let mut echo = message(id, at, kind, object);
        echo["from"] = json!(system.ready.display_phone_number);
        echo["to"] = json!(CUSTOMER);
        field(&system, "smb_message_echoes", json!({"message_echoes": [echo]}))
    };
    let status =
        json!({"id": "w.echo", "status": "delivered", "timestamp": (now + 9).to_string(), "recipient_id": CUSTOMER});
    // The status is first, and waits.
    delivers(&system, &field(&system, "messages", json!({"statuses": [status]}))).await;
    let body = echo("w.echo", now + 5, "text", json!({"body": "hello"}));
    for _ in 0..2 {
        delivers(&system, &body).await;
    }
    let shown = details(&system, "w.echo").await;
    assert_eq!(
        (&shown["from_me"], &shown["source"], &shown["status"]),
        (&json!(true), &json!("echo"), &json!("delivered"))
    );
    let after = chat(&system).await;
    assert_eq!(
        (&after["is_unread"], &after["unread_count"], &after["last_message"]),
        (&json!(false), &json!(0), &json!("hello"))
    );
    assert_eq!(after["answered_at"], shown["timestamp"]);
    // One that is older than the contact's last message leaves that unread.
    receives(&system, &json!([message("w.in2", now + 20, "text", json!({"body": "thanks"}))])).await;
    delivers(&system, &echo("w.late", now + 10, "text", json!({"body": "late"}))).await;
    assert_eq!(chat(&system).await["unread_count"], 1);
    // A deletion on the phone, which only what the business sent itself follows.
    for target in ["w.echo", "w.in2"] {
        delivers(
            &system,
            &echo(&format!("w.del.{target}"), now + 30, "revoke", json!({"original_message_id": target})),
        )
        .await;
    }
    assert!(details(&system, "w.echo").await["revoked_at"].is_string());
    assert_eq!(details(&system, "w.in2").await["revoked_at"], Value::Null);

    // What the API has sent is not stored again, known by its wamid or by our own key.
    system.send(&session_id, "+201001234567", "from the API").await;
    let sent =
        system.message_with("a sent message", |row| row["body"] == "from the API" && row["wamid"].is_string()).await;
    let count = system.items("message").await.len();
    delivers(&system, &echo(sent["wamid"].as_str().unwrap(), now + 40, "text", json!({"body": "from the API"}))).await;
    let key = format!(
        "qasid/{}/{}/{}",
        sent["chat_id"].as_str().unwrap(),
        sent["timestamp"].as_str().unwrap(),
        sent["id"].as_str().unwrap()
    );
    let request =
        json!({"to": CUSTOMER, "type": "text", "text": {"body": "from the API"}, "biz_opaque_callback_data": key});
    let echoes = json!([{"id": "w.other", "timestamp": now.to_string(), "message": request}]);
    delivers(&system, &field(&system, "standby", json!({"standby": {"message_echoes": echoes}}))).await;
    assert_eq!(system.items("message").await.len(), count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_and_copies_fill_chats_and_disturb_nobody() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let own = system.ready.display_phone_number.clone();
    let past = |id: &str, from: &str, at: i64| json!({"from": from, "id": id, "timestamp": at.to_string(), "type": "text", "text": {"body": id}, "history_context": {"status": "READ"}});
    let thread = json!({"id": CUSTOMER, "messages": [past("h.1", CUSTOMER, 100), past("h.2", &own, 110), past("h.3", CUSTOMER, 120)]});
    let refusal = json!({"errors": [{"code": 2_593_109, "title": "History sync is turned off"}]});
    let body =
        field(&system, "history", json!({"history": [{"metadata": {"phase": 0}, "threads": [thread]}, refusal]}));
    for _ in 0..2 {
        delivers(&system, &body).await;
    }
    let after = chat(&system).await;
    assert_eq!(
        (&after["unread_count"], &after["is_unread"], &after["last_message"]),
        (&json!(0), &json!(false), &json!("h.3"))
    );
    assert_eq!(after.get("last_inbound_at"), None);
    assert_eq!(system.items("message").await.len(), 3);
    let sent = details(&system, "h.2").await;
    assert_eq!((&sent["from_me"], &sent["status"], &sent["source"]), (&json!(true), &json!("read"), &json!("history")));

    // A picture of the past comes without its content first, and then once more with it.
    let empty = json!({"from": own, "id": "h.pic", "timestamp": "115", "type": "media_placeholder"});
    let thread = json!({"id": CUSTOMER, "messages": [empty]});
    delivers(&system, &field(&system, "history", json!({"history": [{"threads": [thread]}]}))).await;
    let picture = message("h.pic", 114, "image", json!({"id": "7", "caption": "a cat"}));
    delivers(&system, &field(&system, "history", json!({"messages": [picture]}))).await;
    let shown = details(&system, "h.pic").await;
    assert_eq!((&shown["type"], &shown["body"], &shown["from_me"]), (&json!("image"), &json!("a cat"), &json!(true)));
    assert_eq!(system.items("message").await.len(), 4);

    let copy = json!({"messages": [message("s.1", 130, "text", json!({"body": "to the agent"}))]});
    delivers(&system, &field(&system, "standby", json!({"standby": copy}))).await;
    let after = chat(&system).await;
    assert_eq!((&after["unread_count"], &after["last_message"]), (&json!(0), &json!("to the agent")));
    assert_eq!(details(&system, "s.1").await["source"], "standby");

    let events = system.get(&format!("/api/events?sessionId={session_id}")).await;
    assert_eq!(
        (&events.json["events"][0]["field"], &events.json["events"][0]["payload"]),
        (&json!("history"), &refusal)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statuses_keep_what_they_say_and_a_group_counts_by_participant() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"webhooks": {"hold": true}})).await;
    system.send(&session_id, "+201001234567", "hello").await;
    let single = system.message_with("an accepted message", |row| row["wamid"].is_string()).await;
    let single = single["wamid"].as_str().unwrap().to_owned();
    // The simulated number has no groups; another application's message to one is known from its echo.
    let request = json!({"to": "120363", "recipient_type": "group", "type": "text", "text": {"body": "all of you"}});
    let echoes = json!([{"id": "w.group", "timestamp": "1750100000", "message": request}]);
    delivers(&system, &field(&system, "standby", json!({"standby": {"message_echoes": echoes}}))).await;
    let group = "w.group";
    let pricing = json!({"billable": true, "pricing_model": "PMP", "category": "service"});
    let error = json!({"code": 131_026, "title": "Message undeliverable", "error_data": {"details": "no WhatsApp"}});
    let participant = |of: &str, word: &str| json!({"id": group, "status": word, "timestamp": "1750101000", "recipient_type": "group", "recipient_participant_id": of});
    let statuses = json!([
        {"id": single, "status": "sent", "timestamp": "1750100000", "pricing": pricing},
        {"id": single, "status": "failed", "timestamp": "1750100001", "errors": [error]},
        participant("201001111111", "read"), participant("201002222222", "delivered"), participant("201002222222", "failed"),
    ]);
    for _ in 0..2 {
        delivers(&system, &field(&system, "messages", json!({"statuses": statuses}))).await;
    }
    let shown = details(&system, &single).await;
    assert_eq!((&shown["status"], &shown["pricing"]), (&json!("failed"), &pricing));
    assert_eq!(shown["errors"], json!([{"code": 131_026, "title": "Message undeliverable", "details": "no WhatsApp"}]));
    let shown = details(&system, group).await;
    assert_eq!(shown["status"], "sent");
    let participants: Vec<_> =
        shown["participants"].as_array().unwrap().iter().map(|one| (&one["participant"], &one["status"])).collect();
    assert_eq!(participants, [(&json!("201001111111"), &json!("read")), (&json!("201002222222"), &json!("delivered"))]);
    system
        .until("the failure is counted", async || system.lines().iter().any(|line| line.contains("FailedUndelivered")))
        .await;
    let late = json!([{"id": single, "status": "delivered", "timestamp": "1750100002"}]);
    delivers(&system, &field(&system, "messages", json!({"statuses": late}))).await;
    assert_eq!(details(&system, &single).await["status"], "delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_settles_a_message_lets_the_next_one_go() {
    let system = System::start().await;
    let session = system.post("/api/session/create", &json!({"userId": "ada", "unknownPolicy": "resend"})).await;
    let session = &session.json["session"];
    system.scan(session["qr"].as_str().unwrap(), "201009999999").await;
    let session_id = session["id"].as_str().unwrap();
    system.faults(&json!({"sends": {"dropAfterAcceptance": true, "times": 1}, "webhooks": {"hold": true}})).await;
    system.send(session_id, "+201001234567", "first").await;
    system.message_with("a message of unknown fate", |row| row["status"] == "unknown").await;
    system.send(session_id, "+201001234567", "second").await;
    system
        .until("the second one waits", async || system.items("message").await.iter().any(|row| row["waiting"] == true))
        .await;
    // Its own time is minutes away.
    system.clear_faults().await;
    system.until("both are accepted", async || system.accepted().await.len() == 2).await;
    assert_eq!(
        system.message_with("the second one", |row| row["body"] == "second" && row["wamid"].is_string()).await["attempt_count"],
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_kept_once_and_listed_newest_first() {
    let system = System::start().await;
    let account = |id: &str, event: &str| json!({"entry": [{"id": id, "time": 1_739_321_024, "changes": [{"field": "account_update", "value": {"event": event}}]}]});
    // Before anything is known of the account, and of another one.
    delivers(&system, &account("102290129340398", "BEFORE")).await;
    let session_id = system.connect("ada").await;
    receives(&system, &json!([text_message("w.1", CUSTOMER, "hi"), {"id": "w.broken", "timestamp": "1"}])).await;
    for _ in 0..2 {
        delivers(&system, &account("102290129340398", "KNOWN")).await;
    }
    assert_eq!(system.webhook_bytes(b"\xff{".to_vec()).await.status, 400);
    assert_eq!(system.webhook_bytes(b"{\"entry\": [".to_vec()).await.status, 400);

    let answer = system.get(&format!("/api/events?sessionId={session_id}")).await;
    let events = answer.json["events"].as_array().unwrap().clone();
    let shown: Vec<_> =
        events.iter().map(|event| (event["field"].as_str().unwrap(), event["reason"].as_str())).collect();
    let not_json = Some("the body is not JSON");
    let no_sender = Some("no sender that we could answer");
    assert_eq!(
        shown,
        [
            ("webhook", not_json),
            ("webhook", not_json),
            ("account_update", None),
            ("messages", no_sender),
            ("account_update", None)
        ]
    );
    assert_eq!((&events[0]["raw"], &events[0]["encoding"]), (&json!("{\"entry\": ["), &Value::Null));
    assert_eq!((&events[1]["raw"], &events[1]["encoding"]), (&json!("/3s="), &json!("base64")));
    assert_eq!(events[2]["payload"]["value"]["event"], "KNOWN");
    assert_eq!(
        (&events[2]["at"], &events[2]["waba_id"]),
        (&json!("2025-02-12T00:43:44.000Z"), &json!("102290129340398"))
    );
    let trace = system.get("/api/messages/w.broken").await;
    assert_eq!((trace.status, &trace.json["trace"][0]["reason"]), (200, &json!(no_sender)));
    assert!(system.items("event").await.iter().all(|event| event["expires_at"].is_number()));

    // Page by page, and to nobody else.
    for n in 0..60 {
        delivers(&system, &account("102290129340398", &format!("{n}"))).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = system.get(&format!("/api/events?sessionId={session_id}{cursor}")).await.json;
        seen.extend(page["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let unique: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), unique.len()), (65, 65));
    let other = system.create("bob").await["id"].as_str().unwrap().to_owned();
    assert_eq!(system.get(&format!("/api/events?sessionId={other}")).await.json["events"], json!([]));
    assert_eq!(system.get(&format!("/api/events?sessionId={other}{cursor}")).await.status, 400);
}

/// Bodies that WhatsApp sent to others, where a folder of them is at hand: each message and status of them is in the
/// table, and what WhatsApp does not call unsupported is understood.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_bodies_are_accounted_for() {
    #[allow(clippy::disallowed_methods, reason = "a test that is asked for")]
    let Some(folder) = std::env::var_os("QASID_PAYLOADS") else {
        return println!("QASID_PAYLOADS names no folder of webhook bodies: nothing to do");
    };
    let system = System::start().await;
    system.connect("ada").await;
    let mut files: Vec<_> = std::fs::read_dir(Path::new(&folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let (mut messages, mut statuses, mut others) = (0, 0, 0);
    for path in &files {
        let mut body: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let before = counted(&system).await;
        let told = retarget(&system, &mut body, &path.display().to_string());
        delivers(&system, &body).await;
        let after = counted(&system).await;
        for wamid in &told.messages {
            let shown = system.get(&format!("/api/messages/{wamid}")).await;
            assert_eq!(shown.status, 200, "{}: {wamid}: {}", path.display(), shown.json);
            let is_unsupported = shown.json["message"]["type"] == "unsupported";
            assert_eq!(is_unsupported, told.is_unsupported, "{}: {}", path.display(), shown.json);
        }
        let expected = told.messages.len() + told.statuses + told.unreadable + usize::from(told.is_other);
        assert!(after - before >= expected, "{}: {} new items of {expected}", path.display(), after - before);
        messages += told.messages.len() + told.unreadable;
        statuses += told.statuses;
        others += usize::from(told.is_other);
    }
    println!("{} bodies: {messages} messages, {statuses} statuses, {others} of other fields", files.len());
}

/// What is in the table of messages, statuses that wait, and events.
async fn counted(system: &System) -> usize {
    let mut count = 0;
    for entity in ["message", "parked_status", "event"] {
        count += system.items(entity).await.len();
    }
    count
}

struct Told {
    messages: Vec<String>,
    statuses: usize,
    /// Messages that have no id, and can only be events.
    unreadable: usize,
    is_unsupported: bool,
    is_other: bool,
}

/// Makes a body one for the simulated number, with ids of its own, and says what it tells.
fn retarget(system: &System, body: &mut Value, unique: &str) -> Told {
    let mut told = Told { messages: Vec::new(), statuses: 0, unreadable: 0, is_unsupported: false, is_other: true };
    let mark = format!("{:x}", unique.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())));
    for change in
        body["entry"].as_array_mut().unwrap().iter_mut().flat_map(|entry| entry["changes"].as_array_mut().unwrap())
    {
        let value = &mut change["value"];
        // The folder may have one body twice.
        value["qasid"] = json!(mark);
        value["metadata"] = json!({"display_phone_number": system.ready.display_phone_number, "phone_number_id": system.ready.phone_number_id});
        for outer in ["", "/standby"] {
            for list in ["messages", "message_echoes", "statuses"] {
                let Some(Value::Array(items)) = value.pointer_mut(&format!("{outer}/{list}")) else { continue };
                told.is_other = false;
                for (n, item) in items.iter_mut().enumerate() {
                    if list == "statuses" {
                        item["id"] = json!(format!("{mark}.{n}"));
                        told.statuses += 1;
                    } else if item["id"].is_string() {
                        item["id"] = json!(format!("{mark}.{n}"));
                        told.messages.push(format!("{mark}.{n}"));
                    } else {
                        told.unreadable += 1;
                    }
                    told.is_unsupported |= matches!(item["type"].as_str(), Some("unsupported" | "unknown"));
                }
            }
        }
    }
    told
}

/// Valid bodies with one thing in them changed to anything: never refused, never a failure, and the neighbour is stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_odd_member_fails_a_webhook() {
    let system = System::start().await;
    system.connect("ada").await;
    let mut runner = TestRunner::deterministic();
    let odd = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[[{}]]])),
        Just(json!("x".repeat(5_000))),
    ];
    for n in 0..150 {
        let mut bodies = vec![
            message(&format!("m.{n}"), 100, "image", json!({"id": "7", "caption": "x"})),
            message(&format!("m.{n}"), 100, "reaction", json!({"message_id": "m.0", "emoji": "👍"})),
            message(&format!("m.{n}"), 100, "contacts", json!([{"name": {"formatted_name": "x"}}])),
            message(
                &format!("m.{n}"),
                100,
                "edit",
                json!({"original_message_id": "m.0", "message": {"type": "text", "text": {"body": "x"}}}),
            ),
        ];
        let mut changed = bodies.swap_remove(n % bodies.len());
        let places = pointers(&changed);
        let place = &places[(n * 7) % places.len()];
        *changed.pointer_mut(place).unwrap() = odd.new_tree(&mut runner).unwrap().current();
        let neighbour = format!("n.{n}");
        let answer = system
            .webhook(&system.webhook_body(&json!([changed, text_message(&neighbour, "201007654321", "hi")])))
            .await;
        assert_eq!(answer.status, 200, "{changed}: {}", answer.json);
        let stored = system.get(&format!("/api/messages/{neighbour}")).await;
        assert_eq!(stored.json["message"]["body"], "hi", "{changed}");
    }
}

/// Every place in a value.
fn pointers(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, inner)| (name.clone(), inner)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, inner)| (at.to_string(), inner)).collect(),
        _ => Vec::new(),
    };
    let deeper =
        inner.iter().flat_map(|(name, inner)| pointers(inner).into_iter().map(move |rest| format!("/{name}{rest}")));
    std::iter::once(String::new()).chain(deeper).collect()
}
