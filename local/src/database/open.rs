//! Opens the database file or an in-memory database.

use uuid::Uuid;

use super::{DatabaseError, Storage};

/// Speeds up the stream: each write to a table with a stream looks up its last sequence number, and each poll reads
/// from a sequence number. Without this index, the embedded database scans all stream records each time.
const STREAM_INDEX: &str = "CREATE INDEX IF NOT EXISTS qasid_stream_records ON _stream_records \
                            (table_name, CAST(sequence_number AS INTEGER))";

/// Opens or creates the database. Blocks.
pub(super) fn open(storage: &Storage) -> Result<dynoxide::Database, DatabaseError> {
    let (location, path) = match storage {
        // A named in-memory database, so that a second connection can create the index (SQLite, *In-Memory Databases*).
        Storage::Memory => ("in memory".to_owned(), format!("file:/qasid-{}?vfs=memdb", Uuid::new_v4())),
        Storage::Directory(path) => {
            std::fs::create_dir_all(path).map_err(|source| DatabaseError::Directory { path: path.clone(), source })?;
            let file = path.join("qasid.db").display().to_string();
            (file.clone(), file)
        }
    };
    let database = match dynoxide::Database::new(&path) {
        Ok(database) => database,
        Err(source) => return Err(DatabaseError::Open { location, source }),
    };
    let index = || rusqlite::Connection::open(&path)?.execute_batch(STREAM_INDEX);
    index().map_err(|source| DatabaseError::Prepare { location, source })?;
    Ok(database)
}
