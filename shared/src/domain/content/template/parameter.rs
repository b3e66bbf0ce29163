//! The parameters of a template's components.

use std::{collections::HashSet, ops::RangeInclusive};

use serde_json::Value;

use super::super::{
    ContentError, link, location, media,
    object::{ANY_COUNT, NO_LIMIT, Object, one_of},
    payment, product,
};

/// The maximum length of a coupon code, in characters (Meta, *Coupon code templates*).
const COUPON_LIMIT: usize = 15;
/// The maximum lifetime of a call button, in minutes: 30 days.
const MAX_TTL_MINUTES: u64 = 43_200;
/// The maximum number of spaces in a row in a text parameter.
const MAX_SPACES: usize = 4;

/// A function that reads the members of a parameter. The limit is that of texts in this component.
type Read = for<'a> fn(&mut Object<'a>, usize) -> Result<(), ContentError>;

/// The parameter types, and the function that reads each. The type is also the name of the member with the value.
const PARAMETERS: [(&str, Read); 17] = [
    ("text", text),
    ("payload", |parameter, _| parameter.text("payload", NO_LIMIT).map(drop)),
    ("coupon_code", |parameter, _| coupon_code(parameter)),
    ("group_id", |parameter, _| parameter.text("group_id", NO_LIMIT).map(drop)),
    ("image", |parameter, _| parameter.object("image", media::header)),
    ("video", |parameter, _| parameter.object("video", media::header)),
    ("gif", |parameter, _| parameter.object("gif", media::header)),
    ("document", |parameter, _| parameter.object("document", media::header_document)),
    ("location", |parameter, _| parameter.object("location", location::location)),
    ("currency", |parameter, limit| parameter.object("currency", |currency| self::currency(currency, limit))),
    ("date_time", |parameter, limit| parameter.object("date_time", |date_time| self::date_time(date_time, limit))),
    ("ttl_minutes", |parameter, _| parameter.whole("ttl_minutes", 1..=MAX_TTL_MINUTES).map(drop)),
    ("tap_target_configuration", |parameter, _| parameter.list("tap_target_configuration", 1..=usize::MAX, tap_target)),
    ("action", |parameter, _| parameter.object("action", action)),
    ("product", |parameter, _| parameter.object("product", product::reference)),
    ("limited_time_offer", |parameter, _| parameter.object("limited_time_offer", offer)),
    ("order_status", |parameter, _| parameter.object("order_status", payment::order_status)),
];

/// Reads the optional array `parameters`. Texts have up to `limit` characters. Returns whether the array is present.
///
/// A template has either named or positional parameters (Meta, *Templates*, parameter formats).
pub(super) fn list(
    component: &mut Object<'_>,
    limit: usize,
    allowed: RangeInclusive<usize>,
) -> Result<bool, ContentError> {
    let (mut names, mut unnamed) = (HashSet::new(), None);
    let given = component.optional_list("parameters", allowed, |mut parameter| {
        if parameter.has("parameter_name") {
            parameter.unique_text("parameter_name", NO_LIMIT, &mut names)?;
        } else {
            parameter.optional_text("parameter_name", NO_LIMIT)?;
            unnamed.get_or_insert(parameter.missing("parameter_name"));
        }
        self::parameter(parameter, limit)
    })?;
    match unnamed {
        Some(error) if !names.is_empty() => Err(error),
        _ => Ok(given),
    }
}

fn parameter(mut object: Object<'_>, limit: usize) -> Result<Value, ContentError> {
    let kind = object.text("type", NO_LIMIT)?;
    let Some((_, read)) = PARAMETERS.into_iter().find(|(name, _)| *name == kind) else {
        return Err(object.invalid("type", one_of(&PARAMETERS.map(|(name, _)| name))));
    };
    read(&mut object, limit)?;
    object.finish()
}

fn text(parameter: &mut Object<'_>, limit: usize) -> Result<(), ContentError> {
    plain_text(parameter, "text", limit)?;
    // Meta, Enhanced payment links: on the parameter of a URL button.
    parameter.optional_flag("payment_link_preview")
}

/// Reads a required text that WhatsApp puts into the text of a template. WhatsApp's error for other texts is *Param text
/// cannot have new-line/tab characters or more than 4 consecutive spaces*.
fn plain_text(object: &mut Object<'_>, name: &'static str, limit: usize) -> Result<(), ContentError> {
    let text = object.text(name, limit)?;
    // The line breaks of Unicode (UAX #14, class BK), which editors and spreadsheets insert.
    let is_break = |c| matches!(c, '\n'..='\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let spaces = " ".repeat(MAX_SPACES + 1);
    if text.contains(is_break) || text.contains(&spaces) {
        return Err(object.invalid(name, "a text without line breaks, tabs, or more than 4 spaces in a row"));
    }
    Ok(())
}

fn coupon_code(parameter: &mut Object<'_>) -> Result<(), ContentError> {
    let code = parameter.text("coupon_code", COUPON_LIMIT)?;
    if code.chars().all(char::is_alphanumeric) {
        return Ok(());
    }
    Err(parameter.invalid("coupon_code", "letters and digits without spaces, such as 25OFF"))
}

fn currency(mut object: Object<'_>, limit: usize) -> Result<Value, ContentError> {
    plain_text(&mut object, "fallback_value", limit)?;
    let code = object.text("code", NO_LIMIT)?;
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(object.invalid("code", "a currency code of ISO 4217, such as USD"));
    }
    object.value("amount_1000", "a whole number", |value| value.is_i64() || value.is_u64())?;
    object.finish()
}

/// Reads a date and time. Earlier API versions have more members than `fallback_value`.
fn date_time(mut object: Object<'_>, limit: usize) -> Result<Value, ContentError> {
    plain_text(&mut object, "fallback_value", limit)?;
    Ok(object.finish_open())
}

/// Reads `limited_time_offer` (Meta, *Limited-time offer templates*).
fn offer(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.whole("expiration_time_ms", 1..=u64::MAX)?;
    object.finish()
}

/// Reads an entry of `tap_target_configuration` (Meta, *Tap target URL title override*).
fn tap_target(mut object: Object<'_>) -> Result<Value, ContentError> {
    let url = object.text("url", NO_LIMIT)?;
    link::check_web(url).map_err(|expected| object.invalid("url", expected))?;
    object.text("title", NO_LIMIT)?;
    object.finish()
}

/// Reads the action of a button that opens a flow, a catalog, products, or an order.
fn action(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.optional_text("flow_token", NO_LIMIT)?;
    object.optional_value("flow_action_data", "an object", Value::is_object)?;
    object.optional_text("thumbnail_product_retailer_id", NO_LIMIT)?;
    if object.has("sections") {
        product::sections(&mut object)?;
    } else {
        object.optional_list("sections", ANY_COUNT, Object::finish)?;
    }
    object.optional_object("order_details", payment::order_details)?;
    object.finish()
}
