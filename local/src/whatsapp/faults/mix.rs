//! Faults that are selected at random.

use serde::{Deserialize, Serialize};

/// A kind of fault that a mix can have.
pub(super) trait Fault {
    /// The outcome of a request.
    type Outcome;

    /// The outcome without a fault.
    const NONE: Self::Outcome;

    /// Returns whether the fault has members that the faults of a mix can't have.
    fn is_nested(&self) -> bool;

    /// Checks the members. `name` is the one of the fault in the request.
    ///
    /// # Errors
    /// Returns a sentence that describes the problem.
    fn check(&self, name: &str) -> Result<(), String>;

    /// Returns the outcome of the next request.
    fn outcome(&mut self) -> Self::Outcome;
}

/// Randomly selected faults. The same seed and the same number of requests yield the same faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultMix<F> {
    /// State of the random number generator. Changes with every request.
    seed: u64,
    faults: Vec<WeightedFault<F>>,
}

/// A fault of a mix and its percentage of requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightedFault<F> {
    percent: u32,
    fault: F,
}

impl<F: Fault> FaultMix<F> {
    /// Checks the faults. `name` is the one of the fault with this mix in the request.
    ///
    /// # Errors
    /// Returns a sentence that describes the problem.
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        let shares = self.faults.iter().map(|share| u64::from(share.percent));
        if self.faults.is_empty() || shares.sum::<u64>() > 100 {
            return Err(format!(
                "{name}.mix.faults must contain at least one fault, with percents of at most 100 in total"
            ));
        }
        if self.faults.iter().any(|share| share.fault.is_nested()) {
            return Err(format!("A fault of {name}.mix cannot contain mix or times"));
        }
        self.faults.iter().try_for_each(|share| share.fault.check(name))
    }

    /// Returns the outcome of the next request.
    pub(super) fn draw(&mut self) -> F::Outcome {
        let mut chance = fastrand::Rng::with_seed(self.seed);
        let mut lot = chance.u32(0..100);
        self.seed = chance.get_seed();
        for share in &mut self.faults {
            match lot.checked_sub(share.percent) {
                Some(rest) => lot = rest,
                None => return share.fault.outcome(),
            }
        }
        F::NONE
    }
}
