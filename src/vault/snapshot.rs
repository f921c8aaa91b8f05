//! Several reads of one committed state.

use std::sync::Arc;

use super::cache::Cache;
use super::list::{self, Query};
use super::manifest::Manifest;
use super::unlocked::{StateKeys, Unlocked};
use crate::codec::{IndexRow, RecordRow, RecordState};
use crate::credential::{Credential, CredentialId, Metadata};
use crate::error::{Error, Result};
use crate::keys::EpochKeys;
use crate::store::{ReadRows, Table};

/// One committed state of a vault, to read from several times.
pub struct Snapshot<'a> {
    rows: &'a dyn ReadRows,
    keys: Arc<StateKeys>,
    epoch: Arc<EpochKeys>,
    cache: &'a Cache,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(
        rows: &'a dyn ReadRows,
        keys: &'a Unlocked,
        cache: &'a Cache,
    ) -> Result<Self> {
        let keys = keys.at(rows)?;
        let epoch = Arc::clone(keys.epoch());
        Ok(Self { rows, keys, epoch, cache })
    }

    pub(super) fn rows(&self) -> &dyn ReadRows {
        self.rows
    }

    pub(super) fn keys(&self) -> &StateKeys {
        &self.keys
    }

    pub(super) fn epoch(&self) -> &EpochKeys {
        &self.epoch
    }

    /// The credential of this id, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Io`].
    pub fn find(&self, id: &CredentialId) -> Result<Option<Credential>> {
        let key = self.epoch.row_key(id);
        let Some(stored) = stored_record(self.rows, &self.epoch, id)? else { return Ok(None) };
        if let Some(credential) = self.cache.find(&key, &stored) {
            return Ok(Some(credential));
        }
        let row = open_record(&self.keys, &self.epoch, id, &stored)?;
        let RecordState::Live(credential) = row.state else { return Ok(None) };
        self.cache.keep(key, stored, &credential);
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
        list::list(self.rows, &self.keys, &self.epoch, &manifest, query)
    }
}

/// The stored bytes of this id's record. Where there are none there must be none in the index
/// either, and no damage that hides them.
pub(super) fn stored_record(
    rows: &dyn ReadRows,
    epoch: &EpochKeys,
    id: &CredentialId,
) -> Result<Option<Vec<u8>>> {
    let key = epoch.row_key(id);
    let stored = rows.row(Table::Records, &key)?;
    if stored.is_none() {
        if rows.row(Table::Index, &key)?.is_some() {
            return Err(damaged(id, "its record is missing"));
        }
        rows.check_way(Table::Records, &key)?;
    }
    Ok(stored)
}

/// Opens a stored record and checks that it is this id's.
pub(super) fn open_record(
    keys: &StateKeys,
    epoch: &EpochKeys,
    id: &CredentialId,
    stored: &[u8],
) -> Result<RecordRow> {
    let plaintext =
        epoch.records.open(stored).ok_or_else(|| damaged(id, "wrong key or altered"))?;
    let row = RecordRow::decode(keys.vault_key().vault(), &plaintext)
        .map_err(|reason| damaged(id, reason))?;
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
