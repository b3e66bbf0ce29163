//! One page out of several sorted lists, each of which has been read for a stretch.

use crate::domain::cursor::Position;

/// In which direction a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

impl Order {
    /// Whether `a` comes before `b`.
    fn is_before(self, a: Position, b: Position) -> bool {
        match self {
            Self::Ascending => a < b,
            Self::Descending => a > b,
        }
    }
}

/// What was read of one list.
#[derive(Clone, Debug)]
pub struct Segment<T> {
    /// What was read, in order.
    pub items: Vec<(Position, T)>,
    /// How far the list was read; `None` when to its end.
    pub reached: Option<Position>,
}

/// A page of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it, in order.
    pub items: Vec<T>,
    /// Where the next page goes on; `None` when there is none.
    pub next: Option<Position>,
}

/// Puts lists together and takes the first `limit` items that are `wanted`. It takes none that lies behind a place up to
/// which another list was not read, so a page can be short, even empty, and have a next one all the same.
pub fn merge<T>(segments: Vec<Segment<T>>, order: Order, limit: usize, wanted: impl Fn(&T) -> bool) -> Page<T> {
    let nearer = |a, b| if order.is_before(b, a) { b } else { a };
    let horizon = segments.iter().filter_map(|segment| segment.reached).reduce(nearer);
    let mut all: Vec<(Position, T)> = segments.into_iter().flat_map(|segment| segment.items).collect();
    all.sort_by(|(a, _), (b, _)| if order == Order::Ascending { a.cmp(b) } else { b.cmp(a) });
    // A chat that changed lists while they were read is in two of them.
    all.dedup_by_key(|(position, _)| *position);
    all.retain(|(position, item)| horizon.is_none_or(|end| !order.is_before(end, *position)) && wanted(item));

    let is_whole = all.len() <= limit;
    all.truncate(limit);
    let next = if is_whole { horizon } else { all.last().map(|(position, _)| *position) };
    Page { items: all.into_iter().map(|(_, item)| item).collect(), next }
}

#[cfg(test)]
mod tests;
