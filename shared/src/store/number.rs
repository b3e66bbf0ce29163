//! Numbers: which session is linked to one, and the registered numbers with their credentials.
//!
//! A number's claim is one item. [`Numbers::claim`] links it to a session, [`Numbers::reserve`] turns it into a
//! reservation, and [`Numbers::put`] and [`Numbers::delete`] release a reservation. A released reservation stays for a
//! day, so that pairing knows when the former owner left. All settings are in one partition:
//! there are few, and they are read together.

use std::time::Duration;

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::{Deserialize, Serialize};

use super::{
    Numbers, StoreError,
    item::{self, Item, string},
    keys::{Key, NUMBERS},
    transaction::Transaction,
    update::{Condition, UpdateBuilder},
};
use crate::domain::{
    ciphertext::Ciphertext,
    id::SessionId,
    number::{FormerOwner, NumberRequest, NumberState, RegisteredNumber},
    time::Timestamp,
};

const NUMBER: &str = "number";
const RESERVATION: &str = "number_reservation";
const NUMBER_SETTINGS: &str = "number_settings";

/// How long a released reservation is kept. Pairing needs it for [`HANDOVER_TIME`](crate::domain::number::HANDOVER_TIME).
const RELEASED_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Attempts to change a number while its claim changes.
const ROUNDS: usize = 10;

/// The session that owns a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberOwner {
    /// The session.
    pub session_id: SessionId,
    /// When it was linked to the number.
    pub linked_at: Timestamp,
    /// The WhatsApp Business account of the number, once a webhook has named it.
    pub waba_id: Option<String>,
}

/// How webhooks name a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberIdentity {
    /// The phone number, digits only, if the number is registered.
    pub display_phone_number: Option<String>,
    /// The WhatsApp Business account of the number, once a webhook has named it.
    pub waba_id: Option<String>,
}

/// The claim of a number as stored: either linked to a session or reserved for one.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claim {
    phone_number_id: String,
    #[serde(default)]
    session_id: Option<SessionId>,
    #[serde(default)]
    linked_at: Option<Timestamp>,
    #[serde(default)]
    waba_id: Option<String>,
    #[serde(default)]
    reserved_for: Option<SessionId>,
    #[serde(default)]
    reserved_at: Option<Timestamp>,
    #[serde(default)]
    released_at: Option<Timestamp>,
}

impl Claim {
    /// Returns the session that the number is reserved for, unless an admin has released the number.
    fn reserved_for(&self) -> Option<SessionId> {
        self.reserved_for.filter(|_| self.released_at.is_none())
    }

    fn former_owner(&self) -> Option<FormerOwner> {
        let (session_id, erased_at) = self.reserved_for.zip(self.reserved_at)?;
        Some(FormerOwner { session_id, erased_at })
    }
}

/// A number's claim and settings as read.
pub(super) struct NumberItems {
    claim: Option<Claim>,
    settings: Option<RegisteredNumber>,
    is_own: bool,
}

impl NumberItems {
    /// Returns what pairing needs to know.
    pub(super) fn state(&self) -> NumberState {
        NumberState {
            is_known: self.is_own || self.settings.is_some(),
            assigned_to: self.settings.as_ref().and_then(RegisteredNumber::session_id),
            linked_to: self.claim.as_ref().and_then(|claim| claim.session_id),
            reserved_for: self.claim.as_ref().and_then(Claim::reserved_for),
            former_owner: self.claim.as_ref().and_then(Claim::former_owner),
        }
    }
}

/// Requires that a number's claim is as it was read.
fn unchanged(claim: Option<&Claim>) -> Condition {
    match claim {
        None => "attribute_not_exists(pk)".into(),
        Some(claim) => Condition::equals("session_id", claim.session_id)
            .and(Condition::equals("reserved_for", claim.reserved_for))
            .and(Condition::equals("released_at", claim.released_at))
            .and("attribute_exists(pk)".into()),
    }
}

/// The outcome of writing or deleting a number.
#[derive(Debug, PartialEq, Eq)]
pub enum NumberChange {
    /// The number was written or deleted.
    Done,
    /// There is no such number to delete.
    Missing,
    /// A session is linked to the number. When writing, a session of another owner.
    Linked,
}

/// The encrypted new credentials of a number.
#[derive(Default)]
pub struct EncryptedCredentials {
    /// The access token; `None` keeps the current one.
    pub access_token: Option<Ciphertext>,
    /// The app secrets; `None` keeps the current ones.
    pub app_secret: Option<Ciphertext>,
}

impl Numbers<'_> {
    /// Returns the owner of a number.
    pub async fn owner(self, phone_number_id: &str) -> Result<Option<NumberOwner>, StoreError> {
        let Some(claim) = self.claim_of(phone_number_id).await? else { return Ok(None) };
        let owner = claim.session_id.zip(claim.linked_at);
        Ok(owner.map(|(session_id, linked_at)| NumberOwner { session_id, linked_at, waba_id: claim.waba_id }))
    }

    /// Returns how webhooks name a number. Eventually consistent.
    pub async fn identity(self, phone_number_id: &str) -> Result<NumberIdentity, StoreError> {
        let (claim, settings) = (Key::number(phone_number_id), Key::number_settings(phone_number_id));
        let mut items = self.0.get_all_eventually("reading a number", vec![claim.clone(), settings.clone()]).await?;
        let found = self.read(items.remove(&claim), items.remove(&settings), false)?;
        Ok(NumberIdentity {
            display_phone_number: found.settings.map(|settings| settings.display_phone_number),
            waba_id: found.claim.and_then(|claim| claim.waba_id),
        })
    }

    async fn claim_of(self, phone_number_id: &str) -> Result<Option<Claim>, StoreError> {
        let item = self.0.get("reading a number", &Key::number(phone_number_id)).await?;
        item.map(|item| item::read(NUMBER, item)).transpose()
    }

    /// Reads a number from its items.
    pub(super) fn read(
        self,
        claim: Option<Item>,
        settings: Option<Item>,
        is_own: bool,
    ) -> Result<NumberItems, StoreError> {
        let claim = claim.map(|item| item::read(NUMBER, item)).transpose()?;
        let settings = settings.map(|item| item::read(NUMBER_SETTINGS, item)).transpose()?;
        Ok(NumberItems { claim, settings, is_own })
    }

    /// Returns the actions that link a number to a session, on the condition that the number is as it was read.
    pub(super) fn claim(
        self,
        phone_number_id: &str,
        session_id: SessionId,
        read: &NumberItems,
    ) -> Result<[TransactWriteItem; 2], StoreError> {
        let claim = Claim {
            phone_number_id: phone_number_id.to_owned(),
            session_id: Some(session_id),
            linked_at: Some(self.0.system.now()),
            waba_id: None,
            reserved_for: None,
            reserved_at: None,
            released_at: None,
        };
        let put = item::write(NUMBER, &Key::number(phone_number_id), &claim)?;
        let assigned = Condition::equals("session_id", read.settings.as_ref().and_then(RegisteredNumber::session_id));
        let assigned = if read.is_own { assigned } else { assigned.and("attribute_exists(pk)".into()) };
        let settings = UpdateBuilder::new(&Key::number_settings(phone_number_id)).condition(assigned);
        Ok([self.0.put_action(put, unchanged(read.claim.as_ref())), self.0.update_action(settings)])
    }

    /// Returns the action that reserves the number of an erased session for its owner. Deletes everything else about the
    /// session: the reservation keeps its ID, a hash of the owner. If the session doesn't own the number, the action
    /// requires that it stays so.
    pub(super) async fn reserve(
        self,
        phone_number_id: &str,
        session_id: SessionId,
    ) -> Result<TransactWriteItem, StoreError> {
        let key = Key::number(phone_number_id);
        let update = UpdateBuilder::new(&key);
        let is_owner = self.owner(phone_number_id).await?.is_some_and(|owner| owner.session_id == session_id);
        Ok(self.0.update_action(if is_owner {
            update
                .set("entity", RESERVATION)
                .set("reserved_for", session_id)
                .set("reserved_at", self.0.system.now())
                .remove(["session_id", "linked_at", "waba_id"])
                .condition(("session_id = ?", session_id))
        } else {
            update.condition(("attribute_not_exists(session_id) OR session_id <> ?", session_id))
        }))
    }

    /// Records the WhatsApp Business account of a number. Events of the account then belong to the number's session.
    pub async fn record_account(self, phone_number_id: &str, waba_id: &str) -> Result<(), StoreError> {
        let row = serde_json::json!({"waba_id": waba_id, "received_at": self.0.system.now()});
        self.0.put_if_absent("recording an account", item::write("account", &Key::account(waba_id), &row)?).await?;
        let update = UpdateBuilder::new(&Key::number(phone_number_id))
            .set("waba_id", waba_id)
            .condition("attribute_exists(session_id)");
        self.0.update_if("recording a number's account", update).await.map(drop)
    }

    /// Returns whether a number of this account has a session.
    pub async fn has_account(self, waba_id: &str) -> Result<bool, StoreError> {
        Ok(self.0.get("reading an account", &Key::account(waba_id)).await?.is_some())
    }

    /// Creates or changes a number. Assigning it to an owner ends a reservation, and is refused if a session of another
    /// owner is linked to it.
    pub async fn put(
        self,
        put: &NumberRequest,
        credentials: &EncryptedCredentials,
    ) -> Result<NumberChange, StoreError> {
        const OPERATION: &str = "writing a number";
        let now = self.0.system.now();
        let update = UpdateBuilder::new(&Key::number_settings(&put.phone_number_id))
            .set("entity", NUMBER_SETTINGS)
            .set("phone_number_id", &put.phone_number_id)
            .set("display_phone_number", &put.display_phone_number)
            .set_if_absent("created_at", now)
            .set("updated_at", now)
            .set("access_token", credentials.access_token.as_ref().map(item::value).transpose()?)
            .set("app_secret", credentials.app_secret.as_ref().map(item::value).transpose()?);
        let Some((session_id, owner_id)) = put.session_id().zip(put.owner_id.as_ref()) else {
            self.0.update_if(OPERATION, update.remove(["owner_id", "session_id"])).await?;
            return Ok(NumberChange::Done);
        };
        let update = update.set("owner_id", owner_id).set("session_id", session_id);
        for _ in 0..ROUNDS {
            let claim = self.claim_of(&put.phone_number_id).await?;
            if claim.as_ref().is_some_and(|claim| claim.session_id.is_some_and(|linked| linked != session_id)) {
                return Ok(NumberChange::Linked);
            }
            let actions =
                vec![self.release_or_check(&put.phone_number_id, claim.as_ref()), self.0.update_action(update.clone())];
            if let Transaction::Committed = self.0.transact(OPERATION, actions).await? {
                return Ok(NumberChange::Done);
            }
        }
        Err(StoreError::Contention { operation: OPERATION })
    }

    /// Deletes a number that no session is linked to, and releases its reservation. A number that isn't registered can
    /// have a reservation too: the deployment's own.
    pub async fn delete(self, phone_number_id: &str) -> Result<NumberChange, StoreError> {
        const OPERATION: &str = "deleting a number";
        for _ in 0..ROUNDS {
            let claim = self.claim_of(phone_number_id).await?;
            if claim.as_ref().is_some_and(|claim| claim.session_id.is_some()) {
                return Ok(NumberChange::Linked);
            }
            let is_reserved = claim.as_ref().and_then(Claim::reserved_for).is_some();
            let settings = if is_reserved { Condition::none() } else { "attribute_exists(pk)".into() };
            let actions = vec![
                self.0.delete_action(&Key::number_settings(phone_number_id), settings),
                self.release_or_check(phone_number_id, claim.as_ref()),
            ];
            match self.0.transact(OPERATION, actions).await? {
                Transaction::Committed => return Ok(NumberChange::Done),
                Transaction::Refused(refusals) if refusals.first().is_some_and(|delete| delete.failed) => {
                    return Ok(NumberChange::Missing);
                }
                Transaction::Refused(_) => {}
            }
        }
        Err(StoreError::Contention { operation: OPERATION })
    }

    /// Returns the action that releases a reservation, or that requires the claim to stay as it was read.
    fn release_or_check(self, phone_number_id: &str, claim: Option<&Claim>) -> TransactWriteItem {
        let key = Key::number(phone_number_id);
        let update = UpdateBuilder::new(&key).condition(unchanged(claim));
        let now = self.0.system.now();
        self.0.update_action(if claim.and_then(Claim::reserved_for).is_some() {
            update.set("released_at", now).set("expires_at", now.after(RELEASED_LIFETIME).seconds())
        } else {
            update
        })
    }

    /// Returns a number.
    pub async fn get(self, phone_number_id: &str) -> Result<Option<RegisteredNumber>, StoreError> {
        let item = self.0.get("reading a number", &Key::number_settings(phone_number_id)).await?;
        item.map(|item| item::read(NUMBER_SETTINGS, item)).transpose()
    }

    /// Returns all numbers, sorted by id. Eventually consistent: callers cache them for minutes.
    pub async fn list(self) -> Result<Vec<RegisteredNumber>, StoreError> {
        let mut numbers = Vec::new();
        let mut start = None;
        loop {
            let page = self
                .0
                .client
                .query()
                .table_name(&self.0.table)
                .key_condition_expression("pk = :numbers")
                .expression_attribute_values(":numbers", string(NUMBERS))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::request("reading the numbers"))?;
            for item in page.items.unwrap_or_default() {
                numbers.push(item::read(NUMBER_SETTINGS, item)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(numbers);
            }
        }
    }
}
