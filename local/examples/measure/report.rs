//! Markdown output.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use crate::Result;

/// A Markdown table.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(header: &[&str]) -> Table {
        let header: Vec<String> = header.iter().map(|&name| name.to_owned()).collect();
        let rule = header.iter().map(|_| "---".to_owned()).collect();
        Table { rows: vec![header, rule] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}

/// Writes a section to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

/// Formats bytes as mebibytes: `6.78`.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / (1024.0 * 1024.0))
}

/// Formats a duration as milliseconds: `1.23`.
pub(crate) fn milliseconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1_000.0)
}

/// Returns the quantile `share` (0.5 for the median, 1 for the maximum). Sorts `values`, which must not be empty.
pub(crate) fn quantile<T: PartialOrd + Copy>(values: &mut [T], share: f64) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let last = values.len() - 1;
    values[((last as f64 * share).round() as usize).min(last)]
}
