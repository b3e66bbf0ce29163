//! Triggers: the messages that a rule answers.

use std::cell::OnceCell;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::domain::{
    message::TEXT_LIMIT,
    text::{Accents, composed, normalize},
};

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
        /// Whether letters with different accents are equal. Patterns decide it themselves.
        #[serde(default)]
        ignore_accents: bool,
    },
    /// The first message of a contact.
    FirstMessage,
    /// All messages outside the rule's hours.
    OutsideHours,
    /// All messages.
    Any,
}

/// How a keyword matches a text. Both are compared as [`normalize`] returns them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// The text equals the keyword.
    Equals,
    /// The text contains the keyword, which can be a part of a word: languages such as Arabic and Hindi attach articles
    /// and endings to words, and Chinese has no spaces.
    Contains,
    /// The text starts with the keyword.
    StartsWith,
    /// The keyword is a regular expression (in the syntax of the `regex` crate) that matches somewhere in the text.
    /// Both are in composed form without invisible characters; the pattern decides about case, accents, and spaces.
    Regex,
}

/// A text to match with the keywords of several rules. Prepares it once for each kind of comparison.
#[derive(Debug)]
pub(super) struct SearchText<'a> {
    text: &'a str,
    normalized: OnceCell<String>,
    without_accents: OnceCell<String>,
    searched: OnceCell<String>,
}

impl<'a> SearchText<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, normalized: OnceCell::new(), without_accents: OnceCell::new(), searched: OnceCell::new() }
    }

    /// Returns whether one of the keywords matches the text.
    pub(super) fn matches_any(&self, how: Match, accents: Accents, keywords: &[String]) -> bool {
        if how == Match::Regex {
            let text = self.searched();
            return keywords.iter().any(|pattern| compile(pattern).is_ok_and(|pattern| pattern.is_match(text)));
        }
        let text = self.normalized(accents);
        keywords.iter().map(|keyword| normalize(keyword, accents)).any(|keyword| match how {
            Match::Equals => text == keyword,
            Match::StartsWith => text.starts_with(&keyword),
            Match::Contains | Match::Regex => text.contains(&keyword),
        })
    }

    fn normalized(&self, accents: Accents) -> &str {
        let cell = match accents {
            Accents::Distinct => &self.normalized,
            Accents::Ignored => &self.without_accents,
        };
        cell.get_or_init(|| normalize(&self.start(TEXT_LIMIT), accents))
    }

    fn searched(&self) -> &str {
        self.searched.get_or_init(|| {
            let text = composed(&self.start(TEXT_LIMIT));
            text.trim().chars().take(MAX_SEARCHED_CHARACTERS).collect()
        })
    }

    fn start(&self, limit: usize) -> String {
        self.text.trim_start().chars().take(limit).collect()
    }
}

/// Compiles a pattern. It ignores case unless it contains `(?-i)`.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&composed(pattern)).case_insensitive(true).size_limit(MAX_PATTERN_BYTES).build()
}
