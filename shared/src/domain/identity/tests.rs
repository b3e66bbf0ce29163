use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Address, AddressError> {
    Address::parse(text, None)
}

fn phone(digits: &str) -> Address {
    Address::Phone(digits.to_owned())
}

#[test]
fn spellings_links_and_jids_of_a_number_are_one_address() {
    for text in [
        "+20 100 123 4567",
        "201001234567",
        "00201001234567",
        " +20 (100) 123-4567 ",
        "\u{202a}+20 100 123 4567\u{202c}",
        "+٢٠ ١٠٠ ١٢٣ ٤٥٦٧",
        "201001234567@s.whatsapp.net",
        "201001234567@c.us",
        "+201001234567@c.us",
        "201001234567:3@s.whatsapp.net",
        "201001234567.0:4@s.whatsapp.net",
        "201001234567_1:4@s.whatsapp.net",
        "201001234567:99@hosted",
        "201001234567@S.WhatsApp.net",
        "whatsapp:+201001234567",
        "WhatsApp:201001234567",
        "whatsapp://send?phone=201001234567&text=hi",
        "whatsapp://send/?text=hi&phone=%2B201001234567",
        "tel:+20-100-123-4567",
        "tel:1001234567;phone-context=+20",
        "https://wa.me/201001234567",
        "https://wa.me/+201001234567?text=hi%20there",
        "http://www.wa.me/201001234567/",
        "wa.me/201001234567",
        "https://api.whatsapp.com/send?phone=201001234567",
        "https://api.whatsapp.com/send/?phone=%2B20%20100%20123%204567&text&type=phone_number",
        "https://web.whatsapp.com/send?text=hi&phone=201001234567#x",
        "https://wa.me/2001001234567",
    ] {
        assert_eq!(parse(text), Ok(phone("201001234567")), "{text}");
    }
}

#[test]
fn name_of_a_new_contact_is_the_number_as_written_or_else_the_address() {
    for (text, name) in [
        ("201001234567", "201001234567"),
        ("+201001234567", "+201001234567"),
        ("00201001234567", "00201001234567"),
        (" +20 (100) 123-4567 ", "+20 (100) 123-4567"),
        ("\u{202a}+20 100 123 4567\u{202c}", "+20 100 123 4567"),
        ("+٢٠ ١٠٠ ١٢٣ ٤٥٦٧", "+٢٠ ١٠٠ ١٢٣ ٤٥٦٧"),
        ("https://wa.me/201001234567", "+201001234567"),
        ("wa.me/201001234567", "+201001234567"),
        ("tel:+20-100-123-4567", "+201001234567"),
        ("whatsapp:+201001234567", "+201001234567"),
        ("whatsapp://send?phone=201001234567&text=hi", "+201001234567"),
        ("201001234567@s.whatsapp.net", "+201001234567"),
        ("201001234567:3@s.whatsapp.net", "+201001234567"),
        ("888888@lid", "888888"),
        ("120363041234567890@g.us", "120363041234567890"),
        ("US.13491208655302741918", "US.13491208655302741918"),
    ] {
        assert_eq!(parse(text).unwrap().name_as_written(text), name, "{text}");
    }
}

#[test]
fn default_country_does_not_change_links_and_jids() {
    // With a default country, these digits alone would be a number in New Jersey.
    for text in ["https://wa.me/2015550123", "whatsapp:2015550123", "2015550123@s.whatsapp.net", "+2015550123"] {
        assert_eq!(Address::parse(text, "US".parse().ok()), Ok(phone("2015550123")), "{text}");
    }
    assert_eq!(Address::parse("2015550123", "US".parse().ok()), Ok(phone("12015550123")));
}

#[test]
fn other_texts_are_refused_with_their_reason() {
    use AddressError::{Broadcast, Link, NotAnAddress, PhoneNumber};
    for (text, error) in [
        ("", NotAnAddress),
        ("hello", NotAnAddress),
        ("@g.us", NotAnAddress),
        ("@lid", NotAnAddress),
        ("abc@lid", NotAnAddress),
        ("201001234567@", NotAnAddress),
        ("201001234567@example.com", NotAnAddress),
        ("0@s.whatsapp.net", NotAnAddress),
        ("a@g us", NotAnAddress),
        ("867051314767696@bot", NotAnAddress),
        ("us.123456", NotAnAddress),
        ("US.", NotAnAddress),
        ("USA.12345", NotAnAddress),
        ("status@broadcast", Broadcast),
        ("1234567890@broadcast", Broadcast),
        ("120363144038483540@newsletter", Broadcast),
        ("https://wa.me/message/ABCDEFGHIJKL", Link),
        ("https://wa.me/", Link),
        ("https://chat.whatsapp.com/JiNJYDzP2WDG", Link),
        ("https://whatsapp.com/channel/0029", Link),
        ("https://api.whatsapp.com/send?text=hi", Link),
        ("https://example.com/201001234567", Link),
        ("tel:", Link),
        ("whatsapp:", Link),
        ("tel:+1-415-555-0101;ext=5", PhoneNumber(PhoneNumberError::Extension)),
        ("tel:7911900001", PhoneNumber(PhoneNumberError::Impossible)),
        ("https://wa.me/0201001234567", PhoneNumber(PhoneNumberError::Impossible)),
        ("14155550101.0", PhoneNumber(PhoneNumberError::Spreadsheet)),
        ("4155550102", PhoneNumber(PhoneNumberError::NoCountryCode)),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
}

#[test]
fn whatsapps_own_numbers_are_never_refused_or_rewritten() {
    // None of them is of a numbering plan.
    for digits in ["15550783881", "999123456789", "5215512345678", "22997000001", "4407911900001", "1234567"] {
        assert_eq!(Address::from_wa_id(digits), Some(phone(digits)));
        assert_eq!(Address::from_device(digits), Ok(phone(digits)));
        assert_eq!(Address::from_destination(digits), Some(phone(digits)));
        assert_eq!(parse(&format!("{digits}@s.whatsapp.net")), Ok(phone(digits)));
    }
    assert_eq!(Address::from_device("+20 100 123 4567"), Ok(phone("201001234567")));
}

#[test]
fn lids_are_addresses_of_their_own() {
    for text in ["1234567890123@lid", "1234567890123:4@lid", "1234567890123.1:4@lid", "1234567890123:99@hosted.lid"] {
        let address = parse(text).unwrap();
        assert_eq!(address, Address::Lid("1234567890123".to_owned()), "{text}");
        assert_eq!(address.remote_id(), "1234567890123@lid");
        assert_eq!(address.identity(), Identity::Lid("1234567890123".to_owned()));
    }
    assert_ne!(parse("201001234567@lid").unwrap().identity(), parse("201001234567").unwrap().identity());
    assert_ne!(parse("201001234567@lid").unwrap().identity().to_string(), "phone:201001234567");
}

#[test]
fn bsuids_and_group_ids_do_not_change() {
    for text in ["US.13491208655302741918", "US.ENT.11815799212886844830", "EG.aBcD"] {
        assert_eq!(parse(text), Ok(Address::Bsuid(text.to_owned())));
    }
    assert_eq!(parse("120363418770915618@g.us"), Ok(Address::Group("120363418770915618".to_owned())));
    assert_ne!(parse("EG.aBcD").unwrap().identity(), parse("EG.abcd").unwrap().identity());
}

#[test]
fn destinations_are_read_as_they_were_stored() {
    for address in [
        phone("201001234567"),
        Address::Bsuid("US.13491208655302741918".to_owned()),
        Address::Lid("1234567890123".to_owned()),
        Address::Group("120363418770915618".to_owned()),
    ] {
        assert_eq!(Address::from_destination(&address.destination()), Some(address.clone()));
        assert_eq!(parse(&address.remote_id()), Ok(address));
    }
}

proptest! {
    #[test]
    fn parsing_any_text_does_not_panic(
        text in any::<String>(),
        start in "(tel:|whatsapp:|whatsapp://|https://wa.me/|https://api.whatsapp.com/send\\?phone=|)",
        end in "(@lid|@g.us|@s.whatsapp.net|)",
    ) {
        if let Ok(address) = parse(&format!("{start}{text}{end}")) {
            prop_assert_eq!(Address::from_destination(&address.destination()), Some(address));
        }
    }
}
