use proptest::prelude::*;

use super::*;
use crate::domain::{
    change::{ChangeType, NewChange, Subject},
    id::{ChangeId, SessionId},
};

const RETENTION: Duration = Duration::from_secs(1_000);

fn at(seconds: u64) -> Timestamp {
    Timestamp::MIN.after(Duration::from_secs(seconds))
}

fn entry(sequence: u64, appended: u64) -> Entry {
    let change = NewChange {
        id: ChangeId::for_stream_event(&sequence.to_string(), "test"),
        kind: ChangeType::SessionQr,
        at: at(appended),
        chat_id: None,
        subject: Subject::Session,
    };
    Entry {
        change: Change { session_id: SessionId::for_owner("ada"), sequence, appended_at: at(appended), change },
        expires_at: at(appended).after(RETENTION).seconds(),
    }
}

fn end(last: u64, appended: u64) -> LogEnd {
    LogEnd { last, appended_at: Some(at(appended)) }
}

fn page(entries: Vec<Entry>, end: LogEnd, after: u64, now: u64) -> Result<(Vec<u64>, u64, PageEnd), Expired> {
    let page = Found { entries, is_partial: false, end }.page(after, at(now))?;
    Ok((page.changes.iter().map(|change| change.sequence).collect(), page.next, page.end))
}

#[test]
fn readers_wait_at_missing_numbers_and_step_over_them_later() {
    let found = || vec![entry(1, 100), entry(4, 103)];
    assert_eq!(page(found(), end(4, 103), 0, 105), Ok((vec![1], 1, PageEnd::Gap)));
    assert_eq!(page(found(), end(4, 103), 0, 113), Ok((vec![1, 4], 4, PageEnd::CaughtUp)));
    assert_eq!(page(found(), end(4, 103), 1, 105), Ok((vec![], 1, PageEnd::Gap)));
    assert_eq!(page(found(), end(4, 103), 1, 113), Ok((vec![4], 4, PageEnd::CaughtUp)));
    // Missing numbers at the end: nothing says when a change follows, so the position stays before them.
    assert_eq!(page(vec![entry(1, 100)], end(3, 103), 0, 105), Ok((vec![1], 1, PageEnd::Gap)));
    assert_eq!(page(vec![entry(1, 100)], end(3, 103), 0, 113), Ok((vec![1], 1, PageEnd::CaughtUp)));
    // A change that was appended after the end was read.
    assert_eq!(page(vec![entry(2, 100)], end(1, 100), 1, 100), Ok((vec![2], 2, PageEnd::CaughtUp)));
}

#[test]
fn a_position_expires_with_the_changes_after_it() {
    assert_eq!(page(vec![], LogEnd::default(), 0, 0), Ok((vec![], 0, PageEnd::CaughtUp)));
    assert_eq!(page(vec![], end(5, 100), 6, 100), Err(Expired));
    // A position at the end never expires, and the next change may be on its way.
    assert_eq!(page(vec![], end(5, 100), 5, 5_000), Ok((vec![], 5, PageEnd::CaughtUp)));
    assert_eq!(page(vec![], end(6, 5_000), 5, 5_001), Ok((vec![], 5, PageEnd::Gap)));
    assert_eq!(page(vec![], end(5, 100), 4, 1_100), Err(Expired));
    assert_eq!(page(vec![entry(4, 2_000)], end(4, 2_000), 0, 2_020), Err(Expired));
    assert_eq!(page(vec![entry(4, 2_000)], end(4, 2_000), 3, 2_020), Ok((vec![4], 4, PageEnd::CaughtUp)));
    // The changes up to 6 may have expired, but the last one may be on its way.
    assert_eq!(page(vec![], end(7, 2_000), 4, 2_005), Ok((vec![], 4, PageEnd::Gap)));
    assert_eq!(page(vec![], end(7, 2_000), 4, 2_010), Err(Expired));
    // DynamoDB deletes expired items later.
    assert_eq!(page(vec![entry(1, 100), entry(2, 2_000)], end(2, 2_000), 0, 2_020), Err(Expired));
    assert_eq!(
        page(vec![entry(1, 100), entry(2, 2_000)], end(2, 2_000), 1, 2_020),
        Ok((vec![2], 2, PageEnd::CaughtUp))
    );
}

/// An append: seconds since the one before, number of changes, and whether its changes were stored.
type Append = (u64, u64, bool);

proptest! {
    /// Reading page by page returns every stored change once, in order, or says that changes may have expired.
    #[test]
    fn no_change_is_skipped(
        appends in prop::collection::vec((0..600_u64, 1..5_u64, prop::bool::weighted(0.8)), 1..12),
        age in 0..1_500_u64,
        start in 0..20_u64,
        limit in 1..6_usize,
        deletes_expired in any::<bool>(),
    ) {
        let appends: Vec<Append> = appends;
        let (mut time, mut last) = (0, 0);
        let mut stored = Vec::new();
        for (pause, count, is_stored) in appends {
            time += pause;
            stored.extend((last + 1..=last + count).filter(|_| is_stored).map(|sequence| entry(sequence, time)));
            last += count;
        }
        let now = time + age;
        let has_expired = |entry: &Entry| is_over(entry.expires_at, at(now));
        let start = start.min(last);
        let mut position = start;
        let mut read = Vec::new();
        let outcome = loop {
            let left = stored.iter().filter(|entry| entry.change.sequence >= position);
            let mut entries: Vec<Entry> =
                left.filter(|entry| !(deletes_expired && has_expired(entry))).cloned().collect();
            let is_partial = entries.len() > limit + 1;
            entries.truncate(limit + 1);
            match (Found { entries, is_partial, end: end(last, time) }).page(position, at(now)) {
                Ok(page) => {
                    prop_assert_eq!(page.next, page.changes.last().map_or(position, |change| change.sequence));
                    read.extend(page.changes.iter().map(|change| change.sequence));
                    if page.end != PageEnd::More {
                        break Ok((page.end, page.next));
                    }
                    prop_assert!(page.next > position, "no progress");
                    position = page.next;
                }
                Err(Expired) => break Err(Expired),
            }
        };
        let expected: Vec<&Entry> = stored.iter().filter(|entry| entry.change.sequence > start).collect();
        let numbers: Vec<u64> = expected.iter().map(|entry| entry.change.sequence).collect();
        match outcome {
            Err(Expired) => {
                let is_there = stored.iter().any(|entry| entry.change.sequence == start && !has_expired(entry));
                prop_assert!(!is_there, "nothing expired");
            }
            Ok((end, next)) => {
                // At a gap, the reader stays before the changes that follow, and later reads that they have expired.
                let passed = if end == PageEnd::Gap { next } else { last };
                let is_lost = |entry: &&Entry| entry.change.sequence <= passed && has_expired(entry);
                prop_assert!(!expected.iter().any(is_lost), "a change was lost");
                let is_complete = end == PageEnd::Gap || numbers == read;
                prop_assert!(is_complete && numbers.starts_with(&read), "{:?} of {:?}", read, numbers);
            }
        }
    }
}
