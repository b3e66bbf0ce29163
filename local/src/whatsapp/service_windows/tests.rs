use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;
const NUMBER: &str = "106540352242922";

fn user(wa_id: Option<&str>, user_id: &str) -> User {
    User { wa_id: wa_id.map(str::to_owned), user_id: user_id.to_owned(), name: None, username: None }
}

/// Returns the windows after a webhook with these members of `value`.
fn opened(members: &Value) -> ServiceWindows {
    let mut value = json!({"metadata": {"display_phone_number": "15550783881", "phone_number_id": NUMBER}});
    value.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let mut windows = ServiceWindows::default();
    let body = json!({"entry": [{"changes": [{"value": value}]}]}).to_string();
    Opening::all(&body, NOW).into_iter().for_each(|opening| windows.open(opening));
    windows
}

fn is_open(members: &Value) -> bool {
    opened(members).is_open(NUMBER, &user(Some("201001234567"), "EG.7"), NOW)
}

#[test]
fn a_window_ends_24_hours_after_the_last_message() {
    let message = |at: i64| json!({"from": "201001234567", "timestamp": at.to_string(), "type": "text"});
    let windows = opened(&json!({"messages": [message(NOW), message(NOW - 100)]}));
    let customer = user(Some("201001234567"), "EG.7");
    assert!(windows.is_open(NUMBER, &customer, NOW + WINDOW_SECONDS - 1));
    assert!(!windows.is_open(NUMBER, &customer, NOW + WINDOW_SECONDS));
    // A clock that is ahead does not extend the window.
    let windows = opened(&json!({"messages": [message(NOW + 1000)]}));
    assert!(!windows.is_open(NUMBER, &customer, NOW + WINDOW_SECONDS));
}

#[test]
fn a_window_is_between_one_number_and_one_user() {
    let message = json!({"from": "201001234567", "from_user_id": "EG.7", "timestamp": NOW.to_string(), "type": "text"});
    let windows = opened(&json!({"messages": [message]}));
    assert!(windows.is_open(NUMBER, &user(Some("201001234567"), "EG.8"), NOW));
    assert!(windows.is_open(NUMBER, &user(None, "EG.7"), NOW));
    assert!(!windows.is_open(NUMBER, &user(Some("201007654321"), "EG.8"), NOW));
    assert!(!windows.is_open("7", &user(Some("201001234567"), "EG.7"), NOW));
}

#[test]
fn messages_and_answered_calls_open_the_window() {
    let at = NOW.to_string();
    let message = |kind: &str| json!({"messages": [{"from_user_id": "EG.7", "timestamp": at, "type": kind}]});
    let call = |direction: &str, status: &str| {
        json!({"calls": [{"from": "15550783881", "to": "201001234567", "event": "terminate", "timestamp": at,
            "direction": direction, "status": status}]})
    };
    let status = |kind: &str, status: &str| {
        json!({"statuses": [{"id": "1", "type": kind, "status": status, "timestamp": at,
            "recipient_id": "201001234567"}]})
    };
    for (members, expected) in [
        (message("reaction"), true),
        (message("request_welcome"), true),
        (message("system"), false),
        (call("USER_INITIATED", "FAILED"), true),
        (call("BUSINESS_INITIATED", "COMPLETED"), true),
        (call("BUSINESS_INITIATED", "FAILED"), false),
        (status("call", "ACCEPTED"), true),
        (status("call", "REJECTED"), false),
        (status("message", "ACCEPTED"), false),
        (json!({"messages": [{"from": "201001234567", "timestamp": "x", "type": "text"}]}), false),
        (json!({"messages": {}}), false),
    ] {
        assert_eq!(is_open(&members), expected, "{members}");
    }
    // The start of a call counts, not its end.
    let started = (NOW - WINDOW_SECONDS).to_string();
    let call = json!({"from": "201001234567", "direction": "USER_INITIATED", "timestamp": at, "start_time": started});
    assert!(!is_open(&json!({"calls": [call]})));
}
