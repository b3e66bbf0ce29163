//! What a business stores at Meta for its numbers and accounts. Survives a restart.

pub(super) mod automation;
pub(super) mod block_list;
pub(super) mod profile;
pub(super) mod qr_codes;
pub(super) mod registration;
pub(super) mod settings;
pub(super) mod username;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::{
    automation::Automation,
    block_list::BlockList,
    profile::Profile,
    qr_codes::{QrCode, QrCodes},
    registration::Registration,
    settings::Settings,
};
use super::{
    journal::{Journal, JournalError, Recovered},
    registry::Registry,
    users::User,
};

/// The display name of a number without one.
pub(super) const DEFAULT_VERIFIED_NAME: &str = "Local run";

/// What is stored by the ID of a number or account. Absent objects have the default state.
type ById<T> = BTreeMap<String, T>;

/// The state of all numbers and accounts. In separate registries, because each change writes a whole registry.
pub(super) struct Business {
    pub(super) numbers: Registry<ById<NumberState>>,
    pub(super) qr_codes: Registry<ById<QrCodes>>,
    pub(super) block_lists: Registry<ById<BlockList>>,
    pub(super) accounts: Registry<ById<AccountState>>,
}

/// The state of a number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct NumberState {
    pub(super) profile: Profile,
    pub(super) registration: Registration,
    pub(super) automation: Automation,
    pub(super) settings: Settings,
    /// The display name; that of the run if it is `None`.
    pub(super) verified_name: Option<String>,
    /// The display name that waits for a review.
    pub(super) new_display_name: Option<String>,
    pub(super) username: Option<String>,
}

/// The state of a WhatsApp Business Account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AccountState {
    /// Numbers that were added with the Graph API.
    pub(super) numbers: Vec<AddedNumber>,
    pub(super) name: Option<String>,
    pub(super) timezone_id: Option<String>,
}

/// A number that was added to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AddedNumber {
    pub(super) phone_number_id: String,
    pub(super) display_phone_number: String,
    pub(super) app_id: String,
}

impl Business {
    pub(super) fn open(journal: &Journal, recovered: &Recovered) -> Result<Business, JournalError> {
        Ok(Business {
            numbers: Registry::open("numbers", journal, recovered, BTreeMap::new())?,
            qr_codes: Registry::open("qr_codes", journal, recovered, BTreeMap::new())?,
            block_lists: Registry::open("block_lists", journal, recovered, BTreeMap::new())?,
            accounts: Registry::open("accounts", journal, recovered, BTreeMap::new())?,
        })
    }

    /// Returns whether a number is registered with the Cloud API.
    pub(super) fn is_registered(&self, phone_number_id: &str) -> bool {
        let registration = |state: &NumberState| state.registration.is_registered;
        self.numbers.read(|numbers| numbers.get(phone_number_id).is_none_or(registration))
    }

    /// Returns the name of the business that users see.
    pub(super) fn verified_name(&self, phone_number_id: &str) -> String {
        let name = |state: &NumberState| state.verified_name.clone();
        let name = self.numbers.read(|numbers| numbers.get(phone_number_id).and_then(name));
        name.unwrap_or_else(|| DEFAULT_VERIFIED_NAME.to_owned())
    }

    /// Returns whether users can call a number (Meta, *Call settings*).
    pub(super) fn has_calling(&self, phone_number_id: &str) -> bool {
        let has_calling = |state: &NumberState| state.settings.has_calling();
        self.numbers.read(|numbers| numbers.get(phone_number_id).is_some_and(has_calling))
    }

    /// Returns whether a number blocked a user.
    pub(super) fn is_blocked(&self, phone_number_id: &str, user: &User) -> bool {
        self.block_lists.read(|lists| lists.get(phone_number_id).is_some_and(|list| list.contains(user)))
    }

    /// Returns the numbers that were added with the Graph API, each with the ID of its account.
    pub(super) fn added_numbers(&self) -> Vec<(String, AddedNumber)> {
        self.accounts.read(|accounts| {
            let numbers = accounts.iter().flat_map(|(id, state)| state.numbers.iter().map(move |number| (id, number)));
            numbers.map(|(id, number)| (id.clone(), number.clone())).collect()
        })
    }
}

/// Returns a QR code of any number.
pub(super) fn find_qr_code(registry: &Registry<ById<QrCodes>>, code: &str) -> Option<(String, QrCode)> {
    registry.read(|numbers| numbers.iter().find_map(|(id, codes)| Some((id.clone(), codes.get(code)?.clone()))))
}

/// Returns the state of an object.
pub(super) fn get<T: Clone + Default>(registry: &Registry<ById<T>>, id: &str) -> T
where
    ById<T>: Clone + Serialize + serde::de::DeserializeOwned,
{
    registry.read(|objects| objects.get(id).cloned().unwrap_or_default())
}

/// Changes the state of an object. Nothing changes if `change` returns an error.
pub(super) fn change<T: Default, R, E: From<JournalError>>(
    registry: &Registry<ById<T>>,
    id: &str,
    change: impl FnOnce(&mut T) -> Result<R, E>,
) -> Result<R, E>
where
    ById<T>: Clone + Serialize + serde::de::DeserializeOwned,
{
    registry.change(|objects| change(objects.entry(id.to_owned()).or_default()))
}
