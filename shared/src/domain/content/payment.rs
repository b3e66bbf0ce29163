//! Orders and their payment (Meta, *Payments API*, India and Brazil). The objects differ between countries and payment
//! methods: the members that all of them share are validated, and others go to WhatsApp unchanged.

use serde_json::Value;

use super::{
    ContentError,
    object::{NO_LIMIT, Object},
};

/// The maximum length of `reference_id`, in characters, in Brazil. India allows 35.
const REFERENCE_LIMIT: usize = 60;
/// The maximum length of the name of an item, and of the description of an amount, in characters.
const NAME_LIMIT: usize = 60;
/// The maximum length of the description of an order's status or expiration, in characters.
const DESCRIPTION_LIMIT: usize = 120;

const ORDER_STATUSES: [&str; 7] =
    ["pending", "processing", "partially-shipped", "partially_shipped", "shipped", "completed", "canceled"];
const PAYMENT_STATUSES: [&str; 3] = ["pending", "captured", "failed"];

/// Reads the parameters of `order_details`.
pub(super) fn order_details(mut object: Object<'_>) -> Result<Value, ContentError> {
    reference_id(&mut object)?;
    object.word("type", &["digital-goods", "physical-goods"])?;
    let currency = object.text("currency", NO_LIMIT)?;
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(object.invalid("currency", "a currency code of ISO 4217, such as INR"));
    }
    object.object("total_amount", amount)?;
    object.optional_list("payment_settings", 1..=usize::MAX, |mut setting| {
        setting.text("type", NO_LIMIT)?;
        Ok(setting.finish_open())
    })?;
    object.optional_object("order", order)?;
    let (total, subtotal) = (object.path("total_amount.value"), object.path("order.subtotal.value"));
    let details = object.finish_open();
    if let Some(order) = details.get("order") {
        let value = |name: &str| number(&order[name]["value"]);
        // Meta documents the amount, and its examples with a sale amount add up either one.
        if ![items_total(order, "amount"), items_total(order, "sale_amount")].contains(&value("subtotal")) {
            let expected = "the sum of the items' amounts, or sale amounts, times their quantities".to_owned();
            return Err(ContentError::Invalid { field: subtotal, expected });
        }
        let sum = value("subtotal") + value("tax") + value("shipping") - value("discount");
        if number(&details["total_amount"]["value"]) != sum {
            let expected = "the sum of order.subtotal, order.tax, and order.shipping, less order.discount".to_owned();
            return Err(ContentError::Invalid { field: total, expected });
        }
    }
    Ok(details)
}

/// Returns the price of all items, from the member `name` of those that have it and the `amount` of the others.
fn items_total(order: &Value, name: &str) -> i128 {
    let price = |item: &Value| number(&item.get(name).unwrap_or(&item["amount"])["value"]);
    let items = order["items"].as_array().into_iter().flatten();
    items.map(|item| price(item).saturating_mul(number(&item["quantity"]))).fold(0, i128::saturating_add)
}

/// Returns a validated number, which can be a string. 0 if the member is missing.
fn number(value: &Value) -> i128 {
    match value {
        Value::String(digits) => digits.parse().unwrap_or_default(),
        value => value.as_u64().unwrap_or_default().into(),
    }
}

/// Reads the parameters of `order_status`.
pub(super) fn order_status(mut object: Object<'_>) -> Result<Value, ContentError> {
    reference_id(&mut object)?;
    object.object("order", |mut order| {
        order.word("status", &ORDER_STATUSES)?;
        order.optional_text("description", DESCRIPTION_LIMIT)?;
        order.finish()
    })?;
    object.optional_object("payment", |mut payment| {
        payment.word("status", &PAYMENT_STATUSES)?;
        payment.optional_whole("timestamp", 0..=u64::MAX)?;
        Ok(payment.finish_open())
    })?;
    object.finish()
}

fn reference_id(object: &mut Object<'_>) -> Result<(), ContentError> {
    let id = object.text("reference_id", REFERENCE_LIMIT)?;
    if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
        return Ok(());
    }
    Err(object.invalid("reference_id", "letters, digits, underscores, dashes, and dots"))
}

fn order(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.word("status", &["pending"])?;
    object.list("items", 1..=usize::MAX, |mut item| {
        item.text("name", NAME_LIMIT)?;
        item.object("amount", amount)?;
        item.optional_object("sale_amount", amount)?;
        item.whole("quantity", 1..=u64::MAX)?;
        Ok(item.finish_open())
    })?;
    object.object("subtotal", amount)?;
    for name in ["tax", "shipping", "discount"] {
        object.optional_object(name, amount)?;
    }
    object.optional_object("expiration", |mut expiration| {
        expiration.whole("timestamp", 1..=u64::MAX)?;
        expiration.optional_text("description", DESCRIPTION_LIMIT)?;
        expiration.finish()
    })?;
    Ok(object.finish_open())
}

/// Reads an amount of money in hundredths of the currency's unit.
fn amount(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.whole("value", 0..=u64::MAX)?;
    object.whole("offset", 100..=100)?;
    object.optional_text("description", NAME_LIMIT)?;
    Ok(object.finish_open())
}
