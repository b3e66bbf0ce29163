use proptest::prelude::*;

use super::*;

#[test]
fn the_checkpoint_stays_before_the_first_unfinished_record() {
    let mut progress = Progress::new(0);
    for (sequence, filtered_out) in [(10, false), (20, true), (30, false), (40, false)] {
        progress.read(sequence, filtered_out);
    }
    assert_eq!(progress.checkpoint(), 0);
    progress.finish(30);
    assert_eq!(progress.checkpoint(), 0);
    progress.finish(10);
    assert_eq!(progress.checkpoint(), 30);
    progress.finish(40);
    assert_eq!(progress.checkpoint(), 40);
    progress.read(50, true);
    assert_eq!(progress.checkpoint(), 50);
}

proptest! {
    /// No unfinished record is at or before the checkpoint, and the checkpoint never moves back.
    #[test]
    fn the_checkpoint_never_passes_an_unfinished_record(steps in proptest::collection::vec((any::<bool>(), any::<proptest::sample::Index>()), 1..60)) {
        let mut progress = Progress::new(0);
        let mut open: Vec<SequenceNumber> = Vec::new();
        let mut before = 0;
        for (n, (read, which)) in steps.into_iter().enumerate() {
            if read || open.is_empty() {
                progress.read(n as u128 + 1, false);
                open.push(n as u128 + 1);
            } else {
                progress.finish(open.remove(which.index(open.len())));
            }
            let checkpoint = progress.checkpoint();
            prop_assert!(checkpoint >= before);
            prop_assert!(open.iter().all(|sequence| *sequence > checkpoint));
            before = checkpoint;
        }
    }
}
