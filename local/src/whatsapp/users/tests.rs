use super::*;

#[test]
fn phone_numbers_are_parsed_in_common_formats() {
    for text in ["+20 100 123 4567", "201001234567", "+20 (100) 123-4567", " 20.100.123.4567 "] {
        assert_eq!(Address::phone(text).unwrap().as_str(), "201001234567", "{text}");
    }
    for text in ["", "+", "123456", "1234567890123456", "20100x234567", "2010+01234567", "٢٠١٠٠١٢٣٤٥٦٧"] {
        assert_eq!(Address::phone(text), None, "{text}");
    }
}

#[test]
fn valid_user_ids_stay_unchanged() {
    for text in ["US.13491208655302741918", "EG.aB3", "US.ENT.11815799212886844830"] {
        assert_eq!(Address::user_id(text).unwrap().as_str(), text);
    }
    let too_long = format!("US.{}", "1".repeat(129));
    for text in ["US", "US.", "us.1", "USA.1", "US.1.2", "US.ENT.", "US.1 2", too_long.as_str()] {
        assert_eq!(Address::user_id(text), None, "{text}");
    }
}

#[test]
fn a_masked_address_shows_four_characters() {
    assert_eq!(Address::phone("+201001234567").unwrap().masked(), "…4567");
}

#[test]
fn a_phone_number_keeps_its_user_id() {
    let mut users = Users::default();
    let phone = Address::phone("201001234567").unwrap();
    let derived = users.get(&phone).user_id;
    assert_eq!(Address::user_id(&derived).unwrap().as_str(), derived);
    assert_eq!(users.get(&phone).user_id, derived);

    let user =
        User { wa_id: Some("201001234567".into()), user_id: "EG.7".into(), name: Some("Mona".into()), username: None };
    users.remember(&user);
    assert_eq!(users.get(&phone), user);
    assert_eq!(users.get(&Address::user_id("EG.7").unwrap()), user);
}
