//! The registration of a number with the Cloud API: verification by a code, two-step verification, and the limits of
//! registrations (Meta, *Registration* and *Two-step verification*).

use serde::{Deserialize, Serialize};

use crate::whatsapp::{graph_error::GraphError, parameters::Parameters};

const MAX_REQUESTS: usize = 10;
const REQUEST_WINDOW_SECONDS: i64 = 72 * 60 * 60;
/// How long a verification code is valid (Meta, *Verify code API*).
const CODE_SECONDS: i64 = 10 * 60;
/// The countries of local storage (Meta, *Registration*).
const REGIONS: [&str; 14] = ["AU", "ID", "IN", "JP", "SG", "KR", "DE", "CH", "GB", "BR", "BH", "ZA", "AE", "CA"];

/// The registration of a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::whatsapp) struct Registration {
    pub(in crate::whatsapp) is_registered: bool,
    pub(in crate::whatsapp) is_verified: bool,
    /// The PIN of two-step verification. Without one, the first registration sets it.
    pub(in crate::whatsapp) pin: Option<String>,
    /// The country of local storage.
    pub(in crate::whatsapp) region: Option<String>,
    verification: Option<Verification>,
    /// The times of the latest requests in Unix seconds.
    register_requests: Vec<i64>,
    deregister_requests: Vec<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Verification {
    code: String,
    requested_at: i64,
}

impl Default for Registration {
    /// A number that can be used.
    fn default() -> Registration {
        Registration {
            is_registered: true,
            is_verified: true,
            pin: None,
            region: None,
            verification: None,
            register_requests: Vec::new(),
            deregister_requests: Vec::new(),
        }
    }
}

impl Registration {
    /// A new number, which must be verified and registered.
    pub(in crate::whatsapp) fn of_new_number() -> Registration {
        Registration { is_registered: false, is_verified: false, ..Registration::default() }
    }

    /// Registers the number. Counts the request even if it's refused.
    pub(in crate::whatsapp) fn register(&mut self, parameters: &Parameters, now: i64) -> Result<(), GraphError> {
        count(&mut self.register_requests, now)?;
        parameters.require_messaging_product()?;
        let pin = pin(parameters)?;
        let region = parameters.string("data_localization_region")?;
        if region.as_ref().is_some_and(|region| !REGIONS.contains(&region.as_str())) {
            return Err(GraphError::not_one_of("data_localization_region", &REGIONS));
        }
        if !self.is_verified {
            return Err(GraphError::new(133_006, None));
        }
        if self.pin.as_ref().is_some_and(|expected| *expected != pin) {
            return Err(GraphError::new(133_005, None));
        }
        self.pin = Some(pin);
        self.region = region;
        self.is_registered = true;
        Ok(())
    }

    /// Deregisters the number, which also ends local storage. Counts the request even if it's refused.
    pub(in crate::whatsapp) fn deregister(&mut self, now: i64) -> Result<(), GraphError> {
        count(&mut self.deregister_requests, now)?;
        if !self.is_registered {
            return Err(GraphError::new(133_010, None));
        }
        self.is_registered = false;
        self.region = None;
        Ok(())
    }

    /// Sets the PIN of two-step verification.
    pub(in crate::whatsapp) fn set_pin(&mut self, parameters: &Parameters) -> Result<(), GraphError> {
        self.pin = Some(pin(parameters)?);
        Ok(())
    }

    /// Sets the code that verifies the number.
    pub(in crate::whatsapp) fn request_code(
        &mut self,
        parameters: &Parameters,
        code: String,
        now: i64,
    ) -> Result<(), GraphError> {
        let method = parameters.required_string("code_method")?;
        if !["SMS", "VOICE"].contains(&method.as_str()) {
            return Err(GraphError::not_one_of("code_method", &["SMS", "VOICE"]));
        }
        parameters.required_string("language")?;
        if self.is_verified {
            let details = "The phone number is already verified.";
            return Err(GraphError::new(100, None).with_user_message("Phone number already verified", details));
        }
        self.verification = Some(Verification { code, requested_at: now });
        Ok(())
    }

    /// Returns the last code that was sent and not used.
    pub(in crate::whatsapp) fn verification_code(&self) -> Option<&str> {
        self.verification.as_ref().map(|verification| verification.code.as_str())
    }

    /// Verifies the number. A code can be used once.
    pub(in crate::whatsapp) fn verify_code(&mut self, parameters: &Parameters, now: i64) -> Result<(), GraphError> {
        // The SMS shows the code as `123-456`.
        let code = parameters.required_string("code")?.replace(['-', ' '], "");
        let is_valid = |sent: &Verification| sent.code == code && now - sent.requested_at < CODE_SECONDS;
        if !self.verification.as_ref().is_some_and(is_valid) {
            let sentence = "The code is wrong, has expired, or was used before. Request a new code.";
            return Err(GraphError::new(100, None).with_user_message("Invalid verification code", sentence));
        }
        self.verification = None;
        self.is_verified = true;
        Ok(())
    }
}

fn pin(parameters: &Parameters) -> Result<String, GraphError> {
    let pin = parameters.required_string("pin")?;
    if pin.len() != 6 || !pin.bytes().all(|b| b.is_ascii_digit()) {
        return Err(GraphError::parameter("Param pin must be a string of 6 digits."));
    }
    Ok(pin)
}

/// Adds a request. Refuses it after the maximum number of requests in 72 hours.
fn count(requests: &mut Vec<i64>, now: i64) -> Result<(), GraphError> {
    requests.retain(|at| now - at < REQUEST_WINDOW_SECONDS);
    if requests.len() >= MAX_REQUESTS {
        return Err(GraphError::new(133_016, None));
    }
    requests.push(now);
    Ok(())
}

#[cfg(test)]
mod tests;
