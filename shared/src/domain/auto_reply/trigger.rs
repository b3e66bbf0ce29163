//! What a rule answers.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// The most of a text that keywords are looked for in, in characters: WhatsApp's own limit of a text.
const COMPARED: usize = 4096;

/// The same for patterns. With the next two it bounds what a message can cost, however the patterns are written: 40 ms for
/// one and 2 s for all, on the machine where the worst that we could think of were measured.
const SEARCHED: usize = 1024;

/// The largest compiled pattern, in bytes. A search takes time in proportion to this and to the text.
const PATTERN_SIZE: usize = 192 * 1024;

/// The most patterns that one message is held against.
pub(super) const MAX_SEARCHES: usize = 50;

/// What a rule answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Trigger {
    /// A text in which one of these is found.
    Keyword {
        /// How they are compared with the text.
        #[serde(rename = "match")]
        how: Match,
        /// Words or phrases, or patterns.
        keywords: Vec<String>,
    },
    /// The first message that a contact ever writes.
    FirstMessage,
    /// Anything, outside of the rule's hours.
    OutsideHours,
    /// Anything.
    Any,
}

/// How a keyword is compared with a text. Upper and lower case are one, and so are any number of blanks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// The text is the keyword.
    Equals,
    /// The keyword is somewhere in the text.
    Contains,
    /// The text begins with the keyword.
    StartsWith,
    /// The keyword is a regular expression (of the `regex` crate) that is found somewhere in the text.
    Regex,
}

/// Whether one of the keywords is found in the text.
pub(super) fn is_found(how: Match, keywords: &[String], text: &str) -> bool {
    let start = |limit: usize| text.trim_start().chars().take(limit).collect::<String>();
    if how == Match::Regex {
        let text = start(SEARCHED);
        return keywords.iter().any(|pattern| compile(pattern).is_ok_and(|pattern| pattern.is_match(text.trim_end())));
    }
    let text = folded(&start(COMPARED));
    keywords.iter().map(|keyword| folded(keyword)).any(|keyword| match how {
        Match::Equals => text == keyword,
        Match::StartsWith => text.starts_with(&keyword),
        Match::Contains | Match::Regex => text.contains(&keyword),
    })
}

/// A pattern that ignores case unless it says otherwise.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(true).size_limit(PATTERN_SIZE).build()
}

/// A text as it is compared.
pub(crate) fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
