use super::*;

#[test]
fn code_decides_the_error_class() {
    let error_with = |code: i64| {
        let body = format!(r#"{{"error":{{"message":"m","code":{code},"fbtrace_id":"A"}}}}"#);
        send_error(400, None, body.as_bytes())
    };
    for (class, codes) in [
        (ErrorClass::NotSent, &[4, 80007, 130_429, 131_057][..]),
        (ErrorClass::RecipientLimit, &[131_056]),
        (ErrorClass::Indeterminate, &[1, 2, 131_000, 131_016]),
        (ErrorClass::AccountBlocked, &[0, 10, 190, 200, 299, 368, 131_031, 131_042]),
        (ErrorClass::Refused, &[100, 131_026, 131_047, 132_001, 999_999, -1]),
    ] {
        for &code in codes {
            assert_eq!(error_with(code).class, class, "{code}");
        }
    }
    let error = error_with(131_026);
    assert_eq!((error.code, error.fbtrace_id.as_deref()), (Some(131_026), Some("A")));
}

#[test]
fn response_without_code_or_message_id_is_indeterminate() {
    assert_eq!(send_error(502, None, b"<html>").class, ErrorClass::Indeterminate);
    assert_eq!(send_error(400, None, b"{\"error\":{}}").class, ErrorClass::Indeterminate);
    for body in ["{}", "{\"messages\":[]}", "{\"messages\":[{\"id\":\"\"}]}"] {
        let SendResult::Failed(error) = send_result(body.as_bytes()) else { panic!("accepted") };
        assert_eq!(error.class, ErrorClass::Indeterminate);
    }
}

#[test]
fn errors_keep_their_code_and_reason_in_every_shape() {
    for (body, class, error) in [
        (r#"{"error": {"code": "131056", "message": "Pair rate"}}"#, ErrorClass::RecipientLimit, "Pair rate (131056)"),
        (
            r#"{"error": {"code": 131026, "error_data": {"details": 7}}}"#,
            ErrorClass::Refused,
            "WhatsApp refused the message (131026): 7",
        ),
        (r#"{"error": "Service down"}"#, ErrorClass::Indeterminate, "Service down"),
        (r#"{"errors": [{"code": 190}]}"#, ErrorClass::AccountBlocked, "WhatsApp refused the message (190)"),
        (r#"[{"error": {"code": 4}}]"#, ErrorClass::NotSent, "WhatsApp refused the message (4)"),
        ("<html><body>Bad gateway</body></html>", ErrorClass::Indeterminate, "WhatsApp responded 502 without an error"),
        (" \n", ErrorClass::Indeterminate, "WhatsApp responded 502 without an error"),
        ("[]", ErrorClass::Indeterminate, "WhatsApp responded 502 without an error"),
        (
            "upstream\r\nconnect error",
            ErrorClass::Indeterminate,
            "WhatsApp responded 502 without an error: upstream connect error",
        ),
    ] {
        let found = send_error(502, None, body.as_bytes());
        assert_eq!((found.class, found.error.as_str()), (class, error), "{body}");
    }
    let long = send_error(500, None, "é".repeat(5000).as_bytes());
    assert!(long.error.chars().count() < 300);
    assert_eq!(send_error(500, None, b"\xff\xfe").class, ErrorClass::Indeterminate);
}

#[test]
fn an_error_with_status_200_is_an_error() {
    let SendResult::Failed(error) = send_result(br#"{"error": {"code": 131026}}"#) else { panic!("accepted") };
    assert_eq!((error.class, error.code), (ErrorClass::Refused, Some(131_026)));
}

fn accepted(body: &str) -> (String, Option<String>, Option<String>, Option<String>) {
    match send_result(body.as_bytes()) {
        SendResult::Accepted { wamid, wa_id, user_id, message_status } => (wamid, wa_id, user_id, message_status),
        SendResult::Failed(error) => panic!("{body}: {error:?}"),
    }
}

#[test]
fn only_the_message_id_is_required() {
    let some = |text: &str| Some(text.to_owned());
    for (body, wa_id, user_id) in [
        (
            r#"{"messages": [{"id": "w"}], "contacts": [{"wa_id": "201", "user_id": "EG.1"}]}"#,
            some("201"),
            some("EG.1"),
        ),
        (r#"{"messages": [{"id": "w"}], "contacts": [{"wa_id": 201}]}"#, some("201"), None),
        (r#"{"messages": {"id": "w"}, "contacts": {"wa_id": "201"}}"#, some("201"), None),
        (r#"{"messages": [{"id": "w"}], "contacts": null}"#, None, None),
        (r#"{"messages": [{"id": "w"}], "contacts": "201"}"#, None, None),
        (
            r#"{"messages": [{"id": "w", "message_status": {}}], "contacts": [{"wa_id": {}, "user_id": ""}]}"#,
            None,
            None,
        ),
    ] {
        assert_eq!(accepted(body), ("w".to_owned(), wa_id, user_id, None), "{body}");
    }
    let long = json!({"messages": [{"id": "w".repeat(MAX_ID_BYTES + 1)}]}).to_string();
    assert!(matches!(send_result(long.as_bytes()), SendResult::Failed(_)), "a wamid is a key");
}

#[test]
fn a_held_message_has_its_status() {
    for (status, expected) in [
        ("held_for_quality_assessment", Some("held_for_quality_assessment")),
        ("paused", Some("paused")),
        ("a_later_value", Some("a_later_value")),
        ("accepted", None),
        ("ACCEPTED", None),
        ("", None),
        ("line\nbreak", None),
        (&*"x".repeat(65), None),
    ] {
        let body = json!({"messages": [{"id": "w", "message_status": status}]}).to_string();
        assert_eq!(accepted(&body).3.as_deref(), expected, "{status}");
    }
}
