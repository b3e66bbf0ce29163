use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_700_000_000;

fn parameters(value: Value) -> Parameters {
    serde_json::from_value(value).map(Parameters).unwrap()
}

fn register(registration: &mut Registration, pin: &str, now: i64) -> Result<(), u32> {
    let parameters = parameters(json!({"messaging_product": "whatsapp", "pin": pin}));
    registration.register(&parameters, now).map_err(|error| error.code)
}

#[test]
fn the_first_registration_sets_the_pin() {
    let mut registration = Registration::default();
    registration.deregister(NOW).unwrap();
    assert!(!registration.is_registered);
    assert_eq!(registration.deregister(NOW).unwrap_err().code, 133_010);
    assert_eq!(register(&mut registration, "212834", NOW), Ok(()));
    assert!(registration.is_registered);
    assert_eq!(register(&mut registration, "212835", NOW), Err(133_005));
    registration.set_pin(&parameters(json!({"pin": "212835"}))).unwrap();
    assert_eq!(register(&mut registration, "212835", NOW), Ok(()));
    for pin in ["", "12345", "1234567", "12345a", "１２３４５６"] {
        assert_eq!(register(&mut Registration::default(), pin, NOW), Err(100), "{pin}");
        assert!(registration.set_pin(&parameters(json!({"pin": pin}))).is_err());
    }
}

#[test]
fn local_storage_lasts_until_the_deregistration() {
    let mut registration = Registration::default();
    let with_region = |region: &str| {
        parameters(json!({"messaging_product": "whatsapp", "pin": "212834", "data_localization_region": region}))
    };
    registration.register(&with_region("CH"), NOW).unwrap();
    assert_eq!(registration.region.as_deref(), Some("CH"));
    assert_eq!(registration.register(&with_region("FR"), NOW).unwrap_err().code, 100);
    registration.deregister(NOW).unwrap();
    assert_eq!(registration.region, None);
}

#[test]
fn ten_requests_in_72_hours_are_accepted() {
    let mut registration = Registration::default();
    for _ in 0..5 {
        assert_eq!(register(&mut registration, "212834", NOW), Ok(()));
        assert_eq!(register(&mut registration, "212835", NOW + 1), Err(133_005));
    }
    assert_eq!(register(&mut registration, "212834", NOW + 72 * 3600 - 1), Err(133_016));
    assert_eq!(register(&mut registration, "212834", NOW + 72 * 3600), Ok(()));
    // Deregistrations have their own limit.
    for _ in 0..10 {
        let _ = registration.deregister(NOW);
    }
    assert_eq!(registration.deregister(NOW).unwrap_err().code, 133_016);
}

#[test]
fn a_number_is_verified_with_a_code() {
    let mut registration = Registration { is_verified: false, is_registered: false, ..Registration::default() };
    assert_eq!(register(&mut registration, "212834", NOW), Err(133_006));
    let request = parameters(json!({"code_method": "SMS", "language": "en_US"}));
    let request_code = |registration: &mut Registration, request: &Parameters| {
        registration.request_code(request, "123830".to_owned(), NOW).map_err(|error| error.code)
    };
    for invalid in [json!({"code_method": "MAIL", "language": "en"}), json!({"code_method": "SMS"}), json!({})] {
        assert_eq!(request_code(&mut registration, &parameters(invalid)), Err(100));
    }
    assert_eq!(request_code(&mut registration, &request), Ok(()));
    let verify = |registration: &mut Registration, code: &str, now| {
        registration.verify_code(&parameters(json!({"code": code})), now).map_err(|error| error.code)
    };
    assert_eq!(verify(&mut registration, "123831", NOW), Err(100));
    assert_eq!(verify(&mut registration, "123830", NOW + 600), Err(100));
    assert_eq!(verify(&mut registration, "123-830", NOW + 599), Ok(()));
    assert!(registration.is_verified);
    assert_eq!(verify(&mut registration, "123830", NOW), Err(100));
    assert_eq!(request_code(&mut registration, &request), Err(100));
    assert_eq!(register(&mut registration, "212834", NOW), Ok(()));
}
