//! JSON kept as it came, however large. An item holds 400 KB and a webhook 3 MB, so what is long is cut into parts that
//! are written in the same transaction.

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde_json::json;

use super::{Store, StoreError, item, keys::Key, transaction::put_action};

/// The most of one JSON text that an item holds, in bytes; the rest of the item needs little.
const PART: usize = 300 * 1024;

/// Cuts `raw` where it does not fit into one item.
fn parts(raw: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = raw;
    while rest.len() > PART {
        let (part, after) = rest.split_at(rest.floor_char_boundary(PART));
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

impl Store {
    /// The text to keep in the item itself, and the actions that write the rest beside it under `id`.
    pub(super) fn keep_raw(&self, id: String, raw: &str) -> Result<(String, Vec<TransactWriteItem>), StoreError> {
        let mut parts = parts(raw).into_iter();
        let own = parts.next().unwrap_or_default().to_owned();
        let rest = parts
            .enumerate()
            .map(|(index, part)| {
                let item = item::write("raw", &Key::raw_part(&id, index + 1), &json!({"raw": part}))?;
                // Written again by a repeated delivery with the same content.
                Ok(put_action(self.put(item, "attribute_not_exists(pk) OR attribute_exists(pk)")))
            })
            .collect::<Result<_, StoreError>>()?;
        Ok((own, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_and_join_to_the_whole() {
        for raw in ["", "{}", &"é".repeat(PART), &"x".repeat(PART), &"x".repeat(3 * 1024 * 1024)] {
            let parts = parts(raw);
            assert!(parts.iter().all(|part| part.len() <= PART));
            assert_eq!(parts.concat(), raw);
        }
    }
}
