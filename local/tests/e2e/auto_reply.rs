//! Rules answer customers: once, within their limits, and not where a person has taken over.

use local::database::Fault;
use serde_json::{Value, json};

use crate::{
    faults::{kill_process, processes},
    system::System,
};

const MONA: &str = "201001234567";

/// Makes a rule that answers anything with `Hello {{name}}`, with other fields where they are given.
async fn make(system: &System, session_id: &str, other: Value) -> Value {
    let answer = system.post(&format!("/api/auto-replies?sessionId={session_id}"), &rule(other)).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json["rule"].clone()
}

fn rule(other: Value) -> Value {
    let mut rule = json!({"name": "R", "trigger": {"type": "any"}, "reply": {"message": "Hello {{name}}"}});
    rule.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    rule
}

fn keyword(word: &str) -> Value {
    json!({"type": "keyword", "match": "contains", "keywords": [word]})
}

async fn write(system: &System, text: &str) {
    system.customer(&json!({"from": MONA, "name": "Mona", "text": text})).await;
}

async fn chat(system: &System) -> Value {
    system.items("chat").await.into_iter().find(|chat| chat["wa_id"] == MONA).expect("a chat")
}

/// Returns when everything that was written before has been put to the rules: the messages of a chat are so in their
/// order, and this one leaves a mark on the chat.
async fn all_is_decided(system: &System) {
    write(system, "STOP").await;
    system.until("the contact has opted out", async || chat(system).await["opted_out"] == true).await;
}

/// The texts that WhatsApp accepted, when there are so many.
async fn sent(system: &System, count: usize) -> Vec<String> {
    system.until("the replies are sent", async || system.accepted().await.len() >= count).await;
    let accepted = system.accepted().await;
    accepted.iter().map(|message| message["body"]["text"]["body"].as_str().unwrap().to_owned()).collect()
}

async fn seconds_of(system: &System, text: &str) -> i64 {
    let row = system.items("message").await.into_iter().find(|row| row["body"] == text).expect("the message");
    row["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_made_changed_and_deleted() {
    let system = System::start().await;
    let session_id = system.create("ada").await["id"].as_str().unwrap().to_owned();
    let list = format!("/api/auto-replies?sessionId={session_id}");
    let unknown = "00000000-0000-4000-8000-000000000000";

    let hours = json!({"timeZone": "africa/cairo", "hours": {"sunday": [{"from": "22:00", "to": "02:00"}]}});
    let made = make(&system, &session_id, json!({"name": "Late", "priority": 5, "schedule": hours})).await;
    assert_eq!(made["session_id"], session_id.as_str());
    assert_eq!(made["schedule"]["time_zone"], "Africa/Cairo");
    let one = format!("/api/auto-replies/{}", made["id"].as_str().unwrap());
    assert_eq!(system.get(&one).await.json, json!({"success": true, "rule": made}));

    let later = rule(json!({"name": "Later", "enabled": false, "cooldownSeconds": 60})).to_string().into_bytes();
    let changed = system.request("PUT", &one, &[], later.clone()).await.json["rule"].clone();
    assert_eq!(
        (&changed["name"], &changed["enabled"], &changed["priority"]),
        (&json!("Later"), &json!(false), &json!(0))
    );
    assert_eq!((&changed["id"], &changed["created_at"]), (&made["id"], &made["created_at"]));
    let first = make(&system, &session_id, json!({"name": "First", "priority": 9})).await;
    assert_eq!(system.get(&list).await.json, json!({"success": true, "rules": [first, changed]}));

    // Many at once, and not one more than there may be.
    let (path, body) = (list.as_str(), rule(json!({})));
    let many = (0..105).map(|_| system.post(path, &body));
    let many: Vec<_> = futures_util::future::join_all(many).await;
    let refused = many.iter().filter(|answer| answer.status == 409 && answer.json["code"] == "too_many_auto_replies");
    assert_eq!((many.iter().filter(|answer| answer.status == 200).count(), refused.count()), (98, 7));
    assert_eq!(system.request("DELETE", &one, &[], Vec::new()).await.json, json!({"success": true}));
    for method in ["GET", "DELETE", "PUT"] {
        let answer = system.request(method, &one, &[], later.clone()).await;
        assert_eq!((answer.status, &answer.json["error"]), (404, &json!("Auto-reply not found")), "{method}");
    }
    make(&system, &session_id, json!({})).await;
    assert_eq!(system.get(&list).await.json["rules"].as_array().unwrap().len(), 100);

    let dry_run = "/api/auto-replies/dry-run";
    for (method, path, body, status, error) in [
        ("GET", "/api/auto-replies".to_owned(), json!({}), 400, "sessionId is required"),
        ("GET", format!("/api/auto-replies?sessionId={unknown}"), json!({}), 404, "Session not found"),
        ("POST", format!("/api/auto-replies?sessionId={unknown}"), rule(json!({})), 404, "Session not found"),
        ("POST", list.clone(), json!({"name": "R"}), 400, "trigger is required"),
        (
            "POST",
            list.clone(),
            rule(json!({"reply": {"message": "{{who}}"}})),
            400,
            "reply.text.body has an unknown placeholder: use {{name}} and {{message}}, and no other double braces",
        ),
        ("DELETE", list.clone(), json!({}), 405, "Use GET, POST on this path"),
        ("GET", "/api/auto-replies/1".to_owned(), json!({}), 400, "ruleId must be a UUID"),
        ("POST", format!("/api/auto-replies/{unknown}"), json!({}), 405, "Use GET, PUT, DELETE on this path"),
        ("POST", dry_run.to_owned(), json!({"sessionId": session_id}), 400, "text is required"),
        (
            "POST",
            dry_run.to_owned(),
            json!({"sessionId": session_id, "text": "x", "at": "noon"}),
            400,
            "at must be a time like 2026-11-23T12:00:00Z",
        ),
        (
            "POST",
            dry_run.to_owned(),
            json!({"sessionId": session_id, "text": "x", "chatId": unknown}),
            404,
            "Chat not found",
        ),
        ("POST", dry_run.to_owned(), json!({"sessionId": unknown, "text": "x"}), 404, "Session not found"),
    ] {
        let answer = system.request(method, &path, &[], body.to_string().into_bytes()).await;
        assert_eq!((answer.status, answer.json["error"].as_str().unwrap()), (status, error), "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_answered_once_however_often_it_comes() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let rule = make(&system, &session_id, json!({"reply": {"message": "Hello {{name}}: {{message}}"}})).await;
    system.faults(&json!({"webhooks": {"duplicates": 19}})).await;
    write(&system, "good\nmorning").await;
    assert_eq!(sent(&system, 1).await, ["Hello Mona: good morning"]);
    system.clear_faults().await;

    let reply = system.message_with("the reply is read", |row| row["status"] == "read").await;
    assert_eq!((&reply["source"], &reply["previous"]), (&json!("auto_reply"), &Value::Null));
    let row = chat(&system).await;
    assert_eq!((&row["status"], &row["is_unread"], &row["unread_count"]), (&json!("INBOX"), &json!(true), &json!(1)));
    assert_eq!((&row["last_message"], row.get("answered_at")), (&json!("Hello Mona: good morning"), None));
    let question = system.items("message").await.into_iter().find(|row| row["from_me"] == false).unwrap();
    assert_eq!(question["auto_reply"], json!({"rule_id": rule["id"], "message_id": reply["id"]}));

    // The stream brings it again, several times at once, when the rule is free to answer.
    let event = json!({"Records": [stream_record(&system, &question).await]});
    let again = (0..4).map(|_| system.running().lambda().invoke("respond", event.to_string().into()));
    for answer in futures_util::future::join_all(again).await {
        assert_eq!(serde_json::from_slice::<Value>(&answer.unwrap()).unwrap(), json!({"batchItemFailures": []}));
    }
    all_is_decided(&system).await;
    assert_eq!(system.accepted().await.len(), 1);
}

/// What the stream says of a message that has just been stored.
async fn stream_record(system: &System, row: &Value) -> Value {
    let mut image = system.item(row["pk"].as_str().unwrap(), row["sk"].as_str().unwrap()).await;
    image.as_object_mut().unwrap().remove("auto_reply");
    json!({
        "eventID": "1", "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_779_194_045.0, "SequenceNumber": "1", "SizeBytes": 1,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "Keys": {"pk": image["pk"], "sk": image["sk"]}, "NewImage": image,
        },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_holds_until_start_and_a_person_takes_over() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    make(&system, &session_id, json!({"reply": {"message": "{{message}}?"}})).await;
    write(&system, "one").await;
    sent(&system, 1).await;
    let start = seconds_of(&system, "one").await;
    let say = async |id: &str, after: i64, text: &str| {
        let timestamp = (start + after).to_string();
        system.customer(&json!({"from": MONA, "id": id, "timestamp": timestamp, "text": text})).await;
    };
    say("wamid.2", 2, "Stop!").await;
    say("wamid.3", 3, "two").await;
    // A stop that was overtaken by the start that came after it changes nothing.
    say("wamid.5", 5, "START").await;
    say("wamid.4", 4, "STOP").await;
    say("wamid.6", 6, "three").await;
    assert_eq!(sent(&system, 3).await, ["one?", "START?", "three?"]);
    assert_eq!(chat(&system).await["opted_out"], false);

    // A person writes, and rules keep out of the chat; not any more when that was over an hour ago.
    assert_eq!(system.send(&session_id, MONA, "I am Ada").await.status, 200);
    say("wamid.7", 7, "four").await;
    say("wamid.8", 8, "STOP").await;
    system.until("that is decided", async || chat(&system).await["opted_out"] == true).await;
    let row = chat(&system).await;
    let (pk, sk) = (row["pk"].as_str().unwrap(), row["sk"].as_str().unwrap());
    let answered: jiff::Timestamp = row["answered_at"].as_str().unwrap().parse().unwrap();
    let earlier = answered - jiff::SignedDuration::from_mins(61);
    system.set_string(pk, sk, "answered_at", &format!("{earlier:.3}")).await;
    say("wamid.9", 9, "START").await;
    assert_eq!(sent(&system, 5).await[3..], ["I am Ada", "START?"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_systems_that_answer_each_other_come_to_an_end() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    make(
        &system,
        &session_id,
        json!({"trigger": {"type": "first_message"}, "priority": 9, "reply": {"message": "Welcome"}}),
    )
    .await;
    let cooled = json!({"trigger": keyword("welcome"), "priority": 5, "cooldownSeconds": 3600, "reply": {"message": "welcome yourself"}});
    make(&system, &session_id, cooled).await;
    make(&system, &session_id, json!({"reply": {"message": "{{message}}!"}})).await;
    // What is answered is what the other one says next.
    write(&system, "hello").await;
    let mut said = Vec::new();
    for turn in 1..=5 {
        said = sent(&system, turn).await;
        write(&system, said.last().unwrap()).await;
    }
    let expected = ["Welcome", "welcome yourself", "welcome yourself!", "welcome yourself!!", "welcome yourself!!!"];
    assert_eq!(said, expected);
    all_is_decided(&system).await;
    assert_eq!(system.accepted().await.len(), 5);
    let history = system.items("replies").await;
    assert_eq!((history.len(), history[0]["recent"].as_array().unwrap().len()), (1, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_new_word_of_a_person_is_not_answered() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    make(&system, &session_id, json!({"reply": {"message": "[{{message}}]"}})).await;
    system.customer(&json!({"from": MONA, "timestamp": "1749416383", "text": "written long ago"})).await;
    let reaction = json!({"from": MONA, "type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}});
    system.customer(&reaction).await;
    system
        .customer(
            &json!({"from": MONA, "type": "system", "system": {"body": "x changed", "type": "user_changed_number"}}),
        )
        .await;
    system.customer(&json!({"from": MONA, "group_id": "group-1", "text": "hello all"})).await;
    write(&system, "hello").await;
    assert_eq!(sent(&system, 1).await, ["[hello]"]);
    all_is_decided(&system).await;
    assert_eq!(system.accepted().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_respond_answers_once() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    make(&system, &session_id, json!({"reply": {"message": "{{message}}?"}})).await;
    // Killed while it stores the reply.
    system.function_table_fails("respond", "TransactWriteItems", Fault::Hang, 1);
    write(&system, "one").await;
    system.until("respond hangs", async || system.running().database().faults().pending() == 0).await;
    let running = processes(&system, "respond");
    assert!(!running.is_empty());
    running.into_iter().for_each(|pid| assert!(kill_process(pid)));
    assert_eq!(sent(&system, 1).await, ["one?"]);
    // Stored, and the answer lost, more often than anybody asks again.
    system.function_table_fails("respond", "TransactWriteItems", Fault::ConnectionLostAfterCommit, 8);
    write(&system, "two").await;
    assert_eq!(sent(&system, 2).await, ["one?", "two?"]);
    system.clear_table_faults();
    all_is_decided(&system).await;
    assert_eq!(system.accepted().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_tells_which_rule_answers_and_why_the_others_do_not() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let monday = json!({"timeZone": "Africa/Cairo", "hours": {"monday": [{"from": "09:00", "to": "17:00"}]}});
    for other in [
        json!({"name": "off", "priority": 9, "enabled": false}),
        json!({"name": "first", "priority": 8, "trigger": {"type": "first_message"}}),
        json!({"name": "away", "priority": 7, "trigger": {"type": "outside_hours"}, "schedule": monday}),
        json!({"name": "price", "priority": 6, "trigger": keyword("price"), "cooldownSeconds": 600, "reply": {"message": "{{name}}, see our list"}}),
        json!({"name": "open", "priority": 5, "schedule": monday}),
    ] {
        make(&system, &session_id, other).await;
    }
    let ask = async |other: Value| {
        let mut body = json!({"sessionId": session_id, "text": "What is the price?"});
        body.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        let answer = system.post("/api/auto-replies/dry-run", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        let rules = answer.json["rules"].as_array().unwrap();
        assert!(rules.iter().all(|rule| rule["explanation"].as_str().is_some_and(|sentence| !sentence.is_empty())));
        let reasons: Vec<_> = rules.iter().map(|rule| rule["reason"].as_str().unwrap().to_owned()).collect();
        (answer.json["reply"].clone(), reasons)
    };
    // Monday at noon in Cairo, and Monday in the evening.
    let (noon, evening) = ("2026-12-07T10:00:00Z", "2026-12-07T16:00:00Z");
    let (reply, reasons) = ask(json!({"at": noon})).await;
    assert_eq!(
        (&reply["rule_name"], &reply["content"]),
        (&json!("first"), &json!({"type": "text", "text": {"body": "Hello Customer"}}))
    );
    assert_eq!(reasons, ["disabled", "answers", "within_hours", "outranked", "outranked"]);
    let (_, reasons) = ask(json!({"at": evening, "text": "hello"})).await;
    assert_eq!(reasons, ["disabled", "answers", "outranked", "no_keyword", "outside_hours"]);

    write(&system, "hello").await;
    sent(&system, 1).await;
    let id = chat(&system).await["id"].clone();
    let (reply, reasons) = ask(json!({"at": noon, "chatId": id})).await;
    assert_eq!(reply["content"]["text"]["body"], "Mona, see our list");
    assert_eq!(reasons, ["disabled", "not_first_message", "within_hours", "answers", "outranked"]);
    let (reply, reasons) = ask(json!({"at": noon, "chatId": id, "text": "stop"})).await;
    assert_eq!((reply, reasons[4].as_str()), (Value::Null, "stop_word"));
    all_is_decided(&system).await;
    let (reply, reasons) = ask(json!({"at": noon, "chatId": id})).await;
    assert_eq!((reply, reasons[3].as_str()), (Value::Null, "opted_out"));
    assert_eq!(ask(json!({"at": noon, "chatId": id, "text": "Start"})).await.1[4], "answers");
    // Nothing was sent but the one reply, and nothing was changed.
    assert_eq!(system.accepted().await.len(), 1);
    assert_eq!(chat(&system).await["opted_out"], true);
}
