//! Pairing: from the QR code to a linked number.

use serde_json::{Value, json};

use crate::test_app::{TestApp, text_message};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scanning_the_code_links_the_number() {
    let app = TestApp::start().await;
    let created = app.create_session("ada").await;
    let (id, link) = (created["id"].as_str().unwrap(), created["qr"].as_str().unwrap());
    app.scan(link, "201001234567").await;

    let session = app.session_status(id).await;
    assert_eq!((&session["is_ready"], &session["is_connected"]), (&json!(true), &json!(true)));
    assert_eq!(session["phone_number_id"], app.ready.phone_number_id);
    for member in ["qr", "qr_expires_at", "pairing_error"] {
        assert_eq!(session[member], Value::Null, "{member}");
    }
    let qr = app.get(&format!("/api/qr?sessionId={id}&format=svg")).await;
    let connected = json!({"success": true, "connected": true, "qr": null, "message": "WhatsApp already connected"});
    assert_eq!(qr.json, connected);
    assert!(app.items("chat").await.is_empty(), "a pairing message creates no chat");

    // WhatsApp delivers the same message again.
    app.scan(link, "201001234567").await;
    assert_eq!(app.session_status(id).await, session);
}

/// Returns a session's pairing text with another code.
fn with_wrong_code(link: &str) -> String {
    let (start, code) =
        text_of(link).rsplit_once('-').map(|(start, code)| (start.to_owned(), code.to_owned())).unwrap();
    format!("{start}-{}", code.chars().rev().collect::<String>())
}

fn text_of(link: &str) -> String {
    link.split_once("?text=").unwrap().1.replace("%20", " ")
}

/// Delivers a text to any number.
async fn deliver_text(app: &TestApp, phone_number_id: &str, wamid: &str, text: &str) {
    let mut body = app.webhook_body(&json!([text_message(wamid, "201001234567", text)]));
    body["entry"][0]["changes"][0]["value"]["metadata"] =
        json!({"phone_number_id": phone_number_id, "display_phone_number": DISPLAY});
    app.deliver_webhook(&body).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_without_a_current_code_is_an_ordinary_message() {
    let (app, ada) = TestApp::connected().await;
    let bob = app.create_session("bob").await;
    let link = bob["qr"].as_str().unwrap();
    let before = app.session_status(bob["id"].as_str().unwrap()).await;
    let unknown = format!("Link qasid-{:032x}-{:032x}", 7, 8);
    let hidden = format!("Is this mine? {} It was in my chat.", with_wrong_code(link));
    for (n, text) in [unknown, with_wrong_code(link), hidden].iter().enumerate() {
        app.deliver_messages(&json!([text_message(&format!("w.{n}"), "201001234567", text)])).await;
        let found = app.get(&format!("/api/messages/w.{n}?sessionId={ada}")).await;
        assert_eq!((found.status, &found.json["message"]["body"]), (200, &json!(text)), "{}", found.json);
    }
    let chats = app.get(&format!("/api/chats?sessionId={ada}")).await;
    assert_eq!(chats.json["chats"][0]["unread_count"], 3, "{}", chats.json);
    let after = app.session_status(bob["id"].as_str().unwrap()).await;
    assert_eq!(after, before, "a stranger's text doesn't change another owner's session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pairing_message_leaves_a_trace() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.create_session("ada").await, app.create_session("bob").await);
    let (ada_id, bob_id) = (ada["id"].as_str().unwrap(), bob["id"].as_str().unwrap());
    let (ada_text, bob_text) = (text_of(ada["qr"].as_str().unwrap()), text_of(bob["qr"].as_str().unwrap()));
    for _ in 0..2 {
        app.deliver_messages(&json!([text_message("w.ada", "201001234567", &ada_text)])).await;
        app.deliver_messages(&json!([text_message("w.bob", "201009999999", &bob_text)])).await;
    }
    assert!(app.items("chat").await.is_empty(), "neither text is in the inbox of the number's owner");
    let taken = "This WhatsApp number is already linked to another session.";
    assert_eq!(app.session_status(bob_id).await["pairing_error"], taken);

    let (_, ada_key) = app.create_key("ada", &["messages:read"]).await;
    let (_, bob_key) = app.create_key("bob", &["messages:read"]).await;
    let trace = async |key: &str, path: &str| app.with_key(key, "GET", path, &Value::Null).await;
    for (key, path, outcome, session_id, reason) in [
        (&app.ready.api_key, "/api/messages/w.ada".to_owned(), "paired", ada_id, Value::Null),
        (&app.ready.api_key, "/api/messages/w.bob".to_owned(), "pairing_refused", bob_id, json!(taken)),
        (
            &app.ready.api_key,
            format!("/api/messages/w.bob?sessionId={bob_id}"),
            "pairing_refused",
            bob_id,
            json!(taken),
        ),
        (&ada_key, "/api/messages/w.ada".to_owned(), "paired", ada_id, Value::Null),
        (&bob_key, "/api/messages/w.bob".to_owned(), "pairing_refused", bob_id, json!(taken)),
    ] {
        let found = trace(key, &path).await;
        let entries = found.json["trace"].as_array().unwrap();
        assert_eq!((entries.len(), &entries[0]["outcome"]), (1, &json!(outcome)), "{path}: {}", found.json);
        assert_eq!((&entries[0]["session_id"], &entries[0]["reason"]), (&json!(session_id), &reason), "{path}");
    }
    assert_eq!(trace(&ada_key, "/api/messages/w.bob").await.status, 404);
    assert_eq!(trace(&bob_key, "/api/messages/w.ada").await.status, 404);

    // The linked session's code is worth nothing: a text with it is a message again.
    app.deliver_messages(&json!([text_message("w.again", "201001234567", &ada_text)])).await;
    assert_eq!(trace(&ada_key, "/api/messages/w.again").await.json["message"]["body"], json!(ada_text));
}

const NUMBER: &str = "111222333444555";
const DISPLAY: &str = "15550009999";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_links_no_other_number_than_its_own() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await;
    let (id, link) = (session["id"].as_str().unwrap(), session["qr"].as_str().unwrap());
    let refused = "The text of the QR code was sent to another WhatsApp number. Scan the QR code and send the text \
                   unchanged.";
    for (wamid, is_registered) in [("w.unknown", false), ("w.registered", true)] {
        if is_registered {
            let registered = app.put(&format!("/api/numbers/{NUMBER}"), &json!({"displayPhoneNumber": DISPLAY})).await;
            assert_eq!(registered.status, 200, "{}", registered.json);
        }
        deliver_text(&app, NUMBER, wamid, &text_of(link)).await;
        let status = app.session_status(id).await;
        assert_eq!((&status["is_connected"], &status["pairing_error"]), (&json!(false), &json!(refused)));
        assert!(app.items("number").await.is_empty());
    }
    // The operator can still assign the number.
    let body = json!({"displayPhoneNumber": DISPLAY, "ownerId": "grace"});
    assert_eq!(app.put(&format!("/api/numbers/{NUMBER}"), &body).await.status, 200);
    // The code is still valid for its own number.
    app.scan(link, "201001234567").await;
    assert_eq!(app.session_status(id).await["phone_number_id"], app.ready.phone_number_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn number_that_is_not_registered_any_more_links_nothing() {
    let app = TestApp::start().await;
    let path = format!("/api/numbers/{NUMBER}");
    assert_eq!(app.put(&path, &json!({"displayPhoneNumber": DISPLAY})).await.status, 200);
    let created = app.post("/api/session/create", &json!({"userId": "ada", "phoneNumberId": NUMBER})).await;
    let session = &created.json["session"];
    assert_eq!(app.delete(&path).await.status, 200);
    deliver_text(&app, NUMBER, "w.1", &text_of(session["qr"].as_str().unwrap())).await;
    let status = app.session_status(session["id"].as_str().unwrap()).await;
    assert_eq!(status["is_connected"], false);
    assert!(status["pairing_error"].as_str().unwrap().contains("doesn't have the WhatsApp number"), "{status}");
    assert!(app.items("number").await.is_empty());
}

/// Creates a session with a key of its owner, and returns the session and the key.
async fn create_own_session(app: &TestApp, owner: &str) -> (Value, String) {
    let (_, key) = app.create_key(owner, &["sessions", "messages:read"]).await;
    let created = app.with_key(&key, "POST", "/api/session/create", &json!({"userId": owner})).await;
    assert_eq!(created.status, 200, "{}", created.json);
    (created.json["session"].clone(), key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owner_cannot_take_a_number_that_no_admin_gave_them() {
    let app = TestApp::start().await;
    let (session, _) = create_own_session(&app, "ada").await;
    let (id, link) = (session["id"].as_str().unwrap(), session["qr"].as_str().unwrap());
    app.scan(link, "201001234567").await;
    let status = app.session_status(id).await;
    let refused = "This WhatsApp number has no owner yet. Ask an administrator to assign it to you.";
    assert_eq!((&status["is_connected"], &status["pairing_error"]), (&json!(false), &json!(refused)));

    // An admin who creates the session again approves it, and the code works.
    assert_eq!(app.create_session("ada").await["id"], id);
    app.scan(link, "201001234567").await;
    assert_eq!(app.session_status(id).await["is_connected"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_pairing_links_the_first_owner_who_scans() {
    let app = TestApp::start_with(&[("OpenPairing", "Yes")]).await;
    let (session, _) = create_own_session(&app, "ada").await;
    app.scan(session["qr"].as_str().unwrap(), "201001234567").await;
    assert_eq!(app.session_status(session["id"].as_str().unwrap()).await["is_connected"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erased_session_keeps_its_number_reserved_until_an_admin_releases_it() {
    let app = TestApp::start_with(&[("OpenPairing", "Yes")]).await;
    let ada = app.connect("ada").await;
    let erased = app.delete(&format!("/api/session?sessionId={ada}")).await;
    assert_eq!((erased.status, &erased.json["erasure"]["complete"]), (200, &json!(true)));
    let reservations = app.items("number_reservation").await;
    let mut attributes: Vec<&str> = reservations[0].as_object().unwrap().keys().map(String::as_str).collect();
    attributes.sort_unstable();
    let kept = ["entity", "phone_number_id", "pk", "reserved_at", "reserved_for", "sk"];
    assert_eq!((reservations.len(), &attributes[..]), (1, &kept[..]), "the reservation has no personal data");
    assert!(app.items("pairing").await.is_empty(), "the trace of the pairing is erased");

    // Even a session that an admin created can't take it.
    let bob = app.create_session("bob").await;
    let (bob_id, bob_link) = (bob["id"].as_str().unwrap(), bob["qr"].as_str().unwrap());
    app.scan(bob_link, "201009999999").await;
    let reserved = "This WhatsApp number is reserved for its former owner. Ask an administrator to release it.";
    assert_eq!(app.session_status(bob_id).await["pairing_error"], reserved);

    // The former owner needs no admin.
    let (again, _) = create_own_session(&app, "ada").await;
    app.scan(again["qr"].as_str().unwrap(), "201001234567").await;
    assert_eq!(app.session_status(&ada).await["is_connected"], true);
    assert!(app.items("number_reservation").await.is_empty());
    let own = format!("/api/numbers/{}", app.ready.phone_number_id);
    let linked = app.delete(&own).await;
    assert_eq!((linked.status, &linked.json["code"]), (409, &json!("number_linked")), "{}", linked.json);

    // An admin releases the number.
    assert_eq!(app.delete(&format!("/api/session?sessionId={ada}")).await.status, 200);
    let without_owner = json!({"displayPhoneNumber": app.ready.display_phone_number});
    assert_eq!(app.put(&own, &without_owner).await.status, 200);
    assert_eq!(app.items("number_reservation").await.len(), 1, "rotating credentials doesn't release it");
    assert_eq!(app.delete(&own).await.status, 200);
    assert_eq!(app.delete(&own).await.status, 404, "nothing is left to release");
    // Until no process caches the former owner, no other session can take it.
    app.scan(bob_link, "201009999999").await;
    let handed_over = "This WhatsApp number had another owner until a moment ago. Send the text of the QR code again in \
                       two minutes.";
    let status = app.session_status(bob_id).await;
    assert_eq!((&status["is_connected"], &status["pairing_error"]), (&json!(false), &json!(handed_over)));
    app.end_handover().await;
    app.scan(bob_link, "201009999999").await;
    assert_eq!(app.session_status(bob_id).await["is_connected"], true);

    // Or assigns it to the next owner.
    assert_eq!(app.delete(&format!("/api/session?sessionId={bob_id}")).await.status, 200);
    let body = json!({"displayPhoneNumber": app.ready.display_phone_number, "ownerId": "grace"});
    assert_eq!(app.put(&own, &body).await.status, 200);
    app.end_handover().await;
    let (grace, _) = create_own_session(&app, "grace").await;
    app.scan(grace["qr"].as_str().unwrap(), "201001111111").await;
    assert_eq!(app.session_status(grace["id"].as_str().unwrap()).await["is_connected"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_in_the_webhook_that_pairs_belong_to_the_session() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await;
    let mut messages: Vec<Value> =
        (0..8).map(|n| text_message(&format!("w.{n}"), &format!("20100000000{n}"), "hello")).collect();
    messages.insert(4, text_message("w.pair", "201009999999", &text_of(session["qr"].as_str().unwrap())));
    app.deliver_messages(&json!(messages)).await;
    let id = session["id"].as_str().unwrap();
    assert_eq!(app.session_status(id).await["is_connected"], true);
    assert_eq!((app.items("message").await.len(), app.items("unowned_message").await.len()), (8, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_code_leads_to_the_current_phone_number() {
    let app = TestApp::start().await;
    let path = format!("/api/numbers/{NUMBER}");
    assert_eq!(app.put(&path, &json!({"displayPhoneNumber": DISPLAY})).await.status, 200);
    let created = app.post("/api/session/create", &json!({"userId": "ada", "phoneNumberId": NUMBER})).await;
    let id = created.json["session"]["id"].as_str().unwrap();
    let renew = async || {
        app.set_session_attribute(id, "qr_expires_at", "2020-01-01T00:00:00.000Z").await;
        assert_eq!(app.get(&format!("/api/qr?sessionId={id}")).await.json["expired"], true);
        app.session_status(id).await["qr"].as_str().unwrap().to_owned()
    };
    assert!(renew().await.starts_with(&format!("https://wa.me/{DISPLAY}?")));
    assert_eq!(app.put(&path, &json!({"displayPhoneNumber": "15550008888"})).await.status, 200);
    assert!(renew().await.starts_with("https://wa.me/15550008888?"));
    // The number isn't registered any more: its last known phone number.
    assert_eq!(app.delete(&path).await.status, 200);
    assert!(renew().await.starts_with("https://wa.me/15550008888?"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaced_code_is_refused_and_stays_secret() {
    let (app, ada) = TestApp::connected().await;
    let bob = app.create_session("bob").await;
    let (id, link) = (bob["id"].as_str().unwrap(), bob["qr"].as_str().unwrap());
    app.set_session_attribute(id, "qr_expires_at", "2020-01-01T00:00:00.000Z").await;
    assert_eq!(app.get(&format!("/api/qr?sessionId={id}")).await.json["expired"], true);
    let replaced = app.get(&format!("/api/qr?sessionId={id}")).await.json["qr"].as_str().unwrap().to_owned();
    assert_ne!(replaced, link);
    app.scan(link, "201001234567").await;
    assert!(app.session_status(id).await["pairing_error"].is_string());
    assert_eq!(app.get(&format!("/api/chats?sessionId={ada}")).await.json["chats"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_code_links_nothing() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await;
    let id = session["id"].as_str().unwrap();
    app.set_session_attribute(id, "qr_expires_at", "2020-01-01T00:00:00.000Z").await;
    app.scan(session["qr"].as_str().unwrap(), "201001234567").await;
    let session = app.session_status(id).await;
    assert_eq!(session["is_connected"], false);
    assert!(session["pairing_error"].as_str().unwrap().contains("expired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linked_number_cannot_link_to_a_second_session() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.create_session("ada").await, app.create_session("bob").await);
    app.scan(ada["qr"].as_str().unwrap(), "201001234567").await;
    app.scan(bob["qr"].as_str().unwrap(), "201009999999").await;
    assert_eq!(app.session_status(ada["id"].as_str().unwrap()).await["is_connected"], true);
    let bob = app.session_status(bob["id"].as_str().unwrap()).await;
    assert_eq!(bob["is_connected"], false);
    assert_eq!(bob["pairing_error"], "This WhatsApp number is already linked to another session.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_scans_of_ten_sessions_link_one() {
    let app = TestApp::start().await;
    let mut links = Vec::new();
    for owner in 0..10 {
        links.push(app.create_session(&format!("owner {owner}")).await["qr"].as_str().unwrap().to_owned());
    }
    futures_util::future::join_all(links.iter().map(|link| app.scan(link, "201001234567"))).await;
    let connected = app.items("session").await.into_iter().filter(|item| item["is_connected"] == true).count();
    assert_eq!(connected, 1);
    assert_eq!(app.items("number").await.len(), 1);
}
