use proptest::prelude::*;

use super::super::trigger::{SearchText, compile};
use super::*;
use crate::domain::{consent::ConsentWords, text::Accents};

fn matches(how: Match, keyword: &str, text: &str) -> bool {
    SearchText::new(text).matches_any(how, Accents::Distinct, &["no match".to_owned(), keyword.to_owned()])
}

fn matches_without_accents(how: Match, keyword: &str, text: &str) -> bool {
    SearchText::new(text).matches_any(how, Accents::Ignored, &["no match".to_owned(), keyword.to_owned()])
}

#[test]
fn keywords_match_ignoring_case_and_whitespace() {
    for (how, keyword, text, expected) in [
        (Match::Equals, "Price list", " price \n LIST ", true),
        (Match::Equals, "price", "prices", false),
        (Match::Contains, "price", "What PRICES have you?", true),
        (Match::Contains, "سعر", "ما هو السعر؟", true),
        (Match::StartsWith, "ÄRGER", "ärger gibt es", true),
        (Match::StartsWith, "price", "the price", false),
        (Match::Regex, r"^order\s+#?\d{4}$", "ORDER  #1234", true),
        (Match::Regex, r"^order\s+#?\d{4}$", "my order 1234", false),
        (Match::Regex, r"(?-i)OK", "ok", false),
        (Match::Regex, r"\p{Arabic}", "مرحبا", true),
        // A stored pattern that no longer compiles matches nothing.
        (Match::Regex, "(", "(", false),
    ] {
        assert_eq!(matches(how, keyword, text), expected, "{how:?} {keyword} {text}");
    }
}

#[test]
fn keywords_match_texts_that_look_the_same() {
    for (keyword, text) in [
        ("café", "CAFE\u{301}"),
        ("CAFE\u{301}", "café"),
        ("iptal", "İPTAL"),
        ("İptal", "ıptal"),
        ("straße", "STRASSE"),
        ("STRASSE", "straße"),
        ("سعر", "\u{200f}سعر\u{200e}"),
        ("\u{200f}سعر", "سعر"),
        ("❤️", "❤"),
        ("❤", "❤️"),
        ("ｍｅｎｕ", "menu"),
        ("1", "１"),
        ("1", "1️⃣"),
        ("l'horaire", "L’HORAIRE"),
        ("नमस्ते", "नमस्\u{200d}ते"),
    ] {
        for how in [Match::Equals, Match::StartsWith, Match::Contains] {
            assert!(matches(how, keyword, text), "{how:?} {keyword} {text}");
        }
        assert!(matches(Match::Contains, keyword, &format!("x {text} y")), "{keyword} {text}");
        assert!(matches(Match::StartsWith, keyword, &format!(" {text} y")), "{keyword} {text}");
    }
    for (how, keyword, text) in [
        (Match::Equals, "cafe", "café"),
        (Match::Contains, "cafe", "un café"),
        (Match::StartsWith, "cafe", "cafe\u{301} noir"),
        (Match::Equals, "سعر", "سِعر"),
    ] {
        assert!(!matches(how, keyword, text), "{how:?} {keyword} {text}");
        assert!(matches_without_accents(how, keyword, text), "{how:?} {keyword} {text}");
    }
}

#[test]
fn contains_finds_parts_of_words() {
    for (keyword, text) in
        [("سعر", "بالسعر"), ("दाम", "दामों"), ("退款", "我要退款吗"), ("haus", "Treppenhaus"), ("❤", "❤️‍🔥")]
    {
        assert!(matches(Match::Contains, keyword, text), "{keyword} {text}");
    }
}

#[test]
fn patterns_match_composed_texts_without_invisible_characters() {
    for (pattern, text, expected) in [
        ("^cafe\u{301}$", "Café", true),
        ("^caf[e\u{301}]$", "café", true),
        ("^caf.$", "cafe\u{301}", true),
        ("^سعر$", "\u{200f}سعر\u{200e}", true),
        ("❤️", "❤", true),
        // The pattern decides about case, width, and spaces.
        ("(?-i)^Café$", "café", false),
        ("^straße$", "STRASSE", false),
        ("^a b$", "a  b", false),
        (r"^\d+$", "１２", true),
        ("？", "ok?", false),
    ] {
        assert_eq!(matches(Match::Regex, pattern, text), expected, "{pattern} {text}");
    }
    let padded = "\u{200f}".repeat(2_000) + "price";
    assert!(matches(Match::Regex, "^price$", &padded));
}

#[test]
fn catastrophic_backtracking_patterns_finish() {
    let text = "a".repeat(1_023) + "!";
    for pattern in ["(a+)+$", "(a|aa)+$", "^(a|a?)+$", "(.*a){12}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y"] {
        assert!(!matches(Match::Regex, pattern, &text), "{pattern}");
    }
    for pattern in [r"(\w{50}){50}", "((a{100}){100}){100}", r"\p{L}{300}"] {
        assert!(compile(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn patterns_per_message_are_limited() {
    let patterns = json!({"type": "keyword", "match": "regex", "keywords": ["a", "b", "c", "d", "e"]});
    let rules: Vec<Rule> = (1..=11).map(|number| rule(number, json!({"trigger": patterns}))).collect();
    let inbound = InboundText {
        kind: crate::domain::message::MessageType::Text,
        text: Some("x"),
        written_at: time("2026-01-12T12:00:00Z"),
        is_first: true,
    };
    let (history, limits) = (History::default(), Limits { quiet: std::time::Duration::ZERO, per_hour: 1 });
    let context = ChatContext { chat: None, name: "Mona", history: &history, words: ConsentWords::default() };
    let decision = decide(&rules, &inbound, &context, limits, inbound.written_at);
    let verdicts: Vec<_> = decision.verdicts.iter().map(|(_, verdict)| *verdict).collect();
    assert_eq!(verdicts[..10], [Verdict::NoKeyword; 10]);
    assert_eq!(verdicts[10], Verdict::TooManyPatterns);
}

proptest! {
    #[test]
    fn any_pattern_is_rejected_or_searches_any_text(
        pattern in "(\\PC|[()\\[\\]{}*+?|.^$\\\\]){0,40}",
        text in any::<String>(),
    ) {
        matches(Match::Regex, &pattern, &text);
        matches(Match::Contains, &pattern, &text);
    }
}
