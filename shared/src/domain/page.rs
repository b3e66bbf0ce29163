//! Pagination over several sorted lists, each of which was read in part.

use crate::domain::cursor::Position;

/// The sort order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

impl Order {
    /// Returns whether `a` comes before `b`.
    pub(crate) fn is_before<P: Ord>(self, a: P, b: P) -> bool {
        match self {
            Self::Ascending => a < b,
            Self::Descending => a > b,
        }
    }
}

/// The part of a list that was read.
#[derive(Clone, Debug)]
pub struct Segment<T, P = Position> {
    /// The items, in order.
    pub items: Vec<(P, T)>,
    /// The position up to which the list was read. `None` if it was read to its end.
    pub reached: Option<P>,
}

/// A page of the merged list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, P = Position> {
    /// The items, in order.
    pub items: Vec<T>,
    /// The position after which the next page starts. `None` if this is the last page.
    pub next: Option<P>,
}

/// Merges segments and returns the first `limit` items for which `filter` is true.
///
/// The page ends at the first position up to which some list was not read. It can therefore have fewer than `limit`
/// items, or none, and still have a next page.
pub fn merge<T, P: Copy + Ord>(
    segments: Vec<Segment<T, P>>,
    order: Order,
    limit: usize,
    filter: impl Fn(&T) -> bool,
) -> Page<T, P> {
    let nearer = |a, b| if order.is_before(b, a) { b } else { a };
    let horizon = segments.iter().filter_map(|segment| segment.reached).reduce(nearer);
    let mut all: Vec<(P, T)> = segments.into_iter().flat_map(|segment| segment.items).collect();
    all.sort_by(|(a, _), (b, _)| if order == Order::Ascending { a.cmp(b) } else { b.cmp(a) });
    // A chat that moved between lists during the reads is in two of them.
    all.dedup_by_key(|(position, _)| *position);
    all.retain(|(position, item)| horizon.is_none_or(|end| !order.is_before(end, *position)) && filter(item));

    let fits = all.len() <= limit;
    all.truncate(limit);
    let next = if fits { horizon } else { all.last().map(|(position, _)| *position) };
    Page { items: all.into_iter().map(|(_, item)| item).collect(), next }
}

#[cfg(test)]
mod tests;
