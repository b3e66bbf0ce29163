use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::time::Timestamp;

fn position(n: u16) -> Position {
    // Eight positions share each timestamp.
    Position { at: Timestamp::from_seconds(i64::from(n / 8)).unwrap(), id: Uuid::from_u128(u128::from(n)) }
}

/// Reads at most `max` items of a list.
fn read(list: &BTreeSet<Position>, order: Order, after: Option<Position>, max: usize) -> Segment<Position> {
    let mut rest: Vec<Position> =
        list.iter().copied().filter(|&at| after.is_none_or(|after| order.is_before(after, at))).collect();
    if order == Order::Descending {
        rest.reverse();
    }
    let reached = (rest.len() > max).then(|| rest[max - 1]);
    rest.truncate(max);
    Segment { items: rest.into_iter().map(|at| (at, at)).collect(), reached }
}

/// Reads all pages and calls `between` after each one.
fn read_pages(
    mut lists: Vec<BTreeSet<Position>>,
    order: Order,
    (limit, max): (usize, usize),
    filter: impl Fn(&Position) -> bool,
    mut between: impl FnMut(&mut Vec<BTreeSet<Position>>),
) -> Vec<Position> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let segments = lists.iter().map(|list| read(list, order, after, max)).collect();
        let page = merge(segments, order, limit, &filter);
        assert!(page.items.len() <= limit);
        seen.extend(page.items);
        let Some(next) = page.next else { return seen };
        assert!(
            after.is_none_or(|after| order.is_before(after, next)),
            "the next page starts before the end of this one"
        );
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
    fn pages_contain_each_matching_item_once_in_order(
        lists in lists(), ascending in any::<bool>(), limit in 1usize..20, max in 1usize..20, modulus in 1u128..5,
    ) {
        let order = if ascending { Order::Ascending } else { Order::Descending };
        let filter = |at: &Position| at.id.as_u128().is_multiple_of(modulus);
        let mut expected: Vec<Position> = lists.iter().flatten().copied().filter(filter).collect();
        expected.sort();
        if !ascending {
            expected.reverse();
        }
        prop_assert_eq!(read_pages(lists, order, (limit, max), filter, |_| {}), expected);
    }

    /// Chats that get a message while a client reads pages move to the top of the list. The client sees every other
    /// chat once, and no chat twice.
    #[test]
    fn chats_that_move_to_the_top_do_not_shift_pages(
        lists in lists(), limit in 1usize..20, max in 1usize..20,
        moves in prop::collection::vec((any::<prop::sample::Index>(), 0usize..5), 1..50),
    ) {
        let before: BTreeSet<Position> = lists.iter().flatten().copied().collect();
        let mut moved = BTreeSet::new();
        let mut moves = moves.into_iter();
        let mut top = 1_000;
        let seen = read_pages(lists, Order::Descending, (limit, max), |_| true, |lists| {
            let Some((index, to)) = moves.next() else { return };
            let all: Vec<Position> = lists.iter().flatten().copied().collect();
            if !all.is_empty() {
                let chat = all[index.index(all.len())];
                for list in lists.iter_mut() {
                    list.remove(&chat);
                }
                moved.insert(chat);
                top += 1;
                lists[to].insert(position(top));
            }
        });
        let unique: BTreeSet<Position> = seen.iter().copied().collect();
        prop_assert_eq!(unique.len(), seen.len());
        prop_assert!(unique.is_subset(&before));
        prop_assert!(before.difference(&unique).all(|missing| moved.contains(missing)));
    }
}
