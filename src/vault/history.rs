//! Earlier versions: what a credential was before it was changed, renamed or removed.
//!
//! Only changes touch these rows, and each change a bounded number of them. A row is bound to
//! vault, id and version; that none was put back or taken away the manifest tells.

use std::collections::BTreeSet;

use super::Vault;
use super::epochs::Home;
use super::snapshot::{Snapshot, damaged, open_record};
use super::transaction::Transaction;
use crate::codec::HistoryRow;
use crate::credential::{Credential, CredentialId, Earlier, Lineage, Replacement};
use crate::error::{Error, Result};
use crate::keys::{EpochKeys, HistoryKey};
use crate::store::{ReadRows, Table};

/// The most versions that one change drops, of those beyond the limit: after the limit was
/// lowered, the cost of a change stays the same.
const MOST_DROPPED: usize = 8;

impl Vault {
    /// The earlier versions of a credential that are kept, the newest first, also of a removed
    /// one.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the vault never had it, and those of [`Vault::read`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{CredentialId, Edit, NewKey, Options, Replacement, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// # let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// let id = CredentialId::new("a")?;
    /// vault.set(&id, &Edit::new().password("first"))?;
    /// vault.set(&id, &Edit::new().password("second"))?;
    /// let earlier = &vault.history(&id)?[0];
    /// assert_eq!(earlier.credential.password.expose(), b"first");
    /// assert_eq!(earlier.replacement, Replacement::Updated);
    /// # Ok(())
    /// # }
    /// ```
    pub fn history(&self, id: &CredentialId) -> Result<Vec<Earlier>> {
        self.read(|snapshot| snapshot.history(id))
    }

    /// The credential as it was at a version, its present one included.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the vault never had it, [`Error::VersionNotFound`], and those of
    /// [`Vault::read`].
    pub fn version(&self, id: &CredentialId, version: u64) -> Result<Credential> {
        self.read(|snapshot| snapshot.version(id, version))
    }
}

impl Snapshot<'_> {
    /// The earlier versions of a credential that are kept, the newest first, also of a removed
    /// one.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the vault never had it; [`Error::Corrupt`] and [`Error::Io`].
    pub fn history(&self, id: &CredentialId) -> Result<Vec<Earlier>> {
        let home = self.known(id)?;
        let uid = open_record(self.keys().vault_key().vault(), id, &home)?.uid;
        let versions = self.kept_versions(home.epoch, id)?;
        let rows = versions.into_iter().map(|version| self.earlier(home.epoch, id, version));
        rows.map(|row| row.map(|row| row.seen_from(uid))).collect()
    }

    /// The credential as it was at a version, its present one included.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the vault never had it; [`Error::VersionNotFound`],
    /// [`Error::Corrupt`] and [`Error::Io`].
    pub fn version(&self, id: &CredentialId, version: u64) -> Result<Credential> {
        let present = self.find(id)?;
        if let Some(present) = present.filter(|present| present.metadata.version == version) {
            return Ok(present);
        }
        let epoch = self.known(id)?.epoch;
        if !self.kept_versions(epoch, id)?.contains(&version) {
            return Err(not_kept(self.rows(), epoch, id, version));
        }
        Ok(self.earlier(epoch, id, version)?.credential)
    }

    /// Where the rows are of an id that the vault has, or had.
    pub(super) fn known(&self, id: &CredentialId) -> Result<Home<'_>> {
        self.home(id)?.ok_or_else(|| Error::NotFound { ids: vec![id.clone()] })
    }

    /// The versions that are kept, the newest first, no more than the limit says.
    pub(super) fn kept_versions(&self, epoch: &EpochKeys, id: &CredentialId) -> Result<Vec<u64>> {
        kept_versions(self.rows(), epoch, id, self.config()?.history_keep)
    }

    fn earlier(&self, epoch: &EpochKeys, id: &CredentialId, version: u64) -> Result<HistoryRow> {
        read(self.rows(), self.keys().vault_key().vault(), epoch, id, version)
    }
}

impl Transaction<'_> {
    /// Keeps a credential that a change is about to replace, and drops the oldest versions beyond
    /// the limit, a few of them at most.
    pub(super) fn keep(
        &mut self,
        uid: [u8; 16],
        credential: Credential,
        replacement: Replacement,
    ) -> Result<()> {
        let limit = self.history_limit()?;
        let id = &credential.metadata.id;
        self.bring(id)?;
        let new = self.epoch().history_key(id, credential.metadata.version);
        let (mut former, mut others, mut oldest) = (None, 0_usize, Vec::new());
        self.rows().rows(Table::History, &self.epoch().row_key(id), &mut |key, stored| {
            if key == new {
                former = Some(stored.to_vec());
                return Ok(());
            }
            others += 1;
            if oldest.len() < MOST_DROPPED {
                oldest.push((key.to_vec(), stored.to_vec()));
            }
            Ok(())
        })?;
        if limit > 0 {
            let row = HistoryRow { uid, credential, replacement, at: self.now() };
            let token = self.sealed(&row);
            self.exchange(Table::History, &new, (former.as_deref(), Some(&token)))?;
        } else if let Some(former) = former {
            self.exchange(Table::History, &new, (Some(&former), None))?;
        }
        let beyond = others.saturating_sub(limit.saturating_sub(1));
        for (key, stored) in oldest.into_iter().take(beyond) {
            self.exchange(Table::History, &key, (Some(&stored), None))?;
        }
        Ok(())
    }

    /// Takes the earlier versions of a credential along to another id, itself as it was under the
    /// old one included. A version number that the other id has a version of its own for stays
    /// that id's; the old id keeps what cannot go along. No more are moved than are kept.
    pub(super) fn carry(
        &mut self,
        uid: [u8; 16],
        mut credential: Credential,
        to: &CredentialId,
    ) -> Result<()> {
        let limit = self.history_limit()?;
        let from = std::mem::replace(&mut credential.metadata.id, to.clone());
        let own = credential.metadata.version;
        self.bring(&from)?;
        self.bring(to)?;
        let there: BTreeSet<u64> = versions(self.rows(), self.epoch(), to)?.into_iter().collect();
        let mut moving: BTreeSet<u64> =
            versions(self.rows(), self.epoch(), &from)?.into_iter().collect();
        moving.insert(own);
        let moving: Vec<u64> = moving.difference(&there).copied().collect();
        let mut all: Vec<u64> = there.iter().chain(&moving).copied().collect();
        all.sort_unstable_by_key(|version| std::cmp::Reverse(*version));
        let beyond = all.split_off(limit.min(all.len()));
        for version in moving {
            if version == own {
                continue;
            }
            let key = self.epoch().history_key(&from, version);
            if !beyond.contains(&version) {
                let mut row = self.earlier(&from, version)?;
                row.credential.metadata.id = to.clone();
                self.put_earlier(&row)?;
            }
            self.replace(Table::History, &key, None)?;
        }
        if !there.contains(&own) && !beyond.contains(&own) {
            let replacement = Replacement::Renamed { from };
            self.put_earlier(&HistoryRow { uid, credential, replacement, at: self.now() })?;
        }
        for version in beyond.iter().filter(|version| there.contains(version)) {
            let key = self.epoch().history_key(to, *version);
            self.replace(Table::History, &key, None)?;
        }
        Ok(())
    }

    /// The versions that are kept, the newest first, no more than the limit says.
    pub(super) fn kept_versions(&mut self, id: &CredentialId) -> Result<Vec<u64>> {
        let limit = self.history_limit()?;
        self.bring(id)?;
        kept_versions(self.rows(), self.epoch(), id, limit)
    }

    pub(super) fn earlier(&self, id: &CredentialId, version: u64) -> Result<HistoryRow> {
        read(self.rows(), self.vault(), self.epoch(), id, version)
    }

    /// Drops all rows of this id; how many they were.
    pub(super) fn drop_history(&mut self, id: &CredentialId) -> Result<u64> {
        self.bring(id)?;
        let versions = versions(self.rows(), self.epoch(), id)?;
        for version in &versions {
            let key = self.epoch().history_key(id, *version);
            self.replace(Table::History, &key, None)?;
        }
        Ok(versions.len() as u64)
    }

    fn put_earlier(&mut self, row: &HistoryRow) -> Result<()> {
        let key = self.epoch().history_key(row.id(), row.version());
        let token = self.sealed(row);
        self.replace(Table::History, &key, Some(&token))
    }

    fn sealed(&self, row: &HistoryRow) -> Vec<u8> {
        self.epoch().history.seal(&row.encode(self.vault()))
    }
}

/// All versions of this id that have a row, the oldest first.
fn versions(rows: &dyn ReadRows, epoch: &EpochKeys, id: &CredentialId) -> Result<Vec<u64>> {
    let mut versions = Vec::new();
    rows.rows(Table::History, &epoch.row_key(id), &mut |key, _| {
        let key: HistoryKey =
            key.try_into().map_err(|_| damaged(id, "an earlier version has a malformed key"))?;
        versions.push(key[20..].iter().fold(0, |version, byte| version << 8 | u64::from(*byte)));
        Ok(())
    })?;
    Ok(versions)
}

/// The versions of this id that are kept, the newest first: rows beyond the limit that no change
/// has dropped yet are as good as gone.
fn kept_versions(
    rows: &dyn ReadRows,
    epoch: &EpochKeys,
    id: &CredentialId,
    limit: usize,
) -> Result<Vec<u64>> {
    let found = versions(rows, epoch, id)?;
    check_gaps(rows, epoch, id, &found)?;
    Ok(found.into_iter().rev().take(limit).collect())
}

/// Checks that no damaged page hides versions before, between or behind those that were found.
fn check_gaps(
    rows: &dyn ReadRows,
    epoch: &EpochKeys,
    id: &CredentialId,
    found: &[u64],
) -> Result<()> {
    let beside = found
        .iter()
        .flat_map(|version| [version.saturating_sub(1), *version, version.saturating_add(1)]);
    for version in beside.chain([0, u64::MAX]) {
        rows.check_way(Table::History, &epoch.history_key(id, version))?;
    }
    Ok(())
}

/// The error of a version that was not found, or of the damage that hides it.
pub(super) fn not_kept(
    rows: &dyn ReadRows,
    epoch: &EpochKeys,
    id: &CredentialId,
    version: u64,
) -> Error {
    match rows.check_way(Table::History, &epoch.history_key(id, version)) {
        Ok(()) => Error::VersionNotFound { id: id.clone(), version },
        Err(error) => error,
    }
}

fn read(
    rows: &dyn ReadRows,
    vault: &[u8; 16],
    epoch: &EpochKeys,
    id: &CredentialId,
    version: u64,
) -> Result<HistoryRow> {
    let key = epoch.history_key(id, version);
    let damaged = |reason: &str| damaged(id, &format!("version {version}: {reason}"));
    let stored = rows.row(Table::History, &key)?.ok_or_else(|| damaged("its row is missing"))?;
    open(vault, epoch, &key, &stored).map_err(damaged)
}

/// Opens a stored row and checks that it stands where it belongs.
pub(super) fn open(
    vault: &[u8; 16],
    epoch: &EpochKeys,
    key: &[u8],
    stored: &[u8],
) -> std::result::Result<HistoryRow, &'static str> {
    let plaintext = epoch.history.open(stored).ok_or("wrong key or altered")?;
    let row = HistoryRow::decode(vault, &plaintext)?;
    if epoch.history_key(row.id(), row.version()) != key {
        return Err("it stands in the place of another id or version");
    }
    Ok(row)
}

impl HistoryRow {
    /// What the credential of this uid has in it: an earlier version of its own, or another's.
    pub(super) fn seen_from(self, uid: [u8; 16]) -> Earlier {
        let lineage = if self.uid == uid { Lineage::Own } else { Lineage::Other };
        let Self { credential, replacement, at: replaced_at, .. } = self;
        Earlier { credential, lineage, replacement, replaced_at }
    }
}

#[cfg(test)]
mod tests;
