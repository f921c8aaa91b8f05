//! Salvage: every row of a damaged vault that still authenticates, into a new vault.
//!
//! Reads pages, not the tree, so that one damaged page costs the rows on it. Of several versions
//! of a row, some on pages no longer in use, the highest counts; a row's index entry and the
//! manifest tell what is missing.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{SubsecRound, Utc};

use super::config::Config;
use super::history;
use super::manifest::{Manifest, Total};
use super::settings::{self, Settings};
use super::snapshot::open_index;
use super::{Options, Vault, VaultId, header};
use crate::codec::{HistoryRow, IndexRow, RecordRow, RecordState};
use crate::credential::{CredentialId, Replacement};
use crate::error::{Error, Result};
use crate::keys::{
    EpochKeys, EpochRow, HistoryKey, KeySource, NewKey, NewSlot, RowKey, Secrets, SlotDetails,
    SlotRow, VaultKey,
};
use crate::store::{self, Table, WriteRows};

/// Something of a damaged vault that is not in the new one, or not as it was last.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// The credential, where it can be known.
    pub id: Option<CredentialId>,
    /// What is lost, and what there is instead.
    pub reason: String,
}

/// What [`Vault::salvage`] brought over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// The number of credentials in the new vault.
    pub recovered: u64,
    /// What is lost, or older than it was.
    pub lost: Vec<Lost>,
}

impl Vault {
    /// Makes a new vault of every row of a damaged one that still authenticates. Its only key
    /// slot is for `new_key`: slots are not brought over, since a removed one could come back.
    /// Where the damaged vault's own slots or epochs do not open, those of an older copy of the
    /// same vault (`keys_from`) are used.
    ///
    /// # Errors
    ///
    /// [`Error::VaultExists`] if anything is at `new`; [`Error::Locked`] if no key opens what is
    /// left of the key slots; [`Error::Corrupt`] if no slot or epoch is left; [`Error::Invalid`]
    /// if `keys_from` is another vault; [`Error::Io`].
    pub fn salvage(
        damaged: &Path,
        new: &Path,
        options: &Options,
        keys: &[KeySource],
        keys_from: Option<&Path>,
        new_key: &NewKey,
    ) -> Result<Salvaged> {
        if new.symlink_metadata().is_ok() {
            return Err(Error::VaultExists { path: new.to_owned() });
        }
        let mut found = Found::scan(damaged)?;
        let backup = keys_from.map(|path| Self::open(path, options, keys)).transpose()?;
        let (vault_key, epochs) = match &backup {
            None => (found.vault_key(damaged, keys)?, found.epochs.clone()),
            Some(backup) => {
                let mut epochs = found.epochs.clone();
                epochs.extend(backup.raw_epochs()?);
                (backup.store.read(|rows| backup.keys.vault_key(rows))?.again(), epochs)
            }
        };
        let epoch = current_epoch(&vault_key, &epochs)?;
        found.open_rows(damaged, &vault_key, &epoch.keys(vault_key.vault()))?;
        if found.is_foreign(&vault_key) {
            let reason = "is a copy of another vault";
            return Err(Error::invalid("the vault that the keys are from", reason));
        }
        found.promote_history(vault_key.vault(), &epoch.keys(vault_key.vault()));
        let salvaged = found.report(&vault_key, &epoch.keys(vault_key.vault()));
        found.write(new, options, &vault_key, &epoch, &new_key.slot()?)?;
        Ok(salvaged)
    }

    fn raw_epochs(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.store.read(|rows| {
            let mut epochs = Vec::new();
            rows.rows(Table::Epochs, &[], &mut |key, value| {
                epochs.push((key.to_vec(), value.to_vec()));
                Ok(())
            })?;
            Ok(epochs)
        })
    }
}

/// What the pages of a damaged file seem to hold, and then what of it authenticates.
#[derive(Default)]
struct Found {
    vault: Option<VaultId>,
    slots: Vec<SlotRow>,
    /// Keys and values that may be rows of `epochs`.
    epochs: Vec<(Vec<u8>, Vec<u8>)>,
    manifests: Vec<Vec<u8>>,
    settings: Vec<Vec<u8>>,
    /// The stored record of the highest version.
    records: BTreeMap<RowKey, (RecordRow, Vec<u8>)>,
    index: BTreeMap<RowKey, IndexRow>,
    history: BTreeMap<HistoryKey, (HistoryRow, Vec<u8>)>,
    /// The credentials whose newest version left is an earlier one, and which it is.
    promoted: Vec<(CredentialId, u64)>,
}

impl Found {
    /// Everything but credentials.
    fn scan(damaged: &Path) -> Result<Self> {
        let mut found = Self::default();
        store::scan(damaged, &mut |key, value| {
            match (key, value.len()) {
                (header::VAULT_ROW, 16) => {
                    found.vault = value.try_into().ok().map(VaultId);
                }
                (Manifest::KEY, _) => found.manifests.push(value.to_vec()),
                (settings::KEY, _) => found.settings.push(value.to_vec()),
                ([_, _, _, _], _) => match SlotRow::from_bytes(key, value) {
                    Ok(slot) => found.slots.push(slot),
                    Err(_) => found.epochs.push((key.to_vec(), value.to_vec())),
                },
                _ => {}
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The vault key out of whichever slot one of the sources opens.
    fn vault_key(&self, damaged: &Path, sources: &[KeySource]) -> Result<VaultKey> {
        let what = || damaged.display().to_string();
        if self.slots.is_empty() {
            return Err(Error::corrupt(what(), "no page with a key slot is left in it"));
        }
        let vault = self.vault.ok_or_else(|| {
            Error::corrupt(what(), "the page with the vault's id is not left in it")
        })?;
        let mut secrets = Secrets::default();
        let mut attempts = Vec::new();
        for (position, source) in sources.iter().enumerate() {
            for slot in self.slots.iter().filter(|slot| slot.kind == source.kind()) {
                match super::locked::attempt(slot, &vault, &mut secrets, (position, source)) {
                    Ok((_, key)) => return Ok(key),
                    Err(attempt) if attempts.contains(&attempt) => {}
                    Err(attempt) => attempts.push(attempt),
                }
            }
        }
        Err(Error::Locked { path: damaged.to_owned(), attempts })
    }

    /// The credentials: of each the highest version that opens.
    fn open_rows(&mut self, damaged: &Path, key: &VaultKey, epoch: &EpochKeys) -> Result<()> {
        store::scan(damaged, &mut |row_key, stored| {
            if !row_key.starts_with(&epoch.prefix()) {
                return Ok(());
            }
            if let Ok(history_key) = HistoryKey::try_from(row_key)
                && let Ok(row) = history::open(key.vault(), epoch, row_key, stored)
            {
                self.history.insert(history_key, (row, stored.to_vec()));
            }
            let Ok(row_key) = RowKey::try_from(row_key) else { return Ok(()) };
            if let Some(plaintext) = epoch.records.open(stored) {
                let row = RecordRow::decode(key.vault(), &plaintext).ok();
                let row = row.filter(|row| epoch.row_key(&row.id) == row_key);
                let known = self.records.get(&row_key).map_or(0, |(row, _)| row.version);
                // A tombstone has the version of what it replaced, and comes after it.
                if let Some(row) = row
                    && (row.version > known || (row.version == known && !row.is_live()))
                {
                    self.records.insert(row_key, (row, stored.to_vec()));
                }
            } else if let Ok(row) = open_index(key.vault(), epoch, &row_key, stored) {
                let known = self.index.get(&row_key).map_or(0, |row| row.metadata.version);
                if row.metadata.version > known {
                    self.index.insert(row_key, row);
                }
            }
            Ok(())
        })
    }

    /// Whether the file is that of another vault than the key: it says so, and nothing in it
    /// says otherwise.
    fn is_foreign(&self, key: &VaultKey) -> bool {
        self.vault.is_some_and(|vault| vault.0 != *key.vault())
            && self.records.is_empty()
            && self.index.is_empty()
            && self.history.is_empty()
            && self.last_manifest(key).is_none()
    }

    /// Where an earlier version is newer than the record that is left, if one is, it takes the
    /// record's place: what replaced it is lost, unless that was a removal.
    fn promote_history(&mut self, vault: &[u8; 16], epoch: &EpochKeys) {
        // In the order of the versions: the newest of each credential comes last.
        let newest: BTreeMap<RowKey, HistoryKey> =
            self.history.iter().map(|(key, (row, _))| (epoch.row_key(row.id()), *key)).collect();
        for (row_key, history_key) in newest {
            let Some((row, _)) = self.history.get(&history_key) else { continue };
            let (id, uid, version) = (row.id().clone(), row.uid, row.version());
            let known = self.records.get(&row_key).map(|(record, _)| record);
            if known.is_some_and(|known| {
                known.version > version || (known.version == version && !known.is_live())
            }) {
                continue;
            }
            let state = if row.replacement == Replacement::Removed {
                RecordState::Removed { at: row.at }
            } else {
                self.promoted.push((id.clone(), version));
                RecordState::Live(Box::new(row.credential.clone()))
            };
            let record = RecordRow { id, uid, version, state };
            if record.is_live() {
                self.history.remove(&history_key);
            }
            let stored = epoch.records.seal(&record.encode(vault));
            self.records.insert(row_key, (record, stored));
        }
    }

    /// What is missing or older than it was.
    fn report(&self, key: &VaultKey, epoch: &EpochKeys) -> Salvaged {
        let live = self.records.values().filter(|(row, _)| row.is_live()).count() as u64;
        let mut lost = Vec::new();
        let mut absent = 0;
        for (row_key, index) in &self.index {
            let newest = index.metadata.version;
            let reason = match self.records.get(row_key) {
                Some((row, _)) if row.version >= newest => continue,
                Some((row, _)) if row.is_live() => {
                    format!("version {newest} is lost, version {} is there instead", row.version)
                }
                _ => {
                    absent += 1;
                    format!("version {newest} is lost")
                }
            };
            lost.push(Lost { id: Some(index.metadata.id.clone()), reason });
        }
        for (id, version) in &self.promoted {
            if !lost.iter().any(|lost| lost.id.as_ref() == Some(id)) {
                let reason =
                    format!("what came after version {version} is lost, that is there instead");
                lost.push(Lost { id: Some(id.clone()), reason });
            }
        }
        if let Some(manifest) = self.last_manifest(key) {
            let found = (self.history.len() + self.promoted.len()) as u64;
            let earlier = manifest.rows(Table::History).saturating_sub(found);
            if earlier > 0 {
                let reason = format!("{earlier} of the earlier versions are lost");
                lost.push(Lost { id: None, reason });
            }
            let expected = manifest.rows(Table::Index);
            let known = live + absent;
            if expected > known {
                let reason = format!("{} more are lost whose ids are not known", expected - known);
                lost.push(Lost { id: None, reason });
            }
            let total = manifest.total(epoch.epoch(), Table::Records);
            if lost.is_empty() && self.total(epoch) != total {
                let reason = "some are older than they were, or were removed before: what is there \
                              is not what was last written";
                lost.push(Lost { id: None, reason: reason.to_owned() });
            }
            if live > expected {
                let reason = format!("{} may have been removed before", live - expected);
                lost.push(Lost { id: None, reason });
            }
        } else {
            let reason = "the manifest is lost: whether anything else is, nobody knows".to_owned();
            lost.push(Lost { id: None, reason });
        }
        Salvaged { recovered: live, lost }
    }

    /// What the manifest would say of the records that were found.
    fn total(&self, epoch: &EpochKeys) -> Total {
        let mut total = Total::default();
        for (row_key, (_, stored)) in &self.records {
            total.rows += 1;
            total.sum.add(&epoch.row_mac(Table::Records.name(), row_key, stored));
        }
        total
    }

    fn last_manifest(&self, key: &VaultKey) -> Option<Manifest> {
        let opened = self.manifests.iter().filter_map(|token| Manifest::open(token, key).ok());
        opened.max_by_key(Manifest::generation)
    }

    fn write(
        &self,
        new: &Path,
        options: &Options,
        key: &VaultKey,
        epoch: &EpochRow,
        new_slot: &NewSlot,
    ) -> Result<()> {
        let now = Utc::now().trunc_subsecs(6);
        let keys = epoch.keys(key.vault());
        let old = self.settings.iter().find_map(|token| Settings::open(token, key).ok());
        let settings = old.map_or_else(|| Settings::new(now), Settings::reincarnated);
        let keep = Config::of(&settings)?.history_keep;
        let details = SlotDetails { label: None, created_at: now };
        let slot = new_slot.row(1, key, &details);
        let mut manifest = self.last_manifest(key).map_or_else(Manifest::new, Manifest::emptied);
        store::create(new, options.file_systems(), |rows: &mut dyn WriteRows| {
            header::write(rows, VaultId(*key.vault()))?;
            rows.put(Table::Slots, &slot.key(), &slot.to_bytes())?;
            rows.put(Table::Epochs, &epoch.key(), &epoch.seal(key))?;
            rows.put(Table::Settings, settings::KEY, &settings.seal(key))?;
            rows.row(Table::Index, &[])?;
            rows.row(Table::Records, &[])?;
            rows.row(Table::History, &[])?;
            for (row_key, (row, stored)) in &self.records {
                manifest.replace(&keys, Table::Records, row_key, (None, Some(stored)))?;
                rows.put(Table::Records, row_key, stored)?;
                if let RecordState::Live(credential) = &row.state {
                    let index = IndexRow { uid: row.uid, metadata: credential.metadata.clone() };
                    let sealed = keys.index.seal(&index.encode(key.vault()));
                    manifest.replace(&keys, Table::Index, row_key, (None, Some(&sealed)))?;
                    rows.put(Table::Index, row_key, &sealed)?;
                }
            }
            // Rows of versions that were dropped are found too: no change would drop them again.
            for (history_key, stored) in self.newest_history(keep) {
                manifest.replace(&keys, Table::History, history_key, (None, Some(stored)))?;
                rows.put(Table::History, history_key, stored)?;
            }
            manifest.renew_fixed(rows, key)?;
            manifest.write(rows, key, now)
        })
    }

    /// The newest so many earlier versions of each credential, in the order of their keys.
    fn newest_history(&self, keep: usize) -> Vec<(&HistoryKey, &Vec<u8>)> {
        let mut newest = Vec::new();
        let (mut credential, mut count) = (None, 0);
        for (key, (_, stored)) in self.history.iter().rev() {
            if credential != Some(&key[..20]) {
                (credential, count) = (Some(&key[..20]), 0);
            }
            count += 1;
            if count <= keep {
                newest.push((key, stored));
            }
        }
        newest.reverse();
        newest
    }
}

/// The highest epoch that opens.
fn current_epoch(key: &VaultKey, stored: &[(Vec<u8>, Vec<u8>)]) -> Result<EpochRow> {
    let opened = stored.iter().filter_map(|(row, token)| EpochRow::open(key, row, token).ok());
    opened
        .max_by_key(EpochRow::key)
        .ok_or_else(|| Error::corrupt("the table of epochs", "no page with an epoch's key is left"))
}
