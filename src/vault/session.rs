//! Vaults that stay unlocked for a while: the kernel's keyring holds the key of a slot.
//!
//! The key of the slot and not the vault key: after the vault key was rotated the slot opens with
//! it as before, and after the slot was removed it opens nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::locked::slot_rows;
use super::{LockedVault, Vault};
use crate::error::{Error, Result};
use crate::keys::session;

/// The longest time a vault stays unlocked, in seconds: 30 days.
const LONGEST: u64 = 30 * 86_400;

impl Vault {
    /// Keeps the vault unlocked for this user, in this and other sessions: the kernel's keyring
    /// holds the key of the slot that this handle came through, and forgets it after this time (1
    /// second to 30 days) or at [`LockedVault::forget`]. Every program of the user can read it
    /// there. Until when.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for another time; [`Error::KeyUnusable`] where the kernel does not hold
    /// it, as in many containers.
    pub fn stay_unlocked(&self, time: Duration) -> Result<DateTime<Utc>> {
        let seconds = u32::try_from(time.as_secs()).ok();
        let seconds = seconds.filter(|seconds| (1..=LONGEST).contains(&u64::from(*seconds)));
        let seconds = seconds
            .ok_or_else(|| Error::invalid("time to stay unlocked", "is 1 second to 30 days"))?;
        session::hold(&self.id.0, self.keys.slot_key(), seconds)
    }
}

impl LockedVault {
    /// Unlocks the vault with what [`Vault::stay_unlocked`] had the kernel hold, if that still
    /// opens one of its slots.
    ///
    /// # Errors
    ///
    /// Those of [`Vault::read`].
    pub fn unlock_again(&self) -> Result<Option<Vault>> {
        let Some(held) = session::held(&self.id.0) else { return Ok(None) };
        let slots = self.store.read(slot_rows)?;
        let slot = slots.into_iter().find(|(number, _)| *number == held.slot_key.number());
        // What is stale opens nothing, and is no error.
        let vault_key = slot
            .and_then(|(_, slot)| slot.ok())
            .and_then(|slot| slot.unwrap_key(&self.id.0, &held.slot_key).ok());
        vault_key.map(|vault_key| self.unlock_held(&held.slot_key, &vault_key)).transpose()
    }

    /// Until when the kernel holds a key of this vault, if it does.
    #[must_use]
    pub fn unlocked_until(&self) -> Option<DateTime<Utc>> {
        session::held(&self.id.0).map(|held| held.until)
    }

    /// Has the kernel forget the key of this vault; whether it held one.
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnusable`] if the kernel does not.
    pub fn forget(&self) -> Result<bool> {
        session::forget(&self.id.0)
    }
}
