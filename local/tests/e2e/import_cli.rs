//! `local import`: files of another system end up as chats of a deployment.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use local::database::Fault;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::test_app::TestApp;

/// The number of messages in the old tables. One request takes 1,000.
const MESSAGES: usize = 1_100;

/// Runs an import into the session of owner `ada`.
async fn import(app: &TestApp, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.arg("import").args(arguments).args(["--url", &app.ready.api]).stdin(Stdio::null());
    command.env("QASID_KEY", &app.ready.api_key).kill_on_drop(true).output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs an import that succeeds, and returns its output.
async fn imported(app: &TestApp, arguments: &[&str]) -> (String, String) {
    let output = import(app, arguments).await;
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(!stdout.contains(&app.ready.api_key) && !stderr.contains(&app.ready.api_key));
    (stdout, stderr)
}

fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// Returns the old tables: seven chats of three contacts, a group, one chat without messages, and one without an address.
fn tables() -> (Vec<Value>, Vec<Value>) {
    let chat = |id: &str, remote_id: &str, name: &str| json!({"id": id, "session_id": "old", "remote_id": remote_id, "phone_jid": null, "name": name, "type": "INDIVIDUAL"});
    let chats = vec![
        chat("c1", "201001234567@s.whatsapp.net", "Mona"),
        chat("c2", "+20 100 123 4567", "+20 100 123 4567"),
        chat("c3", "00201001234567", ""),
        chat("c4", "201007654321@c.us", "Omar"),
        chat("c5", "201007654321", "Omar"),
        chat("c6", "201000000001", "Sara"),
        chat("c7", "120363041234567890@g.us", "Family"),
        chat("c8", "201000000002", "Without messages"),
        chat("c9", "status@broadcast", "Status"),
    ];
    let message = |number: usize| {
        let from_me = number.is_multiple_of(3);
        json!({
            "id": format!("m{number}"), "chat_id": format!("c{}", 1 + number % 7), "body": format!("text \"{number}\",\nmore"),
            "type": "text", "from_me": from_me, "is_sent": true, "status": if from_me { "delivered" } else { "received" },
            "wamid": number.is_multiple_of(2).then(|| format!("wamid.old.{number}")),
            "timestamp": format!("2024-05-06 {:02}:{:02}:00.5+00", number / 60 % 24, number % 60),
        })
    };
    let mut messages: Vec<Value> = (0..MESSAGES).map(message).collect();
    for (place, member, value) in [
        (10, "timestamp", json!("yesterday")),
        (20, "timestamp", json!("2099-01-01T00:00:00Z")),
        (30, "chat_id", json!("c9")),
        (40, "chat_id", json!("c10")),
        // A message that the old backend stored twice.
        (50, "wamid", json!("wamid.old.8")),
    ] {
        messages[place][member] = value;
    }
    (chats, messages)
}

/// Returns rows as CSV.
fn csv(rows: &[Value]) -> String {
    let columns: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&columns).unwrap();
    for row in rows {
        let field = |column: &&String| match &row[column.as_str()] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        writer.write_record(columns.iter().map(field)).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn supabase_tables_become_one_chat_for_each_contact() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (chats, messages) = tables();
    let chats_file = write(folder.path(), "chats.json", &json!(chats).to_string());
    let messages_file = write(folder.path(), "messages.csv", &csv(&messages));
    let (chats_file, messages_file) = (chats_file.to_str().unwrap(), messages_file.to_str().unwrap());
    let arguments = ["supabase", "--chats", chats_file, "--messages", messages_file, "--user-id", "ada"];
    // Each of the four chats is tried three times, so the first request fails.
    app.inject_function_fault("import-messages", "TransactWriteItems", Fault::Throttled, 9);
    let (report, rejected) = imported(&app, &arguments).await;
    assert_eq!(app.running().database().faults().pending(), 0);
    // A message has two lines, after that of the header.
    assert_eq!(
        rejected.lines().collect::<Vec<_>>(),
        [
            format!("{messages_file}:22: has a timestamp that is not a time since 1970"),
            format!(
                "{messages_file}:62: its chat has a contact that is a status, broadcast list, or channel: give a phone number, \
                 a business-scoped user id, or a group's jid"
            ),
            format!("{messages_file}:82: has a chat_id that the table chats doesn't have"),
            format!("{messages_file}:42: timestamp is in the future: give the time at which the message was sent"),
        ]
    );
    let count = |report: &str, name: &str| -> usize {
        let (before, _) = report.split_once(&format!(" {name}")).unwrap();
        before.rsplit(' ').next().unwrap().parse().unwrap()
    };
    // A request that failed has stored some messages, which its repetition finds.
    assert_eq!(count(&report, "rows read"), MESSAGES, "{report}");
    assert_eq!(count(&report, "rejected"), 4, "{report}");
    assert_eq!(count(&report, "imported") + count(&report, "already there"), MESSAGES - 4, "{report}");
    for line in [
        "Chats with messages: 7 before, 4 now",
        "5 chats of the old tables were duplicates and became 2",
        "Chats without messages to import, left out: 2",
    ] {
        assert!(report.contains(line), "{report}");
    }
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    let listed = app.all(&format!("/api/chats?sessionId={session_id}"), "chats").await;
    let mut names: Vec<&str> = listed.iter().map(|chat| chat["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Family", "Mona", "Omar", "Sara"]);
    assert_eq!(app.items("message").await.len(), MESSAGES - 5);
    // Repeats the import with the tables as JSON.
    let messages_file = write(folder.path(), "messages.json", &json!(messages).to_string());
    let list = folder.path().join("rejected.csv");
    let again = [
        "supabase",
        "--chats",
        chats_file,
        "--messages",
        messages_file.to_str().unwrap(),
        "--session-id",
        &session_id,
        "--rejected",
        list.to_str().unwrap(),
    ];
    let (report, rejected) = imported(&app, &again).await;
    assert_eq!((count(&report, "imported"), count(&report, "already there")), (0, MESSAGES - 4), "{report}");
    assert!(report.contains("5 chats of the old tables were duplicates and became 2"), "{report}");
    assert_eq!((rejected.as_str(), std::fs::read_to_string(&list).unwrap().lines().count()), ("", 5));
    assert_eq!(app.items("message").await.len(), MESSAGES - 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn csv_file_is_imported_into_a_session_with_a_default_country() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    app.patch("/api/session", &json!({"sessionId": session_id, "defaultCountry": "EG"})).await;
    let folder = tempfile::tempdir().unwrap();
    let rows = "\u{feff}id,contact,fromMe,body,timestamp,note\n\
        1,01001234567,false,Hi,2024-05-06T07:08:09Z,ignored\n\
        2,+201001234567,true,Hello,1714979290,\n\
        3,0100,true,Hello,1714979290,\n";
    let file = write(folder.path(), "messages.csv", rows);
    let file = file.to_str().unwrap();
    let (report, rejected) = imported(&app, &["csv", "--messages", file, "--session-id", &session_id]).await;
    assert!(report.contains("3 rows read, 2 imported, 0 already there, 1 rejected"), "{report}");
    assert!(report.contains("2 spellings of contacts became 1 chats"), "{report}");
    assert!(rejected.starts_with(&format!("{file}:4: contact ")), "{rejected}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn import_that_cannot_start_says_why() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| write(folder.path(), name, content).to_str().unwrap().to_owned();
    let chats = path("chats.csv", "id,session_id,remote_id\n1,a,201001234567\n2,b,201001234568\n");
    let messages = path(
        "messages.csv",
        "id,chat_id,from_me,body,timestamp\n1,1,t,Hi,2024-05-06 07:08:09\n2,2,t,Hi,2024-05-06 07:08:09\n",
    );
    let other = path("other.csv", "id,text\n1,Hi\n");
    let supabase = ["supabase", "--chats", &chats, "--messages", &messages, "--user-id", "ada"];
    let unknown = "00000000-0000-4000-8000-000000000001";
    for (arguments, expected) in [
        (supabase.to_vec(), "has chats of 2 sessions"),
        ([&supabase[..], &["--from-session", "c"]].concat(), "has no chat of the session that --from-session names"),
        (vec!["csv", "--messages", &other, "--user-id", "ada"], "there is no column contact"),
        (vec!["csv", "--messages", "nowhere.csv", "--user-id", "ada"], "nowhere.csv"),
        (vec!["csv", "--messages", &messages, "--session-id", unknown], "404 Not Found: Session not found"),
        (vec!["csv", "--messages", &messages, "--user-id", "ada", "--key", "qk_wrong"], "the API refuses the key"),
    ] {
        let output = import(&app, &arguments).await;
        let stderr = text(&output.stderr);
        assert!(!output.status.success() && stderr.contains(expected), "{arguments:?}: {stderr}");
    }
    assert_eq!(app.items("message").await.len(), 0);
    let (report, _) = imported(&app, &[&supabase[..], &["--from-session", "b"]].concat()).await;
    assert!(report.contains("1 rows read, 1 imported"), "{report}");
    assert!(report.contains("Messages of other sessions, left out: 1"), "{report}");
}
