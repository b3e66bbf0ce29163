//! What an import did.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use super::{api::Imported, row::Message};

/// The number of rejected rows that are written to standard error.
const MAX_SHOWN: u64 = 100;

/// Counts what an import did.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Number of rows of the session.
    pub(super) read: u64,
    /// Number of rows of other sessions, which are left out.
    pub(super) other_sessions: u64,
    pub(super) rejected: u64,
    imported: u64,
    duplicates: u64,
    /// The chats by the ID or spelling that they had before. `None` if all messages are in the chat of another contact.
    chats: HashMap<String, Option<String>>,
}

impl Report {
    /// Adds the result of a request with these messages.
    pub(super) fn add<'a>(&mut self, imported: &Imported, messages: impl Iterator<Item = &'a Message>) {
        self.imported += imported.imported;
        self.duplicates += imported.duplicates;
        let chats = imported.chats();
        for message in messages {
            match (self.chats.get_mut(&message.old_chat), chats.get(message.contact.as_str())) {
                (Some(known @ None), Some(chat_id)) => *known = Some((*chat_id).to_owned()),
                (Some(_), _) => {}
                (None, chat_id) => {
                    self.chats.insert(message.old_chat.clone(), chat_id.map(|chat_id| (*chat_id).to_owned()));
                }
            }
        }
    }

    /// Returns the number of chats before and after the import, and of those before and after that were several chats of
    /// one contact.
    fn collapse(&self) -> Collapse {
        let mut sizes: HashMap<&str, u64> = HashMap::new();
        for chat_id in self.chats.values().flatten() {
            *sizes.entry(chat_id).or_default() += 1;
        }
        let merged: Vec<u64> = sizes.values().copied().filter(|size| *size > 1).collect();
        Collapse {
            before: sizes.values().sum(),
            after: sizes.len() as u64,
            duplicates: merged.iter().sum(),
            became: merged.len() as u64,
        }
    }

    /// Returns the report. `chat_count` is the number of rows of the old table of chats, if there was one.
    pub(super) fn text(&self, session_id: &str, url: &str, chat_count: Option<usize>) -> String {
        let Self { read, rejected, imported, duplicates, other_sessions, .. } = self;
        let Collapse { before, after, duplicates: merged, became } = self.collapse();
        let mut lines = vec![
            format!("Session {session_id} of {url}"),
            format!("Messages: {read} rows read, {imported} imported, {duplicates} already there, {rejected} rejected"),
        ];
        if *other_sessions > 0 {
            lines.push(format!("Messages of other sessions, left out: {other_sessions}"));
        }
        match chat_count {
            Some(count) => {
                lines.push(format!("Chats with messages: {before} before, {after} now"));
                lines.push(match merged {
                    0 => "No chats of the old tables were duplicates".to_owned(),
                    _ => format!("{merged} chats of the old tables were duplicates and became {became}"),
                });
                let without = count.saturating_sub(self.chats.len());
                if without > 0 {
                    lines.push(format!("Chats without messages to import, left out: {without}"));
                }
            }
            None => {
                lines.push(format!("Chats: {before} spellings of contacts became {after} chats"));
            }
        }
        let elsewhere = self.chats.values().filter(|chat_id| chat_id.is_none()).count();
        if elsewhere > 0 {
            lines.push(format!("Chats whose messages are all stored in another chat already: {elsewhere}"));
        }
        lines.join("\n") + "\n"
    }
}

/// Numbers of chats.
#[derive(Debug, PartialEq, Eq)]
struct Collapse {
    before: u64,
    after: u64,
    duplicates: u64,
    became: u64,
}

/// Writes the rows that can't be imported.
pub(super) struct Rejections {
    file: Option<csv::Writer<BufWriter<File>>>,
    count: u64,
}

impl Rejections {
    pub(super) fn new(path: Option<&Path>) -> Result<Self, std::io::Error> {
        let file = path.map(|path| File::create(path).map(|file| csv::Writer::from_writer(BufWriter::new(file))));
        let mut rejections = Self { file: file.transpose()?, count: 0 };
        if let Some(file) = &mut rejections.file {
            file.write_record(["file", "line", "reason"])?;
        }
        Ok(rejections)
    }

    /// Adds a row, which `reason` describes after the words "the row".
    pub(super) fn add(&mut self, path: &Path, place: u64, reason: &str) {
        self.count += 1;
        // Ignore a closed standard error and a full disk: the report has the number of rejected rows.
        match &mut self.file {
            Some(file) => {
                let _ = file.write_record([&path.display().to_string(), &place.to_string(), reason]);
            }
            None if self.count <= MAX_SHOWN => {
                let _ = writeln!(std::io::stderr(), "{}:{place}: {reason}", path.display());
            }
            None => {}
        }
    }

    pub(super) fn finish(&mut self) {
        let _ = match &mut self.file {
            Some(file) => file.flush(),
            None if self.count > MAX_SHOWN => {
                let more = self.count - MAX_SHOWN;
                writeln!(std::io::stderr(), "{more} more rows were rejected: --rejected FILE lists all of them")
            }
            None => Ok(()),
        };
    }
}

#[cfg(test)]
mod tests;
