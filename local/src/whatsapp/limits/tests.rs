use super::*;

const SIX_SECONDS: Duration = Duration::from_secs(6);

/// Sends `count` messages, and returns the code of the first refusal.
fn send(limits: &mut Limits, number: &str, user: &str, at: Instant, count: usize) -> Option<u32> {
    (0..count).find_map(|_| limits.send(number, 80, user, at).err()).map(|error| error.code)
}

#[test]
fn number_sends_one_second_of_its_throughput_at_once() {
    let (mut limits, start) = (Limits::default(), Instant::now());
    for user in 0..80 {
        assert_eq!(send(&mut limits, "1", &user.to_string(), start, 1), None);
    }
    assert_eq!(send(&mut limits, "1", "80", start, 1), Some(130_429));
    assert_eq!(send(&mut limits, "2", "80", start, 1), None, "another number");
    let later = start + Duration::from_millis(125);
    for user in 80..90 {
        assert_eq!(send(&mut limits, "1", &user.to_string(), later, 1), None, "{user}");
    }
    assert_eq!(send(&mut limits, "1", "90", later, 1), Some(130_429));
    assert_eq!(limits.refused(), Refused { throughput: 2, pair: 0 });
}

#[test]
fn steady_sends_at_the_throughput_are_accepted() {
    for throughput in [1, 7, 20, 80, 1000] {
        let (mut limits, start) = (Limits::default(), Instant::now());
        for message in 0..5 * throughput {
            let at = start + Duration::from_secs(message.into()) / throughput;
            let result = limits.send("1", throughput, &message.to_string(), at);
            assert!(result.is_ok(), "{throughput}, {message}: {result:?}");
        }
    }
}

#[test]
fn user_receives_45_messages_at_once_and_then_one_per_6_seconds() {
    let (mut limits, start) = (Limits::default(), Instant::now());
    assert_eq!(send(&mut limits, "1", "ada", start, 45), None);
    assert_eq!(send(&mut limits, "1", "ada", start, 1), Some(131_056));
    assert_eq!(send(&mut limits, "1", "bob", start, 1), None, "another user");
    assert_eq!(send(&mut limits, "2", "ada", start, 1), None, "another number");
    for interval in 1..100 {
        let at = start + SIX_SECONDS * interval;
        assert_eq!(send(&mut limits, "1", "ada", at - Duration::from_millis(1), 1), Some(131_056), "{interval}");
        assert_eq!(send(&mut limits, "1", "ada", at, 1), None, "{interval}");
    }
    let full = start + SIX_SECONDS * 200;
    assert_eq!(send(&mut limits, "1", "ada", full, 45), None);
    assert_eq!(send(&mut limits, "1", "ada", full, 1), Some(131_056));
}

#[test]
fn refused_send_does_not_count() {
    let (mut limits, start) = (Limits::default(), Instant::now());
    assert_eq!(send(&mut limits, "1", "ada", start, 45), None);
    for _ in 0..100 {
        assert_eq!(send(&mut limits, "1", "ada", start, 1), Some(131_056));
    }
    for user in 0..35 {
        assert_eq!(send(&mut limits, "1", &user.to_string(), start, 1), None, "{user}");
    }
    assert_eq!(send(&mut limits, "1", "bob", start, 1), Some(130_429));
    assert_eq!(send(&mut limits, "1", "bob", start + Duration::from_secs(1), 45), None, "of the pair's");
}

#[test]
fn lower_throughput_applies_immediately() {
    let (mut limits, start) = (Limits::default(), Instant::now());
    assert!(limits.send("1", 80, "ada", start).is_ok());
    for user in 0..2 {
        assert!(limits.send("1", 2, &user.to_string(), start).is_ok());
    }
    assert!(limits.send("1", 2, "3", start).is_err());
}
