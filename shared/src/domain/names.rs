//! Names that a caller misspelled: the known name that they most likely mean.

/// The length to which errors cut an unknown name, in characters.
const DISPLAY_LIMIT: usize = 64;

/// The minimum length of a name that counts as the beginning of another, without case and separators.
const MIN_PREFIX: usize = 4;

/// Returns the known name that is most similar to `name`, or `None` if none is close. Case, separators, brackets, and a
/// plural `s` don't count: `session_id` and `SessionIDs` are close to `sessionId`, and `limit[]` is close to `limit`.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = folded(name);
    let length = name.chars().count();
    let allowed = match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let distances = known.iter().map(|known| (strsim::osa_distance(&name, &folded(known)), *known));
    let close = distances.min_by_key(|(distance, _)| *distance).filter(|(distance, _)| *distance <= allowed);
    close.map(|(_, known)| known).or_else(|| {
        let begins = |known: &&&str| {
            let known = folded(known);
            // Much of a longer name means something else: `namespace` isn't `name`.
            let is_start = name.starts_with(known.as_str()) && known.len() * 2 >= name.len();
            known.len().min(name.len()) >= MIN_PREFIX && (is_start || known.starts_with(&name))
        };
        known.iter().find(begins).copied()
    })
}

/// Returns an unknown name as an error message contains it: cut, and quoted if it has characters that a name of ours
/// never has.
pub fn displayed(name: &str) -> String {
    let cut: String = name.chars().take(DISPLAY_LIMIT).collect();
    let is_plain = !cut.is_empty() && cut.chars().all(|c| c.is_ascii_alphanumeric() || "_-.[]$".contains(c));
    if is_plain { cut } else { format!("{cut:?}") }
}

fn folded(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric()).take(DISPLAY_LIMIT);
    let mut folded: String = letters.flat_map(char::to_lowercase).collect();
    if folded.len() > 1 && folded.ends_with('s') {
        folded.pop();
    }
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: [&str; 9] =
        ["sessionId", "to", "message", "validUntil", "context", "limit", "phoneNumberId", "isUnread", "status"];

    #[test]
    fn misspelled_names_lead_to_the_known_ones() {
        for (name, expected) in [
            ("valid_until", Some("validUntil")),
            ("session_id", Some("sessionId")),
            ("SESSION-IDS", Some("sessionId")),
            ("sesionId", Some("sessionId")),
            ("session", Some("sessionId")),
            ("messgae", Some("message")),
            ("messages", Some("message")),
            ("messageText", Some("message")),
            ("message_activity_sharing", None),
            ("limit[]", Some("limit")),
            ("limits", Some("limit")),
            ("stauts", Some("status")),
            ("is_unread", Some("isUnread")),
            ("phone", Some("phoneNumberId")),
            ("TO", Some("to")),
            ("replyTo", None),
            ("category", None),
            ("preview_url", None),
            ("x", None),
            ("", None),
            ("[]", None),
            ("\u{0}\u{202e}", None),
        ] {
            assert_eq!(nearest(name, &KNOWN), expected, "{name:?}");
        }
        assert_eq!(nearest("limit", &[]), None);
        assert_eq!(nearest("namespace", &["name", "language", "components"]), None);
        assert_eq!(nearest("cooldown", &["cooldownSeconds"]), Some("cooldownSeconds"));
    }

    #[test]
    fn displayed_names_are_short_and_printable() {
        assert_eq!(displayed("valid_until"), "valid_until");
        assert_eq!(displayed("limit[]"), "limit[]");
        assert_eq!(displayed(""), "\"\"");
        assert_eq!(displayed("a b\u{0}\u{202e}"), "\"a b\\0\\u{202e}\"");
        assert_eq!(displayed(&"x".repeat(1000)).len(), 64);
    }

    proptest! {
        #[test]
        fn every_known_name_is_nearest_to_itself(index in 0..KNOWN.len(), name in any::<String>()) {
            prop_assert_eq!(nearest(KNOWN[index], &KNOWN), Some(KNOWN[index]));
            nearest(&name, &KNOWN);
            prop_assert!(displayed(&name).chars().all(|c| !c.is_control()));
        }
    }
}
