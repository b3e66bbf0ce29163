//! Orders (Meta, *Orders*; Payments API in Brazil and India). Objects differ between the countries: checks the members
//! that both have.

use super::{check_length, check_name};
use crate::whatsapp::{
    graph_error::GraphError,
    send::param::{Param, invalid},
};

const MAX_REFERENCE_CHARS: usize = 60;
const MAX_NAME_CHARS: usize = 60;
const MAX_DESCRIPTION_CHARS: usize = 120;
const STATUSES: [&str; 7] =
    ["pending", "processing", "partially-shipped", "partially_shipped", "shipped", "completed", "canceled"];

/// Checks `order_details`.
pub(super) fn check_details(action: &Param<'_>) -> Result<(), GraphError> {
    check_name(action, "review_and_pay")?;
    let parameters = action.required_open_object("parameters")?;
    check_reference(&parameters)?;
    parameters.word("type", &["digital-goods", "physical-goods"])?;
    let currency = parameters.required_text("currency")?;
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(invalid(format!("{} must be an ISO 4217 code, such as INR", parameters.path("currency"))));
    }
    let total = amount(&parameters, "total_amount")?;
    // India's payment links have an amount without an order.
    let Some(order) = parameters.open_object("order")? else { return Ok(()) };
    order.word("status", &["pending"])?;
    let (mut regular, mut sale) = (0_u64, 0_u64);
    let items = order.open_list("items")?;
    for item in &items {
        check_length("Item name", &item.required_text("name")?, 1, MAX_NAME_CHARS)?;
        let quantity =
            item.integer("quantity", 1..=u64::MAX)?.ok_or_else(|| GraphError::missing(&item.path("quantity")))?;
        let price = amount(item, "amount")?;
        let reduced = if item.has("sale_amount") { amount(item, "sale_amount")? } else { price };
        regular = regular.saturating_add(price.saturating_mul(quantity));
        sale = sale.saturating_add(reduced.saturating_mul(quantity));
    }
    let subtotal = amount(&order, "subtotal")?;
    if items.is_empty() || ![regular, sale].contains(&subtotal) {
        return Err(invalid(format!("{} must be the sum of the items", order.path("subtotal"))));
    }
    let optional = |name| if order.has(name) { amount(&order, name) } else { Ok(0) };
    let added = subtotal.saturating_add(optional("tax")?).saturating_add(optional("shipping")?);
    if added.checked_sub(optional("discount")?) != Some(total) {
        let path = parameters.path("total_amount");
        return Err(invalid(format!("{path} must be the subtotal, tax, and shipping, less the discount")));
    }
    Ok(())
}

/// Checks `order_status`.
pub(super) fn check_status(action: &Param<'_>) -> Result<(), GraphError> {
    check_name(action, "review_order")?;
    let parameters = action.required_open_object("parameters")?;
    check_reference(&parameters)?;
    let order = parameters.required_open_object("order")?;
    order.word("status", &STATUSES)?;
    check_length("Order description", &order.text("description")?.unwrap_or_default(), 0, MAX_DESCRIPTION_CHARS)?;
    match parameters.open_object("payment")? {
        Some(payment) => payment.word("status", &["pending", "captured", "failed"]).map(drop),
        None => Ok(()),
    }
}

fn check_reference(parameters: &Param<'_>) -> Result<(), GraphError> {
    let id = parameters.required_text("reference_id")?;
    check_length("Reference id", &id, 1, MAX_REFERENCE_CHARS)?;
    if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
        return Ok(());
    }
    let path = parameters.path("reference_id");
    Err(invalid(format!("{path} can have English letters, digits, underscores, dashes, and dots only")))
}

/// Returns the value of an amount of money in hundredths of the currency's unit.
fn amount(object: &Param<'_>, name: &str) -> Result<u64, GraphError> {
    let amount = object.required_open_object(name)?;
    let number = |name, range| amount.integer(name, range)?.ok_or_else(|| GraphError::missing(&amount.path(name)));
    number("offset", 100..=100)?;
    number("value", 0..=u64::MAX)
}
