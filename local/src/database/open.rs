//! Opening the file of the database, or its place in memory.

use uuid::Uuid;

use super::{DatabaseError, Storage};

/// Each write to a table with a stream asks for the last number of the stream, and each poll for what came after one;
/// the database looks at every record of the stream for that. With this index, at one.
const STREAM_INDEX: &str = "CREATE INDEX IF NOT EXISTS qasid_stream_records ON _stream_records \
                            (table_name, CAST(sequence_number AS INTEGER))";

/// Opens or makes the database. Blocks.
pub(super) fn open(storage: &Storage) -> Result<dynoxide::Database, DatabaseError> {
    let (location, path) = match storage {
        // Memory with a name, so that the index can be made over a connection of our own (SQLite: "In-Memory Databases").
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
