use proptest::prelude::*;

use super::*;

fn resolve(text: &str, country: Option<&str>) -> Result<String, PhoneNumberError> {
    Written::read(text)?.resolve(country.map(|code| code.parse().unwrap()))
}

fn read(text: &str) -> Result<String, PhoneNumberError> {
    resolve(text, None)
}

/// Region, country code, trunk prefix, and national number of libphonenumber's example of a mobile number.
fn examples() -> Vec<[&'static str; 4]> {
    let lines = include_str!("examples.tsv").lines().skip(2);
    let fields = lines.map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap());
    fields.collect()
}

fn full_width(text: &str) -> String {
    text.chars().map(|c| c.to_digit(10).map_or(c, |digit| char::from_u32(0xff10 + digit).unwrap())).collect()
}

#[test]
fn every_spelling_of_a_mobile_number_of_every_region_is_one_number() {
    let examples = examples();
    assert_eq!(examples.len(), 244);
    for [region, code, trunk, national] in examples {
        let e164 = format!("{code}{national}");
        let identity = canonical(&e164);
        let spellings = [
            format!("+{e164}"),
            format!("+{code} {national}"),
            format!("00{e164}"),
            format!("00 {code} {national}"),
            e164.clone(),
            format!("+{code} ({trunk}) {national}"),
            format!("{code}{trunk}{national}"),
            full_width(&format!("+{e164}")),
            full_width(&e164),
            format!("\u{202a}+{e164}\u{202c}"),
        ];
        for text in spellings {
            assert_eq!(read(&text).map(|digits| canonical(&digits)), Ok(identity.clone()), "{region} {text}");
        }
        for text in [format!("{trunk}{national}"), format!("+{e164}"), format!("00{e164}"), e164.clone()] {
            let found = resolve(&text, Some(region)).map(|digits| canonical(&digits));
            assert_eq!(found, Ok(identity.clone()), "{region} {text}");
        }
    }
}

#[test]
fn trunk_prefix_after_the_country_code_is_dropped() {
    for (text, number) in [
        ("+44 (0)7911 900001", "447911900001"),
        ("0044 (0) 7911 900001", "447911900001"),
        ("4407911900001", "447911900001"),
        ("+49 (0)151 12345678", "4915112345678"),
        ("+974 (0) 3312 3456", "97433123456"),
        ("+55 (0)11 96123-4567", "5511961234567"),
        ("+55 0 15 11 96123-4567", "5511961234567"),
        ("+971 (0)50 123 4567", "971501234567"),
        ("+54 11 15-2345-6789", "5491123456789"),
        ("+54 (011) 15 2345-6789", "5491123456789"),
        ("+54 9 11 2345-6789", "5491123456789"),
        ("+33 (0)6 12 34 56 78", "33612345678"),
        ("+7 8 912 345 67 89", "79123456789"),
        ("+36 06 20 123 4567", "36201234567"),
        ("+1 (1) 415 555 0101", "14155550101"),
        ("+241 0 66 03 12 34", "24166031234"),
        ("+49 (0) 0151 12345678", "4915112345678"),
    ] {
        assert_eq!(read(text).as_deref(), Ok(number), "{text}");
    }
}

#[test]
fn leading_zero_of_a_national_number_is_kept() {
    for number in [
        "390612345678",
        "3780549886377",
        "3906698812345",
        "2250123456789",
        "2290195123456",
        "242061234567",
        "24106031234",
    ] {
        assert_eq!(read(&format!("+{number}")).as_deref(), Ok(number));
        assert_eq!(read(number).as_deref(), Ok(number));
    }
}

#[test]
fn number_without_a_country_code_needs_a_default_country() {
    for (text, country, number) in [
        ("4155550102", "US", "14155550102"),
        ("(415) 555-0102", "US", "14155550102"),
        ("1 415 555 0102", "US", "14155550102"),
        ("0100 123 4567", "EG", "201001234567"),
        ("100 123 4567", "EG", "201001234567"),
        ("07911 900001", "GB", "447911900001"),
        ("011 15-2345-6789", "AR", "5491123456789"),
        ("97 00 00 01", "BJ", "22997000001"),
        ("07 01 02 03 04", "CI", "2250701020304"),
        ("06 12345678", "IT", "390612345678"),
        ("8 (912) 345-67-89", "RU", "79123456789"),
    ] {
        assert_eq!(resolve(text, Some(country)).as_deref(), Ok(number), "{text}");
        let without = resolve(text, None);
        assert!(without.is_err() || country == "US" && text.starts_with('1'), "{text}: {without:?}");
    }
    assert_eq!(read("4155550102"), Err(PhoneNumberError::NoCountryCode));
    assert_eq!(resolve("4155550102", Some("EG")), Err(PhoneNumberError::NotInCountry));
}

#[test]
fn digits_with_a_country_code_are_accepted_with_any_default_country() {
    for country in ["US", "EG", "DE", "BR", "IT", "IN"] {
        for number in ["201001234567", "14155550101", "4915112345678", "5511961234567", "919876543210", "33612345678"] {
            assert_eq!(resolve(number, Some(country)).as_deref(), Ok(number), "{country}");
        }
    }
}

#[test]
fn national_number_wins_unless_only_the_international_one_is_mobile() {
    // New Jersey, or a landline in Egypt.
    assert_eq!(resolve("2015550123", Some("US")).as_deref(), Ok("12015550123"));
    // Area code 452 isn't in use in the United States. With Denmark's country code, it is a mobile number.
    assert_eq!(resolve("4520123456", Some("US")).as_deref(), Ok("4520123456"));
    // A landline in Essen, or a mobile number in Egypt.
    assert_eq!(resolve("201001234567", Some("DE")).as_deref(), Ok("201001234567"));
}

#[test]
fn call_prefix_of_the_default_country_is_dropped() {
    for (text, country) in [
        ("011 20 100 123 4567", "US"),
        ("010 20 100 123 4567", "JP"),
        ("0011 20 100 123 4567", "AU"),
        ("810 20 100 123 4567", "RU"),
        ("0021 20 100 123 4567", "BR"),
        ("00 20 100 123 4567", "US"),
        ("00 20 100 123 4567", "BR"),
    ] {
        assert_eq!(resolve(text, Some(country)).as_deref(), Ok("201001234567"), "{text}");
    }
    assert_eq!(read("011 20 100 123 4567"), Err(PhoneNumberError::NoCountryCode));
}

#[test]
fn national_numbers_of_every_region_of_a_country_code_are_read() {
    for (text, country, number) in [
        ("(248) 460-1234", "JM", "12484601234"),
        ("(212) 555-0123", "JM", "12125550123"),
        ("(212) 555-0123", "PR", "12125550123"),
        ("248 460 1234", "BS", "12484601234"),
        ("1 248 460 1234", "BS", "12484601234"),
        ("460-1234", "BS", "12424601234"),
        ("629 747 1234", "TT", "16297471234"),
        ("9 518 1234", "BQ", "59995181234"),
        ("8 912 345 67 89", "KZ", "79123456789"),
        ("912 345 67 89", "KZ", "79123456789"),
        ("512 34 567", "SJ", "4751234567"),
        ("020 7946 0018", "JE", "442079460018"),
        ("020 7946 0018", "IM", "442079460018"),
        ("020 7946 0018", "GG", "442079460018"),
        ("06 12345678", "VA", "390612345678"),
    ] {
        assert_eq!(resolve(text, Some(country)).as_deref(), Ok(number), "{country} {text}");
    }
}

#[test]
fn call_prefix_that_starts_with_two_zeros_is_dropped_as_a_whole() {
    for (text, country, number) in [
        ("0011 64 21 123 456", "AU", "6421123456"),
        ("0011 65 8123 4567", "AU", "6581234567"),
        ("001 673 712 3456", "SG", "6737123456"),
        ("001 65 8123 4567", "HK", "6581234567"),
        ("009 504 2212 3406", "NG", "50422123406"),
        ("0021 49 151 12345678", "BR", "4915112345678"),
    ] {
        assert_eq!(resolve(text, Some(country)).as_deref(), Ok(number), "{country} {text}");
    }
}

#[test]
fn number_after_two_zeros_is_not_read_as_another_one() {
    for [_, code, _, national] in examples() {
        let number = format!("{code}{national}");
        for country in ["AU", "SG", "HK", "NG", "KR", "TW", "CO", "ID", "TH", "MN", "KH", "BR"] {
            let found = resolve(&format!("00{number}"), Some(country));
            assert!(found == Ok(number.clone()) || found == Err(PhoneNumberError::Ambiguous), "{country} {found:?}");
        }
    }
}

#[test]
fn of_the_numbers_after_two_call_prefixes_the_mobile_one_wins() {
    for (text, country, number) in [
        // In each case, the rest after a longer prefix is a landline of another country.
        ("0033 6 27 32 57 40", "SG", "33627325740"),
        ("0084 96 869 81 22", "HK", "84968698122"),
        ("0055 49 99123-4567", "BR", "5549991234567"),
    ] {
        assert_eq!(resolve(text, Some(country)).as_deref(), Ok(number), "{country} {text}");
    }
    // Mobile numbers in Ethiopia and Peru, and in India and the United States.
    for (text, country) in [("00251 91 650 7596", "HK"), ("0091 84747 56381", "HK"), ("0091 82533 17992", "SG")] {
        assert_eq!(resolve(text, Some(country)), Err(PhoneNumberError::Ambiguous), "{country} {text}");
    }
}

#[test]
fn texts_that_are_not_one_phone_number_are_refused_with_their_reason() {
    use PhoneNumberError::{Extension, Impossible, Letters, NoCountryCode, NotANumber, Several, Spreadsheet};
    for (text, error) in [
        ("", NotANumber),
        ("+", NotANumber),
        ("hello", NotANumber),
        ("😀", NotANumber),
        ("14155550101*", NotANumber),
        ("14155550101.0", Spreadsheet),
        ("+14155550101,00", Spreadsheet),
        ("1.4155550101E10", Spreadsheet),
        ("1,4155550101E+10", Spreadsheet),
        ("1E10", Spreadsheet),
        ("1.4155550101Ｅ+10", Spreadsheet),
        ("436641234567.000", Spreadsheet),
        ("+62812345678.000", Spreadsheet),
        ("+49 151 1234567.0", Spreadsheet),
        ("43 664 1234567.0", Spreadsheet),
        ("436 641 234 567,00", Spreadsheet),
        ("(436641234567).0", Spreadsheet),
        ("+49-151-1234567.0", Spreadsheet),
        ("\u{202a}+436641234567.0\u{202c}", Spreadsheet),
        ("٤٣٦٦٤١٢٣٤٥٦٧.٠", Spreadsheet),
        ("٤٣٦٦٤١٢٣٤٥٦٧٫٠", Spreadsheet),
        ("４３６６４１２３４５６７.0", Spreadsheet),
        ("４３６６４１２３４５６７．００", Spreadsheet),
        ("436641234567，0", Spreadsheet),
        ("1-800-FLOWERS", Letters),
        ("+1 415 555 CALL", Letters),
        ("123456é", Letters),
        ("+14155550101 ext. 5", Extension),
        ("+14155550101x5", Extension),
        ("+14155550101;ext=5", Extension),
        ("+14155550101#5", Extension),
        ("+14155550101,,5", Extension),
        ("+14155550101/+14155550102", Several),
        ("14155550101 / 14155550102", Several),
        ("14155550101,14155550102", Several),
        ("14155550101; 14155550102", Several),
        ("14155550101 or 14155550102", Several),
        ("14155550101\n14155550102", Several),
        ("20+1001234567", Several),
        ("+1415555010", Impossible),
        ("+43000000", Impossible),
        ("+141555501011", Impossible),
        ("+999123456789", Impossible),
        ("+0201001234567", Impossible),
        ("00999123456789", Impossible),
        ("+1234567890123456", Impossible),
        ("12345", NoCountryCode),
        ("1234567890123456", NoCountryCode),
        ("0100123456", NoCountryCode),
    ] {
        assert_eq!(read(text), Err(error), "{text}");
    }
}

#[test]
fn punctuation_between_digits_is_ignored() {
    for text in [
        "+20 100 123 4567",
        "(+20) 100-123-4567",
        "+20.100.123.4567",
        "+20 100 123.4567",
        "+20 1001.234567",
        "+20\u{a0}100\u{2011}123\u{2013}4567",
        "＋２０（１００）１２３－４５６７",
        "++201001234567",
        "+20/100/1234567",
        "+20·100·123·4567",
    ] {
        assert_eq!(read(text).as_deref(), Ok("201001234567"), "{text}");
    }
}

#[test]
fn digits_of_other_scripts_are_digits() {
    for text in ["+٢٠١٠٠١٢٣٤٥٦٧", "+۲۰۱۰۰۱۲۳۴۵۶۷", "+२०१००१२३४५६७", "+২০১০০১২৩৪৫৬৭", "+２０１００１２３４５６７"]
    {
        assert_eq!(read(text).as_deref(), Ok("201001234567"), "{text}");
    }
}

#[test]
fn numbers_from_before_and_after_a_renumbering_are_one() {
    for (one, other) in [
        ("5531999998888", "553199998888"),
        ("5215512345678", "525512345678"),
        ("5491123456789", "541123456789"),
        ("22997000001", "2290197000001"),
        ("22507010203", "2250707010203"),
        ("22504010203", "2250504010203"),
        ("22501010203", "2250101010203"),
        ("22548010203", "2250748010203"),
        ("22520301020", "2252720301020"),
        ("22520001020", "2252520001020"),
        ("22520801020", "2252120801020"),
        ("24107123456", "24177123456"),
        ("24106123456", "24166123456"),
        ("24101123456", "24111123456"),
        ("2416123456", "24166123456"),
        ("841691234567", "84391234567"),
        ("841201234567", "84701234567"),
    ] {
        assert_eq!(canonical(one), canonical(other), "{one} {other}");
        // Neither spelling is rewritten: WhatsApp may know only that one.
        for spelling in [one, other] {
            assert_eq!(read(spelling).as_deref(), Ok(spelling));
            assert_eq!(read(&format!("+{spelling}")).as_deref(), Ok(spelling));
        }
    }
}

#[test]
fn landlines_and_other_countries_are_not_renumbered() {
    for digits in [
        "551133334444",
        "5511912345678",
        "525512345678",
        "541123456789",
        "201001234567",
        "4915112345678",
        "15550783881",
        "22981000001",
        "22512345678",
        "84391234567",
    ] {
        assert_eq!(canonical(digits), digits);
    }
    // A new Brazilian mobile number and the landline without its ninth digit belong to different people.
    assert_ne!(canonical("5511951234567"), canonical("551151234567"));
}

/// Digits with the country codes that have several spellings drawn more often.
fn number() -> impl Strategy<Value = String> {
    prop_oneof!["[1-9][0-9]{6,14}", "(52|54|55|84|225|229|241)[0-9]{5,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn reading_any_text_does_not_panic(text in any::<String>(), country in "[A-Z]{2}") {
        if let Ok(written) = Written::read(&text) {
            let _ = written.resolve(country.parse().ok());
        }
    }

    #[test]
    fn a_number_that_was_read_reads_as_itself(
        text in "(\\+|00|0|1|)[0-9]{5,14}",
        country in proptest::sample::select(vec![None, Some("US"), Some("EG"), Some("AR"), Some("BR"), Some("RU")]),
    ) {
        if let Ok(digits) = resolve(&text, country) {
            prop_assert!((SHORTEST..=LONGEST).contains(&digits.len()) && !digits.starts_with('0'), "{}", digits);
            prop_assert_eq!(read(&format!("+{digits}")), Ok(digits));
        }
    }

    #[test]
    fn canonical_form_is_idempotent(digits in number()) {
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
        one in "(5[245]|84|22)[0-9]{11}",
        other in "(5[245]|84|22)[0-9]{11}",
        length in 10_usize..=13,
    ) {
        let (one, other) = (&one[..length], &other[..length]);
        prop_assume!(one != other);
        prop_assert_ne!(canonical(one), canonical(other));
    }

    #[test]
    fn separators_are_ignored(
        number in proptest::sample::select(vec!["201001234567", "14155550101", "390612345678"]),
        gaps in proptest::collection::vec(0usize..4, 15),
    ) {
        let mut text = String::from("+");
        for (digit, gap) in number.chars().zip(gaps) {
            text.push(digit);
            text.push_str(["", " ", "-", ") ("][gap]);
        }
        prop_assert_eq!(read(&text), Ok(number.to_owned()));
    }

    #[test]
    fn only_seven_countries_have_several_spellings(digits in "[1-9][0-9]{6,14}") {
        prop_assume!(["52", "54", "55", "84", "225", "229", "241"].iter().all(|code| !digits.starts_with(code)));
        prop_assert_eq!(canonical(&digits), digits);
    }
}
