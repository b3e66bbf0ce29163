//! The components of a template when it is created or edited (Meta, *Template components*).

use serde_json::{Map, Value, json};

use super::{Category, ParameterFormat, authentication, buttons, text};
use crate::whatsapp::graph_error::GraphError;

/// Maximum length of the text of a header or a footer.
pub(super) const MAX_HEADER_CHARS: usize = 60;
/// Maximum length of the text of a body.
pub(super) const MAX_BODY_CHARS: usize = 1024;
/// Maximum length of the text of a body with a limited-time offer (Meta, *Limited-time offer templates*).
const MAX_OFFER_BODY_CHARS: usize = 600;
/// Maximum length of the text of an offer (Meta, *Limited-time offer templates*).
const MAX_OFFER_CHARS: usize = 16;
/// Maximum length of the text of a card (Meta, *Media card carousel templates*).
const MAX_CARD_BODY_CHARS: usize = 160;
/// Maximum number of emojis in a body.
const MAX_EMOJIS: usize = 10;

/// An object of a component's JSON.
pub(super) type Object = Map<String, Value>;

/// A kind of component with its members.
struct Kind {
    name: &'static str,
    members: &'static [&'static str],
}

const KINDS: [Kind; 7] = [
    Kind { name: "HEADER", members: &["format", "text", "example"] },
    Kind { name: "BODY", members: &["text", "example", "add_security_recommendation"] },
    Kind { name: "FOOTER", members: &["text", "code_expiration_minutes"] },
    Kind { name: "BUTTONS", members: &["buttons"] },
    Kind { name: "CAROUSEL", members: &["cards"] },
    Kind { name: "LIMITED_TIME_OFFER", members: &["limited_time_offer"] },
    Kind { name: "CALL_PERMISSION_REQUEST", members: &[] },
];

/// Checks the components of a request and returns them in the form in which Meta stores them.
pub(super) fn parse(
    components: &[Value],
    category: Category,
    format: ParameterFormat,
) -> Result<Vec<Value>, GraphError> {
    let components = read(components, "components")?;
    let has = |kind: &str| components.iter().any(|component| component["type"] == kind);
    if !has("BODY") {
        return Err(missing("BODY", "text"));
    }
    if category == Category::Authentication {
        return authentication::parse(&components);
    }
    let max_body = if has("LIMITED_TIME_OFFER") { MAX_OFFER_BODY_CHARS } else { MAX_BODY_CHARS };
    let mut parsed = Vec::with_capacity(components.len());
    for component in components {
        let component = match component["type"].as_str() {
            Some("HEADER") => header(component, format)?,
            Some("BODY") => body(component, format, max_body)?,
            Some("FOOTER") => footer(component)?,
            Some("BUTTONS") => buttons::component(component)?,
            Some("CAROUSEL") => carousel(component, format)?,
            Some("LIMITED_TIME_OFFER") => offer(component)?,
            _ => component,
        };
        parsed.push(Value::Object(component));
    }
    Ok(parsed)
}

/// Reads an array of components with at most one of each kind, and writes their types in upper case.
fn read(components: &[Value], path: &str) -> Result<Vec<Object>, GraphError> {
    let mut read: Vec<Object> = Vec::with_capacity(components.len());
    for (index, component) in components.iter().enumerate() {
        let Value::Object(component) = component else {
            return Err(GraphError::parameter(&format!("Param {path}[{index}] must be a JSON object.")));
        };
        let path = format!("{path}[{index}]['type']");
        let names = KINDS.map(|kind| kind.name);
        let name = one_of(component.get("type"), &path, &names)?;
        let known: &[&str] = KINDS.iter().find(|kind| kind.name == name).map_or(&[], |kind| kind.members);
        if let Some(unknown) = component.keys().find(|key| *key != "type" && !known.contains(&key.as_str())) {
            return Err(unexpected(&name, unknown));
        }
        if read.iter().any(|other| other["type"] == name.as_str()) {
            let sentence = format!("a template can have only one component of type {name}");
            return Err(GraphError::for_user(2_388_042, "Message template \"components\" param is invalid", &sentence));
        }
        let mut component = component.clone();
        component.insert("type".to_owned(), json!(name));
        read.push(component);
    }
    Ok(read)
}

fn header(mut header: Object, format: ParameterFormat) -> Result<Object, GraphError> {
    let formats = ["TEXT", "IMAGE", "VIDEO", "GIF", "DOCUMENT", "LOCATION", "PRODUCT"];
    if !header.contains_key("format") {
        return Err(missing("HEADER", "format"));
    }
    let kind = one_of(header.get("format"), "components['header']['format']", &formats)?;
    header.insert("format".to_owned(), json!(kind));
    match kind.as_str() {
        "TEXT" => {
            let text = required_text(&header, "HEADER", "text", MAX_HEADER_CHARS)?;
            if text::placeholders(text).len() > 1 || !is_plain(text) {
                return Err(GraphError::for_user(
                    2_388_047,
                    "Message header format is incorrect",
                    "The message header can't have any new lines, formatting characters, emojis or asterisks, or more \
                     than one variable.",
                ));
            }
            check_examples(&header, "HEADER", text, format)?;
        }
        // The handle comes from the Resumable Upload API.
        "IMAGE" | "VIDEO" | "GIF" | "DOCUMENT" => {
            let handle = header.get("example").and_then(|example| first_text(&example["header_handle"]));
            if handle.is_none() {
                return Err(missing("HEADER", "example"));
            }
        }
        _ => {}
    }
    Ok(header)
}

fn body(body: Object, format: ParameterFormat, max: usize) -> Result<Object, GraphError> {
    let text = required_text(&body, "BODY", "text", max)?;
    if text::literal(text).trim().is_empty() || text.contains("\n\n\n") || text::count_emojis(text) > MAX_EMOJIS {
        return Err(GraphError::for_user(
            2_388_072,
            "Message body format is incorrect",
            "The message body can't have more than two consecutive newline characters, only have parameters, or have \
             more than 10 emojis.",
        ));
    }
    check_examples(&body, "BODY", text, format)?;
    if text::has_placeholder_at_an_end(text) {
        let sentence = "Variables can't be at the start or end of the template.";
        return Err(GraphError::for_user(2_388_299, "Leading or trailing params not allowed", sentence));
    }
    // Meta documents the rule without its numbers, and has an example with two words for one variable (*Template
    // components*). Fewer words than variables are too few in any case.
    let words = text::literal(text).split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
    let variables = text::placeholders(text).len();
    if words < variables {
        return Err(GraphError::for_user(
            2_388_293,
            "Parameters words ratio exceeds limit",
            "This template has too many variables for its length. Reduce the number of variables or increase the \
             message length.",
        ));
    }
    Ok(body)
}

fn footer(footer: Object) -> Result<Object, GraphError> {
    if footer.contains_key("code_expiration_minutes") {
        return Err(unexpected("FOOTER", "code_expiration_minutes"));
    }
    let text = required_text(&footer, "FOOTER", "text", MAX_HEADER_CHARS)?;
    if !is_plain(text) || !text::placeholders(text).is_empty() {
        return Err(GraphError::for_user(
            2_388_073,
            "Message footer format is incorrect",
            "The message footer can't have any new lines, formatting characters, emojis, asterisks, or variables.",
        ));
    }
    Ok(footer)
}

fn offer(offer: Object) -> Result<Object, GraphError> {
    let Some(details) = offer.get("limited_time_offer").and_then(Value::as_object) else {
        return Err(missing("LIMITED_TIME_OFFER", "limited_time_offer"));
    };
    required_text(details, "LIMITED_TIME_OFFER", "text", MAX_OFFER_CHARS)?;
    Ok(offer)
}

/// Checks the cards: 2 to 10 cards with the same components (Meta, *Media card carousel templates*).
fn carousel(mut carousel: Object, format: ParameterFormat) -> Result<Object, GraphError> {
    let cards = carousel.get("cards").and_then(Value::as_array).ok_or_else(|| missing("CAROUSEL", "cards"))?;
    let invalid = |sentence: &str| GraphError::for_user(2_388_042, "Carousel cards are invalid", sentence);
    if !(2..=10).contains(&cards.len()) {
        return Err(invalid("A carousel must have 2 to 10 cards."));
    }
    let mut parsed = Vec::with_capacity(cards.len());
    let mut shape = None;
    for (index, card) in cards.iter().enumerate() {
        let components = card["components"].as_array().ok_or_else(|| missing("CAROUSEL", "components"))?;
        let mut card = Vec::with_capacity(components.len());
        for component in read(components, &format!("cards[{index}]['components']"))? {
            card.push(match component["type"].as_str() {
                Some("HEADER") => header(component, format)?,
                Some("BODY") => card_body(component, format)?,
                Some("BUTTONS") => buttons::card(component)?,
                _ => return Err(invalid("A card can only have a header, a body, and buttons.")),
            });
        }
        let media = card.iter().find(|component| component["type"] == "HEADER").map(|header| header["format"].clone());
        if !media.is_some_and(|format| format == "IMAGE" || format == "VIDEO" || format == "PRODUCT") {
            return Err(invalid("Each card must have an image, video, or product header."));
        }
        let card_shape: Vec<Value> = card.iter().map(shape_of).collect();
        if *shape.get_or_insert_with(|| card_shape.clone()) != card_shape {
            return Err(invalid("All cards must have the same components."));
        }
        parsed.push(json!({"components": card}));
    }
    carousel.insert("cards".to_owned(), json!(parsed));
    Ok(carousel)
}

fn card_body(body: Object, format: ParameterFormat) -> Result<Object, GraphError> {
    let text = required_text(&body, "BODY", "text", MAX_CARD_BODY_CHARS)?;
    check_examples(&body, "BODY", text, format)?;
    Ok(body)
}

/// Returns what all cards must have in common: the format of the header and the types of the buttons.
fn shape_of(component: &Object) -> Value {
    let buttons = component.get("buttons").and_then(Value::as_array).map(|buttons| {
        let types: Vec<&Value> = buttons.iter().map(|button| &button["type"]).collect();
        json!(types)
    });
    json!([component["type"], component.get("format"), buttons])
}

/// Checks that a text with placeholders has an example of each.
fn check_examples(component: &Object, kind: &str, text: &str, format: ParameterFormat) -> Result<(), GraphError> {
    let expected = text::placeholders(text).len();
    if expected == 0 {
        return Ok(());
    }
    let member = match format {
        ParameterFormat::Positional => format!("{}_text", kind.to_lowercase()),
        ParameterFormat::Named => format!("{}_text_named_params", kind.to_lowercase()),
    };
    let example = component.get("example").map_or(&Value::Null, |example| &example[&member]);
    let count = match (format, example) {
        (ParameterFormat::Named, Value::Array(examples)) => {
            let has_example = |name: &&str| {
                examples.iter().any(|example| example["param_name"] == **name && example["example"].is_string())
            };
            text::placeholders(text).iter().filter(|name| has_example(name)).count()
        }
        // Meta's examples have a text, an array of texts, or an array of such arrays.
        (ParameterFormat::Positional, Value::String(_)) => 1,
        (ParameterFormat::Positional, Value::Array(examples)) => match examples.first() {
            Some(Value::Array(examples)) => examples.len(),
            _ => examples.len(),
        },
        _ => 0,
    };
    if count == expected { Ok(()) } else { Err(missing(kind, "example")) }
}

/// Returns the text of a member that must be present, with at most `max` characters.
pub(super) fn required_text<'a>(
    object: &'a Object,
    kind: &str,
    member: &str,
    max: usize,
) -> Result<&'a str, GraphError> {
    let text = object.get(member).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| missing(kind, member))?;
    if text.chars().count() > max {
        return Err(too_long(kind, member, max));
    }
    Ok(text)
}

/// Returns whether a text has no line breaks, formatting characters, and emojis.
fn is_plain(text: &str) -> bool {
    !text::literal(text).contains(['\n', '*', '~', '`']) && text::count_emojis(text) == 0
}

/// Returns the upper-case form of a value that must be one of `names`.
pub(super) fn one_of(value: Option<&Value>, path: &str, names: &[&str]) -> Result<String, GraphError> {
    let text = value.and_then(Value::as_str).unwrap_or_default().to_uppercase();
    if names.contains(&text.as_str()) {
        return Ok(text);
    }
    let listed = names.join(", ");
    Err(GraphError::parameter(&format!("Param {path} must be one of {{{listed}}} - got \"{text}\".")))
}

/// Returns the text itself, or the first text of an array.
pub(super) fn first_text(value: &Value) -> Option<&str> {
    value.as_array().and_then(|values| values.first()).unwrap_or(value).as_str().filter(|text| !text.is_empty())
}

pub(super) fn missing(kind: &str, member: &str) -> GraphError {
    GraphError::for_user(
        2_388_043,
        "Message template \"components\" param is missing expected field(s)",
        &format!("component of type {kind} is missing expected field(s) ({member})"),
    )
}

pub(super) fn unexpected(kind: &str, member: &str) -> GraphError {
    GraphError::for_user(
        2_388_042,
        "Message template \"components\" param contains unexpected field(s)",
        &format!("component of type {kind} has unexpected field(s) ({member})"),
    )
}

pub(super) fn too_long(kind: &str, member: &str, max: usize) -> GraphError {
    let sentence = format!("component of type {kind} has a {member} of more than {max} characters");
    GraphError::for_user(2_388_040, "Character limit exceeded", &sentence)
}

#[cfg(test)]
mod tests;
