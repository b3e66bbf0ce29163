//! Throughput of one warm webhook process, which handles one event at a time, as on Lambda.

use std::time::{Duration, Instant};

use axum::body::Bytes;

use crate::{
    Result, events,
    harness::{Functions, Harness},
    process,
    report::{Table, milliseconds, print, quantile},
};

/// Rounds per case. The table shows the round with the median rate.
const ROUNDS: usize = 5;
/// Contacts, all of which have a chat before the measurement.
const CONTACTS: usize = 100;

struct Round {
    /// Requests per second.
    rate: f64,
    median: Duration,
    p99: Duration,
    /// The function's processor time per request.
    processor: Duration,
}

pub(crate) async fn measure(harness: &Harness) -> Result<()> {
    let functions = harness.functions().await?;
    harness.connect(&functions).await?;
    functions.lambda.stop().await;
    let functions = harness.functions().await?;
    let pid = functions.lambda.provision("webhook").await?.pid;
    let header = ["webhook", "requests/s", "messages/s", "median, ms", "p99, ms", "CPU time of the function, ms"];
    let mut table = Table::new(&header);

    let mut next = 0;
    let mut text = |count: usize, contacts: usize, secret: &str| {
        next += count;
        let messages: Vec<_> =
            (0..count).map(|n| events::message(next + n, &events::phone((next + n) % contacts), "Hello")).collect();
        events::webhook(&messages, secret)
    };
    for _ in 0..CONTACTS {
        functions.invoke("webhook", text(1, CONTACTS, &harness.app_secret)?).await?;
    }
    for (case, requests, messages, contacts, secret) in [
        ("invalid signature: 401 without a table request", 2_000, 1, CONTACTS, "another"),
        ("one text message", 1_000, 1, CONTACTS, harness.app_secret.as_str()),
        ("1,000 text messages of 100 contacts", 5, 1_000, CONTACTS, harness.app_secret.as_str()),
        ("1,000 text messages of 1,000 contacts", 5, 1_000, 1_000, harness.app_secret.as_str()),
    ] {
        let mut rounds = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let events = (0..requests).map(|_| text(messages, contacts, secret)).collect::<Result<Vec<_>>>()?;
            rounds.push(round(&functions, pid, events).await?);
        }
        rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        let Round { rate, median, p99, processor } = &rounds[ROUNDS / 2];
        let p99 = if requests < 100 { "–".to_owned() } else { milliseconds(*p99) };
        let cells = [milliseconds(*median), p99, milliseconds(*processor)];
        let rates = [case.to_owned(), significant(*rate), significant(rate * messages as f64)];
        table.row(rates.into_iter().chain(cells));
    }
    print(&format!("### One warm webhook process\n\n{table}"))
}

async fn round(functions: &Functions, pid: u32, events: Vec<Bytes>) -> Result<Round> {
    let count = events.len();
    let mut durations = Vec::with_capacity(count);
    let used_before = process::processor_time(pid)?;
    let started = Instant::now();
    for event in events {
        let invocation = functions.lambda.invoke_measured("webhook", event).await;
        invocation.result?;
        durations.push(invocation.duration);
    }
    let rate = count as f64 / started.elapsed().as_secs_f64();
    let processor = (process::processor_time(pid)? - used_before) / count as u32;
    let [median, p99] = [0.5, 0.99].map(|share| quantile(&mut durations, share));
    Ok(Round { rate, median, p99, processor })
}

/// Rounds to three significant digits.
fn significant(rate: f64) -> String {
    if rate < 10.0 {
        return format!("{rate:.2}");
    }
    let unit = 10_f64.powi((rate.log10().floor() as i32 - 2).max(0));
    format!("{}", (rate / unit).round() * unit)
}
