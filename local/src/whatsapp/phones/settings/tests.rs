use super::*;

#[test]
fn the_settings_decide_how_far_a_message_gets() {
    let usual = PhoneSettings::default();
    for (settings, reach) in [
        (usual, MessageState::Read),
        (PhoneSettings { automatic_ticks: AutomaticTicks::Delivered, ..usual }, MessageState::Delivered),
        (PhoneSettings { automatic_ticks: AutomaticTicks::Sent, ..usual }, MessageState::Sent),
        (PhoneSettings { online: false, ..usual }, MessageState::Sent),
        (PhoneSettings { blocked: true, ..usual }, MessageState::Blocked),
        (PhoneSettings { blocked: true, online: false, ..usual }, MessageState::Blocked),
        (PhoneSettings { on_whats_app: false, blocked: true, ..usual }, MessageState::Failed(131_026)),
        (PhoneSettings { read_receipts: false, ..usual }, MessageState::Read),
    ] {
        assert_eq!(settings.reach(), reach, "{settings:?}");
    }
}

#[test]
fn read_receipts_are_optional() {
    use MessageState::{Delivered, Played, Read, Sent};
    let private = PhoneSettings { read_receipts: false, ..PhoneSettings::default() };
    assert_eq!(private.reported(None, Read), Some(vec![Sent, Delivered]));
    // Play receipts cannot be turned off.
    assert_eq!(private.reported(Some(Delivered), Played), Some(vec![Played]));
    assert_eq!(private.reported(Some(Read), Delivered), None);
    assert_eq!(PhoneSettings::default().reported(None, Read), Some(vec![Sent, Delivered, Read]));
}

#[test]
fn the_sentence_names_the_setting_to_change() {
    let usual = PhoneSettings::default();
    assert_eq!(usual.check_reachable(), Ok(()));
    for (settings, change) in [
        (PhoneSettings { online: false, ..usual }, "set online to true"),
        (PhoneSettings { blocked: true, ..usual }, "set blocked to false"),
        (PhoneSettings { on_whats_app: false, ..usual }, "set onWhatsApp to true"),
    ] {
        let sentence = settings.check_reachable().unwrap_err();
        assert!(sentence.contains(change), "{sentence}");
    }
}
