//! Moving and copying credentials under other ids, as parts of a transaction.
//!
//! Everything is checked before the first row is written, so that a refusal leaves the
//! transaction as it was.

use super::backup::Overwrite;
use super::transaction::{Transaction, change};
use crate::codec::{RecordRow, RecordState};
use crate::credential::{
    Change, Condition, Credential, CredentialId, Edit, Replacement, same_content,
};
use crate::error::{Error, Result};
use crate::seal::random;

impl Transaction<'_> {
    /// Gives a credential another id. It stays the same credential: the password's time and the
    /// time of creation are kept, and its earlier versions go along. Its version follows the last
    /// ones of both ids, and a tombstone stays under the old id. Onto its own id with
    /// [`Overwrite::Allowed`] it changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::VersionMismatch`] if the condition, which is about `id`, does
    /// not hold; [`Error::AlreadyExists`] if `to` does and may not be overwritten, or if the
    /// condition is [`Condition::IfAbsent`], which never holds here; [`Error::Pending`] if a
    /// password is pending under `to`; [`Error::Invalid`] if the version cannot rise;
    /// [`Error::Corrupt`] and [`Error::Io`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{Condition, CredentialId, Edit, NewKey, Options, Overwrite, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// # let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// let (old, new) = (CredentialId::new("old")?, CredentialId::new("new")?);
    /// vault.set(&old, &Edit::new().password("p"))?;
    /// let change =
    ///     vault.write(|rows| rows.rename(&old, &new, Overwrite::Never, Condition::Always))?;
    /// assert_eq!((change.id.as_str(), change.version, change.created), ("new", 2, true));
    /// assert!(!vault.exists(&old)?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn rename(
        &mut self,
        id: &CredentialId,
        to: &CredentialId,
        overwrite: Overwrite,
        condition: Condition,
    ) -> Result<Change> {
        let (row, credential) = self.source(id)?;
        condition.check(id, row.version)?;
        if id == to && overwrite == Overwrite::Allowed {
            return Ok(change(&credential, false, false));
        }
        let target = self.target(to, overwrite)?;
        let last = target.as_ref().map_or(0, |target| target.version).max(row.version);
        let renamed = self.under(to, credential.clone(), last)?;
        let overwritten = target.and_then(|target| Some((target.uid, target.into_live()?)));
        let change = change(&renamed, overwritten.is_none(), true);
        if let Some((uid, overwritten)) = overwritten {
            self.keep(uid, overwritten, Replacement::Updated)?;
        }
        self.carry(row.uid, credential, to)?;
        self.put(row.uid, renamed)?;
        // Whatever is added under the old id later is another credential.
        self.bury(RecordRow { uid: *random(), ..row })?;
        Ok(change)
    }

    /// Puts a copy of a credential under another id. The copy is a credential of its own: it is
    /// created now, unless it takes the place of another one, and its version follows the last
    /// one of `to`. The time of the password is kept. Where nothing would change, nothing is
    /// written.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], and those of [`Self::copy_from`].
    pub fn copy(
        &mut self,
        id: &CredentialId,
        to: &CredentialId,
        overwrite: Overwrite,
    ) -> Result<Change> {
        let (_, credential) = self.source(id)?;
        self.copy_from(&credential, to, overwrite)
    }

    /// Puts a copy of a credential that was read elsewhere, in another vault, under an id: as
    /// [`Self::copy`] does of one of this vault. A password that is pending there is left out,
    /// since it is between that credential and whoever takes its password.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`] if `to` does and may not be overwritten; [`Error::Pending`] if a
    /// password is pending under it; [`Error::Invalid`] if the credential breaks a rule or the
    /// version cannot rise; [`Error::Corrupt`] and [`Error::Io`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{CredentialId, Edit, NewKey, Options, Overwrite, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let make = |name| {
    /// #     let key = NewKey::Hostname("host-a".into());
    /// #     Vault::create(&dir.path().join(name), &Options::new(), &key)
    /// # };
    /// let (test, production) = (make("test.redb")?, make("production.redb")?);
    /// let id = CredentialId::new("db")?;
    /// test.set(&id, &Edit::new().password("p"))?;
    /// let credential = test.get(&id)?;
    /// production.write(|rows| rows.copy_from(&credential, &id, Overwrite::Never))?;
    /// assert_eq!(production.get(&id)?.password, credential.password);
    /// # Ok(())
    /// # }
    /// ```
    pub fn copy_from(
        &mut self,
        credential: &Credential,
        to: &CredentialId,
        overwrite: Overwrite,
    ) -> Result<Change> {
        let target = self.target(to, overwrite)?;
        let (last, uid) =
            target.as_ref().map_or_else(|| (0, *random()), |row| (row.version, row.uid));
        let mut copied = Edit::of(credential).apply(to, None, last, self.now())?;
        copied.metadata.password_changed_at = credential.metadata.password_changed_at;
        let stored = target.and_then(RecordRow::into_live);
        if let Some(stored) = stored.as_ref().filter(|stored| same_content(stored, &copied)) {
            return Ok(change(stored, false, false));
        }
        if let Some(stored) = &stored {
            copied.metadata.created_at = stored.metadata.created_at;
        }
        let change = change(&copied, stored.is_none(), true);
        if let Some(stored) = stored {
            self.keep(uid, stored, Replacement::Updated)?;
        }
        self.put(uid, copied)?;
        Ok(change)
    }

    /// The row to move or copy, and what is in it.
    fn source(&self, id: &CredentialId) -> Result<(RecordRow, Credential)> {
        let row = self.live(id)?;
        let credential = row.clone().into_live();
        // A live row has one.
        let credential = credential.ok_or_else(|| Error::NotFound { ids: vec![id.clone()] })?;
        Ok((row, credential))
    }

    /// What is stored under the id that a credential is to get. A pending password there is not
    /// overwritten at all: it may be what a service knows by now, and no earlier version gives it
    /// back.
    fn target(&self, to: &CredentialId, overwrite: Overwrite) -> Result<Option<RecordRow>> {
        let target = self.record(to)?;
        let Some(RecordRow { state: RecordState::Live(stored), version, .. }) = &target else {
            return Ok(target);
        };
        match &stored.pending {
            _ if overwrite == Overwrite::Never => {
                Err(Error::AlreadyExists { id: to.clone(), version: *version })
            }
            Some(pending) => Err(Error::Pending { id: to.clone(), since: pending.since }),
            None => Ok(target),
        }
    }

    /// The credential under another id, changed now.
    fn under(
        &self,
        to: &CredentialId,
        mut credential: Credential,
        last_version: u64,
    ) -> Result<Credential> {
        credential.metadata.id = to.clone();
        credential.metadata.updated_at = self.now();
        credential.metadata.version = last_version
            .checked_add(1)
            .ok_or_else(|| Error::invalid("version", "cannot rise any further"))?;
        Ok(credential)
    }
}

impl RecordRow {
    pub(super) fn into_live(self) -> Option<Credential> {
        match self.state {
            RecordState::Live(credential) => Some(*credential),
            RecordState::Removed { .. } => None,
        }
    }
}
