//! Failures of the simulated AWS, under the `/simulator` control API, so that whole systems can be tested from outside.
//!
//! - `POST /simulator/table-faults` with `{"percent", "seed"?, "functions"?}` fails this percentage of the table requests
//!   of these functions, or of all. The faults are those that DynamoDB's clients must expect at any time. `GET` returns
//!   the percentage and the functions, and `DELETE` ends the faults.
//! - `GET /simulator/functions` lists the names of the functions.
//! - `POST /simulator/kill` with `{"function"}` kills the running processes of a function, and returns their number.

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::{Body, ControlError, bytes, read};
use crate::{
    database::{Fault, Faults, RandomFaults},
    lambda::Lambda,
};

/// The parts that can fail.
#[derive(Clone)]
pub struct Infrastructure {
    /// The faults of the table.
    pub table: Faults,
    /// The functions.
    pub lambda: Lambda,
}

pub(super) fn routes<S: Clone + Send + Sync + 'static>(infrastructure: Infrastructure) -> Router<S> {
    Router::new()
        .route("/simulator/table-faults", get(table_faults).post(fail_requests).delete(clear))
        .route("/simulator/functions", get(list_functions))
        .route("/simulator/kill", post(kill))
        .with_state(infrastructure)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFaults {
    percent: u32,
    seed: Option<u64>,
    #[serde(default)]
    functions: Vec<String>,
}

async fn table_faults(State(parts): State<Infrastructure>) -> Json<Value> {
    let (percent, functions) =
        parts.table.random().map(|random| (random.percent, random.functions)).unwrap_or_default();
    Json(json!({"percent": percent, "functions": functions}))
}

async fn list_functions(State(parts): State<Infrastructure>) -> Json<Value> {
    Json(json!({"functions": parts.lambda.functions()}))
}

async fn fail_requests(State(parts): State<Infrastructure>, body: Body) -> Result<Json<Value>, ControlError> {
    let TableFaults { percent, seed, functions } = read(&bytes(body)?)?;
    if percent > 100 {
        return Err(ControlError::bad_request("percent must be from 0 to 100"));
    }
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    parts.table.inject_random(RandomFaults { seed, percent, functions, faults: Fault::TRANSIENT.to_vec() });
    Ok(Json(json!({"success": true, "seed": seed})))
}

async fn clear(State(parts): State<Infrastructure>) -> Json<Value> {
    parts.table.clear();
    Json(json!({"success": true}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kill {
    function: String,
}

async fn kill(State(parts): State<Infrastructure>, body: Body) -> Result<Json<Value>, ControlError> {
    let body: Bytes = bytes(body)?;
    let Kill { function } = read(&body)?;
    match parts.lambda.kill(&function) {
        Some(killed) => Ok(Json(json!({"success": true, "killed": killed}))),
        None => Err(ControlError(StatusCode::NOT_FOUND, format!("There is no function {function}"))),
    }
}
