//! Countries and territories with phone numbers of their own.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// A country or territory by its ISO 3166 code of two letters, in upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Country(&'static str);

/// The regions of libphonenumber's metadata, sorted.
const CODES: &str = "\
    AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ CA CC \
    CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB \
    GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH \
    KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV \
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB \
    SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US \
    UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// The text isn't the code of a country with phone numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 3166 country code of two letters, such as EG")]
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
        let code = CODES.split(' ').find(|code| code.eq_ignore_ascii_case(text));
        code.map(Self).ok_or(NotACountry)
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
        for code in CODES.split(' ') {
            assert_eq!(code.len(), 2);
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
}
