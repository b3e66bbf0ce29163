use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
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

fn decisions() -> impl Strategy<Value = Option<ConsentDecision>> {
    let marketing = prop::sample::select(vec![Granted, Denied, Unknown]);
    prop::option::of((marketing, 0i64..4).prop_map(|(marketing, seconds)| decision(marketing, seconds).unwrap()))
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
        now in 0i64..6,
        marketing in prop::sample::select(MarketingConsent::ALL.to_vec()),
    ) {
        let next = Consent { consent_api: Some(consent.next(marketing, at(now))), ..consent };
        prop_assert_eq!(next.response().marketing, marketing);
        prop_assert_eq!(next.response().source, Some(ConsentSource::Api));
        prop_assert!(next.response().since >= Some(at(now)));
    }

    #[test]
    fn stored_consent_is_read_back(consent in consents()) {
        let json = serde_json::to_string(&consent).unwrap();
        prop_assert_eq!(serde_json::from_str::<Consent>(&json).unwrap(), consent);
    }
}
