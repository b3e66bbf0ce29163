//! WhatsApp's limits on the rate of sends: the throughput of each business number (Meta, *Throughput*), and the pair rate
//! limit of each number and user (Meta, *About the WhatsApp Business Platform*). Each is a token bucket.
//!
//! Meta counts customers' messages towards the throughput too. Here, only sends count.

use std::{collections::HashMap, time::Duration};

use serde::Serialize;
use tokio::time::Instant;

use super::graph_error::GraphError;

/// Messages per second that a business number may send by default.
pub const DEFAULT_THROUGHPUT: u32 = 80;

/// Messages that a business number may send to one user at once. Afterwards, it may send one per [`PAIR_INTERVAL`].
const PAIR_BURST: u32 = 45;

const PAIR_INTERVAL: Duration = Duration::from_secs(6);

/// The state of all limits.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// By phone number ID.
    numbers: HashMap<String, TokenBucket>,
    /// By phone number ID and user ID.
    pairs: HashMap<(String, String), TokenBucket>,
    refused: Refused,
}

/// Numbers of refused sends since startup, in the format of `GET /simulator/limits`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Refused {
    /// With code 130429.
    throughput: u64,
    /// With code 131056.
    pair: u64,
}

/// Tokens that fill up to a capacity over time. A send takes one.
#[derive(Debug)]
struct TokenBucket {
    tokens: f64,
    filled_at: Instant,
}

impl Limits {
    /// Counts a send of a number with this throughput to a user. A refused send doesn't count.
    ///
    /// # Errors
    /// Returns Meta's error if a limit is reached.
    pub(super) fn send(
        &mut self,
        phone_number_id: &str,
        throughput: u32,
        user_id: &str,
        now: Instant,
    ) -> Result<(), GraphError> {
        let full = |capacity: u32| TokenBucket { tokens: capacity.into(), filled_at: now };
        let number = self.numbers.entry(phone_number_id.to_owned()).or_insert_with(|| full(throughput));
        number.fill(throughput, Duration::from_secs(1) / throughput, now);
        let pair = self.pairs.entry((phone_number_id.to_owned(), user_id.to_owned()));
        let pair = pair.or_insert_with(|| full(PAIR_BURST));
        pair.fill(PAIR_BURST, PAIR_INTERVAL, now);
        if number.is_empty() {
            self.refused.throughput += 1;
            return Err(GraphError::new(130_429, Some("Cloud API message throughput has been reached.".to_owned())));
        }
        if pair.is_empty() {
            self.refused.pair += 1;
            let details = "Too many messages were sent from this phone number to the same recipient in a short time.";
            return Err(GraphError::new(131_056, Some(details.to_owned())));
        }
        number.tokens -= 1.0;
        pair.tokens -= 1.0;
        Ok(())
    }

    pub(super) fn refused(&self) -> Refused {
        self.refused
    }
}

impl TokenBucket {
    /// Adds a token per `interval` since the last time, up to `capacity` tokens.
    fn fill(&mut self, capacity: u32, interval: Duration, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled_at);
        self.tokens = (self.tokens + elapsed.div_duration_f64(interval)).min(capacity.into());
        self.filled_at = self.filled_at.max(now);
    }

    /// Returns whether less than one token is left, apart from rounding.
    fn is_empty(&self) -> bool {
        self.tokens < 1.0 - 1e-6
    }
}

#[cfg(test)]
mod tests;
