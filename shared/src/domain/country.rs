//! Countries and territories with phone numbers of their own.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::domain::phone_number::region::Region;

/// A country or territory by its ISO 3166 code of two letters, in upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Country(&'static str);

/// The text isn't the code of a country with phone numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the ISO 3166 code of a country with its own phone numbers, such as EG")]
pub struct NotACountry;

impl Country {
    /// Returns the code.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl FromStr for Country {
    type Err = NotACountry;

    /// Parses a code in upper or lower case.
    fn from_str(text: &str) -> Result<Self, NotACountry> {
        let mut countries = Region::all().filter(|region| region.id != "001");
        countries.find(|region| region.id.eq_ignore_ascii_case(text)).map(|region| Self(region.id)).ok_or(NotACountry)
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_accepted_in_any_case_and_stored_in_upper_case() {
        for text in ["EG", "eg", "Eg"] {
            assert_eq!(text.parse::<Country>().map(Country::as_str), Ok("EG"), "{text}");
        }
        let codes: Vec<&str> = Region::all().map(|region| region.id).filter(|id| *id != "001").collect();
        assert_eq!(codes.len(), 245);
        for code in codes {
            assert_eq!(code.parse::<Country>().map(Country::as_str), Ok(code));
        }
        assert_eq!(serde_json::to_string(&"ci".parse::<Country>().unwrap()).unwrap(), "\"CI\"");
        assert_eq!(serde_json::from_str::<Country>("\"CI\"").unwrap().as_str(), "CI");
    }

    #[test]
    fn other_texts_are_not_countries() {
        for text in ["", " ", "E", "EGY", "E G", "AC AD", "UK", "EU", "ZZ", "001", "20", "ＥＧ", "ſt", "eg "] {
            assert_eq!(text.parse::<Country>(), Err(NotACountry), "{text}");
        }
        assert!(serde_json::from_str::<Country>("\"ZZ\"").is_err());
    }

    /// The codes exist, but these territories use the numbers of other countries, or none.
    #[test]
    fn territories_without_phone_numbers_are_refused_for_this_reason() {
        for text in ["AQ", "BV", "GS", "HM", "PN", "TF", "UM"] {
            let error = text.parse::<Country>().unwrap_err().to_string();
            assert_eq!(error, "not the ISO 3166 code of a country with its own phone numbers, such as EG", "{text}");
        }
    }
}
