//! The embedded DynamoDB: the table of the template, served over HTTP for the functions and for any DynamoDB client.

mod capacity;
mod faults;
mod open;
mod permissions;
mod proxy;
mod table;
pub mod usage;

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use dynoxide::DynoxideError;
use tokio::{net::TcpListener, task::JoinHandle, time::MissedTickBehavior};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::faults::{Fault, Faults, Injection, Odds};
use self::{permissions::Permissions, usage::UsageMeter};
use crate::{
    console::{Console, Kind},
    template::{Function, Table},
};

/// DynamoDB deletes expired items "within a few days" (Developer Guide, "Using time to live"); here it is every minute.
const TTL_SWEEP: Duration = Duration::from_secs(60);

/// Where the data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Gone with the process.
    Memory,
    /// In `qasid.db` in this directory, which is created.
    Directory(PathBuf),
}

/// Why the database did not start.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The directory could not be made.
    #[error("cannot create the data folder {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file could not be opened, or is no database.
    #[error("cannot open the database {location}")]
    Open {
        /// The file, or `in memory`.
        location: String,
        /// Why not.
        source: DynoxideError,
    },
    /// The index that the stream is read with could not be made.
    #[error("cannot prepare the database {location}")]
    Prepare {
        /// The file, or `in memory`.
        location: String,
        /// Why not.
        source: rusqlite::Error,
    },
    /// The database refused the table.
    #[error("the template's table is refused")]
    Table {
        /// In DynamoDB's words.
        #[from]
        source: DynoxideError,
    },
    /// A table of an earlier run is not the template's.
    #[error("the table in the data folder has another {what} than the template; delete the data folder to start anew")]
    Differs {
        /// The part that differs.
        what: &'static str,
    },
    /// No internal port could be had, or a listener is not usable.
    #[error("cannot listen for DynamoDB requests")]
    Listen(#[source] std::io::Error),
}

/// A running database. It stops when it is dropped.
pub struct Database {
    embedded: dynoxide::Database,
    table_name: String,
    faults: Faults,
    servers: Vec<JoinHandle<()>>,
    stop: DropGuard,
}

impl Database {
    /// Opens the database, makes sure of the table, and serves it at `listener` to clients that may sign with any key;
    /// `meter` learns what each access key uses, and the keys of `functions` may do what the template allows them.
    ///
    /// # Errors
    /// As [`DatabaseError`] says.
    pub async fn start(
        listener: std::net::TcpListener,
        storage: Storage,
        table: &Table,
        functions: &[Function],
        meter: UsageMeter,
        console: Console,
    ) -> Result<Database, DatabaseError> {
        let opening = {
            let table = table.clone();
            move || -> Result<dynoxide::Database, DatabaseError> {
                let embedded = open::open(&storage)?;
                table::ensure(&embedded, &table)?;
                Ok(embedded)
            }
        };
        let embedded = tokio::task::spawn_blocking(opening)
            .await
            .map_err(|panic| DynoxideError::InternalServerError(panic.to_string()))??;

        let internal = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(DatabaseError::Listen)?;
        let address = internal.local_addr().map_err(DatabaseError::Listen)?;
        listener.set_nonblocking(true).map_err(DatabaseError::Listen)?;
        let public = TcpListener::from_std(listener).map_err(DatabaseError::Listen)?;

        let faults = Faults::default();
        let public_router =
            proxy::router(address, meter, faults.clone(), Permissions::new(table, functions), console.clone());
        let stop = CancellationToken::new();
        let servers = vec![
            tokio::spawn(serve_embedded(internal, embedded.clone(), stop.clone(), console.clone())),
            tokio::spawn(serve_public(public, public_router, stop.clone(), console.clone())),
            tokio::spawn(sweep(embedded.clone(), stop.clone(), console)),
        ];
        Ok(Database { embedded, table_name: table.name.clone(), faults, servers, stop: stop.drop_guard() })
    }

    /// The database itself, for callers in this process. Its calls block.
    pub fn embedded(&self) -> dynoxide::Database {
        self.embedded.clone()
    }

    /// The name of the table.
    pub fn table_name(&self) -> &str {
        &self.table_name
    }

    /// Makes requests fail, for tests.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Finishes the requests that are under way and closes the database.
    pub async fn stop(self) {
        self.stop.disarm().cancel();
        for server in self.servers {
            // A panic in a server has been reported by the runtime.
            let _ = server.await;
        }
    }
}

async fn serve_embedded(
    listener: TcpListener,
    database: dynoxide::Database,
    stop: CancellationToken,
    console: Console,
) {
    if let Err(problem) = dynoxide::server::serve_with_shutdown(listener, database, stop.cancelled_owned()).await {
        console.line(Kind::Problem, format!("the embedded database stopped: {problem}"));
    }
}

async fn serve_public(listener: TcpListener, router: axum::Router, stop: CancellationToken, console: Console) {
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(problem) = served {
        console.line(Kind::Problem, format!("the DynamoDB endpoint stopped: {problem}"));
    }
}

async fn sweep(database: dynoxide::Database, stop: CancellationToken, console: Console) {
    let mut ticks = tokio::time::interval(TTL_SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(_)) => {}
            Ok(Err(problem)) => console.line(Kind::Problem, format!("expired items were not deleted: {problem}")),
            Err(panic) => console.line(Kind::Problem, format!("expired items were not deleted: {panic}")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
