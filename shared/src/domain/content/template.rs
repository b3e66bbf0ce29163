//! Template messages: the shape of their parameters. Only WhatsApp knows which parameters an approved template
//! requires.

use serde_json::Value;

use super::{
    ContentError, location, media,
    object::{ANY_COUNT, NO_LIMIT, Object, Read, one_of},
};

/// The maximum length of a template name, in characters (Meta, *Media card carousel templates*, template name).
const NAME_LIMIT: usize = 512;
/// The maximum length of a coupon code, in characters (Meta, *Coupon code templates*; other pages say 15).
const COUPON_LIMIT: usize = 20;
/// The maximum number of cards in a carousel, and of buttons in a template (Meta, *Template components*).
const CARD_LIMIT: usize = 10;
/// The maximum lifetime of a call button, in minutes: 30 days.
const MAX_TTL_MINUTES: u64 = 43_200;

/// The components that have only parameters.
const PLAIN_COMPONENTS: [&str; 6] =
    ["header", "body", "footer", "limited_time_offer", "tap_target_configuration", "order_status"];

/// The parameter types, and the function that reads each. The type is also the name of the member with the value.
const PARAMETERS: [(&str, Read); 16] = [
    ("text", |parameter| required_text(parameter, "text", NO_LIMIT)),
    ("payload", |parameter| required_text(parameter, "payload", NO_LIMIT)),
    ("coupon_code", |parameter| required_text(parameter, "coupon_code", COUPON_LIMIT)),
    ("group_id", |parameter| required_text(parameter, "group_id", NO_LIMIT)),
    ("image", |parameter| parameter.object("image", media::without_caption)),
    ("video", |parameter| parameter.object("video", media::without_caption)),
    ("document", |parameter| parameter.object("document", media::file)),
    ("location", |parameter| parameter.object("location", location::location)),
    ("currency", |parameter| parameter.object("currency", currency)),
    ("date_time", date_time),
    ("ttl_minutes", ttl_minutes),
    ("tap_target_configuration", |parameter| parameter.value("tap_target_configuration", "an array", Value::is_array)),
    ("action", |parameter| parameter.value("action", "an object", Value::is_object)),
    ("product", |parameter| parameter.value("product", "an object", Value::is_object)),
    ("limited_time_offer", |parameter| parameter.value("limited_time_offer", "an object", Value::is_object)),
    ("order_status", |parameter| parameter.value("order_status", "an object", Value::is_object)),
];

/// Reads `template`.
pub(super) fn template(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.text("name", NAME_LIMIT)?;
    object.object("language", |mut language| {
        language.text("code", NO_LIMIT)?;
        language.optional_word("policy", &["deterministic"])?;
        language.finish()
    })?;
    object.optional_list("components", ANY_COUNT, |component| self::component(component, true))?;
    object.finish()
}

/// Reads one of `components`. Cards of a carousel can't contain a carousel.
fn component(mut object: Object<'_>, allows_carousel: bool) -> Result<Value, ContentError> {
    // Meta's examples use both upper and lower case.
    let kind = object.text("type", NO_LIMIT)?.to_ascii_lowercase();
    match kind.as_str() {
        "button" => {
            object.text("sub_type", NO_LIMIT)?;
            object.optional_value("index", "a whole number from 0 to 9", is_index)?;
        }
        "carousel" if allows_carousel => {
            object.list("cards", 1..=CARD_LIMIT, card)?;
            return object.finish();
        }
        kind if PLAIN_COMPONENTS.contains(&kind) => {}
        _ => return Err(object.invalid("type", one_of(&[&PLAIN_COMPONENTS[..], &["button", "carousel"]].concat()))),
    }
    object.optional_list("parameters", ANY_COUNT, parameter)?;
    object.finish()
}

fn card(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.value("card_index", "a whole number from 0 to 9", is_index)?;
    object.list("components", ANY_COUNT, |component| self::component(component, false))?;
    object.finish()
}

/// Meta's examples use both a number and a string for an index.
fn is_index(value: &Value) -> bool {
    let index = match value {
        Value::String(text) if text.len() == 1 => text.parse().ok(),
        value => value.as_u64(),
    };
    index.is_some_and(|index| index < CARD_LIMIT as u64)
}

fn parameter(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.optional_text("parameter_name", NO_LIMIT)?;
    let kind = object.text("type", NO_LIMIT)?;
    let Some((_, read)) = PARAMETERS.into_iter().find(|(name, _)| *name == kind) else {
        return Err(object.invalid("type", one_of(&PARAMETERS.map(|(name, _)| name))));
    };
    read(&mut object)?;
    object.finish()
}

/// Reads a required text that can be blank, because some templates allow it.
fn required_text(object: &mut Object<'_>, name: &'static str, limit: usize) -> Result<(), ContentError> {
    object.optional_text(name, limit)?.map(drop).ok_or_else(|| object.missing(name))
}

fn currency(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.text("fallback_value", NO_LIMIT)?;
    object.text("code", NO_LIMIT)?;
    object.value("amount_1000", "a whole number", |value| value.is_i64() || value.is_u64())?;
    object.finish()
}

/// Reads a date and time. Earlier API versions have more members than `fallback_value`.
fn date_time(parameter: &mut Object<'_>) -> Result<(), ContentError> {
    parameter.value("date_time", "an object with fallback_value, a string", |value| {
        value.get("fallback_value").is_some_and(Value::is_string)
    })
}

fn ttl_minutes(parameter: &mut Object<'_>) -> Result<(), ContentError> {
    parameter.value("ttl_minutes", "a whole number from 1 to 43200", |value| {
        value.as_u64().is_some_and(|minutes| (1..=MAX_TTL_MINUTES).contains(&minutes))
    })
}
