//! Tables as files: CSV with a header, a JSON array of objects, or a JSON object per line. A file is read in constant
//! memory.

use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::Value;

/// The names and values of a row. Blank values are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(HashMap<String, String>);

/// A row of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The line of a CSV file at which the row begins, or the number of the object in a JSON file. Both count from 1.
    pub(super) place: u64,
    /// The fields, or why they can't be read.
    pub(super) fields: Result<Fields, String>,
}

/// A file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file can't be opened or read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The file isn't CSV.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// The file isn't JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A column is missing.
    #[error("there is no column {missing}: the first line must name the columns, and it has {}", found.join(", "))]
    Column {
        /// The missing column.
        missing: &'static str,
        /// The columns of the file.
        found: Vec<String>,
    },
    /// The thread that reads the file ended early.
    #[error(transparent)]
    Thread(tokio::task::JoinError),
}

impl Fields {
    /// Returns a field that isn't blank.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn add(&mut self, name: &str, value: String) {
        if !value.trim().is_empty() {
            self.0.insert(normalized(name), value);
        }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Fields {
    fn from(fields: [(&str, &str); N]) -> Self {
        let mut all = Self::default();
        for (name, value) in fields {
            all.add(name, value.to_owned());
        }
        all
    }
}

/// Returns a name in snake_case: some clients write `fromMe` for `from_me`.
fn normalized(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 2);
    for c in name.trim().chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// Reads the rows of a file until `each` returns `false`. A CSV file must have these columns.
pub(super) fn read(path: &Path, columns: &[&'static str], each: impl FnMut(Record) -> bool) -> Result<(), TableError> {
    read_from(BufReader::with_capacity(64 * 1024, File::open(path)?), columns, each)
}

fn read_from(
    mut input: impl BufRead,
    columns: &[&'static str],
    each: impl FnMut(Record) -> bool,
) -> Result<(), TableError> {
    match first_byte(&mut input)? {
        Some(b'[') => read_array(input, each),
        Some(b'{') => read_lines(input, each),
        _ => read_csv(input, columns, each),
    }
}

/// Skips a byte order mark and blanks. Returns the first byte after them.
fn first_byte(input: &mut impl BufRead) -> Result<Option<u8>, std::io::Error> {
    loop {
        let buffer = input.fill_buf()?;
        let blanks = match buffer {
            [] => return Ok(None),
            [0xef, 0xbb, 0xbf, ..] => 3,
            [first, ..] if !first.is_ascii_whitespace() => return Ok(Some(*first)),
            _ => 1,
        };
        input.consume(blanks);
    }
}

fn read_csv(
    input: impl Read,
    columns: &[&'static str],
    mut each: impl FnMut(Record) -> bool,
) -> Result<(), TableError> {
    // With the default terminator, the line of a record after a CRLF would be that of the LF.
    let terminator = csv::Terminator::Any(b'\n');
    let mut reader = csv::ReaderBuilder::new().flexible(true).terminator(terminator).from_reader(input);
    let name = |name: &[u8]| String::from_utf8_lossy(name).trim().to_owned();
    let header: Vec<String> = reader.byte_headers()?.iter().map(name).collect();
    if let Some(missing) = columns.iter().find(|column| !header.iter().any(|name| normalized(name) == **column)) {
        return Err(TableError::Column { missing, found: header });
    }
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        if record.len() == 1 && record.get(0) == Some(b"\r") {
            continue;
        }
        let place = record.position().map_or(0, csv::Position::line);
        if !each(Record { place, fields: csv_fields(&header, &record) }) {
            break;
        }
    }
    Ok(())
}

fn csv_fields(header: &[String], record: &csv::ByteRecord) -> Result<Fields, String> {
    if record.len() != header.len() {
        return Err(format!("has {} fields, but the first line has {}", record.len(), header.len()));
    }
    let mut fields = Fields::default();
    for (index, (name, value)) in header.iter().zip(record).enumerate() {
        // The last field has the CR of a CRLF.
        let value = if index + 1 == record.len() { value.strip_suffix(b"\r").unwrap_or(value) } else { value };
        let value = std::str::from_utf8(value).map_err(|_| format!("{name} is not UTF-8"))?;
        fields.add(name, value.to_owned());
    }
    Ok(fields)
}

fn json_fields(value: Value) -> Result<Fields, String> {
    let Value::Object(members) = value else { return Err("is not an object".to_owned()) };
    let mut fields = Fields::default();
    for (name, value) in members {
        match value {
            Value::Null => {}
            Value::String(text) => fields.add(&name, text),
            other => fields.add(&name, other.to_string()),
        }
    }
    Ok(fields)
}

fn read_lines(input: impl Read, mut each: impl FnMut(Record) -> bool) -> Result<(), TableError> {
    for (value, place) in serde_json::Deserializer::from_reader(input).into_iter::<Value>().zip(1..) {
        if !each(Record { place, fields: json_fields(value?) }) {
            break;
        }
    }
    Ok(())
}

fn read_array(input: impl Read, each: impl FnMut(Record) -> bool) -> Result<(), TableError> {
    let mut json = serde_json::Deserializer::from_reader(input);
    Elements(each).deserialize(&mut json)?;
    Ok(json.end()?)
}

/// Passes the elements of a JSON array to a function, one at a time.
struct Elements<F>(F);

impl<'de, F: FnMut(Record) -> bool> DeserializeSeed<'de> for Elements<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Record) -> bool> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let mut place = 0;
        while let Some(value) = elements.next_element::<Value>()? {
            place += 1;
            if !(self.0)(Record { place, fields: json_fields(value) }) {
                while elements.next_element::<IgnoredAny>()?.is_some() {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
