//! Several reads of one committed state.

use std::sync::Arc;

use super::cache::Cache;
use super::epochs::Home;
use super::list::{self, Query};
use super::manifest::Manifest;
use super::unlocked::{StateKeys, Unlocked};
use crate::codec::{IndexRow, RecordRow, RecordState};
use crate::credential::{Credential, CredentialId, Metadata};
use crate::error::{Error, Result};
use crate::keys::EpochKeys;
use crate::store::ReadRows;

/// One committed state of a vault, to read from several times.
pub struct Snapshot<'a> {
    rows: &'a dyn ReadRows,
    keys: Arc<StateKeys>,
    cache: &'a Cache,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(
        rows: &'a dyn ReadRows,
        keys: &'a Unlocked,
        cache: &'a Cache,
    ) -> Result<Self> {
        Ok(Self { rows, keys: keys.at(rows)?, cache })
    }

    pub(super) fn rows(&self) -> &dyn ReadRows {
        self.rows
    }

    pub(super) fn keys(&self) -> &StateKeys {
        &self.keys
    }

    /// The credential of this id, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Io`].
    pub fn find(&self, id: &CredentialId) -> Result<Option<Credential>> {
        let Some(home) = self.home(id)? else { return Ok(None) };
        if let Some(credential) = self.cache.find(&home.key, &home.stored) {
            return Ok(Some(credential));
        }
        let row = open_record(self.keys.vault_key().vault(), id, &home)?;
        let RecordState::Live(credential) = row.state else { return Ok(None) };
        self.cache.keep(home.key, home.stored, &credential);
        Ok(Some(*credential))
    }

    /// The credential of this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Corrupt`] and [`Error::Io`].
    pub fn get(&self, id: &CredentialId) -> Result<Credential> {
        self.find(id)?.ok_or_else(|| Error::NotFound { ids: vec![id.clone()] })
    }

    /// All of the credential of this id that is not secret.
    ///
    /// # Errors
    ///
    /// As for [`Self::get`].
    pub fn metadata(&self, id: &CredentialId) -> Result<Metadata> {
        Ok(self.get(id)?.metadata)
    }

    /// Whether there is a credential of this id.
    ///
    /// # Errors
    ///
    /// As for [`Self::find`].
    pub fn exists(&self, id: &CredentialId) -> Result<bool> {
        Ok(self.find(id)?.is_some())
    }

    /// The credentials that match, without their secrets, sorted by id in byte order.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], also if rows are missing, and [`Error::Io`].
    pub fn list(&self, query: &Query) -> Result<Vec<Metadata>> {
        let manifest = Manifest::read(self.rows, self.keys.vault_key())?;
        list::list(self.rows, &self.keys, &manifest, query)
    }

    /// Where the rows of this id are, if it has any.
    pub(super) fn home(&self, id: &CredentialId) -> Result<Option<Home<'_>>> {
        let epochs = self.keys.epochs();
        let home = epochs.home(self.rows, id)?;
        if home.is_none() {
            // Unless somebody took the epoch away that it is in.
            epochs.check(&Manifest::read(self.rows, self.keys.vault_key())?)?;
        }
        Ok(home)
    }
}

/// Opens a stored record and checks that it is this id's.
pub(super) fn open_record(
    vault: &[u8; 16],
    id: &CredentialId,
    home: &Home<'_>,
) -> Result<RecordRow> {
    let plaintext =
        home.epoch.records.open(&home.stored).ok_or_else(|| damaged(id, "wrong key or altered"))?;
    let row = RecordRow::decode(vault, &plaintext).map_err(|reason| damaged(id, reason))?;
    if row.id != *id {
        return Err(damaged(id, "its record is that of another id"));
    }
    Ok(row)
}

/// Opens a stored index row and checks that it stands where it belongs.
pub(super) fn open_index(
    vault: &[u8; 16],
    epoch: &EpochKeys,
    key: &[u8],
    stored: &[u8],
) -> Result<IndexRow> {
    let damaged = |reason| Error::corrupt("a row of the index", reason);
    let plaintext = epoch.index.open(stored).ok_or_else(|| damaged("wrong key or altered"))?;
    let row = IndexRow::decode(vault, &plaintext).map_err(damaged)?;
    if epoch.row_key(&row.metadata.id) != key {
        return Err(damaged("it stands in the place of another id"));
    }
    Ok(row)
}

/// The error of a damaged credential.
pub(super) fn damaged(id: &CredentialId, reason: &str) -> Error {
    Error::corrupt(format!("credential \"{id}\""), reason)
}

impl std::fmt::Debug for Snapshot<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Snapshot")
    }
}
