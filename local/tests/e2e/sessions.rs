//! The list of sessions.

use local::database::usage::UsageMeter;
use serde_json::{Value, json};
use shared::domain::{id::SessionId, session::Session, system::System};

use crate::{
    contact_merging::database,
    test_app::{Response, TestApp},
};

async fn list(app: &TestApp, key: &str, query: &str) -> Response {
    app.with_key(key, "GET", &format!("/api/sessions?{query}"), &Value::Null).await
}

fn owners(sessions: &[Value]) -> Vec<&str> {
    sessions.iter().map(|session| session["owner_id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_lists_all_sessions_page_by_page_newest_first() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/api/sessions").await.json, json!({"success": true, "sessions": [], "nextCursor": null}));
    let mut created = Vec::new();
    for owner in ["ada", "grace", "katherine", "mary", "radia"] {
        created.push(app.create_session(owner).await);
    }
    created.reverse();
    assert_eq!(app.all("/api/sessions?limit=2", "sessions").await, created);

    // A session that is created while a client pages doesn't shift the pages.
    let first = app.get("/api/sessions?limit=2").await.json;
    app.create_session("joan").await;
    let next = format!("/api/sessions?limit=2&cursor={}", first["nextCursor"].as_str().unwrap());
    assert_eq!(owners(app.get(&next).await.json["sessions"].as_array().unwrap()), ["katherine", "grace"]);

    let paused = created[1]["id"].as_str().unwrap();
    app.set_session_attribute(paused, "paused_reason", "131031").await;
    app.delete(&format!("/api/session?sessionId={}", created[2]["id"].as_str().unwrap())).await;
    let sessions = app.all("/api/sessions", "sessions").await;
    assert_eq!(owners(&sessions), ["joan", "radia", "mary", "grace", "ada"], "the erased one is missing");
    assert_eq!(sessions[2]["paused_reason"], "131031", "the list has the current state");
    // A new session of the same owner is the newest.
    app.create_session("katherine").await;
    assert_eq!(owners(&app.all("/api/sessions", "sessions").await)[0], "katherine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owner_lists_their_own_session_only() {
    let app = TestApp::start().await;
    let (_, key) = app.create_key("ada", &["sessions"]).await;
    app.create_session("grace").await;
    let nothing = json!({"success": true, "sessions": [], "nextCursor": null});
    assert_eq!(list(&app, &key, "").await.json, nothing);
    let own = app.create_session("ada").await;
    app.create_session("mary").await;
    let page = json!({"success": true, "sessions": [own], "nextCursor": null});
    assert_eq!(list(&app, &key, "limit=1").await.json, page);

    // A cursor before and after the session. One of another list is refused.
    let first = app.get("/api/sessions?limit=1").await.json["nextCursor"].as_str().unwrap().to_owned();
    assert_eq!(list(&app, &key, &format!("cursor={first}")).await.json, page);
    let second = app.get(&format!("/api/sessions?limit=1&cursor={first}")).await.json;
    let second = second["nextCursor"].as_str().unwrap();
    assert_eq!(list(&app, &key, &format!("cursor={second}")).await.json, nothing);
    app.create_key("grace", &["rules"]).await;
    let of_keys = app.get("/api/keys?limit=1").await.json["nextCursor"].as_str().unwrap().to_owned();
    assert_eq!(list(&app, &key, &format!("cursor={of_keys}")).await.json["code"], "invalid_cursor");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_from_before_the_list_is_listed_once_its_creation_is_repeated() {
    let app = TestApp::start().await;
    let created = app.create_session("ada").await;
    app.create_session("grace").await;
    let id = created["id"].as_str().unwrap();
    let update = json!({
        "TableName": app.ready.table,
        "Key": {"pk": {"S": format!("SESSION#{id}")}, "sk": {"S": "SESSION"}},
        "UpdateExpression": "REMOVE inbox_key, inbox_position",
    });
    app.running().database().embedded().update_item(serde_json::from_value(update).unwrap()).unwrap();
    assert_eq!(owners(&app.all("/api/sessions", "sessions").await), ["grace"]);
    let (_, key) = app.create_key("ada", &["sessions"]).await;
    assert_eq!(list(&app, &key, "").await.json["sessions"], json!([created]), "its owner sees it");

    let again = app.with_key(&key, "POST", "/api/session/create", &json!({"userId": "ada"})).await.json;
    assert_eq!((&again["session"], &again["message"]), (&created, &json!("Session already exists")));
    let sessions = app.all("/api/sessions", "sessions").await;
    assert_eq!(owners(&sessions), ["grace", "ada"], "at the time at which it was created");
}

#[tokio::test]
async fn list_costs_a_write_when_a_session_is_created_and_none_when_it_changes() {
    let meter = UsageMeter::default();
    let (_database, store, _, _) = database(meter.clone()).await;
    let (store, now) = (store(), System::real().now());
    let written = || meter.take("test").write_units;
    written();
    store.sessions().create(Session::new("ada".to_owned(), None, now)).await.unwrap();
    // The item, and its entries in `by_id` and `inbox`.
    assert_eq!(written(), 3.0);
    assert!(store.sessions().pause(SessionId::for_owner("ada"), "131031").await.unwrap());
    assert_eq!(written(), 1.0);
    store.sessions().create(Session::new("ada".to_owned(), None, now)).await.unwrap();
    assert_eq!(written(), 1.0, "the refused put");
}
