//! Counters.

use serde::Serialize;

use super::members;
use crate::{
    domain::{
        stats::{Counters, Histogram},
        time::Timestamp,
    },
    http::{ApiError, ApiResponse},
    services::stats::SessionStats,
};

/// `{"success", "from", "to", "total", "hours"}`.
pub fn stats(stats: &SessionStats) -> Result<ApiResponse, ApiError> {
    let hours = stats.hours.iter().map(|(hour, counters)| HourResponse { hour: *hour, counters: counters.into() });
    ApiResponse::success(&members! {
        "from": stats.range.from,
        "to": stats.range.to,
        "total": CountersResponse::from(&stats.total()),
        "hours": hours.collect::<Vec<_>>(),
    })
}

#[derive(Serialize)]
struct HourResponse {
    hour: Timestamp,
    #[serde(flatten)]
    counters: CountersResponse,
}

#[derive(Serialize)]
struct CountersResponse {
    received: u64,
    sent: u64,
    delivered: u64,
    read: u64,
    failed: u64,
    failures: Vec<FailuresResponse>,
    accept_latency: Option<LatencyResponse>,
    delivery_latency: Option<LatencyResponse>,
}

#[derive(Serialize)]
struct FailuresResponse {
    code: Option<u32>,
    count: u64,
}

#[derive(Serialize)]
struct LatencyResponse {
    count: u64,
    mean_ms: Option<u64>,
    p50_ms: Option<u64>,
    p90_ms: Option<u64>,
    p99_ms: Option<u64>,
    buckets: Vec<BucketResponse>,
}

#[derive(Serialize)]
struct BucketResponse {
    up_to_ms: u64,
    count: u64,
}

impl From<&Counters> for CountersResponse {
    fn from(counters: &Counters) -> Self {
        let Counters { received, sent, delivered, read, failed, .. } = *counters;
        let failures = counters.failures().into_iter().map(|(code, count)| FailuresResponse { code, count });
        Self {
            received,
            sent,
            delivered,
            read,
            failed,
            failures: failures.collect(),
            accept_latency: LatencyResponse::new(&counters.accept_latency),
            delivery_latency: LatencyResponse::new(&counters.delivery_latency),
        }
    }
}

impl LatencyResponse {
    fn new(histogram: &Histogram) -> Option<Self> {
        let percentile = |percent| histogram.percentile_ms(percent);
        let latency = Self {
            count: histogram.count(),
            mean_ms: histogram.mean_ms(),
            p50_ms: percentile(50),
            p90_ms: percentile(90),
            p99_ms: percentile(99),
            buckets: histogram.buckets().map(|(up_to_ms, count)| BucketResponse { up_to_ms, count }).collect(),
        };
        Some(latency).filter(|latency| latency.count > 0)
    }
}
