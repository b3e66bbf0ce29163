//! Failures that DynamoDB has and an embedded database has not, on demand for tests.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `ThrottlingException`, 400; nothing is applied.
    Throttled,
    /// Another transaction holds an item; nothing is applied. `TransactionCanceledException` with the reason
    /// `TransactionConflict` for a transaction, `TransactionConflictException` for anything else; 400.
    TransactionConflict,
    /// `InternalServerError`, 500; nothing is applied.
    InternalServerError,
    /// `InternalServerError`, 500, although the request was applied.
    InternalServerErrorAfterCommit,
    /// The request is applied and the connection ends before the answer is complete.
    ConnectionLostAfterCommit,
    /// No answer at all, for as long as the client waits; nothing is applied.
    Hang,
}

/// The next `times` requests of `operation` suffer `fault`.
#[derive(Clone, Debug)]
pub struct Injection {
    /// `PutItem`, `TransactWriteItems`…
    pub operation: String,
    /// Only requests of this function (package name); of anyone when `None`.
    pub function: Option<String>,
    /// How many requests; the SDK's own retries count.
    pub times: u32,
    /// What happens to them.
    pub fault: Fault,
}

/// Faults that requests suffer by lot. The same seed draws the same lots for the same number of requests.
#[derive(Clone, Debug)]
pub struct Odds {
    /// Where the draw begins.
    pub seed: u64,
    /// Of how many of 100 requests one fails.
    pub percent: u32,
    /// Only requests of these functions (package names).
    pub functions: Vec<String>,
    /// One of these happens, each as likely as the others. A read that draws [`Fault::TransactionConflict`] suffers
    /// nothing, as only writes have it.
    pub faults: Vec<Fault>,
}

/// A handle on the faults to come. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    injections: Arc<Mutex<Vec<Injection>>>,
    odds: Arc<Mutex<Option<(Odds, fastrand::Rng)>>>,
}

impl Faults {
    /// Adds an injection; a request takes the oldest one that fits it.
    pub fn inject(&self, injection: Injection) {
        self.injections.lock().unwrap_or_else(PoisonError::into_inner).push(injection);
    }

    /// Requests that no injection is for fail by these odds, until the faults are cleared.
    pub fn draw(&self, odds: Odds) {
        let chance = fastrand::Rng::with_seed(odds.seed);
        *self.odds.lock().unwrap_or_else(PoisonError::into_inner) = Some((odds, chance));
    }

    /// Takes back what has not happened yet.
    pub fn clear(&self) {
        *self.odds.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.injections.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many faults are still to come.
    pub fn pending(&self) -> u32 {
        let injections = self.injections.lock().unwrap_or_else(PoisonError::into_inner);
        injections.iter().map(|injection| injection.times).sum()
    }

    /// The fault of this request. The access key of a function's instance is `<function>.<n>`.
    pub(super) fn next(&self, operation: &str, access_key: &str) -> Option<Fault> {
        let function = access_key.rsplit_once('.').map_or(access_key, |(function, _)| function);
        self.injected(operation, function).or_else(|| self.drawn(operation, function))
    }

    fn injected(&self, operation: &str, function: &str) -> Option<Fault> {
        let mut injections = self.injections.lock().unwrap_or_else(PoisonError::into_inner);
        let injection = injections.iter_mut().find(|injection| {
            injection.times > 0
                && injection.operation == operation
                && injection.function.as_deref().is_none_or(|wanted| wanted == function)
        })?;
        injection.times -= 1;
        Some(injection.fault)
    }

    fn drawn(&self, operation: &str, function: &str) -> Option<Fault> {
        let mut odds = self.odds.lock().unwrap_or_else(PoisonError::into_inner);
        let (odds, chance) = odds.as_mut()?;
        if !odds.functions.iter().any(|wanted| wanted == function) || chance.u32(0..100) >= odds.percent {
            return None;
        }
        let is_read = matches!(operation, "GetItem" | "BatchGetItem" | "Query" | "Scan");
        let fault = chance.choice(&odds.faults).copied();
        fault.filter(|fault| !(is_read && *fault == Fault::TransactionConflict))
    }
}

impl Fault {
    pub(super) fn is_after_commit(self) -> bool {
        matches!(self, Fault::InternalServerErrorAfterCommit | Fault::ConnectionLostAfterCommit)
    }

    /// The status and the body of the error, as DynamoDB words it.
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

/// A transaction is told by one reason per action, in their order; here it is the first action that is in conflict.
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
