//! `/{phone number ID}/register`, `deregister`, `request_code`, and `verify_code` (Meta, *Registration* and *Phone
//! numbers*).

use axum::{http::Method, response::Response};

use super::{GraphRequest, success};
use crate::whatsapp::{
    business::{self, registration::Registration},
    clock::{random, unix_now},
    graph_error::GraphError,
    numbers::RegisteredNumber,
    simulator::Simulator,
};

pub(super) fn handle(
    simulator: &Simulator,
    request: &GraphRequest,
    number: &RegisteredNumber,
    edge: &str,
) -> Result<Response, GraphError> {
    if request.method != Method::POST {
        return Err(request.unsupported());
    }
    let (parameters, now) = (&request.parameters, unix_now());
    let change = |change: &dyn Fn(&mut Registration) -> Result<(), GraphError>| {
        let numbers = &simulator.business.numbers;
        // The outer result is that of the journal, so that a refused request is counted too.
        let refused = business::change(numbers, &number.number.phone_number_id, |state| {
            Ok::<_, GraphError>(change(&mut state.registration))
        });
        refused?
    };
    let display = &number.number.display_phone_number;
    match edge {
        "register" => change(&|registration| registration.register(parameters, now))?,
        "deregister" => {
            change(&|registration| registration.deregister(now))?;
            simulator.log(format!("+{display} is not registered anymore"));
        }
        "request_code" => {
            let code = format!("{:06}", random().as_u128() % 1_000_000);
            change(&|registration| registration.request_code(parameters, code.clone(), now))?;
            simulator.log(format!("SMS to +{display}: WhatsApp code {}-{}", &code[..3], &code[3..]));
        }
        _ => change(&|registration| registration.verify_code(parameters, now))?,
    }
    Ok(success())
}
