//! The keys of an unlocked vault, kept up with what the vault's other users do to them.
//!
//! A handle holds the key of the slot that it came through, and the vault key as last seen: after
//! a rotation of the vault key it opens its slot again, in the state that it reads.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::epochs::{Epochs, StoredEpochs, WRONG_KEY};
use super::locked::slot_rows;
use crate::error::{Attempt, Error, Result};
use crate::keys::{SlotFailure, SlotKey, VaultKey};
use crate::store::ReadRows;

/// What opens a vault, in whichever state it is read.
#[derive(Debug)]
pub(super) struct Unlocked {
    path: PathBuf,
    slot_key: SlotKey,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    vault_key: Arc<VaultKey>,
    current: Option<Arc<StateKeys>>,
}

/// The keys of one committed state.
#[derive(Debug)]
pub(super) struct StateKeys {
    /// The stored rows of the epochs: while they are the same, so are the keys.
    stored: StoredEpochs,
    vault_key: Arc<VaultKey>,
    epochs: Epochs,
}

impl StateKeys {
    pub(super) fn vault_key(&self) -> &VaultKey {
        &self.vault_key
    }

    pub(super) fn epochs(&self) -> &Epochs {
        &self.epochs
    }
}

impl Unlocked {
    /// Holds the key of a slot and the vault key that it unwrapped, after checking that they open
    /// the vault's epochs.
    ///
    /// # Errors
    ///
    /// As for [`Self::at`].
    pub(super) fn new(
        path: PathBuf,
        slot_key: SlotKey,
        vault_key: VaultKey,
        rows: &dyn ReadRows,
    ) -> Result<Self> {
        let held = Held { vault_key: Arc::new(vault_key), current: None };
        let unlocked = Self { path, slot_key, held: Mutex::new(held) };
        unlocked.at(rows)?;
        Ok(unlocked)
    }

    /// The key of the slot that the handle came through.
    pub(super) fn slot_key(&self) -> &SlotKey {
        &self.slot_key
    }

    /// The keys of the state that is read.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] if the vault's key was changed since this handle was unlocked and its
    /// slot does not open any more, and [`Error::Corrupt`].
    pub(super) fn at(&self, rows: &dyn ReadRows) -> Result<Arc<StateKeys>> {
        let stored = Epochs::stored(rows)?;
        let mut held = self.held.lock();
        if let Some(current) = held.current.as_ref().filter(|current| current.stored == stored) {
            return Ok(Arc::clone(current));
        }
        let opened = Epochs::open(&stored, &held.vault_key).map_err(epochs_damaged)?;
        let (vault_key, epochs) = if let Some(epochs) = opened {
            (Arc::clone(&held.vault_key), epochs)
        } else {
            let vault_key = Arc::new(self.unwrap_again(rows, &held.vault_key)?);
            let opened = Epochs::open(&stored, &vault_key).map_err(epochs_damaged)?;
            (vault_key, opened.ok_or_else(|| epochs_damaged(WRONG_KEY))?)
        };
        held.vault_key = Arc::clone(&vault_key);
        let current = Arc::new(StateKeys { stored, vault_key, epochs });
        held.current = Some(Arc::clone(&current));
        Ok(current)
    }

    /// The vault key of the state that is read; where that is damaged, the one last seen.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] as for [`Self::at`], and [`Error::Io`].
    pub(super) fn vault_key(&self, rows: &dyn ReadRows) -> Result<Arc<VaultKey>> {
        match self.at(rows) {
            Ok(keys) => Ok(Arc::clone(&keys.vault_key)),
            Err(Error::Corrupt { .. }) => Ok(Arc::clone(&self.held.lock().vault_key)),
            Err(error) => Err(error),
        }
    }

    /// The vault key out of the slot as it is now.
    fn unwrap_again(&self, rows: &dyn ReadRows, last: &VaultKey) -> Result<VaultKey> {
        let number = self.slot_key.number();
        let slots = slot_rows(rows)?;
        let slot = slots.into_iter().find(|(own, _)| *own == number);
        let (_, slot) = slot.ok_or_else(|| self.locked_out("the slot was removed"))?;
        let slot = slot.map_err(|reason| Error::corrupt(format!("slot {number}"), reason))?;
        slot.unwrap_key(last.vault(), &self.slot_key).map_err(|failure| match failure {
            SlotFailure::WrongKey | SlotFailure::NoMemory => {
                self.locked_out("the slot has another key now")
            }
            SlotFailure::Damaged(reason) => Error::corrupt(format!("slot {number}"), reason),
        })
    }

    fn locked_out(&self, reason: &str) -> Error {
        let key = "the key this handle was unlocked with".to_owned();
        let reason = format!("the vault has another key now, and {reason}");
        let slot = Some(self.slot_key.number());
        let attempt = Attempt { slot, key, reason, remedy: None };
        Error::Locked { path: self.path.clone(), attempts: vec![attempt] }
    }
}

fn epochs_damaged(reason: &str) -> Error {
    Error::corrupt("the row of an epoch", reason)
}

#[cfg(test)]
mod tests;
