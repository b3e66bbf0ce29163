//! STOP and START: the words with which contacts opt out of auto-replies and opt in again.

/// A message that consists of a consent word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentWord {
    /// Opts out of auto-replies.
    Stop,
    /// Opts in to auto-replies again.
    Start,
}

/// The words that US carriers require senders of text messages to honor (CTIA, *Short Code Monitoring Handbook*), and
/// the button text of Meta's marketing templates. CANCEL, END, QUIT, and YES are excluded, because customers use them
/// for orders.
const STOP: [&str; 7] = ["stop", "stopall", "stop all", "unsubscribe", "opt out", "optout", "stop promotions"];
const START: [&str; 5] = ["start", "unstop", "subscribe", "opt in", "optin"];

impl ConsentWord {
    /// Parses the text of a message, ignoring case, surrounding punctuation, and hyphens.
    pub fn parse(text: &str) -> Option<Self> {
        // Longer texts can't be a consent word. Texts can have thousands of characters.
        if text.len() > 64 {
            return None;
        }
        let words: Vec<String> =
            text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
        let text = words.join(" ");
        match text.as_str() {
            word if STOP.contains(&word) => Some(Self::Stop),
            word if START.contains(&word) => Some(Self::Start),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn consent_words_are_recognized_on_their_own() {
        for text in [
            "STOP",
            "stop",
            " Stop! ",
            "*STOP*",
            "\"stop\".",
            "Stop all",
            "STOPALL",
            "opt-out",
            "OPTOUT",
            "Unsubscribe",
        ] {
            assert_eq!(ConsentWord::parse(text), Some(ConsentWord::Stop), "{text}");
        }
        for text in ["START", "start.", "Unstop", "opt in", "SUBSCRIBE"] {
            assert_eq!(ConsentWord::parse(text), Some(ConsentWord::Start), "{text}");
        }
        for text in ["", "!", "stop it", "please stop", "don't stop", "restart", "bus stop", "cancel", "yes", "st op"] {
            assert_eq!(ConsentWord::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_any_text_does_not_panic(text in any::<String>()) {
            let _ = ConsentWord::parse(&text);
        }
    }
}
