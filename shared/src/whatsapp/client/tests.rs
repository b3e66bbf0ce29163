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
