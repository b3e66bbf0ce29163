//! Carousels (Meta, *Interactive media carousel messages*; *Interactive product carousel messages*).

use std::collections::HashSet;

use super::{ACTION, MAX_BUTTON_CHARS, check_buttons, check_length, check_url_button, header, product};
use crate::whatsapp::{
    graph_error::GraphError,
    send::param::{Param, invalid, required},
};

const MIN_CARDS: usize = 2;
const MAX_CARDS: usize = 10;
const MAX_BODY_CHARS: usize = 160;
const MAX_LINE_BREAKS: usize = 2;

/// What all cards of a carousel have in common.
#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// The header type and the number of quick replies; 0 with a URL button.
    Media(&'static str, usize),
    /// The catalog.
    Product(String),
}

pub(super) fn check(action: &Param<'_>) -> Result<(), GraphError> {
    let cards = action.required_list("cards", &["card_index", "type", "header", "body", "action"])?;
    if !(MIN_CARDS..=MAX_CARDS).contains(&cards.len()) {
        let details = format!("Invalid cards count. Min allowed cards: {MIN_CARDS}, Max allowed cards: {MAX_CARDS}");
        return Err(invalid(details));
    }
    let (mut indexes, mut common) = (HashSet::new(), None);
    for card in &cards {
        let index = card.integer("card_index", 0..=9)?.ok_or_else(|| GraphError::missing(&card.path("card_index")))?;
        if !indexes.insert(index) {
            return Err(invalid("Duplicate card index".to_owned()));
        }
        let kind = check_card(card)?;
        if *common.get_or_insert_with(|| kind.clone()) != kind {
            let details = "All cards must have the same type, header type, buttons, and catalog".to_owned();
            return Err(invalid(details));
        }
    }
    Ok(())
}

fn check_card(card: &Param<'_>) -> Result<Kind, GraphError> {
    let kind = card.word("type", &["cta_url", "product"])?;
    let action = card.required_object("action", &ACTION)?;
    if kind == "product" {
        product::check(&action)?;
        return Ok(Kind::Product(action.required_text("catalog_id")?.into_owned()));
    }
    let header = match header(card)? {
        Some(kind @ ("image" | "video")) => kind,
        Some(_) => return Err(invalid(format!("{} must be an image or a video", card.path("header")))),
        None => return Err(required(format!("{} is required for type {kind}.", card.path("header")))),
    };
    if let Some(body) = card.object("body", &["text"])? {
        let text = body.required_text("text")?;
        check_length("Card body text", &text, 1, MAX_BODY_CHARS)?;
        if text.matches('\n').count() > MAX_LINE_BREAKS {
            let path = body.path("text");
            return Err(invalid(format!("{path} must have at most {MAX_LINE_BREAKS} line breaks")));
        }
    }
    if action.has("buttons") {
        // Meta, *Interactive media carousel messages*, limits the ID and the label to 20 characters.
        check_buttons(&action, "quick_reply", MAX_BUTTON_CHARS)?;
    } else {
        check_url_button(&action)?;
    }
    Ok(Kind::Media(header, action.list("buttons", &["type", "quick_reply"])?.len()))
}
