//! The embedded DynamoDB. Serves the template's table over HTTP to the functions and to any DynamoDB client.

mod capacity;
mod faults;
mod key_limits;
mod open;
mod permissions;
mod proxy;
mod table;
pub mod usage;

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use dynoxide::DynoxideError;
use tokio::{net::TcpListener, task::JoinHandle, time::MissedTickBehavior};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::faults::{Fault, Faults, Injection, RandomFaults};
use self::{proxy::Rules, usage::UsageMeter};
use crate::{
    output::{Kind, Output},
    template::{Function, Table},
};

/// How often expired items are deleted. DynamoDB deletes them "within a few days" (Developer Guide, *Using time to
/// live*).
const TTL_SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Where the data is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In memory: the data is lost when the process ends.
    Memory,
    /// In the file `qasid.db` in this directory, which is created if needed.
    Directory(PathBuf),
}

/// An error that prevents the database from starting.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The directory cannot be created.
    #[error("cannot create the data folder {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file cannot be opened or is not a database.
    #[error("cannot open the database {location}")]
    Open {
        /// The file, or `in memory`.
        location: String,
        /// The cause.
        source: DynoxideError,
    },
    /// The index for reading the stream cannot be created.
    #[error("cannot prepare the database {location}")]
    Prepare {
        /// The file, or `in memory`.
        location: String,
        /// The cause.
        source: rusqlite::Error,
    },
    /// The database rejected the template's table.
    #[error("the template's table is invalid")]
    Table {
        /// The error as DynamoDB reports it.
        #[from]
        source: DynoxideError,
    },
    /// The table of an earlier run differs from the template's table.
    #[error(
        "the {what} of the table in the data folder differs from the template; delete the data folder to start over"
    )]
    TableMismatch {
        /// The part that differs.
        what: &'static str,
    },
    /// An internal port is unavailable, or a listener is unusable.
    #[error("cannot listen for DynamoDB requests")]
    Listen(#[source] std::io::Error),
}

/// A running database. Stops when dropped.
pub struct Database {
    embedded: dynoxide::Database,
    table_name: String,
    faults: Faults,
    servers: Vec<JoinHandle<()>>,
    stop: DropGuard,
}

impl Database {
    /// Opens the database, creates or verifies the table, and serves it at `listener`.
    ///
    /// Clients may sign with any access key. `meter` records the usage of each access key. Access keys of `functions`
    /// have the permissions that the template grants; all other keys have full access.
    ///
    /// # Errors
    /// Returns a [`DatabaseError`] if the database cannot be opened or served, or if its table differs from the
    /// template's.
    pub async fn start(
        listener: std::net::TcpListener,
        storage: Storage,
        table: &Table,
        functions: &[Function],
        meter: UsageMeter,
        output: Output,
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
        let public_router = proxy::router(address, meter, faults.clone(), Rules::new(table, functions), output.clone());
        let stop = CancellationToken::new();
        let servers = vec![
            tokio::spawn(serve_embedded(internal, embedded.clone(), stop.clone(), output.clone())),
            tokio::spawn(serve_public(public, public_router, stop.clone(), output.clone())),
            tokio::spawn(sweep(embedded.clone(), stop.clone(), output)),
        ];
        Ok(Database { embedded, table_name: table.name.clone(), faults, servers, stop: stop.drop_guard() })
    }

    /// Returns the embedded database for use within this process. Its calls block.
    pub fn embedded(&self) -> dynoxide::Database {
        self.embedded.clone()
    }

    /// Returns the name of the table.
    pub fn table_name(&self) -> &str {
        &self.table_name
    }

    /// Returns the handle for injecting faults in tests.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Finishes the requests in progress and closes the database.
    pub async fn stop(self) {
        self.stop.disarm().cancel();
        for server in self.servers {
            // The runtime has already reported a panic of the server.
            let _ = server.await;
        }
    }
}

async fn serve_embedded(listener: TcpListener, database: dynoxide::Database, stop: CancellationToken, output: Output) {
    if let Err(problem) = dynoxide::server::serve_with_shutdown(listener, database, stop.cancelled_owned()).await {
        output.line(Kind::Problem, format!("the embedded database stopped: {problem}"));
    }
}

async fn serve_public(listener: TcpListener, router: axum::Router, stop: CancellationToken, output: Output) {
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(problem) = served {
        output.line(Kind::Problem, format!("the DynamoDB endpoint stopped: {problem}"));
    }
}

async fn sweep(database: dynoxide::Database, stop: CancellationToken, output: Output) {
    let mut ticks = tokio::time::interval(TTL_SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(_)) => {}
            Ok(Err(problem)) => output.line(Kind::Problem, format!("cannot delete expired items: {problem}")),
            Err(panic) => output.line(Kind::Problem, format!("cannot delete expired items: {panic}")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
