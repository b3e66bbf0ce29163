//! A contact's consent to marketing messages and automatic replies.

use super::{Chats, StoreError, chat::CHANGED, keys::Key, update::UpdateBuilder};
use crate::domain::{
    chat::{Chat, ChatType},
    consent::{ConsentDecision, ConsentSource, MarketingConsent},
    contact::{self, Merges},
    id::{ChatId, SessionId},
    identity::Address,
    time::Timestamp,
};

/// Attempts to update the chat while it is merged into another one.
const ROUNDS: u32 = 5;

const OPERATION: &str = "recording a contact's consent";

impl Chats<'_> {
    /// Records the decision of a chat's contact, unless the source has a later one. Of two decisions at the same time,
    /// the refusal wins. Returns whether the decision is the source's last. A member's decision doesn't count for a
    /// group.
    pub async fn record_consent(
        self,
        chat_id: ChatId,
        source: ConsentSource,
        decision: ConsentDecision,
    ) -> Result<bool, StoreError> {
        for _ in 0..ROUNDS {
            let Some(chat) = self.get(chat_id).await?.filter(|chat| chat.kind != ChatType::Group) else {
                return Ok(false);
            };
            let known = chat.consent.of(source);
            if known.is_some_and(|known| known == decision || known.since > decision.since) {
                return Ok(known == Some(decision));
            }
            if self.0.update_if(OPERATION, consent_update(&chat, source, decision, self.0.system.now())).await? {
                return Ok(true);
            }
            if known.is_some_and(|known| known.since == decision.since) {
                return Ok(false);
            }
        }
        Err(StoreError::Contention { operation: OPERATION })
    }

    /// Records the decision of a contact with these addresses, if the contact has a chat.
    pub async fn record_consent_of(
        self,
        session_id: SessionId,
        addresses: &[Address],
        source: ConsentSource,
        decision: ConsentDecision,
    ) -> Result<(), StoreError> {
        let identifiers = self.identifiers_of(session_id, addresses).await?;
        for chat_id in contact::chats(&identifiers, &Merges::default(), decision.since) {
            self.record_consent(chat_id, source, decision).await?;
        }
        Ok(())
    }
}

fn consent_update(chat: &Chat, source: ConsentSource, decision: ConsentDecision, now: Timestamp) -> UpdateBuilder {
    let attribute = consent_attribute(source);
    let earlier = if decision.marketing == MarketingConsent::Denied { "<=" } else { "<" };
    UpdateBuilder::new(&Key::chat(chat.id))
        .set(attribute, decision)
        .set(CHANGED, now)
        .condition("attribute_exists(pk) AND attribute_not_exists(merged_into)")
        .condition((&*format!("attribute_not_exists({attribute}) OR {attribute}.#since {earlier} ?"), decision.since))
}

/// Returns the attribute with the last decision of a source.
pub(super) fn consent_attribute(source: ConsentSource) -> &'static str {
    match source {
        ConsentSource::Api => "consent_api",
        ConsentSource::Keyword => "consent_keyword",
        ConsentSource::Whatsapp => "consent_whatsapp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::consent::Consent;
    use crate::store::item::{self, Attribute};

    /// A send requires the decisions as it read them, from every source: `record_consent` writes the
    /// attribute alone, and a merge writes the whole chat.
    #[test]
    fn decision_has_one_form_in_the_table() {
        let since = "2026-01-12T12:00:00.007Z".parse().unwrap();
        for marketing in MarketingConsent::ALL {
            let decision = ConsentDecision { marketing, since };
            assert_eq!(decision.attribute(), item::value(&decision).unwrap());
        }
        for source in ConsentSource::ALL {
            let decision = Some(ConsentDecision { marketing: MarketingConsent::Denied, since });
            let consent = match source {
                ConsentSource::Api => Consent { consent_api: decision, ..Consent::default() },
                ConsentSource::Keyword => Consent { consent_keyword: decision, ..Consent::default() },
                ConsentSource::Whatsapp => Consent { consent_whatsapp: decision, ..Consent::default() },
            };
            let row = serde_json::to_value(consent).unwrap();
            assert!(row[consent_attribute(source)].is_object(), "{row}");
        }
    }
}
