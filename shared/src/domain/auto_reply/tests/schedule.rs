use proptest::prelude::*;

use super::*;

fn schedule(zone: &str, hours: Value) -> Schedule {
    let schedule = json!({"timeZone": zone, "hours": hours});
    rule(1, json!({"schedule": schedule})).schedule.unwrap()
}

fn is_open(schedule: &Schedule, at: &str) -> bool {
    schedule.is_open(time(at)).unwrap()
}

fn hours(from: &str, to: &str) -> Value {
    json!([{"from": from, "to": to}])
}

#[test]
fn hours_are_local_time() {
    let cairo = schedule("africa/cairo", json!({"monday": hours("09:00", "17:00")}));
    assert_eq!(cairo.time_zone, "Africa/Cairo");
    // Egypt has had daylight saving time again since 2023: UTC+3 on Monday, 6 July 2026, and UTC+2 on Monday, 7
    // December.
    for (at, expected) in [
        ("2026-07-06T05:59:59.999Z", false),
        ("2026-07-06T06:00:00Z", true),
        ("2026-07-06T13:59:59Z", true),
        ("2026-07-06T14:00:00Z", false),
        ("2026-12-07T06:30:00Z", false),
        ("2026-12-07T07:00:00Z", true),
        ("2026-12-07T14:59:00Z", true),
        ("2026-12-07T15:00:00Z", false),
        ("2026-12-08T10:00:00Z", false),
    ] {
        assert_eq!(is_open(&cairo, at), expected, "{at}");
    }
}

#[test]
fn hours_apply_on_days_with_clock_changes() {
    let night = schedule("Europe/Berlin", json!({"sunday": hours("02:30", "04:00")}));
    // The hour from 02:00 to 03:00 doesn't exist on 29 March 2026, and occurs twice on 25 October.
    for (at, expected) in [
        ("2026-03-29T00:59:59Z", false), // 01:59
        ("2026-03-29T01:00:00Z", true),  // 03:00
        ("2026-03-29T02:00:00Z", false), // 04:00
        ("2026-10-25T00:29:00Z", false), // 02:29, for the first time
        ("2026-10-25T00:30:00Z", true),
        ("2026-10-25T01:00:00Z", false), // 02:00, for the second time
        ("2026-10-25T01:30:00Z", true),
        ("2026-10-25T02:59:00Z", true),
        ("2026-10-25T03:00:00Z", false),
    ] {
        assert_eq!(is_open(&night, at), expected, "{at}");
    }
}

#[test]
fn overnight_hours_belong_to_the_day_on_which_they_start() {
    let bar =
        schedule("America/New_York", json!({"saturday": hours("20:00", "02:00"), "monday": hours("00:00", "24:00")}));
    // UTC-5 in January 2026; the 10th is a Saturday.
    for (at, expected) in [
        ("2026-01-10T06:00:00Z", false), // Saturday, 01:00
        ("2026-01-11T01:00:00Z", true),  // Saturday, 20:00
        ("2026-01-11T06:59:00Z", true),  // Sunday, 01:59
        ("2026-01-11T07:00:00Z", false),
        ("2026-01-12T04:59:00Z", false), // Sunday, 23:59
        ("2026-01-12T05:00:00Z", true),  // Monday
        ("2026-01-13T04:59:00Z", true),
        ("2026-01-13T05:00:00Z", false),
    ] {
        assert_eq!(is_open(&bar, at), expected, "{at}");
    }
}

#[test]
fn unknown_time_zone_is_neither_open_nor_closed() {
    let mut schedule = schedule("UTC", json!({"monday": hours("00:00", "24:00")}));
    schedule.time_zone = "Atlantis/Poseidonia".to_owned();
    assert_eq!(schedule.is_open(time("2026-01-12T05:00:00Z")), None);
}

proptest! {
    /// At any time, exactly one of a daily range and its complement is open.
    #[test]
    fn range_and_complement_cover_all_time(
        from in 0u32..1440,
        to in 0u32..1440,
        seconds in 0i64..4_102_444_800,
        zone in prop::sample::select(vec![
            "UTC", "Africa/Cairo", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe",
        ]),
    ) {
        prop_assume!(from != to);
        let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        let week = |from: u32, to: u32| {
            let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
            Value::Object(days.map(|day| (day.to_owned(), hours(&clock(from), &clock(to)))).into_iter().collect())
        };
        let at = Timestamp::from_seconds(seconds).unwrap();
        let (range, complement) = (schedule(zone, week(from, to)), schedule(zone, week(to, from)));
        prop_assert_ne!(range.is_open(at).unwrap(), complement.is_open(at).unwrap());
    }
}
