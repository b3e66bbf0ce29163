//! Consent: whether a contact wants marketing messages and automatic replies, and who says so.

mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::words::{ConsentWord, ConsentWords, MAX_WORDS, WORD_LIMIT, WordError};
use crate::domain::time::Timestamp;

/// A contact's consent to marketing messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarketingConsent {
    /// The contact has agreed.
    Granted,
    /// The contact has refused. Messages of the category `marketing` are not sent.
    Denied,
    /// The contact has not decided.
    #[default]
    Unknown,
}

/// Who reported a contact's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentSource {
    /// The business, through the API.
    Api,
    /// The contact, with a STOP or START word.
    Keyword,
    /// WhatsApp: the contact stopped or resumed marketing messages in WhatsApp's settings.
    Whatsapp,
}

impl MarketingConsent {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Granted, Self::Denied, Self::Unknown];

    /// Returns the name that the table and the API use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        }
    }
}

impl ConsentSource {
    /// All sources.
    pub const ALL: [Self; 3] = [Self::Api, Self::Keyword, Self::Whatsapp];
}

/// A decision about marketing messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConsentDecision {
    /// The decision.
    pub marketing: MarketingConsent,
    /// When it was made: by WhatsApp's clock, or by Qasid's for the API.
    pub since: Timestamp,
}

/// The last decision from each source. Each source's decision is stored independently, so the order in which decisions
/// arrive doesn't matter. The latest one applies to marketing messages. The contact's own word alone applies to
/// automatic replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The last decision that the business set through the API.
    #[serde(default)]
    pub consent_api: Option<ConsentDecision>,
    /// The contact's last STOP or START.
    #[serde(default)]
    pub consent_keyword: Option<ConsentDecision>,
    /// The last decision that WhatsApp reported.
    #[serde(default)]
    pub consent_whatsapp: Option<ConsentDecision>,
}

impl Consent {
    /// Returns the last decision of a source.
    pub fn of(&self, source: ConsentSource) -> Option<ConsentDecision> {
        match source {
            ConsentSource::Api => self.consent_api,
            ConsentSource::Keyword => self.consent_keyword,
            ConsentSource::Whatsapp => self.consent_whatsapp,
        }
    }

    /// Returns the decision that applies to marketing messages, with its source: the latest, or a refusal among several
    /// of the same second.
    pub fn latest(&self) -> Option<(ConsentSource, ConsentDecision)> {
        let decisions = ConsentSource::ALL.into_iter().filter_map(|source| Some((source, self.of(source)?)));
        decisions.max_by_key(|(_, decision)| decision.rank())
    }

    /// Returns the contact's consent to marketing messages.
    pub fn marketing(&self) -> MarketingConsent {
        self.latest().map(|(_, decision)| decision.marketing).unwrap_or_default()
    }

    /// Returns whether the contact refuses marketing messages.
    pub fn denies_marketing(&self) -> bool {
        self.marketing() == MarketingConsent::Denied
    }

    /// Returns whether the contact refuses automatic replies: their last consent word was STOP.
    pub fn denies_auto_replies(&self) -> bool {
        self.consent_keyword.is_some_and(|decision| decision.marketing == MarketingConsent::Denied)
    }

    /// Returns a decision of the business at `now` that applies: if another source's decision would outweigh it, one just
    /// after that source's second. It isn't later than it has to be, because it outweighs what follows before its time.
    pub fn next(&self, marketing: MarketingConsent, now: Timestamp) -> ConsentDecision {
        let after_own = self.consent_api.map(|own| own.since.after(Duration::from_millis(1)));
        let decision = ConsentDecision { marketing, since: after_own.map_or(now, |at| now.max(at)) };
        let others = Self { consent_api: None, ..*self };
        match others.latest() {
            Some((_, other)) if other.marketing != marketing && other.rank() > decision.rank() => {
                let second = other.since.whole_second();
                let at =
                    if decision.caution() > other.caution() { second } else { second.after(Duration::from_secs(1)) };
                ConsentDecision { since: decision.since.max(at), ..decision }
            }
            _ => decision,
        }
    }

    /// Returns the later decision of each source.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let later =
            |source| [self.of(source), other.of(source)].into_iter().flatten().max_by_key(ConsentDecision::rank);
        Self {
            consent_api: later(ConsentSource::Api),
            consent_keyword: later(ConsentSource::Keyword),
            consent_whatsapp: later(ConsentSource::Whatsapp),
        }
    }

    /// Returns the consent as shown in API responses.
    pub fn response(&self) -> ConsentResponse {
        let latest = self.latest();
        ConsentResponse {
            marketing: self.marketing(),
            since: latest.map(|(_, decision)| decision.since),
            source: latest.map(|(source, _)| source),
        }
    }
}

impl ConsentDecision {
    /// Returns the order of decisions. Within a second, the most cautious is the last: WhatsApp's times are whole
    /// seconds, so which of the decisions came last isn't known.
    fn rank(&self) -> (Timestamp, u8, Timestamp) {
        (self.since.whole_second(), self.caution(), self.since)
    }

    fn caution(&self) -> u8 {
        match self.marketing {
            MarketingConsent::Granted => 0,
            MarketingConsent::Unknown => 1,
            MarketingConsent::Denied => 2,
        }
    }
}

/// A contact's consent as shown in API responses: `null` where unset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of Consent")]
pub struct ConsentResponse {
    pub marketing: MarketingConsent,
    pub since: Option<Timestamp>,
    pub source: Option<ConsentSource>,
}

#[cfg(test)]
mod tests;
