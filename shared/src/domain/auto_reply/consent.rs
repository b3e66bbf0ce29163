//! STOP and START: a contact's own word on whether anything answers him automatically.

/// A message that is nothing but one of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentWord {
    /// No automatic replies from now on.
    Stop,
    /// Automatic replies are welcome again.
    Start,
}

/// The words that carriers oblige senders of texts to honour (CTIA: "Short Code Monitoring Handbook"), without CANCEL, END,
/// QUIT and YES, which customers say of orders; and the button of Meta's own marketing templates.
const STOP: [&str; 6] = ["stop", "stopall", "stop all", "unsubscribe", "opt out", "stop promotions"];
const START: [&str; 4] = ["start", "unstop", "subscribe", "opt in"];

impl ConsentWord {
    /// Reads a message's text: case, punctuation around it, and hyphens do not matter.
    pub fn read(text: &str) -> Option<Self> {
        // Nothing longer can be one of the words, and a text may have thousands of characters.
        if text.len() > 64 {
            return None;
        }
        let words: Vec<String> =
            text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
        let text = words.join(" ");
        if STOP.contains(&text.as_str()) || text == "optout" {
            return Some(Self::Stop);
        }
        (START.contains(&text.as_str()) || text == "optin").then_some(Self::Start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_words_count_alone_and_in_any_dress() {
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
            assert_eq!(ConsentWord::read(text), Some(ConsentWord::Stop), "{text}");
        }
        for text in ["START", "start.", "Unstop", "opt in", "SUBSCRIBE"] {
            assert_eq!(ConsentWord::read(text), Some(ConsentWord::Start), "{text}");
        }
        for text in ["", "!", "stop it", "please stop", "don't stop", "restart", "bus stop", "cancel", "yes", "st op"] {
            assert_eq!(ConsentWord::read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = ConsentWord::read(&text);
        }
    }
}
