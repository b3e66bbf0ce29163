//! STOP and START: the words with which contacts opt out of automatic and marketing messages and opt in again.

use std::sync::LazyLock;

use super::{ConsentDecision, MarketingConsent};
use crate::domain::{
    text::{Accents, normalize, words},
    time::Timestamp,
};

/// The maximum number of words in a list of a session.
pub const MAX_WORDS: usize = 50;

/// The maximum length of a word, in characters.
pub const WORD_LIMIT: usize = 50;

/// The length of a message from which it can't be a word, in characters. It leaves room for punctuation and invisible
/// characters around the word.
const MESSAGE_LIMIT: usize = 4 * WORD_LIMIT;

/// A message that consists of a consent word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentWord {
    /// Opts out.
    Stop,
    /// Opts in again.
    Start,
}

/// The default STOP words, in the languages with the most WhatsApp users.
///
/// The English ones are those that US carriers require senders of text messages to honor (CTIA, *Messaging Principles
/// and Best Practices*), and the button text of Meta's marketing templates. The others say the same in their language.
/// Words for *cancel*, *end*, *enough*, and *no* are excluded, because customers use them for orders and in answers.
const STOP: &[&str] = &[
    // English
    "stop",
    "stopall",
    "stop all",
    "unsubscribe",
    "opt out",
    "optout",
    "revoke",
    "stop promotions",
    // Spanish
    "baja",
    "dar de baja",
    "darme de baja",
    "darse de baja",
    "parar",
    "salir",
    "desuscribir",
    "desuscribirme",
    "cancelar suscripción",
    "detener promociones",
    // Portuguese
    "sair",
    "sair da lista",
    "pare",
    "descadastrar",
    "cancelar inscrição",
    "parar promoções",
    // Hindi
    "बंद",
    "बंद करो",
    "बंद करें",
    "रोकें",
    "स्टॉप",
    // Urdu
    "بند",
    "بند کرو",
    "بند کریں",
    "روکیں",
    // Arabic
    "توقف",
    "إيقاف",
    "أوقف",
    "إلغاء الاشتراك",
    "ستوب",
    // Indonesian and Malay
    "berhenti",
    "henti",
    "berhenti berlangganan",
    "berhenti langganan",
    // Russian
    "стоп",
    "отписка",
    "отписаться",
    "отпишите",
    "отпишите меня",
    // German
    "stopp",
    "abmelden",
    // French
    "arrêt",
    "arrêter",
    "arrêtez",
    "désabonner",
    "se désabonner",
    "désabonnement",
    "désinscription",
    // Italian
    "disiscrivimi",
    "disiscriviti",
    "annulla iscrizione",
    "cancella iscrizione",
    // Turkish
    "dur",
    "durdur",
    "abonelikten çık",
    "üyelikten çık",
    // Chinese
    "停止",
    "退订",
    "退訂",
    "取消订阅",
    "取消訂閱",
];

/// The default START words.
const START: &[&str] = &[
    "start",
    "unstop",
    "subscribe",
    "opt in",
    "optin",
    "alta",
    "darme de alta",
    "suscribir",
    "suscribirme",
    "comenzar",
    "iniciar",
    "inscrever",
    "começar",
    "शुरू",
    "शुरू करें",
    "स्टार्ट",
    "شروع",
    "شروع کریں",
    "ابدأ",
    "اشترك",
    "mulai",
    "mula",
    "berlangganan",
    "langgan",
    "старт",
    "подписаться",
    "abonnieren",
    "s'abonner",
    "reprendre",
    "iscrivimi",
    "iscriviti",
    "başlat",
    "abone ol",
    "开始",
    "開始",
    "订阅",
    "訂閱",
];

static DEFAULT_STOP: LazyLock<Vec<String>> = LazyLock::new(|| STOP.iter().copied().map(comparable).collect());
static DEFAULT_START: LazyLock<Vec<String>> = LazyLock::new(|| START.iter().copied().map(comparable).collect());

/// The STOP and START words of a session. `None` for the defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsentWords<'a> {
    /// The STOP words.
    pub stop: Option<&'a [String]>,
    /// The START words.
    pub start: Option<&'a [String]>,
}

/// Why the words of a session are invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// A list is empty or too long.
    #[error("{list} must have 1 to {MAX_WORDS} words")]
    Count {
        /// `stopWords` or `startWords`.
        list: &'static str,
    },
    /// A word is too long, or has no letter or digit.
    #[error("{list}[{index}] must have 1 to {WORD_LIMIT} characters, with at least one letter or digit")]
    Word {
        /// `stopWords` or `startWords`.
        list: &'static str,
        /// The position in the list.
        index: usize,
    },
    /// A message with this word would opt out and in.
    #[error("stopWords and startWords both have \"{word}\": use it in one of them")]
    Ambiguous {
        /// The word, as in the list of STOP words.
        word: String,
    },
}

impl ConsentWords<'_> {
    /// Returns the consent word that a message consists of. Case, accents, punctuation, symbols, and emoji don't count.
    pub fn find(&self, text: &str) -> Option<ConsentWord> {
        if text.chars().nth(MESSAGE_LIMIT).is_some() {
            return None;
        }
        let text = comparable(text);
        let has = |given: Option<&[String]>, defaults: &[String]| match given {
            Some(given) => given.iter().any(|word| comparable(word) == text),
            None => defaults.contains(&text),
        };
        if has(self.stop, &DEFAULT_STOP) {
            return Some(ConsentWord::Stop);
        }
        has(self.start, &DEFAULT_START).then_some(ConsentWord::Start)
    }

    /// Checks the words of a session.
    ///
    /// # Errors
    ///
    /// [`WordError`] if a list is empty or too long, a word can't be matched, or both lists have the same word. A list
    /// that isn't set has the default words.
    pub fn check(&self) -> Result<(), WordError> {
        check_list("stopWords", self.stop)?;
        check_list("startWords", self.start)?;
        let comparables = |words: &[String]| words.iter().map(|word| comparable(word)).collect();
        let start: Vec<String> = self.start.map_or_else(|| DEFAULT_START.clone(), comparables);
        let ambiguous = match self.stop {
            Some(stop) => stop.iter().find(|word| start.contains(&comparable(word))).cloned(),
            None => start.into_iter().find(|word| DEFAULT_STOP.contains(word)),
        };
        ambiguous.map_or(Ok(()), |word| Err(WordError::Ambiguous { word }))
    }
}

fn check_list(list: &'static str, words: Option<&[String]>) -> Result<(), WordError> {
    let Some(words) = words else { return Ok(()) };
    if !(1..=MAX_WORDS).contains(&words.len()) {
        return Err(WordError::Count { list });
    }
    let is_valid = |word: &String| word.chars().nth(WORD_LIMIT).is_none() && !comparable(word).is_empty();
    match words.iter().position(|word| !is_valid(word)) {
        Some(index) => Err(WordError::Word { list, index }),
        None => Ok(()),
    }
}

impl ConsentWord {
    /// Returns the decision of a contact who sent the word at `at`.
    pub fn decision(self, at: Timestamp) -> ConsentDecision {
        let marketing = match self {
            Self::Stop => MarketingConsent::Denied,
            Self::Start => MarketingConsent::Granted,
        };
        ConsentDecision { marketing, since: at }
    }
}

/// Returns the form in which words and messages are compared.
fn comparable(text: &str) -> String {
    words(&normalize(text, Accents::Ignored))
}

#[cfg(test)]
mod tests;
