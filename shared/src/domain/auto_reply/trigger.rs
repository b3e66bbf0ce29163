//! Triggers: the messages that a rule answers.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::domain::message::TEXT_LIMIT;

/// The number of characters that patterns search. Together, the next three limits bound the cost of a message for any
/// patterns: the worst patterns known took 40 ms for one pattern and 2 s for all.
const MAX_SEARCHED_CHARACTERS: usize = 1024;

/// The maximum size of a compiled pattern, in bytes. The search time is proportional to it and to the text length.
const MAX_PATTERN_BYTES: usize = 192 * 1024;

/// The maximum number of patterns to search per message.
pub(super) const MAX_PATTERNS_PER_MESSAGE: usize = 50;

/// The messages that a rule answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Trigger {
    /// Messages whose text matches a keyword.
    Keyword {
        /// How keywords match.
        #[serde(rename = "match")]
        how: Match,
        /// The words, phrases, or patterns.
        keywords: Vec<String>,
    },
    /// The first message of a contact.
    FirstMessage,
    /// All messages outside the rule's hours.
    OutsideHours,
    /// All messages.
    Any,
}

/// How a keyword matches a text. Matching ignores case and treats any whitespace as one space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// The text equals the keyword.
    Equals,
    /// The text contains the keyword.
    Contains,
    /// The text starts with the keyword.
    StartsWith,
    /// The keyword is a regular expression (in the syntax of the `regex` crate) that matches somewhere in the text.
    Regex,
}

/// Returns whether one of the keywords matches the text.
pub(super) fn matches_any(how: Match, keywords: &[String], text: &str) -> bool {
    let start = |limit: usize| text.trim_start().chars().take(limit).collect::<String>();
    if how == Match::Regex {
        let text = start(MAX_SEARCHED_CHARACTERS);
        return keywords.iter().any(|pattern| compile(pattern).is_ok_and(|pattern| pattern.is_match(text.trim_end())));
    }
    let text = folded(&start(TEXT_LIMIT));
    keywords.iter().map(|keyword| folded(keyword)).any(|keyword| match how {
        Match::Equals => text == keyword,
        Match::StartsWith => text.starts_with(&keyword),
        Match::Contains | Match::Regex => text.contains(&keyword),
    })
}

/// Compiles a pattern. It ignores case unless it contains `(?-i)`.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(true).size_limit(MAX_PATTERN_BYTES).build()
}

/// Normalizes a text for comparison: lower case, with single spaces.
pub(crate) fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
