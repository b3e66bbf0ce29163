//! The progress of a webhook through the log.

use std::collections::BTreeSet;

/// How far a webhook has read the log, and what it has handled after that.
///
/// Changes of different chats are delivered concurrently, so a run that stops within a page has handled changes after
/// the first unhandled one. They aren't delivered again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    position: u64,
    handled: BTreeSet<u64>,
}

impl Progress {
    /// Creates the progress of a webhook that has handled the changes up to `position`, and some after it.
    pub fn new(position: u64, handled: impl IntoIterator<Item = u64>) -> Self {
        Self { position, handled: handled.into_iter().filter(|sequence| *sequence > position).collect() }
    }

    /// Returns the position: all changes up to it are handled.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the handled changes after the position.
    pub fn handled(&self) -> impl Iterator<Item = u64> {
        self.handled.iter().copied()
    }

    /// Returns whether a change is handled.
    pub fn is_handled(&self, sequence: u64) -> bool {
        sequence <= self.position || self.handled.contains(&sequence)
    }

    /// Records that a change is handled: delivered, or stored as a [`WebhookDelivery`](super::WebhookDelivery).
    pub fn handle(&mut self, sequence: u64) {
        if sequence > self.position {
            self.handled.insert(sequence);
        }
    }

    /// Moves the position to the end of a page, or before the first unhandled one of its `changes`, which are in order.
    /// `changes` are those that the webhook subscribes to.
    pub fn advance(&mut self, changes: impl IntoIterator<Item = u64>, end: u64) {
        let unhandled = changes.into_iter().find(|sequence| !self.is_handled(*sequence));
        let position = unhandled.map_or(end, |sequence| sequence.saturating_sub(1));
        self.position = self.position.max(position);
        self.handled = self.handled.split_off(&self.position.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever was handled, and in whichever pages: no change is handled twice, and none is skipped.
        #[test]
        fn every_change_is_handled_exactly_once(
            start in prop_oneof![Just(0), Just(u64::MAX - 200), 0..1_000_u64],
            subscribed in proptest::collection::vec(any::<bool>(), 1..100),
            runs in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 100), 1..20),
            page in 1..30_usize,
        ) {
            let end = start + u64::try_from(subscribed.len()).unwrap();
            let log: Vec<u64> = (start + 1..=end).collect();
            let wanted = |sequence: &u64| subscribed[usize::try_from(sequence - start - 1).unwrap()];
            let mut count = vec![0; subscribed.len()];
            let mut progress = Progress::new(start, []);
            // The last runs handle everything.
            let runs = runs.into_iter().chain(std::iter::repeat_n(vec![true; 100], subscribed.len() + 1));
            for succeeds in runs {
                let rest: Vec<u64> = log.iter().copied().filter(|s| *s > progress.position()).take(page).collect();
                let Some(last) = rest.last() else { break };
                let changes: Vec<u64> = rest.iter().copied().filter(wanted).collect();
                for sequence in &changes {
                    let index = usize::try_from(sequence - start - 1).unwrap();
                    if !progress.is_handled(*sequence) && succeeds[index] {
                        progress.handle(*sequence);
                        count[index] += 1;
                    }
                }
                let before = progress.position();
                progress.advance(changes, *last);
                prop_assert!(progress.position() >= before);
                prop_assert!(progress.handled().all(|sequence| sequence > progress.position()));
                // As it is stored between runs.
                progress = Progress::new(progress.position(), progress.handled().collect::<Vec<_>>());
            }
            prop_assert_eq!(progress.position(), end);
            for (index, count) in count.into_iter().enumerate() {
                prop_assert_eq!(count, i32::from(subscribed[index]));
            }
        }
    }

    #[test]
    fn the_position_stays_before_the_first_unhandled_change() {
        let mut progress = Progress::new(10, []);
        progress.handle(12);
        progress.handle(14);
        progress.advance([12, 13, 14], 15);
        assert_eq!((progress.position(), progress.handled().collect()), (12, vec![14]));
        progress.handle(13);
        progress.advance([13, 14], 15);
        assert_eq!((progress.position(), progress.handled().count()), (15, 0));
    }
}
