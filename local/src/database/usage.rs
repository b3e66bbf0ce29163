//! The DynamoDB usage of an invocation.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts requests and consumed units per AWS access key ID. Clones share the counts.
#[derive(Clone, Default, Debug)]
pub struct UsageMeter {
    by_access_key: Arc<Mutex<HashMap<String, Usage>>>,
}

/// The usage of one access key since it was last taken.
#[derive(Clone, Default, Debug, PartialEq)]
pub struct Usage {
    /// Number of requests, including SDK retries.
    pub requests: u64,
    /// Read request units.
    pub read_units: f64,
    /// Write request units, including those of indexes.
    pub write_units: f64,
    /// Number of requests by operation, such as `PutItem`.
    pub operations: BTreeMap<String, u64>,
}

/// Read and write request units of one request.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub(crate) struct Units {
    pub(crate) read: f64,
    pub(crate) write: f64,
}

impl UsageMeter {
    /// Adds one request.
    pub(crate) fn record(&self, access_key: &str, operation: &str, units: Units) {
        let mut all = self.by_access_key.lock().unwrap_or_else(PoisonError::into_inner);
        let usage = all.entry(access_key.to_owned()).or_default();
        usage.requests += 1;
        usage.read_units += units.read;
        usage.write_units += units.write;
        *usage.operations.entry(operation.to_owned()).or_default() += 1;
    }

    /// Returns the usage of `access_key` and resets it to zero.
    pub fn take(&self, access_key: &str) -> Usage {
        let mut all = self.by_access_key.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(access_key).unwrap_or_default()
    }
}

/// Formats the usage as `3 requests, 0.5 read units, 6 write units`.
impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.requests == 1 { "" } else { "s" };
        write!(f, "{} request{plural}, {} read units, {} write units", self.requests, self.read_units, self.write_units)
    }
}

#[cfg(test)]
mod tests;
