use proptest::prelude::*;

use super::*;

fn attempt() -> (PairingAttempt, String) {
    let attempt = PairingAttempt {
        session_id: SessionId::for_owner("ada"),
        code: PairingCode::from_random(Uuid::from_u128(0xabc)),
    };
    let link = pairing_link("15550001111", attempt.session_id, &attempt.code);
    let text = link.split_once("?text=").unwrap().1.replace("%20", " ");
    (attempt, text)
}

#[test]
fn link_text_parses_as_attempt() {
    let (attempt, text) = attempt();
    let expected = [attempt];
    assert_eq!(pairing_attempts(&text), expected);
    assert_eq!(pairing_attempts(&format!("hello {}!", text.to_uppercase())), expected);
}

#[test]
fn link_contains_its_number() {
    let link = pairing_link("15550001111", SessionId::for_owner("ada"), &attempt().0.code);
    assert_eq!(number_of_link(&link), Some("15550001111"));
    assert_eq!(number_of_link("2@kV3"), None);
}

#[test]
fn other_texts_are_not_attempts() {
    let (_, text) = attempt();
    for text in ["", "hello", "qasid-", &text[..text.len() - 1], &text.replace("qasid-", "qasid-g")] {
        assert_eq!(pairing_attempts(text), [], "{text}");
    }
}

#[test]
fn every_token_of_a_text_is_an_attempt_up_to_three() {
    let attempt = |owner, code| PairingAttempt {
        session_id: SessionId::for_owner(owner),
        code: PairingCode::from_random(Uuid::from_u128(code)),
    };
    let attempts = [attempt("ada", 1), attempt("ada", 2), attempt("bob", 3), attempt("bob", 4)];
    let token = |attempt: &PairingAttempt| format!("{PREFIX}{}-{}", attempt.session_id.to_hex(), attempt.code.as_str());
    let tokens: Vec<String> = attempts.iter().map(token).collect();
    let text = format!("{PREFIX} {} {}{}, {}é{}", tokens[0], tokens[0], tokens[1], tokens[2], tokens[3]);
    assert_eq!(pairing_attempts(&text), attempts[..3]);
}

#[test]
fn text_fits_into_prefilled_message() {
    // Meta, *QR codes and short links*: prefilled messages have up to 140 characters.
    assert!(attempt().1.len() <= 140);
}

proptest! {
    #[test]
    fn parsing_any_text_does_not_panic(text in any::<String>(), tail in "qasid-[0-9a-f]{0,70}[-é]?[0-9a-fé]{0,70}") {
        pairing_attempts(&text);
        pairing_attempts(&(text + &tail));
    }
}
