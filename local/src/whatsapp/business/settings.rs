//! The settings of a number: calls, the identity check, local storage, the shopping cart and catalog, and the public key
//! of data exchanges.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::whatsapp::{graph_error::GraphError, parameters::Parameters};

/// The features of `/settings`: a request changes one of them (Meta, *Settings API*).
const FEATURES: [&str; 4] = ["calling", "payload_encryption", "storage_configuration", "user_identity_change"];

/// How an RSA public key of 2,048 bits starts in DER: the algorithm, and the length of the modulus.
const RSA_2048: [u8; 33] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00,
];

/// The settings of a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::whatsapp) struct Settings {
    features: Map<String, Value>,
    /// By default, the cart is enabled and the catalog hidden (Meta, *Set commerce settings*).
    is_cart_enabled: bool,
    is_catalog_visible: bool,
    public_key: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { features: Map::new(), is_cart_enabled: true, is_catalog_visible: false, public_key: None }
    }
}

impl Settings {
    /// Changes the members of one feature (Meta, *Settings API*).
    pub(in crate::whatsapp) fn update(&mut self, parameters: &Parameters) -> Result<(), GraphError> {
        let mut features = FEATURES.into_iter().filter(|feature| parameters.get(feature).is_some());
        let (Some(feature), None) = (features.next(), features.next()) else {
            let sentence = format!("Specify exactly one of {}.", FEATURES.join(", "));
            return Err(GraphError::parameter(&sentence));
        };
        let change = parameters.object(feature)?.unwrap_or_default();
        if feature == "user_identity_change" && !change.get("enable_identity_key_check").is_some_and(Value::is_boolean)
        {
            let sentence = "Param user_identity_change['enable_identity_key_check'] must be a boolean.";
            return Err(GraphError::parameter(sentence));
        }
        let stored = self.features.entry(feature).or_insert_with(|| json!({}));
        for (name, value) in change {
            stored[name] = value;
        }
        Ok(())
    }

    /// Returns the features with Meta's defaults. `region` is the country of local storage.
    pub(in crate::whatsapp) fn features(&self, region: Option<&str>) -> Value {
        let storage = match region {
            Some(region) => json!({"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": region}),
            None => json!({"status": "DEFAULT"}),
        };
        let mut features = json!({"calling": {"status": "DISABLED"}, "storage_configuration": storage});
        for (feature, members) in &self.features {
            for (name, value) in members.as_object().into_iter().flatten() {
                features[feature][name] = value.clone();
            }
        }
        features
    }

    /// Returns whether users can call the number.
    pub(in crate::whatsapp) fn has_calling(&self) -> bool {
        self.features.get("calling").is_some_and(|calling| calling["status"] == "ENABLED")
    }

    /// Changes the settings of the cart and the catalog (Meta, *Set commerce settings*).
    pub(in crate::whatsapp) fn update_commerce(&mut self, parameters: &Parameters) -> Result<(), GraphError> {
        let (cart, catalog) = (parameters.boolean("is_cart_enabled")?, parameters.boolean("is_catalog_visible")?);
        self.is_cart_enabled = cart.unwrap_or(self.is_cart_enabled);
        self.is_catalog_visible = catalog.unwrap_or(self.is_catalog_visible);
        Ok(())
    }

    /// Returns the settings of the cart and the catalog.
    pub(in crate::whatsapp) fn commerce(&self) -> Value {
        json!({"is_cart_enabled": self.is_cart_enabled, "is_catalog_visible": self.is_catalog_visible})
    }

    /// Sets the public key of data exchanges: RSA of 2,048 bits in PEM (Meta, *Business encryption API*).
    pub(in crate::whatsapp) fn set_public_key(&mut self, parameters: &Parameters) -> Result<(), GraphError> {
        let key = parameters.required_string("business_public_key")?;
        if !is_rsa_2048(&key) {
            let sentence = "Param business_public_key must be a 2048-bit RSA public key in PEM format.";
            return Err(GraphError::parameter(sentence));
        }
        self.public_key = Some(key);
        Ok(())
    }

    pub(in crate::whatsapp) fn public_key(&self) -> Option<&str> {
        self.public_key.as_deref()
    }
}

fn is_rsa_2048(pem: &str) -> bool {
    let body = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
    let Some(body) = body.and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----")) else { return false };
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).is_ok_and(|der| der.starts_with(&RSA_2048))
}

#[cfg(test)]
mod tests;
