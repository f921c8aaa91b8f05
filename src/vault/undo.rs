//! Going back to an earlier version, and forgetting them for good, as parts of a transaction.

use super::history::not_kept;
use super::transaction::{Transaction, change};
use crate::codec::{HistoryRow, RecordState};
use crate::credential::{Change, Condition, Credential, CredentialId, Replacement, same_content};
use crate::error::{Error, Result};
use crate::store::Table;

/// What [`Transaction::undo`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undone {
    /// The change, to a new version.
    pub change: Change,
    /// The version whose content it has.
    pub to: u64,
}

/// How much [`Transaction::purge`] forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// The earlier versions alone.
    History,
    /// The credential, or what keeps the last version of a removed one, and all earlier versions.
    All,
}

impl Transaction<'_> {
    /// Makes a new version with the content of an earlier one: of this version, or of the newest
    /// that differs from what is stored. Brings a removed credential back too. The password is as
    /// old as it was then; what is replaced is kept as by every change, so that a second undo
    /// takes the first back. A version of another credential that had this id before
    /// ([`Lineage::Other`](crate::Lineage)) is taken only if it is asked for.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the vault never had it; [`Error::VersionNotFound`],
    /// [`Error::NoEarlierVersion`], [`Error::AlreadyExists`], [`Error::VersionMismatch`],
    /// [`Error::Invalid`] if the version cannot rise; [`Error::Corrupt`] and [`Error::Io`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{Condition, CredentialId, Edit, NewKey, Options, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// # let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// let id = CredentialId::new("a")?;
    /// vault.set(&id, &Edit::new().password("good"))?;
    /// vault.remove(&id)?;
    /// let undone = vault.write(|t| t.undo(&id, None, Condition::Always))?;
    /// assert_eq!((undone.to, undone.change.version), (1, 2));
    /// assert_eq!(vault.get(&id)?.password.expose(), b"good");
    /// # Ok(())
    /// # }
    /// ```
    pub fn undo(
        &mut self,
        id: &CredentialId,
        to: Option<u64>,
        condition: Condition,
    ) -> Result<Undone> {
        let missing = || Error::NotFound { ids: vec![id.clone()] };
        let row = self.record(id)?.ok_or_else(missing)?;
        let (uid, version) = (row.uid, row.version);
        let stored = match row.state {
            RecordState::Live(credential) => Some(*credential),
            RecordState::Removed { .. } => None,
        };
        condition.check(id, stored.as_ref().map_or(0, |_| version))?;
        let earlier = match to {
            Some(to) => self.version_to_restore(id, to, stored.as_ref())?,
            None => self.own_to_restore((id, uid), stored.as_ref())?,
        };
        let to = earlier.metadata.version;
        if let Some(stored) = stored.as_ref().filter(|stored| same_content(stored, &earlier)) {
            return Ok(Undone { change: change(stored, false, false), to });
        }
        let mut restored = self.restored(earlier, stored.as_ref(), version)?;
        // A rotation goes on, also one that a removal cut short; none that is over comes back.
        match &stored {
            Some(stored) => restored.pending.clone_from(&stored.pending),
            None if to == version => {}
            None => restored.pending = None,
        }
        let change = change(&restored, stored.is_none(), true);
        if let Some(stored) = stored {
            self.keep(uid, stored, Replacement::Updated)?;
        }
        self.put(uid, restored)?;
        Ok(Undone { change, to })
    }

    /// Forgets earlier versions of a credential, or all of it: if it is added again, its versions
    /// begin again. Returns how many earlier versions there were. Sealed remains are in the file's
    /// free pages until [`Vault::compact`](crate::Vault::compact), and in copies made before.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the vault never had it; [`Error::AlreadyExists`],
    /// [`Error::VersionMismatch`], [`Error::Corrupt`] and [`Error::Io`].
    pub fn purge(&mut self, id: &CredentialId, purge: Purge, condition: Condition) -> Result<u64> {
        let row = self.record(id)?.ok_or_else(|| Error::NotFound { ids: vec![id.clone()] })?;
        condition.check(id, if row.is_live() { row.version } else { 0 })?;
        let dropped = self.drop_history(id)?;
        if purge == Purge::All {
            let key = self.epoch().row_key(id);
            self.replace(Table::Records, &key, None)?;
            if row.is_live() {
                self.replace(Table::Index, &key, None)?;
            }
        }
        Ok(dropped)
    }

    /// The version asked for, whosever it is.
    fn version_to_restore(
        &mut self,
        id: &CredentialId,
        to: u64,
        stored: Option<&Credential>,
    ) -> Result<Credential> {
        if let Some(stored) = stored.filter(|stored| stored.metadata.version == to) {
            return Ok(stored.clone());
        }
        if !self.kept_versions(id)?.contains(&to) {
            return Err(not_kept(self.rows(), self.epoch(), id, to));
        }
        Ok(self.earlier(id, to)?.credential)
    }

    /// The newest version of this very credential that is not what is stored.
    fn own_to_restore(
        &mut self,
        (id, uid): (&CredentialId, [u8; 16]),
        stored: Option<&Credential>,
    ) -> Result<Credential> {
        for version in self.kept_versions(id)? {
            let HistoryRow { uid: whose, credential, .. } = self.earlier(id, version)?;
            if whose == uid && stored.is_none_or(|stored| !same_content(stored, &credential)) {
                return Ok(credential);
            }
        }
        Err(Error::NoEarlierVersion { id: id.clone() })
    }

    /// An earlier version as the one after `last_version`.
    fn restored(
        &self,
        mut earlier: Credential,
        stored: Option<&Credential>,
        last_version: u64,
    ) -> Result<Credential> {
        let metadata = &mut earlier.metadata;
        metadata.version = last_version
            .checked_add(1)
            .ok_or_else(|| Error::invalid("version", "cannot rise any further"))?;
        metadata.updated_at = self.now();
        if let Some(stored) = stored {
            metadata.created_at = stored.metadata.created_at;
            if stored.password == earlier.password {
                metadata.password_changed_at = stored.metadata.password_changed_at;
            }
        }
        Ok(earlier)
    }
}
