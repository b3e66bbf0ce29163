//! A cache of the sessions that own business phone numbers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use crate::{
    domain::{number::OWNER_CACHE_LIFETIME, system::System, time::Timestamp},
    store::{NumberOwner, Store, StoreError},
};

#[derive(Clone, Debug)]
pub(super) struct NumberOwners {
    store: Store,
    system: System,
    cached: Arc<Mutex<HashMap<String, CachedOwner>>>,
}

#[derive(Clone, Debug)]
struct CachedOwner {
    owner: NumberOwner,
    read_at: Timestamp,
    /// Whether this process has recorded the number's account.
    has_recorded_account: bool,
}

impl NumberOwners {
    pub(super) fn new(store: Store, system: System) -> Self {
        Self { store, system, cached: Arc::default() }
    }

    /// Returns the number's owner, if it has one. The absence of an owner is not cached.
    pub(super) async fn get(&self, phone_number_id: &str) -> Result<Option<NumberOwner>, StoreError> {
        let now = self.system.now();
        if let Ok(cached) = self.cached.lock()
            && let Some(cached) = cached.get(phone_number_id)
            && now.since(cached.read_at) < OWNER_CACHE_LIFETIME
        {
            return Ok(Some(cached.owner.clone()));
        }
        let owner = self.store.numbers().owner(phone_number_id).await?;
        if let (Some(owner), Ok(mut cached)) = (&owner, self.cached.lock()) {
            let owner = CachedOwner { owner: owner.clone(), read_at: now, has_recorded_account: false };
            cached.insert(phone_number_id.to_owned(), owner);
        }
        Ok(owner)
    }

    /// Removes a number from the cache because its owner has changed.
    pub(super) fn forget(&self, phone_number_id: &str) {
        if let Ok(mut cached) = self.cached.lock() {
            cached.remove(phone_number_id);
        }
    }

    /// Records the WhatsApp Business Account of a number if it is new. Writes once per cached owner.
    pub(super) async fn record_account(
        &self,
        number: &str,
        account: Option<String>,
        owner: Option<&NumberOwner>,
    ) -> Result<(), StoreError> {
        let Some(account) = account.filter(|account| owner.is_some_and(|o| o.waba_id.as_ref() != Some(account))) else {
            return Ok(());
        };
        let is_first = self.cached.lock().is_ok_and(|mut cached| {
            cached.get_mut(number).is_some_and(|cached| !std::mem::replace(&mut cached.has_recorded_account, true))
        });
        if is_first { self.store.numbers().record_account(number, &account).await } else { Ok(()) }
    }
}
