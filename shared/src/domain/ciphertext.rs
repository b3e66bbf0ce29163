//! Encrypted credentials.

use serde::{Deserialize, Serialize};

/// An encrypted secret: the data key, encrypted with the deployment's key, a dot, and the secret, encrypted with the
/// data key. Both parts are base64.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ciphertext(pub String);
