//! Products of a catalog (Meta, *Share products with customers*).

use serde_json::Value;

use super::{
    ContentError,
    object::{NO_LIMIT, Object, check_count},
};

/// The maximum number of products of a message, in all sections together.
const PRODUCT_LIMIT: usize = 30;
/// The maximum number of sections.
const SECTION_LIMIT: usize = 10;
/// The maximum length of a section's title, in characters.
const TITLE_LIMIT: usize = 24;

/// Reads the reference to a product: the action of a product message and of a card, and a template's parameter.
pub(super) fn reference(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.text("catalog_id", NO_LIMIT)?;
    object.text("product_retailer_id", NO_LIMIT)?;
    object.finish()
}

/// Reads the action of a multi-product message.
pub(super) fn list(mut action: Object<'_>) -> Result<Value, ContentError> {
    action.text("catalog_id", NO_LIMIT)?;
    sections(&mut action)?;
    action.finish()
}

/// Reads the parameters of a catalog message.
pub(super) fn thumbnail(mut parameters: Object<'_>) -> Result<Value, ContentError> {
    parameters.text("thumbnail_product_retailer_id", NO_LIMIT)?;
    parameters.finish()
}

/// Reads the sections of a multi-product message or template. With several sections, each requires a title.
pub(super) fn sections(action: &mut Object<'_>) -> Result<(), ContentError> {
    let (mut untitled, mut sections, mut products) = (None, 0, 0);
    action.list("sections", 1..=SECTION_LIMIT, |mut section| {
        sections += 1;
        if section.filled_text("title", TITLE_LIMIT)?.is_none() {
            untitled.get_or_insert(section.missing("title"));
        }
        section.list("product_items", 1..=PRODUCT_LIMIT, |mut item| {
            products += 1;
            item.text("product_retailer_id", NO_LIMIT)?;
            item.finish()
        })?;
        section.finish()
    })?;
    check_count(&action.path("sections"), products, "products in total", 1..=PRODUCT_LIMIT)?;
    match untitled {
        Some(error) if sections > 1 => Err(error),
        _ => Ok(()),
    }
}
