//! Numbering plans of countries and territories, from libphonenumber's metadata.

use super::pattern;

/// One region per line, the main region of a country code first. `generate.py` writes this table.
const TABLE: &str = include_str!("regions.tsv");

/// A numbering plan.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Region {
    /// The ISO 3166 code, or `001` for a code that belongs to no country.
    pub(in crate::domain) id: &'static str,
    /// The country code.
    pub(super) code: &'static str,
    /// The pattern of the international call prefix.
    pub(super) idd: &'static str,
    /// The pattern of the trunk prefix, which precedes national numbers.
    pub(super) trunk: &'static str,
    /// What replaces a match of `trunk` whose last group took part.
    transform: &'static str,
    lengths: &'static str,
    /// The pattern of every national number.
    pub(super) general: &'static str,
    /// The pattern of mobile numbers.
    pub(super) mobile: &'static str,
}

impl Region {
    /// Returns every region. The table is read line by line, so that a function that parses no number pays nothing.
    pub(in crate::domain) fn all() -> impl Iterator<Item = Self> {
        TABLE.lines().skip(2).filter_map(Self::read)
    }

    /// Returns the regions that share a country code, the main one first.
    pub(super) fn with_code(code: &str) -> impl Iterator<Item = Self> {
        Self::all().filter(move |region| region.code == code)
    }

    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut next = || fields.next();
        Some(Self {
            id: next()?,
            code: next()?,
            idd: next()?,
            trunk: next()?,
            transform: next()?,
            lengths: next()?,
            general: next()?,
            mobile: next()?,
        })
    }

    /// Returns whether a national number can have this length.
    pub(super) fn is_possible(&self, national: &str) -> bool {
        self.lengths.split(',').any(|length| length.parse() == Ok(national.len()))
    }

    /// Returns whether a national number is of the numbering plan.
    pub(super) fn is_valid(&self, national: &str) -> bool {
        self.is_possible(national) && pattern::matches(self.general, national)
    }

    /// Returns a national number without its trunk prefix and carrier code, if the rest is a possible number. Follows
    /// libphonenumber: a number that is of the plan with its first digits keeps them, unless it is so without them too.
    pub(super) fn without_trunk(&self, national: &str) -> Option<String> {
        if self.trunk.is_empty() {
            return None;
        }
        let found = pattern::prefix(self.trunk, national)?;
        let transforms = !self.transform.is_empty() && found.groups.last().is_some_and(Option::is_some);
        let start = if transforms { expand(self.transform, &found.groups) } else { String::new() };
        let rest = start + found.rest;
        let is_lost = pattern::matches(self.general, national) && !pattern::matches(self.general, &rest);
        (!is_lost && self.is_possible(&rest)).then_some(rest)
    }
}

/// Replaces `$1` and `$2` by the groups.
fn expand(transform: &str, groups: &[Option<&str>]) -> String {
    let mut expanded = String::new();
    let mut chars = transform.chars();
    while let Some(c) = chars.next() {
        if c != '$' {
            expanded.push(c);
            continue;
        }
        let index = chars.next().and_then(|c| c.to_digit(10)).and_then(|index| usize::try_from(index).ok());
        let group = index.and_then(|index| groups.get(index.checked_sub(1)?).copied().flatten());
        expanded.push_str(group.unwrap_or_default());
    }
    expanded
}
