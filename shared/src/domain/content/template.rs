//! Template messages: the shape of their parameters. Only WhatsApp knows which parameters an approved template
//! requires.

mod parameter;

use std::collections::HashSet;

use serde_json::Value;

use super::{
    ContentError,
    object::{ANY_COUNT, NO_LIMIT, Object, one_of},
};

/// The maximum length of a template name, in characters (Meta, *Utility templates*, template name).
const NAME_LIMIT: usize = 512;
/// The maximum number of cards in a carousel, and of buttons in a template (Meta, *Template components*).
const CARD_LIMIT: usize = 10;
/// The position of a button or card.
const POSITIONS: std::ops::RangeInclusive<u64> = 0..=CARD_LIMIT as u64 - 1;

/// The maximum length of a text parameter, in characters, by component (Meta, *Messages*, parameter object).
const HEADER_LIMIT: usize = 60;
const BODY_LIMIT: usize = 1024;
/// The limit of a body without other components.
const LONE_BODY_LIMIT: usize = 32_768;
/// The limit of a card's body (Meta, *Media card carousel templates*).
const CARD_BODY_LIMIT: usize = 160;
/// The limit of a URL with its parameter (Meta, *Template components*, URL buttons).
const URL_LIMIT: usize = 2000;

/// The components that have only parameters.
const PLAIN_COMPONENTS: [&str; 6] =
    ["header", "body", "footer", "limited_time_offer", "tap_target_configuration", "order_status"];

/// The kinds of buttons that can't be sent without a parameter. Without one, the component is left out.
const BUTTONS_WITH_PARAMETERS: [&str; 5] = ["quick_reply", "url", "copy_code", "mpm", "order_details"];

/// The other kinds of buttons.
const OTHER_BUTTONS: [&str; 9] = [
    "flow",
    "catalog",
    "spm",
    "voice_call",
    "phone_number",
    "call_permission_request",
    "request_contact_info",
    "otp",
    "app",
];

/// The components and buttons of a template or card that an earlier entry has used.
#[derive(Default)]
struct Seen {
    kinds: HashSet<String>,
    buttons: HashSet<u64>,
}

/// What the limits of a component's texts depend on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a template with only one component.
    Alone,
    /// In a template with several components.
    Template,
    /// In a card of a carousel, which can't contain a carousel.
    Card,
}

/// Reads `template` (Meta, *Template messages*).
pub(super) fn template(mut object: Object<'_>) -> Result<Value, ContentError> {
    let name = object.text("name", NAME_LIMIT)?;
    if !name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_')) {
        return Err(object.invalid("name", "lower-case letters, digits, and underscores, such as order_ready"));
    }
    object.object("language", |mut language| {
        if !is_language(language.text("code", NO_LIMIT)?) {
            return Err(language.invalid("code", "a language code, such as en or en_US"));
        }
        language.optional_word("policy", &["deterministic"])?;
        language.finish()
    })?;
    let place = if object.count("components") == 1 { Place::Alone } else { Place::Template };
    let mut seen = Seen::default();
    object.optional_list("components", ANY_COUNT, |component| self::component(component, place, &mut seen))?;
    object.finish()
}

/// Returns whether the text looks like a code of Meta's list *Supported languages*: `fil`, `en_US`.
fn is_language(code: &str) -> bool {
    let (language, country) =
        code.split_once('_').map_or((code, None), |(language, country)| (language, Some(country)));
    let is_country = |country: &str| country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && country.is_none_or(is_country)
}

/// Reads one of `components`.
fn component(mut object: Object<'_>, place: Place, seen: &mut Seen) -> Result<Value, ContentError> {
    // Meta's examples use both upper and lower case.
    let kind = object.text("type", NO_LIMIT)?.to_ascii_lowercase();
    let types = [&PLAIN_COMPONENTS[..], &["button"], if place == Place::Card { &[] } else { &["carousel"] }].concat();
    if !types.contains(&kind.as_str()) {
        return Err(object.invalid("type", one_of(&types)));
    }
    if kind == "button" {
        return button(object, seen);
    }
    if !seen.kinds.insert(kind.clone()) {
        return Err(ContentError::Repeated { field: object.path("type") });
    }
    if kind == "carousel" {
        let mut indexes = HashSet::new();
        object.list("cards", 1..=CARD_LIMIT, |card| self::card(card, &mut indexes))?;
        return object.finish();
    }
    let limit = match (kind.as_str(), place) {
        ("body", Place::Alone) => LONE_BODY_LIMIT,
        ("body", Place::Template) => BODY_LIMIT,
        ("body", Place::Card) => CARD_BODY_LIMIT,
        _ => HEADER_LIMIT,
    };
    parameter::list(&mut object, limit, ANY_COUNT)?;
    object.finish()
}

/// Reads a button. Its index says which button of the template it is.
fn button(mut object: Object<'_>, seen: &mut Seen) -> Result<Value, ContentError> {
    let kinds = [&BUTTONS_WITH_PARAMETERS[..], &OTHER_BUTTONS].concat();
    let kind = object.text("sub_type", NO_LIMIT)?.to_ascii_lowercase();
    if !kinds.contains(&kind.as_str()) {
        return Err(object.invalid("sub_type", one_of(&kinds)));
    }
    match object.optional_whole("index", POSITIONS)? {
        Some(index) if seen.buttons.insert(index) => {}
        Some(_) => return Err(ContentError::Repeated { field: object.path("index") }),
        // Meta's example of a call button has no index (Meta, *Call button messages*).
        None if kind == "voice_call" => {}
        None => return Err(object.missing("index")),
    }
    let needs_parameters = BUTTONS_WITH_PARAMETERS.contains(&kind.as_str());
    let given = parameter::list(&mut object, URL_LIMIT, usize::from(needs_parameters)..=usize::MAX)?;
    if needs_parameters && !given {
        return Err(object.missing("parameters"));
    }
    object.finish()
}

fn card(mut object: Object<'_>, indexes: &mut HashSet<u64>) -> Result<Value, ContentError> {
    object.unique_whole("card_index", POSITIONS, indexes)?;
    let mut seen = Seen::default();
    object.list("components", ANY_COUNT, |component| self::component(component, Place::Card, &mut seen))?;
    object.finish()
}
