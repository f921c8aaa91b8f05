//! Verification: every page, every row, and the manifest over all of them.

use chrono::{DateTime, Utc};

use super::epochs;
use super::header::{self, Intent};
use super::history;
use super::manifest::{Manifest, Sum, Total};
use super::settings::Settings;
use super::snapshot::open_index;
use super::token::StateToken;
use super::unlocked::Unlocked;
use super::{Vault, locked};
use crate::codec::{RecordRow, RecordState};
use crate::error::{Error, Result};
use crate::keys::{EpochKeys, EpochRow, VaultKey};
use crate::store::{ReadRows, Table};

/// The most damaged rows that are reported one by one.
const MOST_DAMAGES: usize = 1_000;

/// How many rows of each kind were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Checked {
    /// Rows of `records`, tombstones included.
    pub records: u64,
    /// Credentials: rows of `index`.
    pub index: u64,
    /// Tombstones of removed credentials.
    pub tombstones: u64,
    /// Earlier versions: rows of `history`.
    pub history: u64,
    /// Key slots.
    pub slots: u64,
    /// Epochs.
    pub epochs: u64,
    /// Whether redb's own check of every page was made: it needs leave to write the file.
    pub structure: bool,
}

/// A row, or something larger, that fails a check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The table it is in, or `file`.
    pub table: &'static str,
    /// The credential's id, where it can be known.
    pub id: Option<String>,
    /// Which check it fails.
    pub reason: String,
}

/// What [`Vault::verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// What was checked.
    pub checked: Checked,
    /// What is damaged; nothing if all is well.
    pub damaged: Vec<Damage>,
    /// The state that was verified, to be compared with later ones; `None` if the manifest
    /// itself is damaged.
    pub state_token: Option<StateToken>,
    /// When the vault last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

impl Verification {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.damaged.is_empty()
    }

    /// No row could be looked at.
    fn nothing_but(damage: Damage) -> Self {
        let checked = Checked::default();
        Self { checked, damaged: vec![damage], state_token: None, updated_at: None }
    }

    /// The first damage as an error.
    pub(super) fn into_result(self) -> Result<Checked> {
        let Some(damage) = self.damaged.first() else { return Ok(self.checked) };
        let what = damage.id.as_ref().map_or_else(
            || format!("table {}", damage.table),
            |id| format!("credential \"{id}\" (table {})", damage.table),
        );
        Err(Error::corrupt(what, damage.reason.clone()))
    }
}

/// Told how many rows are done, of how many.
pub type Progress<'a> = &'a dyn Fn(u64, u64);

impl Vault {
    /// Checks the whole vault: redb's own check of every page (where the file may be written),
    /// every row against its place, records and index against each other, and the manifest
    /// against all rows, so that also a row that was inserted, deleted, swapped or rolled back by
    /// somebody without a key is found. Costs a pass over the file; other processes read on, and
    /// write on but for the check of the pages.
    ///
    /// # Errors
    ///
    /// Those of [`Vault::read`], where not even the keys can be read, or the disk fails. Damage is
    /// a result.
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{NewKey, Options, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// let found = vault.verify(&|_done, _of| {})?;
    /// assert!(found.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn verify(&self, progress: Progress<'_>) -> Result<Verification> {
        let structure = self.verify_structure();
        let found = self.store.read(|rows| verify(rows, &self.keys, progress));
        match (structure, found) {
            (Ok(checked), found) => {
                let mut found = found?;
                found.checked.structure = checked;
                Ok(found)
            }
            (Err(damage), Ok(mut found)) => {
                found.damaged.insert(0, damage?);
                Ok(found)
            }
            // The pages say why no row can be read.
            (Err(damage), Err(Error::Corrupt { .. })) => Ok(Verification::nothing_but(damage?)),
            (Err(_), Err(error)) => Err(error),
        }
    }

    /// Whether the check of the pages could be made; what it found wrong.
    fn verify_structure(&self) -> std::result::Result<bool, Result<Damage>> {
        let damage = |reason: String| Ok(Damage { table: "file", id: None, reason });
        match self.store.check_structure() {
            Ok(true) => Ok(true),
            Ok(false) => Err(damage("its free-space records are wrong".into())),
            Err(Error::Corrupt { reason, .. }) => Err(damage(reason)),
            Err(Error::Io { source, .. }) if may_only_read(&source) => Ok(false),
            Err(error) => Err(Err(error)),
        }
    }
}

fn may_only_read(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// Checks every row of one committed state.
///
/// # Errors
///
/// [`Error::Io`]: what cannot be read now is not known to be damaged.
pub(super) fn verify(
    rows: &dyn ReadRows,
    keys: &Unlocked,
    progress: Progress<'_>,
) -> Result<Verification> {
    let vault_key = &*keys.vault_key(rows)?;
    let mut pass = Pass {
        rows,
        vault_key,
        progress,
        total: 0,
        done: 0,
        checked: Checked::default(),
        damaged: Vec::new(),
        failure: None,
    };
    let manifest = Manifest::read(rows, vault_key);
    let manifest = pass.kept("manifest", manifest);
    if let Some(manifest) = &manifest {
        let rows = Table::OF_EPOCHS.map(|table| manifest.rows(table));
        pass.total = rows.into_iter().fold(0, u64::saturating_add);
    }
    pass.fixed_tables(manifest.as_ref());
    pass.epochs(manifest.as_ref());
    let settings = Settings::read(rows, vault_key);
    let settings = pass.kept("settings", settings);
    let state_token = match (&manifest, &settings) {
        (Some(manifest), Some(settings)) => Some(StateToken::of(vault_key, settings, manifest)),
        _ => None,
    };
    let updated_at = manifest.as_ref().and_then(|manifest| manifest.changed_at().ok());
    if let Some(error) = pass.failure {
        return Err(error);
    }
    Ok(Verification { checked: pass.checked, damaged: pass.damaged, state_token, updated_at })
}

/// One pass over all rows.
struct Pass<'a> {
    rows: &'a dyn ReadRows,
    vault_key: &'a VaultKey,
    progress: Progress<'a>,
    total: u64,
    done: u64,
    checked: Checked,
    damaged: Vec<Damage>,
    failure: Option<Error>,
}

impl Pass<'_> {
    fn damage(&mut self, table: &'static str, id: Option<&str>, reason: impl Into<String>) {
        if self.damaged.len() < MOST_DAMAGES {
            let id = id.map(str::to_owned);
            self.damaged.push(Damage { table, id, reason: reason.into() });
        }
    }

    /// The value, or `None` after its damage was noted.
    fn kept<T>(&mut self, table: &'static str, result: Result<T>) -> Option<T> {
        result
            .map_err(|error| {
                let reason = self.reason(error);
                self.damage(table, None, reason);
            })
            .ok()
    }

    /// Why a row cannot be read. A failure of the disk is noted as one, but for those that only
    /// follow from damage: the engine reads nothing any more after the end of a file cut short.
    fn reason(&mut self, error: Error) -> String {
        match error {
            Error::Corrupt { reason, .. } => reason,
            Error::Io { .. } if self.damaged.is_empty() => {
                let reason = error.to_string();
                self.failure.get_or_insert(error);
                reason
            }
            other => other.to_string(),
        }
    }

    /// The tables that have no epoch: each row, and the manifest's hash over all.
    fn fixed_tables(&mut self, manifest: Option<&Manifest>) {
        let (rows, vault_key) = (self.rows, self.vault_key);
        let id = header::check(rows, std::path::Path::new("the vault"), Intent::Read);
        if let Some(id) = self.kept("header", id)
            && id.0 != *vault_key.vault()
        {
            self.damage("header", None, "its vault id is not that of the keys");
        }
        for (number, slot) in self.kept("slots", locked::slot_rows(rows)).unwrap_or_default() {
            self.checked.slots += 1;
            let checked = slot.and_then(|slot| slot.details(vault_key));
            if let Err(reason) = checked {
                self.damage("slots", None, format!("slot {number}: {reason}"));
            }
        }
        if let Some(manifest) = manifest {
            let agrees = manifest.fixed_agrees(rows, vault_key);
            if self.kept("manifest", agrees) == Some(false) {
                let reason = "header, slots, epochs or settings are not as last written";
                self.damage("manifest", None, reason);
            }
        }
    }

    /// All epochs: their rows, and the manifest's totals over them.
    fn epochs(&mut self, manifest: Option<&Manifest>) {
        let (rows, vault_key) = (self.rows, self.vault_key);
        let mut stored = Vec::new();
        let read = rows.rows(Table::Epochs, &[], &mut |key, token| {
            stored.push((key.to_vec(), token.to_vec()));
            Ok(())
        });
        self.kept("epochs", read);
        if stored.len() > epochs::MOST {
            self.damage("epochs", None, "there are more than two");
        }
        let mut opened = Vec::new();
        for (key, token) in stored {
            self.checked.epochs += 1;
            let row = match EpochRow::open(vault_key, &key, &token) {
                Ok(row) => row,
                Err(reason) => {
                    self.damage("epochs", None, reason);
                    continue;
                }
            };
            opened.push(row.keys(vault_key.vault()));
        }
        for table in Table::OF_EPOCHS {
            let mut seen = 0;
            for (place, epoch) in opened.iter().enumerate() {
                let total = self.table(epoch, &opened[place + 1..], table);
                seen += total.rows;
                let expected = manifest.map(|manifest| manifest.total(epoch.epoch(), table));
                if expected.is_some_and(|expected| expected != total) {
                    let reason = "its rows are not those that were last written";
                    self.damage(table.name(), None, reason);
                }
            }
            let mut count = 0;
            let read = rows.rows(table, &[], &mut |_, _| {
                count += 1;
                Ok(())
            });
            self.kept(table.name(), read);
            if count != seen {
                self.damage(table.name(), None, "it has rows of an epoch that does not exist");
            }
        }
    }

    /// One table in one epoch: each row, and that its credential is in no newer epoch; the total
    /// over all of them.
    fn table(&mut self, epoch: &EpochKeys, newer: &[EpochKeys], table: Table) -> Total {
        let mut total = Total { rows: 0, sum: Sum::default() };
        let rows = self.rows;
        let read = rows.rows(table, &epoch.prefix(), &mut |key, stored| {
            total.rows += 1;
            total.sum.add(&epoch.row_mac(table.name(), key, stored));
            let checked = match table {
                Table::Records => self.record(epoch, newer, key, stored),
                Table::History => self.earlier(epoch, key, stored),
                _ => self.index_row(epoch, key, stored),
            };
            if let Err((id, reason)) = checked {
                self.damage(table.name(), id.as_deref(), reason);
            }
            self.done += 1;
            if self.done.is_multiple_of(256) {
                (self.progress)(self.done, self.total.max(self.done));
            }
            Ok(())
        });
        self.kept(table.name(), read);
        total
    }

    fn record(
        &mut self,
        epoch: &EpochKeys,
        newer: &[EpochKeys],
        key: &[u8],
        stored: &[u8],
    ) -> std::result::Result<(), (Option<String>, String)> {
        self.checked.records += 1;
        let opened = epoch.records.open(stored);
        let index = self.rows.row(Table::Index, key);
        let index = index.map_err(|error| (None, self.reason(error)))?;
        let index = index.map(|stored| open_index(self.vault_key.vault(), epoch, key, &stored));
        // A damaged record can still be named by its index row.
        let name = match &index {
            Some(Ok(row)) => Some(row.metadata.id.to_string()),
            _ => None,
        };
        let failed = |reason: &str| (name.clone(), reason.to_owned());
        let plaintext = opened.ok_or_else(|| failed("wrong key or altered"))?;
        let row = RecordRow::decode(self.vault_key.vault(), &plaintext).map_err(failed)?;
        let name = row.id.to_string();
        let failed = |reason: &str| (Some(name.clone()), reason.to_owned());
        if epoch.row_key(&row.id) != key {
            return Err(failed("it stands in the place of another id"));
        }
        for newer in newer {
            match self.rows.row(Table::Records, &newer.row_key(&row.id)) {
                Ok(None) => {}
                Ok(Some(_)) => return Err(failed("it has records in two epochs")),
                Err(error) => return Err((Some(name.clone()), self.reason(error))),
            }
        }
        match (&row.state, index) {
            (RecordState::Removed { .. }, None) => self.checked.tombstones += 1,
            (RecordState::Removed { .. }, Some(_)) => {
                return Err(failed("it is removed and still in the index"));
            }
            (RecordState::Live(_), None) => return Err(failed("it is not in the index")),
            (RecordState::Live(credential), Some(Ok(index))) => {
                if index.metadata != credential.metadata || index.uid != row.uid {
                    return Err(failed("record and index disagree"));
                }
            }
            // Reported where the index is checked.
            (RecordState::Live(_), Some(Err(_))) => {}
        }
        Ok(())
    }

    fn index_row(
        &mut self,
        epoch: &EpochKeys,
        key: &[u8],
        stored: &[u8],
    ) -> std::result::Result<(), (Option<String>, String)> {
        self.checked.index += 1;
        let row = open_index(self.vault_key.vault(), epoch, key, stored)
            .map_err(|error| (None, self.reason(error)))?;
        match self.rows.row(Table::Records, key) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err((Some(row.metadata.id.to_string()), "its record is missing".into())),
            Err(error) => Err((Some(row.metadata.id.to_string()), self.reason(error))),
        }
    }

    fn earlier(
        &mut self,
        epoch: &EpochKeys,
        key: &[u8],
        stored: &[u8],
    ) -> std::result::Result<(), (Option<String>, String)> {
        self.checked.history += 1;
        let row = history::open(self.vault_key.vault(), epoch, key, stored)
            .map_err(|reason| (None, reason.to_owned()))?;
        let name = || Some(row.id().to_string());
        match self.rows.row(Table::Records, &epoch.row_key(row.id())) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                Err((name(), format!("the record of version {} is missing", row.version())))
            }
            Err(error) => Err((name(), self.reason(error))),
        }
    }
}
