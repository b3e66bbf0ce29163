use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

fn ms(milliseconds: i64) -> Timestamp {
    Timestamp::from_milliseconds(milliseconds).unwrap()
}

fn decision(marketing: MarketingConsent, seconds: i64) -> Option<ConsentDecision> {
    Some(ConsentDecision { marketing, since: at(seconds) })
}

use MarketingConsent::{Denied, Granted, Unknown};

#[test]
fn latest_decision_applies_to_marketing_and_the_word_to_auto_replies() {
    let none = Consent::default();
    for (consent, marketing, source, denies_auto_replies) in [
        (none, Unknown, None, false),
        // STOP and START.
        (Consent { consent_keyword: decision(Denied, 5), ..none }, Denied, Some(ConsentSource::Keyword), true),
        (Consent { consent_keyword: decision(Granted, 5), ..none }, Granted, Some(ConsentSource::Keyword), false),
        // WhatsApp's stop is about marketing only.
        (Consent { consent_whatsapp: decision(Denied, 5), ..none }, Denied, Some(ConsentSource::Whatsapp), false),
        // A resumption in WhatsApp's settings doesn't revoke STOP for auto-replies.
        (
            Consent { consent_keyword: decision(Denied, 5), consent_whatsapp: decision(Granted, 6), ..none },
            Granted,
            Some(ConsentSource::Whatsapp),
            true,
        ),
        (
            Consent { consent_keyword: decision(Denied, 7), consent_whatsapp: decision(Granted, 6), ..none },
            Denied,
            Some(ConsentSource::Keyword),
            true,
        ),
        // A decision of the business.
        (
            Consent { consent_keyword: decision(Denied, 5), consent_api: decision(Granted, 6), ..none },
            Granted,
            Some(ConsentSource::Api),
            true,
        ),
        (
            Consent { consent_keyword: decision(Granted, 5), consent_api: decision(Unknown, 6), ..none },
            Unknown,
            Some(ConsentSource::Api),
            false,
        ),
        // At the same time, the refusal applies.
        (
            Consent { consent_keyword: decision(Denied, 5), consent_whatsapp: decision(Granted, 5), ..none },
            Denied,
            Some(ConsentSource::Keyword),
            true,
        ),
        (
            Consent { consent_api: decision(Denied, 5), consent_whatsapp: decision(Granted, 5), ..none },
            Denied,
            Some(ConsentSource::Api),
            false,
        ),
    ] {
        let response = consent.response();
        assert_eq!((response.marketing, response.source), (marketing, source), "{consent:?}");
        assert_eq!(response.since.is_some(), source.is_some());
        assert_eq!(consent.denies_marketing(), marketing == Denied);
        assert_eq!(consent.denies_auto_replies(), denies_auto_replies, "{consent:?}");
    }
}

/// WhatsApp's times are whole seconds, Qasid's have milliseconds.
#[test]
fn refusal_applies_over_other_decisions_of_its_second() {
    let granted = Some(ConsentDecision { marketing: Granted, since: ms(32_504) });
    let none = Consent::default();
    for (consent, marketing, source) in [
        (
            Consent { consent_api: granted, consent_keyword: decision(Denied, 32), ..none },
            Denied,
            ConsentSource::Keyword,
        ),
        (
            Consent { consent_api: granted, consent_whatsapp: decision(Denied, 32), ..none },
            Denied,
            ConsentSource::Whatsapp,
        ),
        (Consent { consent_api: granted, consent_keyword: decision(Denied, 31), ..none }, Granted, ConsentSource::Api),
        (Consent { consent_api: granted, consent_keyword: decision(Granted, 32), ..none }, Granted, ConsentSource::Api),
        // A refusal through the API isn't revoked by a START of the same second.
        (
            Consent {
                consent_api: Some(ConsentDecision { marketing: Denied, since: ms(32_504) }),
                consent_keyword: decision(Granted, 32),
                ..none
            },
            Denied,
            ConsentSource::Api,
        ),
    ] {
        let response = consent.response();
        assert_eq!((response.marketing, response.source), (marketing, Some(source)), "{consent:?}");
    }
}

#[test]
fn next_decision_is_later_only_where_it_has_to_be() {
    let none = Consent::default();
    let api = |marketing, at| Consent { consent_api: Some(ConsentDecision { marketing, since: ms(at) }), ..none };
    let keyword = |marketing, seconds| Consent { consent_keyword: decision(marketing, seconds), ..none };
    for (consent, marketing, since) in [
        (none, Granted, 32_504),
        (api(Denied, 32_100), Granted, 32_504),
        (api(Granted, 32_504), Granted, 32_505),
        (api(Granted, 34_000), Denied, 34_001),
        // A STOP of the same second would win.
        (keyword(Denied, 32), Granted, 33_000),
        (keyword(Denied, 31), Granted, 32_504),
        (keyword(Denied, 32), Denied, 32_504),
        // A later time would outweigh a STOP that follows within the second.
        (keyword(Granted, 32), Granted, 32_504),
        (keyword(Granted, 32), Denied, 32_504),
        // WhatsApp's clock is ahead.
        (keyword(Granted, 34), Denied, 34_000),
        (keyword(Denied, 34), Granted, 35_000),
    ] {
        assert_eq!(consent.next(marketing, ms(32_504)), ConsentDecision { marketing, since: ms(since) }, "{consent:?}");
    }
}

/// Times around whole seconds.
fn milliseconds() -> impl Strategy<Value = i64> {
    (0i64..4, prop::sample::select(vec![0, 1, 500, 999])).prop_map(|(seconds, rest)| seconds * 1000 + rest)
}

fn decisions() -> impl Strategy<Value = Option<ConsentDecision>> {
    let marketing = prop::sample::select(vec![Granted, Denied, Unknown]);
    prop::option::of(
        (marketing, milliseconds()).prop_map(|(marketing, at)| ConsentDecision { marketing, since: ms(at) }),
    )
}

fn consents() -> impl Strategy<Value = Consent> {
    (decisions(), decisions(), decisions()).prop_map(|(consent_api, consent_keyword, consent_whatsapp)| Consent {
        consent_api,
        consent_keyword,
        consent_whatsapp,
    })
}

proptest! {
    #[test]
    fn merging_is_independent_of_order(one in consents(), two in consents(), three in consents()) {
        prop_assert_eq!(one.merged(&two), two.merged(&one));
        prop_assert_eq!(one.merged(&two).merged(&three), one.merged(&two.merged(&three)));
        prop_assert_eq!(one.merged(&one), one);
    }

    /// A merged chat sends no marketing message that the later decision of the two refuses.
    #[test]
    fn merged_consent_is_the_latest_of_both(one in consents(), other in consents()) {
        let merged = one.merged(&other);
        let latest = [one.latest(), other.latest()].into_iter().flatten().map(|(_, decision)| decision);
        let latest = latest.max_by_key(ConsentDecision::rank);
        prop_assert_eq!(merged.latest().map(|(_, decision)| decision), latest);
    }

    /// What the business sets applies, even if another source's clock is ahead.
    #[test]
    fn next_decision_applies(
        consent in consents(),
        now in milliseconds(),
        marketing in prop::sample::select(MarketingConsent::ALL.to_vec()),
    ) {
        let decision = consent.next(marketing, ms(now));
        let next = Consent { consent_api: Some(decision), ..consent };
        prop_assert_eq!(next.marketing(), marketing);
        prop_assert!(decision.since >= ms(now));
        prop_assert!(consent.consent_api.is_none_or(|before| before.since < decision.since));
    }

    #[test]
    fn stored_consent_is_read_back(consent in consents()) {
        let json = serde_json::to_string(&consent).unwrap();
        prop_assert_eq!(serde_json::from_str::<Consent>(&json).unwrap(), consent);
    }
}
