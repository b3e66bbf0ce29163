use proptest::prelude::*;

use super::*;

fn phone(digits: &str) -> Option<Address> {
    Some(Address::Phone(digits.to_owned()))
}

#[test]
fn common_spellings_parse_to_one_number() {
    for text in [
        "+20 100 123 4567",
        "201001234567",
        "00201001234567",
        "201001234567@s.whatsapp.net",
        "201001234567:3@s.whatsapp.net",
        "201001234567@c.us",
        " +20 (100) 123-4567 ",
        "\u{202a}+20 100 123 4567\u{202c}",
        "+٢٠ ١٠٠ ١٢٣ ٤٥٦٧",
    ] {
        assert_eq!(Address::parse(text), phone("201001234567"), "{text}");
    }
}

#[test]
fn invalid_addresses_are_rejected() {
    for text in [
        "",
        " ",
        "+",
        "hello",
        "12345",
        "1234567890123456",
        "0100123456",
        "20+1001234567",
        "201001234567@lid",
        "@g.us",
        "us.123456",
        "US.",
        "USA.12345",
        "US.12_34",
        "201001234567@",
        "a@g us",
        "１２３４５６７８",
        "123456é",
    ] {
        assert_eq!(Address::parse(text), None, "{text}");
    }
}

#[test]
fn bsuids_and_group_ids_do_not_change() {
    for text in ["US.13491208655302741918", "US.ENT.11815799212886844830", "EG.aBcD"] {
        assert_eq!(Address::parse(text), Some(Address::Bsuid(text.to_owned())));
    }
    assert_eq!(Address::parse("120363418770915618@g.us"), Some(Address::Group("120363418770915618".to_owned())));
    assert_ne!(Address::parse("EG.aBcD").map(|a| a.identity()), Address::parse("EG.abcd").map(|a| a.identity()));
}

#[test]
fn spellings_of_one_number_have_one_identity() {
    for (one, other) in [
        ("5531999998888", "553199998888"),
        ("5511987654321", "551187654321"),
        ("5215512345678", "525512345678"),
        ("5491123456789", "541123456789"),
    ] {
        assert_eq!(phone(one).unwrap().identity(), phone(other).unwrap().identity(), "{one} {other}");
    }
}

#[test]
fn landlines_and_other_countries_do_not_change() {
    for digits in [
        "551133334444",
        "5511912345678",
        "525512345678",
        "541123456789",
        "201001234567",
        "4915112345678",
        "15550783881",
    ] {
        assert_eq!(canonical(digits), digits);
    }
    // A new Brazilian mobile number and the landline without its ninth digit belong to different people.
    assert_ne!(canonical("5511951234567"), canonical("551151234567"));
}

proptest! {
    #[test]
    fn parsing_any_text_does_not_panic(text in any::<String>()) {
        if let Some(address) = Address::parse(&text) {
            address.identity();
        }
    }

    #[test]
    fn canonical_form_is_idempotent(digits in "[1-9][0-9]{6,14}") {
        let once = canonical(&digits);
        prop_assert_eq!(canonical(&once), once);
    }

    #[test]
    fn landline_does_not_become_mobile_number(area in "[1-9][1-9]", subscriber in "[2-5][0-9]{7}") {
        let landline = format!("55{area}{subscriber}");
        prop_assert_eq!(canonical(&landline), landline.as_str());
        prop_assert_ne!(canonical(&format!("55{area}9{subscriber}")), landline);
    }

    #[test]
    fn different_numbers_of_equal_length_have_different_identities(
        one in "5[245][0-9]{9,11}",
        other in "5[245][0-9]{9,11}",
    ) {
        prop_assume!(one.len() == other.len() && one != other);
        prop_assert_ne!(canonical(&one), canonical(&other));
    }

    #[test]
    fn separators_are_ignored(digits in "[1-9][0-9]{6,14}", gaps in proptest::collection::vec(0usize..4, 15)) {
        let mut text = String::from("+");
        for (digit, gap) in digits.chars().zip(gaps) {
            text.push(digit);
            text.push_str(["", " ", "-", ") ("][gap]);
        }
        prop_assert_eq!(Address::parse(&text), phone(&digits));
    }

    #[test]
    fn only_three_countries_have_several_spellings(digits in "[1-46-9][0-9]{6,14}") {
        prop_assert_eq!(canonical(&digits), digits);
    }
}
