//! Fault injection for tests: failures of DynamoDB that the embedded database does not have.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

/// The effect of a fault on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Fails with `ThrottlingException` (400). Nothing is applied.
    Throttled,
    /// Fails with a conflict (400), as if another transaction held an item. Nothing is applied. A transaction fails
    /// with `TransactionCanceledException` and the reason `TransactionConflict`, any other write with
    /// `TransactionConflictException`.
    TransactionConflict,
    /// Fails with `InternalServerError` (500). Nothing is applied.
    InternalServerError,
    /// Applies the request and fails with `InternalServerError` (500).
    InternalServerErrorAfterCommit,
    /// Applies the request and closes the connection before the response is complete.
    ConnectionLostAfterCommit,
    /// Never responds. Nothing is applied.
    Hang,
}

impl Fault {
    /// The faults that DynamoDB's clients must expect at any time.
    pub const TRANSIENT: [Self; 5] = [
        Self::Throttled,
        Self::InternalServerError,
        Self::InternalServerErrorAfterCommit,
        Self::ConnectionLostAfterCommit,
        Self::TransactionConflict,
    ];
}

/// Injects `fault` into the next `times` requests of `operation`.
#[derive(Clone, Debug)]
pub struct Injection {
    /// The DynamoDB operation, such as `PutItem` or `TransactWriteItems`.
    pub operation: String,
    /// Affects only requests of this function (package name); of any client if `None`.
    pub function: Option<String>,
    /// The number of requests, including SDK retries.
    pub times: u32,
    /// The fault to inject.
    pub fault: Fault,
}

/// Faults injected at random. The same seed and the same number of requests yield the same faults.
#[derive(Clone, Debug)]
pub struct RandomFaults {
    /// The seed of the random number generator.
    pub seed: u64,
    /// The percentage of requests that fail.
    pub percent: u32,
    /// Affects only requests of these functions (package names); of all functions if it is empty.
    pub functions: Vec<String>,
    /// The faults to choose from, each equally likely. A read that draws [`Fault::TransactionConflict`] succeeds,
    /// because only writes can conflict.
    pub faults: Vec<Fault>,
}

/// A handle to the pending faults. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    injections: Arc<Mutex<Vec<Injection>>>,
    random: Arc<Mutex<Option<(RandomFaults, fastrand::Rng)>>>,
}

impl Faults {
    /// Adds an injection. A request takes the oldest matching injection.
    pub fn inject(&self, injection: Injection) {
        self.injections.lock().unwrap_or_else(PoisonError::into_inner).push(injection);
    }

    /// Fails requests that no injection matches at random, until the faults are cleared.
    pub fn inject_random(&self, random: RandomFaults) {
        let rng = fastrand::Rng::with_seed(random.seed);
        *self.random.lock().unwrap_or_else(PoisonError::into_inner) = Some((random, rng));
    }

    /// Returns the faults that are injected at random.
    pub fn random(&self) -> Option<RandomFaults> {
        let random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.as_ref().map(|(faults, _)| faults.clone())
    }

    /// Removes all pending faults.
    pub fn clear(&self) {
        *self.random.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.injections.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns the number of pending injected faults.
    pub fn pending(&self) -> u32 {
        let injections = self.injections.lock().unwrap_or_else(PoisonError::into_inner);
        injections.iter().map(|injection| injection.times).sum()
    }

    /// Returns the fault for this request. The access key of a function instance is `<function>.<n>`.
    pub(super) fn next(&self, operation: &str, access_key: &str) -> Option<Fault> {
        let instance_of = access_key.rsplit_once('.').map(|(function, _)| function);
        self.next_injected(operation, instance_of.unwrap_or(access_key))
            .or_else(|| self.next_random(operation, instance_of?))
    }

    fn next_injected(&self, operation: &str, function: &str) -> Option<Fault> {
        let mut injections = self.injections.lock().unwrap_or_else(PoisonError::into_inner);
        let injection = injections.iter_mut().find(|injection| {
            injection.times > 0
                && injection.operation == operation
                && injection.function.as_deref().is_none_or(|wanted| wanted == function)
        })?;
        injection.times -= 1;
        Some(injection.fault)
    }

    fn next_random(&self, operation: &str, function: &str) -> Option<Fault> {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let (random, rng) = random.as_mut()?;
        let is_affected = random.functions.is_empty() || random.functions.iter().any(|wanted| wanted == function);
        if !is_affected || rng.u32(0..100) >= random.percent {
            return None;
        }
        let is_read = matches!(operation, "GetItem" | "BatchGetItem" | "Query" | "Scan");
        let fault = rng.choice(&random.faults).copied();
        fault.filter(|fault| !(is_read && *fault == Fault::TransactionConflict))
    }
}

impl Fault {
    pub(super) fn is_after_commit(self) -> bool {
        matches!(self, Fault::InternalServerErrorAfterCommit | Fault::ConnectionLostAfterCommit)
    }

    /// Returns the HTTP status and body of the error in DynamoDB's format.
    pub(super) fn error(self, operation: &str, request: &[u8]) -> (u16, Value) {
        match self {
            Fault::Throttled => (
                400,
                json!({
                    "__type": "com.amazon.coral.availability#ThrottlingException",
                    "message": "Throughput exceeds the current capacity of your table or index.",
                }),
            ),
            Fault::TransactionConflict => (400, conflict(operation, request)),
            Fault::InternalServerError
            | Fault::InternalServerErrorAfterCommit
            | Fault::ConnectionLostAfterCommit
            | Fault::Hang => (
                500,
                json!({
                    "__type": "com.amazonaws.dynamodb.v20120810#InternalServerError",
                    "message": "The request processing has failed because of an unknown error, exception or failure.",
                }),
            ),
        }
    }
}

/// A canceled transaction reports one reason per action, in order. The first action is the one in conflict.
fn conflict(operation: &str, request: &[u8]) -> Value {
    const MESSAGE: &str = "Transaction is ongoing for the item";
    if !matches!(operation, "TransactWriteItems" | "TransactGetItems") {
        return json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException",
            "message": MESSAGE,
        });
    }
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    let actions = request["TransactItems"].as_array().map_or(1, Vec::len).max(1);
    let mut codes = vec!["None"; actions];
    codes[0] = "TransactionConflict";
    let mut reasons: Vec<Value> = codes.iter().map(|code| json!({"Code": code})).collect();
    reasons[0]["Message"] = json!(MESSAGE);
    json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        ),
        "CancellationReasons": reasons,
    })
}

#[cfg(test)]
mod tests;
