//! Locations (Meta, *Location messages*).

use serde_json::Value;

use super::param::{Param, invalid};
use crate::whatsapp::graph_error::GraphError;

pub(super) fn check(content: &Value) -> Result<(), GraphError> {
    let location = Param::new("location".to_owned(), content, &["latitude", "longitude", "name", "address"])?;
    for (name, limit) in [("latitude", 90.0), ("longitude", 180.0)] {
        let degrees: Option<f64> = location.required_text(name)?.parse().ok();
        if !degrees.is_some_and(|degrees| degrees.abs() <= limit) {
            let path = location.path(name);
            return Err(invalid(format!("{path} must be in decimal degrees, from -{limit} to {limit}")));
        }
    }
    location.text("name")?;
    location.text("address").map(drop)
}
