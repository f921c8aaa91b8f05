//! The keys of an unlocked vault, kept up with what the vault's other users do to them.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Attempt, Error, Result};
use crate::keys::{EpochKeys, EpochRow, VaultKey};
use crate::store::{ReadRows, Table};

/// The vault key, and the keys of the current epoch as last seen.
#[derive(Debug)]
pub(super) struct Unlocked {
    path: PathBuf,
    vault_key: VaultKey,
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    /// The stored row that the keys came from: while it is the same, so are they.
    stored: (Vec<u8>, Vec<u8>),
    keys: Arc<EpochKeys>,
}

impl Unlocked {
    /// Holds a vault key after checking that it opens the vault's current epoch.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`].
    pub(super) fn new(path: PathBuf, vault_key: VaultKey, rows: &dyn ReadRows) -> Result<Self> {
        let unlocked = Self { path, vault_key, current: Mutex::new(None) };
        unlocked.epoch(rows).map_err(|error| match error {
            Error::Locked { .. } => damaged("wrong key or altered"),
            other => other,
        })?;
        Ok(unlocked)
    }

    pub(super) fn vault_key(&self) -> &VaultKey {
        &self.vault_key
    }

    /// The keys of the current epoch: the last one of the table.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] if the vault's key was changed since this handle was unlocked, and
    /// [`Error::Corrupt`].
    pub(super) fn epoch(&self, rows: &dyn ReadRows) -> Result<Arc<EpochKeys>> {
        let stored = rows.last_row(Table::Epochs)?.ok_or_else(|| damaged("there is no epoch"))?;
        let mut current = self.current.lock();
        if let Some(current) = current.as_ref().filter(|current| current.stored == stored) {
            return Ok(Arc::clone(&current.keys));
        }
        let row = EpochRow::open(&self.vault_key, &stored.0, &stored.1).map_err(|reason| {
            if reason != "wrong key or altered" {
                return damaged(reason);
            }
            let key = "the key this handle was unlocked with".to_owned();
            let reason = "the vault has another key now".to_owned();
            Error::Locked {
                path: self.path.clone(),
                attempts: vec![Attempt { slot: None, key, reason, remedy: None }],
            }
        })?;
        let keys = Arc::new(row.keys(self.vault_key.vault()));
        *current = Some(Current { stored, keys: Arc::clone(&keys) });
        Ok(keys)
    }
}

fn damaged(reason: &str) -> Error {
    Error::corrupt("the row of the current epoch", reason)
}
