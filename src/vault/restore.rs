//! Restoring a vault from a copy of it: works or changes nothing, and keeps what it replaces.

use std::path::{Path, PathBuf};

use chrono::{SubsecRound, Utc};

use super::backup::{copy, verified};
use super::header::{self, Intent};
use super::manifest::Manifest;
use super::settings::{self, Settings};
use super::slots::next_slot;
use super::verify::{self, Progress};
use super::{Options, Vault};
use crate::error::{Error, Result};
use crate::files::{self, Draft, create_private_directory, parent};
use crate::keys::{KeySource, NewKey, SlotDetails, VaultKey};
use crate::store::{self, Table, WriteRows};

/// What [`Vault::restore`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// The number of credentials in the vault now.
    pub credentials: u64,
    /// Where the vault that was replaced is kept, if there was one.
    pub kept: Option<PathBuf>,
}

impl Vault {
    /// Places a copy of this vault at `path`, where there may be a vault or none; what is there
    /// is kept beside it under a new name. The copy is verified first, opens with `key` from then
    /// on (a slot is added if none of its own does) and begins a new life: state tokens of before
    /// do not fit it. Safe while other processes have the replaced vault open: what they were
    /// told is durable is in the file that is kept.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if this vault does not verify, [`Error::Busy`], [`Error::Io`], and
    /// those of [`Vault::read`]; then nothing was changed.
    pub fn restore(
        &self,
        path: &Path,
        options: &Options,
        key: &NewKey,
        progress: Progress<'_>,
    ) -> Result<Restored> {
        let named = std::path::absolute(path).map_err(Error::io("create", path))?;
        let path = std::fs::canonicalize(&named).unwrap_or_else(|_| named.clone());
        if path == self.path() {
            return Err(Error::invalid("restore", "would take the place of its own source"));
        }
        // Before anything is made.
        self.store.read(|rows| {
            header::check(rows, self.path(), Intent::Write)?;
            verify::verify(rows, &self.keys, progress)?.into_result()
        })?;
        create_private_directory(parent(&path))?;
        let new_slot = key.slot()?;
        let opens = self.opens_with(&KeySource::from(key))?;
        let now = Utc::now().trunc_subsecs(6);
        let (draft, credentials) = self.store.read(|rows| {
            let draft = store::build(&path, options.file_systems(), |new| {
                copy(rows, new)?;
                let keys = self.keys.at(rows)?;
                let vault_key = keys.vault_key();
                if !opens {
                    let details = SlotDetails { label: None, created_at: now };
                    let slot = next_slot(new, &new_slot, vault_key, &details)?;
                    new.put(Table::Slots, &slot.key(), &slot.to_bytes())?;
                }
                begin_new_life(new, vault_key, now)
            })?;
            let credentials = verified(&draft, &self.keys, &|_, _| {})?;
            Ok((draft, credentials))
        })?;
        let kept = place(draft, &path, options)?;
        options.placed(&named, self.id);
        Ok(Restored { credentials, kept })
    }

    fn opens_with(&self, source: &KeySource) -> Result<bool> {
        let locked =
            super::LockedVault::of(std::sync::Arc::clone(&self.store), self.id, self.file_systems);
        match locked.unlock(std::slice::from_ref(source)) {
            Ok(_) => Ok(true),
            Err(Error::Locked { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A new incarnation, and a manifest that knows of it.
fn begin_new_life(
    new: &mut dyn WriteRows,
    vault_key: &VaultKey,
    now: chrono::DateTime<Utc>,
) -> Result<()> {
    let settings = Settings::read(new, vault_key)?.reincarnated();
    new.put(Table::Settings, settings::KEY, &settings.seal(vault_key))?;
    let mut manifest = Manifest::read(new, vault_key)?;
    manifest.renew_fixed(new, vault_key)?;
    manifest.write(new, vault_key, now)
}

/// Places a draft where there may be a vault; the name under which that is kept.
pub(super) fn place(draft: Draft, path: &Path, options: &Options) -> Result<Option<PathBuf>> {
    if path.symlink_metadata().is_err() {
        // A race with somebody who makes a vault here is theirs to win.
        let placed = draft.place(path)?;
        let exists = || Error::VaultExists { path: path.to_owned() };
        return placed.then_some(None).ok_or_else(exists);
    }
    draft.adopt(path)?;
    let kept = kept_name(path);
    let mut draft = Some(draft);
    store::replace(path, options.file_systems(), &options.patience(path), || {
        files::link(path, &kept)?;
        let replaced = draft.take().ok_or(Error::Poisoned).and_then(|draft| draft.replace(path));
        replaced.inspect_err(|_| files::unlink_second(&kept, path))
    })?;
    Ok(Some(kept))
}

/// A name beside `path` that nothing has yet.
fn kept_name(path: &Path) -> PathBuf {
    let stamp = Utc::now().format("%Y%m%dT%H%M%SZ");
    let name = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".before-{stamp}{suffix}"));
        PathBuf::from(name)
    };
    let free = |path: &PathBuf| path.symlink_metadata().is_err();
    let numbered = (2..1_000).map(|number| name(&format!("-{number}")));
    std::iter::once(name("")).chain(numbered).find(free).unwrap_or_else(|| name("-last"))
}
