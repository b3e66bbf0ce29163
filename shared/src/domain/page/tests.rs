use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::time::Timestamp;

fn position(n: u16) -> Position {
    // Many share a time.
    Position { at: Timestamp::from_seconds(i64::from(n / 8)).unwrap(), id: Uuid::from_u128(u128::from(n)) }
}

/// What a query of one list gives that reads at most `most` items.
fn read(list: &BTreeSet<Position>, order: Order, after: Option<Position>, most: usize) -> Segment<Position> {
    let mut rest: Vec<Position> =
        list.iter().copied().filter(|&at| after.is_none_or(|after| order.is_before(after, at))).collect();
    if order == Order::Descending {
        rest.reverse();
    }
    let reached = (rest.len() > most).then(|| rest[most - 1]);
    rest.truncate(most);
    Segment { items: rest.into_iter().map(|at| (at, at)).collect(), reached }
}

fn walk(
    mut lists: Vec<BTreeSet<Position>>,
    order: Order,
    (limit, most): (usize, usize),
    wanted: impl Fn(&Position) -> bool,
    mut between: impl FnMut(&mut Vec<BTreeSet<Position>>),
) -> Vec<Position> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let segments = lists.iter().map(|list| read(list, order, after, most)).collect();
        let page = merge(segments, order, limit, &wanted);
        assert!(page.items.len() <= limit);
        seen.extend(page.items);
        let Some(next) = page.next else { return seen };
        assert!(after.is_none_or(|after| order.is_before(after, next)), "every page goes on");
        after = Some(next);
        between(&mut lists);
    }
}

fn lists() -> impl Strategy<Value = Vec<BTreeSet<Position>>> {
    prop::collection::vec((0u16..300, 0usize..5), 0..200).prop_map(|entries| {
        let mut lists = vec![BTreeSet::new(); 5];
        let mut known = BTreeSet::new();
        for (n, list) in entries {
            if known.insert(n) {
                lists[list].insert(position(n));
            }
        }
        lists
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_walk_sees_all_that_is_wanted_once_and_in_order(
        lists in lists(), ascending in any::<bool>(), limit in 1usize..20, most in 1usize..20, modulus in 1u128..5,
    ) {
        let order = if ascending { Order::Ascending } else { Order::Descending };
        let wanted = |at: &Position| at.id.as_u128().is_multiple_of(modulus);
        let mut expected: Vec<Position> = lists.iter().flatten().copied().filter(wanted).collect();
        expected.sort();
        if !ascending {
            expected.reverse();
        }
        prop_assert_eq!(walk(lists, order, (limit, most), wanted, |_| {}), expected);
    }

    /// Chats that get a message while a reader walks move to the top, behind him. He sees every other one once, and
    /// none twice.
    #[test]
    fn what_moves_to_the_top_shifts_nothing(
        lists in lists(), limit in 1usize..20, most in 1usize..20,
        moves in prop::collection::vec((any::<prop::sample::Index>(), 0usize..5), 1..50),
    ) {
        let before: BTreeSet<Position> = lists.iter().flatten().copied().collect();
        let mut moved = BTreeSet::new();
        let mut moves = moves.into_iter();
        let mut top = 1_000;
        let seen = walk(lists, Order::Descending, (limit, most), |_| true, |lists| {
            let Some((which, to)) = moves.next() else { return };
            let all: Vec<Position> = lists.iter().flatten().copied().collect();
            if !all.is_empty() {
                let chat = all[which.index(all.len())];
                for list in lists.iter_mut() {
                    list.remove(&chat);
                }
                moved.insert(chat);
                top += 1;
                lists[to].insert(position(top));
            }
        });
        let once: BTreeSet<Position> = seen.iter().copied().collect();
        prop_assert_eq!(once.len(), seen.len());
        prop_assert!(once.is_subset(&before));
        prop_assert!(before.difference(&once).all(|missing| moved.contains(missing)));
    }
}
