//! The keys of an unlocked vault, kept up with what the vault's other users do to them.
//!
//! A handle holds the key of the slot that it came through, and the vault key as last seen: after
//! a rotation of the vault key it opens its slot again, in the state that it reads.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::locked::slot_rows;
use crate::codec::Malformed;
use crate::error::{Attempt, Error, Result};
use crate::keys::{EpochKeys, EpochRow, SlotFailure, SlotKey, VaultKey};
use crate::store::{ReadRows, Table};

/// Why an epoch's row does not open, if it may be for want of the right vault key.
const WRONG_KEY: Malformed = "wrong key or altered";

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
    /// The stored row of the epoch that the keys came from: while it is the same, so are they.
    stored: (Vec<u8>, Vec<u8>),
    vault_key: Arc<VaultKey>,
    epoch: Arc<EpochKeys>,
}

impl StateKeys {
    pub(super) fn vault_key(&self) -> &VaultKey {
        &self.vault_key
    }

    /// The keys of the current epoch: the last one of the table.
    pub(super) fn epoch(&self) -> &Arc<EpochKeys> {
        &self.epoch
    }
}

impl Unlocked {
    /// Holds the key of a slot and the vault key that it unwrapped, after checking that they open
    /// the vault's current epoch.
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

    /// The keys of the state that is read.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] if the vault's key was changed since this handle was unlocked and its
    /// slot does not open any more, and [`Error::Corrupt`].
    pub(super) fn at(&self, rows: &dyn ReadRows) -> Result<Arc<StateKeys>> {
        let stored = rows.last_row(Table::Epochs)?.ok_or_else(|| damaged("there is no epoch"))?;
        let mut held = self.held.lock();
        if let Some(current) = held.current.as_ref().filter(|current| current.stored == stored) {
            return Ok(Arc::clone(current));
        }
        let (vault_key, row) = match EpochRow::open(&held.vault_key, &stored.0, &stored.1) {
            Ok(row) => (Arc::clone(&held.vault_key), row),
            Err(WRONG_KEY) => {
                let vault_key = Arc::new(self.unwrap_again(rows, &held.vault_key)?);
                let row = EpochRow::open(&vault_key, &stored.0, &stored.1).map_err(damaged)?;
                (vault_key, row)
            }
            Err(reason) => return Err(damaged(reason)),
        };
        let epoch = Arc::new(row.keys(vault_key.vault()));
        held.vault_key = Arc::clone(&vault_key);
        let current = Arc::new(StateKeys { stored, vault_key, epoch });
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

fn damaged(reason: &str) -> Error {
    Error::corrupt("the row of the current epoch", reason)
}

#[cfg(test)]
mod tests;
