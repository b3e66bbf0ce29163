//! The check of a message against its template (Meta, *Templates*, parameter formats, and *Error codes*).

use std::borrow::Cow;

use serde_json::Value;

use super::{
    Category, ParameterFormat, Template,
    buttons::{MAX_CODE_CHARS, MAX_URL_CHARS},
    components::{MAX_BODY_CHARS, MAX_HEADER_CHARS, one_of},
    text,
};
use crate::whatsapp::graph_error::GraphError;

const COMPONENT_TYPES: [&str; 9] = [
    "HEADER",
    "BODY",
    "FOOTER",
    "BUTTON",
    "CAROUSEL",
    "LIMITED_TIME_OFFER",
    "TAP_TARGET_CONFIGURATION",
    "ORDER_STATUS",
    "CALL_PERMISSION_REQUEST",
];
/// Maximum length of a parameter of an authentication template (Meta, *Copy code authentication templates*).
const MAX_AUTHENTICATION_CHARS: usize = 15;
/// Maximum length of a quick reply's payload (Meta, *Messages*, button parameter).
const MAX_PAYLOAD_CHARS: usize = 256;
/// Maximum number of cards of a message.
const MAX_CARDS: usize = 10;

/// Checks the components of a message.
pub(super) fn check(content: &Value, template: &Template) -> Result<(), GraphError> {
    let sent = components(&content["components"])?;
    let format = template.parameter_format;
    check_components(&sent, &template.components, format)?;
    let body = find(&sent, "BODY");
    if template.category == Category::Authentication {
        for (index, parameter) in parameters(body).iter().enumerate() {
            if value_of(parameter).chars().count() > MAX_AUTHENTICATION_CHARS {
                return Err(invalid(format!(
                    "body: Parameter at index {index} exceeds the parameter length limit {MAX_AUTHENTICATION_CHARS}"
                )));
            }
        }
    }
    for (kind, max) in [("HEADER", MAX_HEADER_CHARS), ("BODY", MAX_BODY_CHARS)] {
        if let Some(text) = template.text_of(kind)
            && filled(text, parameters(find(&sent, kind)), format).chars().count() > max
        {
            let details = format!("{}: the text has more than {max} characters", kind.to_lowercase());
            return Err(GraphError::new(132_005, Some(details)));
        }
    }
    check_offer(&sent, template)?;
    check_carousel(&sent, template)
}

/// A component of a message.
pub(super) struct Sent<'a> {
    pub(super) kind: String,
    pub(super) value: &'a Value,
}

pub(super) fn components(components: &Value) -> Result<Vec<Sent<'_>>, GraphError> {
    let sent = |(index, value)| {
        let path = format!("template['components'][{index}]['type']");
        let value: &Value = value;
        Ok(Sent { kind: one_of(value.get("type"), &path, &COMPONENT_TYPES)?, value })
    };
    components.as_array().into_iter().flatten().enumerate().map(sent).collect()
}

pub(super) fn find<'a>(sent: &[Sent<'a>], kind: &str) -> Option<&'a Value> {
    sent.iter().find(|component| component.kind == kind).map(|component| component.value)
}

pub(super) fn parameters(component: Option<&Value>) -> &[Value] {
    component.and_then(|component| component["parameters"].as_array()).map(Vec::as_slice).unwrap_or_default()
}

/// Checks the header, the body, and the buttons of a template or of a card.
fn check_components(sent: &[Sent<'_>], defined: &[Value], format: ParameterFormat) -> Result<(), GraphError> {
    let of_kind = |kind: &str| defined.iter().find(|component| component["type"] == kind);
    check_header(parameters(find(sent, "HEADER")), of_kind("HEADER"), format)?;
    let body = of_kind("BODY").and_then(|body| body["text"].as_str()).unwrap_or_default();
    check_texts("body", parameters(find(sent, "BODY")), body, format)?;
    let buttons = of_kind("BUTTONS").and_then(|component| component["buttons"].as_array());
    check_buttons(sent, buttons.map(Vec::as_slice).unwrap_or_default())
}

fn check_header(sent: &[Value], defined: Option<&Value>, format: ParameterFormat) -> Result<(), GraphError> {
    let Some(header) = defined else {
        return check_texts("header", sent, "", format);
    };
    let expected = header["format"].as_str().unwrap_or_default();
    if expected == "TEXT" {
        return check_texts("header", sent, header["text"].as_str().unwrap_or_default(), format);
    }
    let received = sent.first().and_then(|parameter| parameter["type"].as_str()).unwrap_or("unknown").to_uppercase();
    if received != expected || sent.len() > 1 {
        return mismatch("header", &format!("Format mismatch, expected {expected}, received {received}"));
    }
    let kind = expected.to_lowercase();
    let content = &sent[0][&kind];
    match expected {
        "LOCATION" => required(content, &kind, &["latitude", "longitude", "name", "address"]),
        "PRODUCT" => required(content, &kind, &["product_retailer_id", "catalog_id"]),
        _ if is_present(&content["id"]) || is_present(&content["link"]) => Ok(()),
        _ => Err(missing(format!("Parameter of type {kind} is missing id or link value"))),
    }
}

/// Checks the parameters of a text: their number, their names, and their values.
fn check_texts(component: &str, sent: &[Value], text: &str, format: ParameterFormat) -> Result<(), GraphError> {
    let names = text::placeholders(text);
    if sent.len() != names.len() {
        let (sent, expected) = (sent.len(), names.len());
        return Err(GraphError::new(
            132_000,
            Some(format!(
                "{component}: number of localizable_params ({sent}) does not match the expected number of params \
                 ({expected})"
            )),
        ));
    }
    for parameter in sent {
        check_name(component, parameter, &names, format)?;
        check_value(component, parameter)?;
    }
    let has = |name: &str| sent.iter().any(|parameter| parameter["parameter_name"] == name);
    match names.into_iter().find(|name| format == ParameterFormat::Named && !has(name)) {
        None => Ok(()),
        Some(name) => mismatch(component, &format!("the parameter {name} is missing")),
    }
}

fn check_name(component: &str, parameter: &Value, names: &[&str], format: ParameterFormat) -> Result<(), GraphError> {
    match (format, parameter["parameter_name"].as_str()) {
        (ParameterFormat::Positional, None) => Ok(()),
        (ParameterFormat::Positional, Some(_)) => mismatch(component, "the parameters of this template have no names"),
        (ParameterFormat::Named, None | Some("")) => {
            Err(GraphError::new(100, Some("Parameter name is missing or empty".to_owned())))
        }
        (ParameterFormat::Named, Some(name)) if names.contains(&name) => Ok(()),
        (ParameterFormat::Named, Some(name)) => mismatch(component, &format!("this template has no parameter {name}")),
    }
}

/// Checks the value of a parameter of a text: a text, an amount, or a time (Meta, *Messages*, parameter object).
fn check_value(component: &str, parameter: &Value) -> Result<(), GraphError> {
    let kind = parameter["type"].as_str().unwrap_or_default();
    let value = match kind {
        "text" => &parameter["text"],
        "currency" => {
            required(&parameter[kind], kind, &["fallback_value", "code", "amount_1000"])?;
            &parameter[kind]["fallback_value"]
        }
        "date_time" => {
            required(&parameter[kind], kind, &["fallback_value"])?;
            &parameter[kind]["fallback_value"]
        }
        "" => return Err(missing("Parameter is missing type value".to_owned())),
        _ => {
            let received = kind.to_uppercase();
            return mismatch(component, &format!("Format mismatch, expected TEXT, received {received}"));
        }
    };
    let Some(value) = text::of(value) else {
        return Err(missing(format!("Parameter of type {kind} is missing {kind} value")));
    };
    if value.contains(['\n', '\r', '\t', '\u{2028}', '\u{2029}']) || value.contains("     ") {
        return Err(invalid(
            "Param text cannot have new-line/tab characters or more than 4 consecutive spaces".to_owned(),
        ));
    }
    Ok(())
}

/// Returns the text of a checked parameter.
fn value_of(parameter: &Value) -> Cow<'_, str> {
    let kind = parameter["type"].as_str().unwrap_or_default();
    let value = if kind == "text" { &parameter["text"] } else { &parameter[kind]["fallback_value"] };
    text::of(value).unwrap_or_default()
}

/// Returns a text with its parameters.
pub(super) fn filled(text: &str, parameters: &[Value], format: ParameterFormat) -> String {
    let names = text::placeholders(text);
    let value = |name: &str| {
        let parameter = match format {
            ParameterFormat::Named => parameters.iter().find(|parameter| parameter["parameter_name"] == name),
            ParameterFormat::Positional => {
                names.iter().position(|other| *other == name).and_then(|index| parameters.get(index))
            }
        };
        parameter.map(value_of).unwrap_or_default().into_owned()
    };
    text::fill(text, value)
}

fn check_buttons(sent: &[Sent<'_>], defined: &[Value]) -> Result<(), GraphError> {
    let mut given = vec![None; defined.len()];
    for component in sent.iter().filter(|component| component.kind == "BUTTON") {
        // Only call buttons have no index.
        let index = usize::try_from(text::integer(&component.value["index"]).unwrap_or_default()).unwrap_or(usize::MAX);
        let Some(button) = defined.get(index) else {
            return Err(invalid(format!("buttons: Button at index {index} does not exist in the template")));
        };
        let expected = button["type"].as_str().unwrap_or_default();
        let received = component.value["sub_type"].as_str().unwrap_or_default();
        if !received.eq_ignore_ascii_case(expected) {
            return Err(invalid(format!("buttons: Button at index {index} must be of type {}", camel_case(expected))));
        }
        given[index] = Some(parameters(Some(component.value)));
    }
    for (index, (button, parameters)) in defined.iter().zip(given).enumerate() {
        check_button(index, button, parameters.unwrap_or_default())?;
    }
    Ok(())
}

fn check_button(index: usize, button: &Value, sent: &[Value]) -> Result<(), GraphError> {
    let parameter = |kind: &str| sent.first().map_or(&Value::Null, |parameter| &parameter[kind]);
    let too_long = |max: usize| {
        invalid(format!("buttons: Parameter of button at index {index} exceeds the parameter length limit {max}"))
    };
    match button["type"].as_str().unwrap_or_default() {
        "URL" => {
            let url = button["url"].as_str().unwrap_or_default();
            match (text::placeholders(url).is_empty(), text::of(parameter("text"))) {
                (true, _) if sent.is_empty() => Ok(()),
                (true, _) => Err(invalid(format!("buttons: Button at index {index} of type Url has no parameters"))),
                (false, None) => {
                    Err(missing(format!("buttons: Button at index {index} of type Url requires a parameter")))
                }
                (false, Some(text))
                    if text::fill(url, |_| text.clone().into_owned()).chars().count() > MAX_URL_CHARS =>
                {
                    Err(too_long(MAX_URL_CHARS))
                }
                (false, Some(_)) => Ok(()),
            }
        }
        "COPY_CODE" => match text::of(parameter("coupon_code")) {
            None => Err(missing(format!(
                "buttons: Button at index {index} of type copy_code requires a non-empty parameter coupon_code"
            ))),
            Some(code) if code.chars().count() > MAX_CODE_CHARS => Err(too_long(MAX_CODE_CHARS)),
            Some(_) => Ok(()),
        },
        "QUICK_REPLY" => match text::of(parameter("payload")) {
            Some(payload) if payload.chars().count() > MAX_PAYLOAD_CHARS => Err(too_long(MAX_PAYLOAD_CHARS)),
            _ => Ok(()),
        },
        "MPM" if !parameter("action")["sections"].is_array() => {
            Err(missing(format!("buttons: Button at index {index} of type Mpm requires a parameter")))
        }
        "ORDER_DETAILS" if !parameter("action")["order_details"].is_object() => {
            Err(missing(format!("buttons: Button at index {index} of type OrderDetails requires a parameter")))
        }
        _ => Ok(()),
    }
}

/// An offer that expires needs its time (Meta, *Limited-time offer templates*).
fn check_offer(sent: &[Sent<'_>], template: &Template) -> Result<(), GraphError> {
    let offer = template.component("LIMITED_TIME_OFFER").map(|offer| &offer["limited_time_offer"]);
    let expires = offer.is_some_and(|offer| offer["has_expiration"] == true);
    let sent = parameters(find(sent, "LIMITED_TIME_OFFER")).first();
    let time = sent.map_or(&Value::Null, |sent| &sent["limited_time_offer"]["expiration_time_ms"]);
    if expires && text::integer(time).is_none() {
        return Err(missing("Parameter of type limited_time_offer is missing expiration_time_ms value".to_owned()));
    }
    Ok(())
}

/// A message has all media cards of its template, and up to 10 product cards (Meta, *Media card carousel templates* and
/// *Product card carousel templates*). Each names the card of the template by its index.
fn check_carousel(sent: &[Sent<'_>], template: &Template) -> Result<(), GraphError> {
    let Some(defined) = template.component("CAROUSEL").and_then(|carousel| carousel["cards"].as_array()) else {
        return Ok(());
    };
    let sent = find(sent, "CAROUSEL").and_then(|carousel| carousel["cards"].as_array());
    let sent = sent.map(Vec::as_slice).unwrap_or_default();
    let first = defined.first().and_then(|card| card["components"].as_array()).map(Vec::as_slice).unwrap_or_default();
    let has_products = first.iter().any(|component| component["format"] == "PRODUCT");
    let is_complete = if has_products { (2..=MAX_CARDS).contains(&sent.len()) } else { sent.len() == defined.len() };
    if !is_complete {
        let (sent, expected) = (sent.len(), defined.len());
        let sentence = format!("number of cards ({sent}) does not match the expected number of cards ({expected})");
        return mismatch("carousel", &sentence);
    }
    let count = if has_products { MAX_CARDS } else { defined.len() };
    let mut indexes = Vec::with_capacity(sent.len());
    for card in sent {
        let index = text::integer(&card["card_index"]).and_then(|index| usize::try_from(index).ok());
        let index = index.ok_or_else(|| missing("carousel: card_index is missing".to_owned()))?;
        if indexes.contains(&index) {
            return Err(invalid(format!("carousel: Duplicate card index {index}")));
        }
        if index >= count {
            return Err(invalid(format!("carousel: Card at index {index} does not exist in the template")));
        }
        indexes.push(index);
    }
    for (index, card) in indexes.into_iter().zip(sent) {
        let defined = defined.get(index).and_then(|card| card["components"].as_array()).map_or(first, Vec::as_slice);
        check_components(&components(&card["components"])?, defined, template.parameter_format)?;
    }
    Ok(())
}

fn required(content: &Value, kind: &str, members: &[&str]) -> Result<(), GraphError> {
    match members.iter().find(|member| !is_present(&content[**member])) {
        None => Ok(()),
        Some(member) => Err(missing(format!("Parameter of type {kind} is missing {member} value"))),
    }
}

fn is_present(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| !text.is_empty())
}

/// `QUICK_REPLY` is `QuickReply`.
fn camel_case(kind: &str) -> String {
    let capitalized =
        |word: &str| word.get(..1).unwrap_or_default().to_owned() + &word.get(1..).unwrap_or_default().to_lowercase();
    kind.split('_').map(capitalized).collect()
}

/// A component that doesn't have the format of the template.
fn mismatch<T>(component: &str, sentence: &str) -> Result<T, GraphError> {
    Err(GraphError::new(132_012, Some(format!("{component}: {sentence}"))))
}

fn missing(details: String) -> GraphError {
    GraphError::new(131_008, Some(details))
}

fn invalid(details: String) -> GraphError {
    GraphError::new(132_018, Some(details))
}

#[cfg(test)]
mod tests;
