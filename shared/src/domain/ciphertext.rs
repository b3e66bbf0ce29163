//! Encrypted secrets.

use serde::{Deserialize, Serialize};

/// An encrypted secret: the data key under the deployment's key, a dot, and the secret under the data key, both in base64.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ciphertext(pub String);
