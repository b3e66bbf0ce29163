//! `/{phone number ID}/block_users` (Meta, *Block users*).

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::GraphRequest;
use crate::whatsapp::{
    business::{
        self,
        block_list::{self, BlockList, BlockedUser},
    },
    graph_error::GraphError,
    numbers::RegisteredNumber,
    paging::{self, Limits},
    parameters::Parameters,
    simulator::Simulator,
    users::{Address, User},
};

/// Maximum number of users per request.
const MAX_USERS: usize = 1000;
const LIMITS: Limits = Limits { default: 25, max: 1000 };

pub(super) fn handle(
    simulator: &Simulator,
    request: &GraphRequest,
    number: &RegisteredNumber,
) -> Result<Response, GraphError> {
    match request.method {
        Method::GET => list(simulator, request, number),
        Method::POST => block(simulator, &request.parameters, number),
        Method::DELETE => unblock(simulator, &request.parameters, number),
        _ => Err(request.unsupported()),
    }
}

/// Blocks users. Returns status 400 with both lists if some can't be blocked.
fn block(simulator: &Simulator, parameters: &Parameters, number: &RegisteredNumber) -> Result<Response, GraphError> {
    let (id, lists) = (&number.number.phone_number_id, &simulator.business.block_lists);
    let resolve = |(input, address): (String, Option<Address>)| {
        let user = address.as_ref().filter(|address| simulator.wrote_recently(id, address));
        let user = user.map(|address| simulator.user(address));
        (input, address, user)
    };
    let users: Vec<_> = users(parameters)?.into_iter().map(resolve).collect();
    let (mut added, mut failed) = (Vec::new(), Vec::new());
    business::change(lists, id, |list: &mut BlockList| {
        for (input, address, user) in &users {
            let code = match (address, user) {
                (Some(address), _) if address.as_str() == number.number.display_phone_number => Some(131_021),
                (_, Some(user)) => (!list.add(user)).then_some(139_101),
                // Also for numbers that don't use WhatsApp.
                _ => Some(131_047),
            };
            let entry = match address {
                Some(address) => block_list::entry(input, address),
                None => json!({"input": input, "wa_id": input}),
            };
            match code {
                None => added.push(entry),
                Some(code) => failed.push(with_error(entry, code)),
            }
        }
        Ok::<_, GraphError>(())
    })?;
    let mut lists = json!({"added_users": added});
    let mut body = json!({"messaging_product": "whatsapp"});
    if failed.is_empty() {
        body["block_users"] = lists;
        return Ok(Json(body).into_response());
    }
    lists["failed_users"] = json!(failed);
    body["block_users"] = lists;
    let details = "Failed to block some users, see the block_users response list for details";
    Ok(GraphError::new(139_100, Some(details.to_owned())).into_response_with(body))
}

/// Adds the reason why a user can't be blocked.
fn with_error(mut entry: Value, code: u32) -> Value {
    let details = match code {
        131_021 => "The phone number is that of the business.",
        139_101 => "A phone number can block at most 64,000 users.",
        _ => "The user has not messaged the business in the last 24 hours.",
    };
    let error = GraphError::new(code, Some(details.to_owned()));
    entry["errors"] = json!([{"message": error.message(), "code": code, "error_data": {"details": details}}]);
    entry
}

/// Unblocks users, also those who aren't blocked.
fn unblock(simulator: &Simulator, parameters: &Parameters, number: &RegisteredNumber) -> Result<Response, GraphError> {
    let users = users(parameters)?.into_iter().filter_map(|(input, address)| {
        let address = address?;
        Some((block_list::entry(&input, &address), simulator.user(&address)))
    });
    let (removed, users): (Vec<Value>, Vec<User>) = users.unzip();
    let lists = &simulator.business.block_lists;
    business::change(lists, &number.number.phone_number_id, |list: &mut BlockList| {
        users.iter().for_each(|user| list.remove(user));
        Ok::<_, GraphError>(())
    })?;
    Ok(Json(json!({"messaging_product": "whatsapp", "block_users": {"removed_users": removed}})).into_response())
}

/// Reads the users, each with their address if it's valid.
fn users(parameters: &Parameters) -> Result<Vec<(String, Option<Address>)>, GraphError> {
    parameters.require_messaging_product()?;
    let users = parameters.array("block_users")?.filter(|users| !users.is_empty());
    let users = users.ok_or_else(|| GraphError::missing("block_users"))?;
    if users.len() > MAX_USERS {
        return Err(GraphError::new(130_429, Some(format!("A request can have at most {MAX_USERS} users."))));
    }
    let user = |(index, user): (usize, &Value)| {
        let member = |name: &str| user[name].as_str().filter(|text| !text.is_empty());
        match (member("user"), member("user_id")) {
            (Some(input), _) => Ok((input.to_owned(), Address::phone(input).or_else(|| Address::user_id(input)))),
            (None, Some(input)) => Ok((input.to_owned(), Address::user_id(input))),
            (None, None) => Err(GraphError::missing(&format!("block_users[{index}]['user']"))),
        }
    };
    users.iter().enumerate().map(user).collect()
}

/// Lists the blocked users. A cursor of a list that has changed since is refused.
fn list(simulator: &Simulator, request: &GraphRequest, number: &RegisteredNumber) -> Result<Response, GraphError> {
    let list: BlockList = business::get(&simulator.business.block_lists, &number.number.phone_number_id);
    let version = format!("{}:", list.version);
    for name in ["after", "before"] {
        if paging::cursor(&request.parameters, name)?.is_some_and(|key| !key.starts_with(&version)) {
            let details = "Blocklist was updated during retrieval - retry with offset 0";
            return Err(GraphError::new(139_102, Some(details.to_owned())));
        }
    }
    let show = |user: &BlockedUser| {
        Ok(match &user.wa_id {
            Some(wa_id) => json!({"messaging_product": "whatsapp", "wa_id": wa_id}),
            None => json!({"messaging_product": "whatsapp", "user_id": user.user_id}),
        })
    };
    let url = super::list_url(simulator, request);
    let key = |user: &BlockedUser| format!("{version}{}", user.user_id);
    Ok(Json(paging::page(list.users(), &request.parameters, LIMITS, &url, key, show)?).into_response())
}
