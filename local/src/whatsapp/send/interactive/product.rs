//! Products and catalogs (Meta, *Share products with WhatsApp users*). The simulated business has every product.

use super::{check_name, list};
use crate::whatsapp::{graph_error::GraphError, send::param::Param};

/// The products that a message can have (Meta, *WhatsApp Cloud API - Message API*).
const MAX_PRODUCTS: usize = 30;

/// Checks a single product.
pub(super) fn check(action: &Param<'_>) -> Result<(), GraphError> {
    action.required_text("catalog_id")?;
    action.required_text("product_retailer_id").map(drop)
}

/// Checks a list of products.
pub(super) fn check_list(action: &Param<'_>) -> Result<(), GraphError> {
    action.required_text("catalog_id")?;
    let mut total = 0;
    for section in list::sections(action, "product_items")? {
        for product in list::items(&section, "product_items", &["product_retailer_id"])? {
            product.required_text("product_retailer_id")?;
            total += 1;
        }
    }
    list::check_total("product", total, MAX_PRODUCTS)
}

/// Checks a catalog.
pub(super) fn check_catalog(action: &Param<'_>) -> Result<(), GraphError> {
    check_name(action, "catalog_message")?;
    match action.object("parameters", &["thumbnail_product_retailer_id"])? {
        Some(parameters) => parameters.required_text("thumbnail_product_retailer_id").map(drop),
        None => Ok(()),
    }
}
