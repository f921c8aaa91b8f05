//! Rotation: a new password is stored before anybody else learns of it, and takes the place of the
//! present one when those who check it know it too.
//!
//! It stands in the record of its credential, so renaming, backing up and restoring take it along,
//! and ordinary changes leave it alone. Each step has a version of its own; only the one that
//! replaces the present password keeps what it replaces.

use super::transaction::{Transaction, change};
use crate::credential::{
    Change, Condition, Credential, CredentialId, Edit, Patch, Pending, Replacement, limits, within,
};
use crate::error::{Error, Result};
use crate::secret::Secret;

impl Transaction<'_> {
    /// Stores a password that is to take the place of the present one, which stays as it is. A
    /// copy of the credential does not get it; removing the credential removes it too, and undoing
    /// the removal brings it back.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::VersionMismatch`]; [`Error::Pending`] if there is one
    /// already; [`Error::Invalid`] if it is empty, too large or the present one;
    /// [`Error::Corrupt`] and [`Error::Io`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{Condition, CredentialId, Edit, NewKey, Options, Patch, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// # let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// let id = CredentialId::new("db")?;
    /// vault.set(&id, &Edit::new().password("old"))?;
    /// let prepared =
    ///     vault.write(|rows| rows.prepare(&id, &"new".into(), Condition::Always))?;
    /// assert_eq!(vault.get(&id)?.password.expose(), b"old");
    /// // Now tell the service. Then, unless somebody changed the credential meanwhile:
    /// let condition = Condition::IfVersion(prepared.version);
    /// vault.write(|rows| rows.accept(&id, condition, &Patch::Clear))?;
    /// assert_eq!(vault.get(&id)?.password.expose(), b"new");
    /// # Ok(())
    /// # }
    /// ```
    pub fn prepare(
        &mut self,
        id: &CredentialId,
        password: &Secret,
        condition: Condition,
    ) -> Result<Change> {
        let (uid, mut credential) = self.rotated(id, condition)?;
        if let Some(pending) = &credential.pending {
            return Err(Error::Pending { id: id.clone(), since: pending.since });
        }
        if password.is_empty() {
            return Err(Error::invalid("new password", "is empty"));
        }
        within("new password", password.len(), limits::PASSWORD)?;
        if *password == credential.password {
            return Err(Error::invalid("new password", "is the present one"));
        }
        credential.pending = Some(Pending { password: password.clone(), since: self.now() });
        self.put_next(uid, credential)
    }

    /// Makes the pending password the present one. The expiry was that of the one before, and is
    /// this one's only if it is kept.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::NotPending`],
    /// [`Error::Corrupt`] and [`Error::Io`].
    pub fn accept(
        &mut self,
        id: &CredentialId,
        condition: Condition,
        expires_at: &Patch<chrono::DateTime<chrono::Utc>>,
    ) -> Result<Change> {
        let (uid, mut credential) = self.rotated(id, condition)?;
        let before = credential.clone();
        let pending =
            credential.pending.take().ok_or_else(|| Error::NotPending { id: id.clone() })?;
        let edit = Edit::new().password(pending.password).expires_at(expires_at.clone());
        let last = credential.metadata.version;
        let credential = edit.apply(id, Some(&credential), last, self.now())?;
        let change = change(&credential, false, true);
        self.keep(uid, before, Replacement::Updated)?;
        self.put(uid, credential)?;
        Ok(change)
    }

    /// Forgets the pending password.
    ///
    /// # Errors
    ///
    /// Those of [`Self::accept`].
    pub fn abandon(&mut self, id: &CredentialId, condition: Condition) -> Result<Change> {
        let (uid, mut credential) = self.rotated(id, condition)?;
        if credential.pending.take().is_none() {
            return Err(Error::NotPending { id: id.clone() });
        }
        self.put_next(uid, credential)
    }

    /// The credential that a step is about.
    fn rotated(&self, id: &CredentialId, condition: Condition) -> Result<([u8; 16], Credential)> {
        let row = self.live(id)?;
        condition.check(id, row.version)?;
        let uid = row.uid;
        let credential = row.into_live();
        // A live row has one.
        Ok((uid, credential.ok_or_else(|| Error::NotFound { ids: vec![id.clone()] })?))
    }

    /// Writes the credential as its next version.
    fn put_next(&mut self, uid: [u8; 16], mut credential: Credential) -> Result<Change> {
        let metadata = &mut credential.metadata;
        metadata.version = metadata
            .version
            .checked_add(1)
            .ok_or_else(|| Error::invalid("version", "cannot rise any further"))?;
        metadata.updated_at = self.now();
        let change = change(&credential, false, true);
        self.put(uid, credential)?;
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::{NewKey, Options, Overwrite, Vault};

    fn id(text: &str) -> CredentialId {
        CredentialId::new(text).unwrap()
    }

    fn vault(directory: &tempfile::TempDir) -> Vault {
        let path = directory.path().join("v.redb");
        let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("h".into())).unwrap();
        let edit = Edit::new().password("old").field("k", "v").expires_at(Patch::Set(Utc::now()));
        vault.set(&id("a"), &edit).unwrap();
        vault
    }

    fn prepare(vault: &Vault, password: &str) -> Result<Change> {
        vault.write(|rows| rows.prepare(&id("a"), &password.into(), Condition::Always))
    }

    fn pending(vault: &Vault, name: &str) -> Option<Vec<u8>> {
        let pending = vault.get(&id(name)).unwrap().pending;
        pending.map(|pending| pending.password.expose().to_vec())
    }

    #[test]
    fn a_rotation_ends_in_the_new_password_or_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(&directory);
        assert_eq!(prepare(&vault, "new").unwrap().version, 2);
        assert_eq!(vault.get(&id("a")).unwrap().password.expose(), b"old");
        assert!(matches!(prepare(&vault, "newer"), Err(Error::Pending { .. })));
        vault.write(|rows| rows.abandon(&id("a"), Condition::Always)).unwrap();
        assert_eq!(pending(&vault, "a"), None);
        assert_eq!(prepare(&vault, "newer").unwrap().version, 4);
        let accept = |version| {
            let condition = Condition::IfVersion(version);
            vault.write(|rows| rows.accept(&id("a"), condition, &Patch::Clear))
        };
        assert!(matches!(accept(3), Err(Error::VersionMismatch { .. })));
        let before = vault.get(&id("a")).unwrap().metadata;
        assert_eq!(accept(4).unwrap().version, 5);
        let after = vault.get(&id("a")).unwrap();
        assert_eq!((after.password.expose(), &after.pending), (&b"newer"[..], &None));
        assert_eq!(after.field("k"), Some(&"v".into()));
        assert!(after.metadata.password_changed_at > before.password_changed_at);
        assert_eq!(after.metadata.expires_at, None);
        assert!(matches!(accept(5), Err(Error::NotPending { .. })));
        assert!(vault.verify(&|_, _| {}).unwrap().damaged.is_empty());
    }

    #[test]
    fn what_cannot_be_a_new_password_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(&directory);
        let large = "x".repeat(limits::PASSWORD + 1);
        for password in ["", "old", &large] {
            assert!(matches!(prepare(&vault, password), Err(Error::Invalid { .. })));
        }
        assert_eq!(vault.get(&id("a")).unwrap().metadata.version, 1);
        let missing = vault.write(|rows| rows.abandon(&id("b"), Condition::Always));
        assert!(matches!(missing, Err(Error::NotFound { .. })));
    }

    #[test]
    fn other_changes_leave_a_pending_password_alone() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(&directory);
        prepare(&vault, "new").unwrap();
        vault.set(&id("a"), &Edit::new().password("by hand").clear_fields()).unwrap();
        let moved = |from, to, keep: bool| {
            let to = id(to);
            vault.write(|rows| {
                if keep {
                    rows.copy(&id(from), &to, Overwrite::Never)
                } else {
                    rows.rename(&id(from), &to, Overwrite::Never, Condition::Always)
                }
            })
        };
        moved("a", "b", false).unwrap();
        assert_eq!(pending(&vault, "b"), Some(b"new".to_vec()));
        moved("b", "c", true).unwrap();
        assert_eq!(pending(&vault, "c"), None, "a copy is a credential of its own");
        vault.remove(&id("b")).unwrap();
        vault.set(&id("b"), &Edit::new().password("p")).unwrap();
        assert_eq!(pending(&vault, "b"), None);
    }

    #[test]
    fn undo_brings_back_a_rotation_that_a_removal_cut_short_and_none_that_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(&directory);
        let undo = |to| vault.write(|rows| rows.undo(&id("a"), to, Condition::Always)).unwrap();
        prepare(&vault, "new").unwrap();
        vault.remove(&id("a")).unwrap();
        assert_eq!(undo(None).to, 2);
        assert_eq!(pending(&vault, "a"), Some(b"new".to_vec()));
        vault.write(|rows| rows.accept(&id("a"), Condition::Always, &Patch::Clear)).unwrap();
        undo(Some(2));
        assert_eq!(pending(&vault, "a"), None);
        vault.remove(&id("a")).unwrap();
        undo(Some(2));
        assert_eq!(vault.get(&id("a")).unwrap().password.expose(), b"old");
        assert_eq!(pending(&vault, "a"), None, "it was accepted long ago");
    }

    /// Fails if steps that change nothing of the present credential push earlier ones out.
    #[test]
    fn only_accepting_uses_up_the_history() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(&directory);
        let versions = || {
            let history = vault.history(&id("a")).unwrap();
            history.iter().map(|one| one.credential.metadata.version).collect::<Vec<_>>()
        };
        for _ in 0..20 {
            prepare(&vault, "new").unwrap();
            vault.write(|rows| rows.abandon(&id("a"), Condition::Always)).unwrap();
        }
        assert_eq!(versions(), [0; 0]);
        prepare(&vault, "new").unwrap();
        vault.write(|rows| rows.accept(&id("a"), Condition::Always, &Patch::Clear)).unwrap();
        assert_eq!(versions(), [42]);
        assert_eq!(vault.version(&id("a"), 42).unwrap().password.expose(), b"old");
    }

    #[test]
    fn nothing_is_put_over_a_pending_password() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(&directory);
        vault.set(&id("other"), &Edit::new().password("x")).unwrap();
        prepare(&vault, "new").unwrap();
        let (from, to) = (id("other"), id("a"));
        let copied = vault.write(|rows| rows.copy(&from, &to, Overwrite::Allowed));
        assert!(matches!(copied, Err(Error::Pending { .. })), "{copied:?}");
        let rename = |from, to| {
            vault.write(|rows| rows.rename(from, to, Overwrite::Allowed, Condition::Always))
        };
        let renamed = rename(&from, &to);
        assert!(matches!(renamed, Err(Error::Pending { .. })), "{renamed:?}");
        assert_eq!(pending(&vault, "a"), Some(b"new".to_vec()));
        assert!(!rename(&to, &to).unwrap().changed);
        vault.write(|rows| rows.abandon(&to, Condition::Always)).unwrap();
        vault.write(|rows| rows.copy(&from, &to, Overwrite::Allowed)).unwrap();
        assert_eq!(vault.get(&to).unwrap().password.expose(), b"x");
    }

    #[test]
    fn a_pending_password_shows_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let vault = vault(&directory);
        prepare(&vault, "s3cret").unwrap();
        let shown = format!("{:?}", vault.get(&id("a")).unwrap());
        assert!(shown.contains("pending") && !shown.contains("s3cret"), "{shown}");
    }
}
