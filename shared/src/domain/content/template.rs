//! Templates: what is filled in. What a template needs was settled when WhatsApp approved it, and WhatsApp checks it.

use serde_json::Value;

use super::{
    ContentError, location, media,
    object::{ANY, Object, Read, UNSTATED, one_of},
};

/// The longest name (Meta: "Media card carousel templates", "Template name").
const NAME_LIMIT: usize = 512;
/// The longest code to copy (Meta: "Coupon code templates"; other pages say 15).
const COUPON_LIMIT: usize = 20;
/// The most cards of a carousel, and the most buttons of a template (Meta: "Template components").
const CARD_LIMIT: usize = 10;
/// The longest time for which a call button works, in minutes: 30 days.
const MAX_MINUTES: u64 = 43_200;

/// Components that have nothing but parameters.
const PLAIN_COMPONENTS: [&str; 6] =
    ["header", "body", "footer", "limited_time_offer", "tap_target_configuration", "order_status"];

/// The parameters by their types. The type is also the name of the member that has the value.
const PARAMETERS: [(&str, Read); 16] = [
    ("text", |parameter| filled(parameter, "text", UNSTATED)),
    ("payload", |parameter| filled(parameter, "payload", UNSTATED)),
    ("coupon_code", |parameter| filled(parameter, "coupon_code", COUPON_LIMIT)),
    ("group_id", |parameter| filled(parameter, "group_id", UNSTATED)),
    ("image", |parameter| parameter.object("image", media::bare)),
    ("video", |parameter| parameter.object("video", media::bare)),
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

/// `template`.
pub(super) fn template(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.text("name", NAME_LIMIT)?;
    object.object("language", |mut language| {
        language.text("code", UNSTATED)?;
        language.optional_word("policy", &["deterministic"])?;
        language.close()
    })?;
    object.optional_list("components", ANY, |component| self::component(component, true))?;
    object.close()
}

/// One of `components`; only the message itself, not a card of it, has a carousel.
fn component(mut object: Object<'_>, has_carousel: bool) -> Result<Value, ContentError> {
    // Meta's examples have these words in both cases.
    let kind = object.text("type", UNSTATED)?.to_ascii_lowercase();
    match kind.as_str() {
        "button" => {
            object.text("sub_type", UNSTATED)?;
            object.optional_value("index", "a whole number from 0 to 9", is_index)?;
        }
        "carousel" if has_carousel => {
            object.list("cards", 1..=CARD_LIMIT, card)?;
            return object.close();
        }
        kind if PLAIN_COMPONENTS.contains(&kind) => {}
        _ => return Err(object.invalid("type", one_of(&[&PLAIN_COMPONENTS[..], &["button", "carousel"]].concat()))),
    }
    object.optional_list("parameters", ANY, parameter)?;
    object.close()
}

fn card(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.value("card_index", "a whole number from 0 to 9", is_index)?;
    object.list("components", ANY, |component| self::component(component, false))?;
    object.close()
}

/// Meta's examples have an index as a number and as a string.
fn is_index(value: &Value) -> bool {
    let index = match value {
        Value::String(text) if text.len() == 1 => text.parse().ok(),
        value => value.as_u64(),
    };
    index.is_some_and(|index| index < CARD_LIMIT as u64)
}

fn parameter(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.optional_text("parameter_name", UNSTATED)?;
    let kind = object.text("type", UNSTATED)?;
    let Some((_, read)) = PARAMETERS.into_iter().find(|(name, _)| *name == kind) else {
        return Err(object.invalid("type", one_of(&PARAMETERS.map(|(name, _)| name))));
    };
    read(&mut object)?;
    object.close()
}

/// A text that is there. Whether it may be blank depends on the template.
fn filled(object: &mut Object<'_>, name: &'static str, limit: usize) -> Result<(), ContentError> {
    object.optional_text(name, limit)?.map(drop).ok_or_else(|| object.missing(name))
}

fn currency(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.text("fallback_value", UNSTATED)?;
    object.text("code", UNSTATED)?;
    object.value("amount_1000", "a whole number", |value| value.is_i64() || value.is_u64())?;
    object.close()
}

/// Earlier versions of the API had the parts of the time beside `fallback_value`.
fn date_time(parameter: &mut Object<'_>) -> Result<(), ContentError> {
    parameter.value("date_time", "an object with fallback_value, a string", |value| {
        value.get("fallback_value").is_some_and(Value::is_string)
    })
}

fn ttl_minutes(parameter: &mut Object<'_>) -> Result<(), ContentError> {
    parameter.value("ttl_minutes", "a whole number from 1 to 43200", |value| {
        value.as_u64().is_some_and(|minutes| (1..=MAX_MINUTES).contains(&minutes))
    })
}
