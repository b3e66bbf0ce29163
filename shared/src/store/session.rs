//! Sessions, and the numbers that they are linked to.

use aws_sdk_dynamodb::{
    operation::{put_item::PutItemError, update_item::UpdateItemError},
    types::{ReturnValuesOnConditionCheckFailure as OnFailure, Update},
};
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    item::{self, Item, string},
    keys::Key,
    transaction::{Refusal, Transaction, put_action, update_action},
};
use crate::{
    domain::id::SessionId,
    domain::pairing::{PairingAttempt, PairingRefusal},
    domain::session::{Qr, Session},
    domain::time::Timestamp,
};

pub(super) const SESSION: &str = "session";
const NUMBER: &str = "number";

/// What creating a session found.
#[derive(Debug)]
pub enum Created {
    /// It is new.
    New(Session),
    /// The owner had one already.
    Existing(Session),
}

/// What became of an attempt to pair.
#[derive(Debug, PartialEq, Eq)]
pub enum Pairing {
    /// The session is linked to the number, by this attempt or by the same one before.
    Paired,
    /// There is no such session.
    UnknownSession,
    /// It is not, and the session now says why.
    Refused(PairingRefusal),
}

#[derive(Serialize, Deserialize)]
struct Number {
    phone_number_id: String,
    session_id: SessionId,
    linked_at: Timestamp,
}

/// Who owns a number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NumberOwner {
    /// The session.
    pub session_id: SessionId,
    /// The account that the number belongs to, once a webhook has named it.
    #[serde(default)]
    pub waba_id: Option<String>,
}

impl Store {
    /// Makes the session unless its owner has one: one conditional put, whose failure brings the existing row.
    pub async fn create_session(&self, session: Session) -> Result<Created, StoreError> {
        let new = item::write(SESSION, &Key::session(session.id), &session)?;
        let result = self
            .retry_on_conflict(|| {
                self.client
                    .put_item()
                    .table_name(&self.table)
                    .set_item(Some(new.clone()))
                    .condition_expression("attribute_not_exists(pk)")
                    .return_values_on_condition_check_failure(OnFailure::AllOld)
                    .send()
            })
            .await;
        let error = match result {
            Ok(_) => return Ok(Created::New(session)),
            Err(error) => error,
        };
        let existing = match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failure)) => failure.item().cloned(),
            _ => None,
        };
        match existing {
            // The SDK retries a put whose answer was lost. The code is random: a row with ours is the row we made.
            Some(item) => match item::read::<Session>(SESSION, item)? {
                existing if existing.pairing_code.is_some() && existing.pairing_code == session.pairing_code => {
                    Ok(Created::New(existing))
                }
                existing => Ok(Created::Existing(existing)),
            },
            None => Err(StoreError::request("creating a session")(error)),
        }
    }

    /// A session.
    pub async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.get("reading a session", &Key::session(id)).await?.map(|item| item::read(SESSION, item)).transpose()
    }

    /// Who owns a number.
    pub async fn number_owner(&self, phone_number_id: &str) -> Result<Option<NumberOwner>, StoreError> {
        let item = self.get("reading a number", &Key::number(phone_number_id)).await?;
        item.map(|item| item::read(NUMBER, item)).transpose()
    }

    /// Annotations which account a number belongs to, and that the account is known: its events find the number's session.
    pub async fn learn_account(&self, phone_number_id: &str, waba_id: &str) -> Result<(), StoreError> {
        let row = serde_json::json!({"waba_id": waba_id, "received_at": self.system.now()});
        self.put_if_absent("noting an account", item::write("account", &Key::account(waba_id), &row)?).await?;
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::number(phone_number_id).attributes()))
            .update_expression("SET waba_id = :account")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":account", string(waba_id));
        self.update_if("noting a number's account", request).await.map(drop)
    }

    /// Whether an account is that of a number which a session owns.
    pub async fn knows_account(&self, waba_id: &str) -> Result<bool, StoreError> {
        Ok(self.get("reading an account", &Key::account(waba_id)).await?.is_some())
    }

    /// Gives a session a new QR code in place of the one that expired at `expired_at`, or of none. When several callers
    /// ask at once, one of them does it.
    pub async fn rotate_qr(&self, id: SessionId, expired_at: Option<Timestamp>, qr: &Qr) -> Result<(), StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::session(id).attributes()))
            .update_expression("SET qr = :qr, qr_expires_at = :expires, pairing_code = :code, updated_at = :now")
            .expression_attribute_values(":qr", string(&qr.link))
            .expression_attribute_values(":expires", string(qr.expires_at.to_string()))
            .expression_attribute_values(":code", string(qr.code.as_str()))
            .expression_attribute_values(":now", string(self.system.now().to_string()))
            .expression_attribute_values(":false", aws_sdk_dynamodb::types::AttributeValue::Bool(false));
        let request = match expired_at {
            Some(expired_at) => request
                .condition_expression("is_connected = :false AND qr_expires_at = :expired")
                .expression_attribute_values(":expired", string(expired_at.to_string())),
            None => request.condition_expression("is_connected = :false AND attribute_not_exists(qr_expires_at)"),
        };
        self.update_if("rotating a QR code", request).await.map(drop)
    }

    /// Links the session that the attempt names to the number that received it, if the code is the session's own and
    /// was sent in time: one transaction that also claims the number.
    pub async fn pair(
        &self,
        attempt: &PairingAttempt,
        phone_number_id: &str,
        sent_at: Timestamp,
    ) -> Result<Pairing, StoreError> {
        let number = Number {
            phone_number_id: phone_number_id.to_owned(),
            session_id: attempt.session_id,
            linked_at: self.system.now(),
        };
        let claim = item::write(NUMBER, &Key::number(phone_number_id), &number)?;
        let mut claim = self.put(claim, "attribute_not_exists(pk) OR session_id = :session");
        claim.expression_attribute_values =
            Some([(":session".to_owned(), string(attempt.session_id.to_string()))].into());
        let link = self.link(attempt, phone_number_id, sent_at)?;
        let allowed = self.allowed(phone_number_id, attempt.session_id)?;
        let actions = vec![update_action(link), put_action(claim), allowed];
        let mut refusals = match self.transact("pairing", actions).await? {
            Transaction::Committed => return Ok(Pairing::Paired),
            Transaction::Refused(refusals) => refusals.into_iter(),
        };
        let mut next = || refusals.next().unwrap_or_default();
        let (session, claim, allowed) = (next(), next(), next());
        match refusal(session, &claim, &allowed, phone_number_id)? {
            Pairing::Refused(reason) => {
                self.note_refusal(attempt.session_id, reason).await?;
                Ok(Pairing::Refused(reason))
            }
            other => Ok(other),
        }
    }

    fn link(&self, attempt: &PairingAttempt, phone_number_id: &str, sent_at: Timestamp) -> Result<Update, StoreError> {
        Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::session(attempt.session_id).attributes()))
            .update_expression(
                "SET is_connected = :true, is_ready = :true, phone_number_id = :number, updated_at = :now \
                 REMOVE qr, qr_expires_at, pairing_code, pairing_error",
            )
            .condition_expression("pairing_code = :code AND qr_expires_at >= :sent AND is_connected = :false")
            .expression_attribute_values(":true", aws_sdk_dynamodb::types::AttributeValue::Bool(true))
            .expression_attribute_values(":false", aws_sdk_dynamodb::types::AttributeValue::Bool(false))
            .expression_attribute_values(":number", string(phone_number_id))
            .expression_attribute_values(":now", string(self.system.now().to_string()))
            .expression_attribute_values(":code", string(attempt.code.as_str()))
            .expression_attribute_values(":sent", string(sent_at.to_string()))
            .return_values_on_condition_check_failure(OnFailure::AllOld)
            .build()
            .map_err(|source| StoreError::Request { operation: "pairing", source: source.into() })
    }

    /// Stops a session's outbox, with the reason that its status then shows. The first reason stays. Whether it was not
    /// stopped before.
    pub async fn pause_session(&self, id: SessionId, reason: &str) -> Result<bool, StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::session(id).attributes()))
            .update_expression("SET paused_reason = :reason, updated_at = :now")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(paused_reason)")
            .expression_attribute_values(":reason", string(reason))
            .expression_attribute_values(":now", string(self.system.now().to_string()));
        self.update_if("pausing a session", request).await
    }

    async fn note_refusal(&self, id: SessionId, reason: PairingRefusal) -> Result<(), StoreError> {
        self.retry_on_conflict(|| {
            self.client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(Key::session(id).attributes()))
                .update_expression("SET pairing_error = :reason, updated_at = :now")
                .condition_expression("is_connected = :false")
                .expression_attribute_values(":reason", string(reason.to_string()))
                .expression_attribute_values(":now", string(self.system.now().to_string()))
                .expression_attribute_values(":false", aws_sdk_dynamodb::types::AttributeValue::Bool(false))
                .send()
        })
        .await
        .map(drop)
        .or_else(|error| match error.as_service_error() {
            // Linked in the meantime by another attempt: there is nothing left to tell.
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(StoreError::request("noting a refused pairing")(error)),
        })
    }

    /// One item, read consistently.
    pub(super) async fn get(&self, operation: &'static str, key: &Key) -> Result<Option<Item>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::request(operation))?;
        Ok(output.item)
    }
}

/// Reads why a pairing was refused. WhatsApp delivers a message more than once, so a session that is linked to this very
/// number counts as paired.
fn refusal(session: Refusal, claim: &Refusal, allowed: &Refusal, phone_number_id: &str) -> Result<Pairing, StoreError> {
    let not_free = if allowed.failed { PairingRefusal::OtherOwner } else { PairingRefusal::NumberTaken };
    if !session.failed {
        return Ok(Pairing::Refused(not_free));
    }
    let Some(item) = session.item else { return Ok(Pairing::UnknownSession) };
    let session: Session = item::read(SESSION, item)?;
    Ok(match session.phone_number_id {
        Some(linked) if session.is_connected && linked == phone_number_id => Pairing::Paired,
        _ if claim.failed || allowed.failed => Pairing::Refused(not_free),
        _ => Pairing::Refused(PairingRefusal::Expired),
    })
}
