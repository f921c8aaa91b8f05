//! Copies of a vault: backup beside it, compact in place of it. Both are rebuild-and-swap: all
//! rows, still sealed, in the order of their keys into a new file, synced, verified, placed.

use std::path::Path;

use chrono::{SubsecRound, Utc};

use super::header::{self, Intent};
use super::unlocked::Unlocked;
use super::verify::{self, Progress};
use super::{Options, Vault, slots};
use crate::error::{Error, Result};
use crate::files::Draft;
use crate::keys::SlotKind;
use crate::store::{self, FilePlace, Lifetime, ReadRows, Store, Table, WriteRows};

/// Whether a copy may take the place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// Fail if anything is there.
    Never,
    /// Take the place of the file that is there.
    Allowed,
}

/// What [`Vault::backup`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// The number of credentials in it.
    pub credentials: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Whether one of its key slots can open it on another machine.
    pub portable: bool,
}

/// What [`Vault::compact`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// The file's size before, in bytes.
    pub before: u64,
    /// The file's size after, in bytes.
    pub after: u64,
}

impl Vault {
    /// Writes a consistent, compact and still sealed copy of the vault, while other processes go
    /// on reading and writing. It appears under its name when it is whole, synced and verified.
    ///
    /// # Errors
    ///
    /// [`Error::VaultExists`] if something is at the destination, [`Error::Corrupt`] if the
    /// vault does not verify, [`Error::NewerFormat`] if it has what this program would not copy,
    /// and those of [`Vault::read`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{KeySource, NewKey, Options, Overwrite, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// # let copy = dir.path().join("copy.redb");
    /// let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// vault.backup(&copy, Overwrite::Never, &|_done, _of| {})?;
    /// Vault::open(&copy, &Options::new(), &[KeySource::Hostname("host-a".into())])?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn backup(
        &self,
        destination: &Path,
        overwrite: Overwrite,
        progress: Progress<'_>,
    ) -> Result<Backup> {
        let exists = destination.symlink_metadata().is_ok();
        if exists && overwrite == Overwrite::Never {
            return Err(Error::VaultExists { path: destination.to_owned() });
        }
        if exists && same_file(destination, self.path()) {
            return Err(Error::invalid("backup", "would take the place of the vault itself"));
        }
        let bound = [SlotKind::Machine, SlotKind::Hostname];
        let (draft, credentials, portable) = self.store.read(|rows| {
            // A copy without what is unknown here would not be one.
            header::check(rows, self.path(), Intent::Write)?;
            let draft = store::build(destination, self.file_systems, |new| copy(rows, new))?;
            let credentials = verified(&draft, &self.keys, progress)?;
            let slots = slots::read(rows, self.keys.at(rows)?.vault_key())?;
            Ok((draft, credentials, slots.iter().any(|slot| !bound.contains(&slot.kind))))
        })?;
        let size = draft.file().metadata().map_err(Error::io("read", destination))?.len();
        if overwrite == Overwrite::Allowed {
            draft.replace(destination)?;
        } else if !draft.place(destination)? {
            return Err(Error::VaultExists { path: destination.to_owned() });
        }
        Ok(Backup { credentials, size, portable })
    }

    /// Gives the free pages of the vault's file back, without making readers wait; writers wait
    /// until it is done. Owner, group and mode of the file are kept.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if the vault does not verify, and those of [`Vault::write`]; the vault
    /// is then as it was.
    pub fn compact(&self, progress: Progress<'_>) -> Result<Compaction> {
        let read = || Error::io("read", self.path());
        let before = std::fs::metadata(self.path()).map_err(read())?.len();
        let now = Utc::now().trunc_subsecs(6);
        self.store.hold(|rows| {
            header::check(rows, self.path(), Intent::Write)?;
            let draft = store::build(self.path(), self.file_systems, |new| {
                copy(rows, new)?;
                self.note_scrubbed(new, now)
            })?;
            verified(&draft, &self.keys, progress)?;
            draft.adopt(self.path())?;
            let after = draft.file().metadata().map_err(read())?.len();
            draft.replace(self.path())?;
            Ok(Compaction { before, after })
        })
    }
}

/// Copies all rows of one committed state, still sealed.
pub(super) fn copy(rows: &dyn ReadRows, new: &mut dyn WriteRows) -> Result<()> {
    for table in Table::ALL {
        new.row(table, &[])?;
        rows.rows(table, &[], &mut |key, value| new.put(table, key, value))?;
    }
    Ok(())
}

/// Checks every row of a draft with these keys; the number of its credentials.
///
/// # Errors
///
/// [`Error::Corrupt`] with the first damage found.
pub(super) fn verified(draft: &Draft, keys: &Unlocked, progress: Progress<'_>) -> Result<u64> {
    let place = FilePlace::find(draft.path(), store::FileSystems::Any)?;
    let patience = Options::new().patience(draft.path());
    let store = Store::open(Box::new(place), patience, Lifetime::OneShot)?;
    let found = store.read(|rows| verify::verify(rows, keys, progress))?;
    Ok(found.into_result()?.index)
}

fn same_file(left: &Path, right: &Path) -> bool {
    let resolved = |path: &Path| std::fs::canonicalize(path).ok();
    resolved(left).is_some_and(|left| resolved(right) == Some(left))
}
