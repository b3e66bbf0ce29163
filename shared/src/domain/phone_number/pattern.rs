//! The patterns of libphonenumber's metadata: regular expressions over digits, with classes, groups, alternatives, and
//! bounded repetitions. A number has at most 15 digits, so plain backtracking is fast, and a pattern needs no compiled
//! form.

use std::{iter::Peekable, str::Chars};

/// The most digits that a pattern can match. Longer input never occurs in a phone number.
const MAX_INPUT: usize = 32;

/// A match at the start of a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Match<'d> {
    /// The digits after the match.
    pub(super) rest: &'d str,
    /// The capturing groups. `None` for a group that took no part in the match.
    pub(super) groups: Vec<Option<&'d str>>,
}

/// Returns whether the whole of `digits` matches. An empty pattern matches nothing.
pub(super) fn matches(pattern: &str, digits: &str) -> bool {
    !pattern.is_empty() && run(pattern, digits, true).is_some()
}

/// Returns the match at the start of `digits`.
pub(super) fn prefix<'d>(pattern: &str, digits: &'d str) -> Option<Match<'d>> {
    run(pattern, digits, false)
}

#[derive(Debug)]
enum Node {
    /// A digit of a set, as a bit mask.
    Digit(u16),
    /// The end of the number.
    End,
    /// Alternatives, and the index of the group that captures them.
    Group(Vec<Vec<Item>>, Option<usize>),
}

#[derive(Debug)]
struct Item {
    node: Node,
    min: usize,
    max: usize,
}

type Groups = Vec<Option<(usize, usize)>>;

fn run<'d>(pattern: &str, digits: &'d str, whole: bool) -> Option<Match<'d>> {
    if digits.len() > MAX_INPUT {
        return None;
    }
    let mut groups = 0;
    let alternatives = alternatives(&mut pattern.chars().peekable(), &mut groups);
    let mut end = None;
    let mut found: Groups = vec![None; groups];
    let mut accept = |at: usize, captured: &mut Groups| {
        let is_match = !whole || at == digits.len();
        if is_match {
            end = Some((at, captured.clone()));
        }
        is_match
    };
    any(&alternatives, digits.as_bytes(), 0, &mut found, &mut accept);
    let (at, captured) = end?;
    let groups = captured.into_iter().map(|group| group.and_then(|(start, end)| digits.get(start..end))).collect();
    Some(Match { rest: digits.get(at..)?, groups })
}

fn any(
    alternatives: &[Vec<Item>],
    digits: &[u8],
    at: usize,
    groups: &mut Groups,
    then: &mut dyn FnMut(usize, &mut Groups) -> bool,
) -> bool {
    alternatives.iter().any(|items| sequence(items, 0, digits, at, groups, then))
}

/// Matches the items, of which the first one has matched `count` times already.
fn sequence(
    items: &[Item],
    count: usize,
    digits: &[u8],
    at: usize,
    groups: &mut Groups,
    then: &mut dyn FnMut(usize, &mut Groups) -> bool,
) -> bool {
    let Some((item, rest)) = items.split_first() else { return then(at, groups) };
    if count < item.max {
        let again = &mut |next: usize, groups: &mut Groups| sequence(items, count + 1, digits, next, groups, then);
        let matched = match &item.node {
            Node::Digit(set) => {
                let value = digits.get(at).map(|digit| digit.wrapping_sub(b'0')).filter(|value| *value < 10);
                value.is_some_and(|value| set & (1 << value) != 0) && again(at + 1, groups)
            }
            Node::End => at == digits.len() && again(at, groups),
            Node::Group(alternatives, None) => any(alternatives, digits, at, groups, again),
            Node::Group(alternatives, Some(index)) => {
                let before = groups.get(*index).copied().flatten();
                let matched = any(alternatives, digits, at, groups, &mut |next, groups| {
                    let inner = groups.get(*index).copied().flatten();
                    set_group(groups, *index, Some((at, next)));
                    let matched = again(next, groups);
                    if !matched {
                        set_group(groups, *index, inner);
                    }
                    matched
                });
                if !matched {
                    set_group(groups, *index, before);
                }
                matched
            }
        };
        if matched {
            return true;
        }
    }
    count >= item.min && sequence(rest, 0, digits, at, groups, then)
}

fn set_group(groups: &mut Groups, index: usize, value: Option<(usize, usize)>) {
    if let Some(group) = groups.get_mut(index) {
        *group = value;
    }
}

/// Parses alternatives up to the end of the pattern or of the group.
fn alternatives(pattern: &mut Peekable<Chars<'_>>, groups: &mut usize) -> Vec<Vec<Item>> {
    let mut found = vec![Vec::new()];
    while let Some(c) = pattern.next() {
        let node = match c {
            ')' => break,
            '|' => {
                found.push(Vec::new());
                continue;
            }
            '$' => Node::End,
            '(' => {
                let captures = pattern.next_if_eq(&'?').is_none();
                let index = *groups;
                if captures {
                    *groups += 1;
                } else {
                    pattern.next_if_eq(&':');
                }
                Node::Group(alternatives(pattern, groups), captures.then_some(index))
            }
            '[' => Node::Digit(class(pattern)),
            '\\' => Node::Digit(if pattern.next_if_eq(&'d').is_some() { 0x3ff } else { 0 }),
            c => Node::Digit(mask(c)),
        };
        let (min, max) = repetition(pattern);
        if let Some(items) = found.last_mut() {
            items.push(Item { node, min, max });
        }
    }
    found
}

/// Parses a class after its `[`.
fn class(pattern: &mut Peekable<Chars<'_>>) -> u16 {
    let mut set = 0;
    let mut last = None;
    while let Some(c) = pattern.next().filter(|c| *c != ']') {
        match (c, last, pattern.peek()) {
            ('-', Some(start), Some(end)) => (start..=*end).for_each(|c| set |= mask(c)),
            _ => set |= mask(c),
        }
        last = Some(c);
    }
    set
}

fn mask(c: char) -> u16 {
    c.to_digit(10).map_or(0, |value| 1 << value)
}

/// Parses `?`, `{n}`, or `{n,m}`.
fn repetition(pattern: &mut Peekable<Chars<'_>>) -> (usize, usize) {
    if pattern.next_if_eq(&'?').is_some() {
        return (0, 1);
    }
    if pattern.next_if_eq(&'{').is_none() {
        return (1, 1);
    }
    let bounds: String = pattern.by_ref().take_while(|c| *c != '}').collect();
    let (min, max) = bounds.split_once(',').unwrap_or((&bounds, &bounds));
    (min.parse().unwrap_or(0), max.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::domain::phone_number::region::Region;

    fn expected<'d>(pattern: &str, digits: &'d str) -> Option<Match<'d>> {
        let captures = Regex::new(&format!("^(?:{pattern})")).unwrap().captures(digits)?;
        let groups = captures.iter().skip(1).map(|group| group.map(|group| group.as_str())).collect();
        Some(Match { rest: &digits[captures.get(0).unwrap().end()..], groups })
    }

    fn check(pattern: &str, digits: &str) {
        assert_eq!(prefix(pattern, digits), expected(pattern, digits), "{pattern} {digits}");
        let whole = Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(digits);
        assert_eq!(matches(pattern, digits), !pattern.is_empty() && whole, "{pattern} {digits}");
    }

    fn patterns() -> Vec<&'static str> {
        Region::all().flat_map(|region| [region.idd, region.trunk, region.general, region.mobile]).collect()
    }

    #[test]
    fn groups_classes_and_repetitions_match_as_regular_expressions_do() {
        for pattern in
            ["", "1", "(1)?(2|23)$|1", "(?:0|00?)(1[245])?", "([2-9]\\d{6})$|1", "[13-5]{2,3}(?:9|)", "(1(2)?){1,3}"]
        {
            for digits in ["", "0", "1", "12", "123", "0012", "0014", "2345678", "1121", "13599", "999", "11211"] {
                check(pattern, digits);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn every_pattern_of_the_metadata_matches_as_a_regular_expression_does(
            pattern in proptest::sample::select(patterns()),
            digits in "[0-9]{0,17}",
        ) {
            check(pattern, &digits);
        }
    }
}
