//! `/{phone number ID}/messages`: sends messages and read receipts.

use std::time::Duration;

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    super::{
        faults::SendOutcome,
        graph_error::GraphError,
        journal::JournalError,
        numbers::RegisteredNumber,
        send::{self, OutboundMessage, ReadReceiptRequest, SendRequest},
        server::close_without_response,
        simulator::{Accepted, Fate, Simulator},
        templates::{Category, MessageStatus},
        users::Address,
        webhook::BusinessNumber,
    },
    GraphRequest,
};
use crate::error_chain;

pub(super) async fn handle(
    simulator: &Simulator,
    request: GraphRequest,
    sender: RegisteredNumber,
) -> Result<Response, GraphError> {
    if request.method != Method::POST {
        return Err(request.unsupported());
    }
    let phone_number_id = &sender.number.phone_number_id;
    if !simulator.business.is_registered(phone_number_id) {
        return Err(GraphError::new(133_010, None));
    }
    // Meta, *Marketing Messages API*.
    let only_marketing = request.path.last().is_some_and(|edge| edge == "marketing_messages");
    match send::parse(request.parameters, &sender.number.display_phone_number)? {
        SendRequest::ReadReceipt(request) => read_receipt(simulator, &sender.number, request).await,
        SendRequest::Message(message) => {
            if simulator.business.is_blocked(phone_number_id, &simulator.user(&message.recipient)) {
                return Err(GraphError::new(130_403, None));
            }
            check_template(simulator, &sender, &message, only_marketing)?;
            send(simulator, &sender, message).await
        }
    }
}

/// Accepts a read receipt. The faults for sends without a number of times apply.
async fn read_receipt(
    simulator: &Simulator,
    number: &BusinessNumber,
    request: ReadReceiptRequest,
) -> Result<Response, GraphError> {
    let done = || Json(json!({"success": true})).into_response();
    match simulator.next_read_receipt() {
        SendOutcome::Accepted | SendOutcome::Failed(_) | SendOutcome::Held(_) => {
            simulator.accept_read_receipt(number, request).map(|()| done())
        }
        SendOutcome::Delayed(delay) => {
            tokio::time::sleep(delay).await;
            simulator.accept_read_receipt(number, request).map(|()| done())
        }
        SendOutcome::Rejected { code, status, retry_after } => {
            simulator.problem(format!("fault: read receipt rejected with code {code}"));
            Err(GraphError::new(code, None).with_status(status).with_retry_after(retry_after))
        }
        SendOutcome::LostBeforeAcceptance(hang) => Ok(hang_up(hang).await),
        SendOutcome::LostAfterAcceptance(hang) => {
            simulator.accept_read_receipt(number, request)?;
            Ok(hang_up(hang).await)
        }
    }
}

/// Checks a message with a template.
fn check_template(
    simulator: &Simulator,
    sender: &RegisteredNumber,
    message: &OutboundMessage,
    only_marketing: bool,
) -> Result<(), GraphError> {
    let Some(content) = message.body.get("template").filter(|_| message.kind == "template") else {
        return Ok(());
    };
    let to_user_id = matches!(message.recipient, Address::UserId(_));
    simulator.templates.read(|templates| {
        let template = templates.check_message(&sender.number.waba_id, content, to_user_id)?;
        if only_marketing && template.category != Category::Marketing {
            return Err(GraphError::new(134_100, None));
        }
        Ok(())
    })
}

async fn send(
    simulator: &Simulator,
    sender: &RegisteredNumber,
    message: OutboundMessage,
) -> Result<Response, GraphError> {
    let number = &sender.number;
    let (contact, masked) = (contact(&message), message.recipient.masked());
    let fate = simulator.check_media(number, &message)?.map_or(Fate::Delivered, Fate::MediaError);
    simulator.check_reply(number, &message)?;
    simulator.limit_send(sender, &message.recipient).inspect_err(|error| {
        simulator.problem(format!("rate limit: message for {masked} rejected with code {}", error.code));
    })?;
    let response = |accepted: Accepted| {
        accepted_response(&contact, &accepted.id, accepted.message_status.map(MessageStatus::as_str))
    };
    let lost = |when| simulator.problem(format!("fault: no response for {masked}, {when}"));
    match simulator.next_send() {
        SendOutcome::Accepted => accept(simulator, number, message, fate).map(response),
        SendOutcome::Delayed(delay) => {
            simulator.problem(format!("fault: message for {masked} delayed"));
            tokio::time::sleep(delay).await;
            accept(simulator, number, message, fate).map(response)
        }
        SendOutcome::Failed(code) => accept(simulator, number, message, Fate::Failed(code)).map(response),
        SendOutcome::Held(status) => {
            let accepted = accept(simulator, number, message, Fate::Held)?;
            Ok(accepted_response(&contact, &accepted.id, Some(&status)))
        }
        SendOutcome::Rejected { code, status, retry_after } => {
            simulator.problem(format!("fault: message for {masked} rejected with code {code}"));
            Err(GraphError::new(code, None).with_status(status).with_retry_after(retry_after))
        }
        SendOutcome::LostBeforeAcceptance(hang) => {
            lost("not accepted");
            Ok(hang_up(hang).await)
        }
        SendOutcome::LostAfterAcceptance(hang) => {
            accept(simulator, number, message, fate)?;
            lost("accepted");
            Ok(hang_up(hang).await)
        }
    }
}

fn accept(
    simulator: &Simulator,
    number: &BusinessNumber,
    message: OutboundMessage,
    fate: Fate,
) -> Result<Accepted, GraphError> {
    simulator.accept(number, message, fate).map_err(|error: JournalError| {
        simulator.problem(format!("message not accepted: {}", error_chain(&error)));
        GraphError::new(131_000, None)
    })
}

fn contact(message: &OutboundMessage) -> Value {
    match &message.recipient {
        Address::Phone(wa_id) => json!({"input": message.input, "wa_id": wa_id}),
        Address::UserId(user_id) => json!({"input": message.input, "user_id": user_id}),
    }
}

/// `message_status` tells whether a message with a template is held back (Meta, *Template pacing*).
fn accepted_response(contact: &Value, id: &str, message_status: Option<&str>) -> Response {
    let mut message = json!({"id": id});
    if let Some(status) = message_status {
        message["message_status"] = json!(status);
    }
    let body = json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]});
    Json(body).into_response()
}

/// Waits, and closes the connection. The server ends it earlier at a shutdown.
async fn hang_up(hang: Duration) -> Response {
    tokio::time::sleep(hang).await;
    close_without_response()
}
