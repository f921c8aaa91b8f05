//! Salvage: every row of a damaged vault that still authenticates, into a new vault.
//!
//! Reads pages, not the tree, so that one damaged page costs the rows on it. Of several versions
//! of a row, some on pages no longer in use, the highest counts; a row's index entry and the
//! manifest tell what is missing.

use std::borrow::Cow;
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
        let backup =
            keys_from.map(|path| Self::open(path, &options.for_copy(), keys)).transpose()?;
        let (vault_key, epochs) = match &backup {
            None => (found.vault_key(damaged, keys)?, found.epochs.clone()),
            Some(backup) => {
                let mut epochs = found.epochs.clone();
                epochs.extend(backup.raw_epochs()?);
                (backup.store.read(|rows| backup.keys.vault_key(rows))?.again(), epochs)
            }
        };
        let epochs = Epochs::open(&vault_key, &epochs)?;
        found.open_rows(damaged, &vault_key, &epochs)?;
        if found.is_foreign(&vault_key) {
            let reason = "is a copy of another vault";
            return Err(Error::invalid("the vault that the keys are from", reason));
        }
        found.promote_history(vault_key.vault(), &epochs);
        let salvaged = found.report(&vault_key, &epochs);
        found.write(new, options, &vault_key, &epochs, &new_key.slot()?)?;
        options.placed(new, VaultId(*vault_key.vault()));
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
    /// The record of the highest version, by its row key in the current epoch.
    records: BTreeMap<RowKey, Kept>,
    /// The index row of the highest version, by the same key.
    index: BTreeMap<RowKey, IndexRow>,
    /// The earlier versions, by their key in the current epoch.
    history: BTreeMap<HistoryKey, Earlier>,
    /// The credentials whose newest version left is an earlier one, and which it is.
    promoted: Vec<(CredentialId, u64)>,
}

/// An earlier version that was found, which of the epochs it is sealed under, and its stored bytes.
type Earlier = (HistoryRow, usize, Vec<u8>);

/// A record that was found.
struct Kept {
    row: RecordRow,
    /// Which of the epochs it is sealed under.
    epoch: usize,
    key: RowKey,
    stored: Vec<u8>,
}

/// The keys of all epochs whose rows may be left, the current one last: a rotation leaves old
/// ones on pages no longer in use.
struct Epochs {
    current: EpochRow,
    keys: Vec<EpochKeys>,
}

impl Epochs {
    /// Those of the stored rows that open.
    fn open(key: &VaultKey, stored: &[(Vec<u8>, Vec<u8>)]) -> Result<Self> {
        let opened = stored.iter().filter_map(|(row, token)| EpochRow::open(key, row, token).ok());
        let mut rows: Vec<EpochRow> = opened.collect();
        rows.sort_by_key(EpochRow::key);
        rows.dedup();
        let keys = rows.iter().map(|row| row.keys(key.vault())).collect();
        let lost = || Error::corrupt("the table of epochs", "no page with an epoch's key is left");
        Ok(Self { current: rows.pop().ok_or_else(lost)?, keys })
    }

    /// Those that a row with this key may belong to, by their place.
    fn of_row(&self, key: &[u8]) -> impl Iterator<Item = (usize, &EpochKeys)> {
        let all = self.keys.iter().enumerate();
        all.filter(|(_, epoch)| key.starts_with(&epoch.prefix()))
    }

    fn is_current(&self, place: usize) -> bool {
        place + 1 == self.keys.len()
    }

    /// The current one: there is always one.
    fn current(&self) -> &EpochKeys {
        &self.keys[self.keys.len() - 1]
    }
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
    fn open_rows(&mut self, damaged: &Path, key: &VaultKey, epochs: &Epochs) -> Result<()> {
        store::scan(damaged, &mut |row_key, stored| {
            for (place, epoch) in epochs.of_row(row_key) {
                if let Ok(row) = history::open(key.vault(), epoch, row_key, stored) {
                    let current_key = epochs.current().history_key(row.id(), row.version());
                    let known = self.history.get(&current_key).map(|(_, place, _)| *place);
                    if known.is_none_or(|known| place > known) {
                        self.history.insert(current_key, (row, place, stored.to_vec()));
                    }
                }
                let Ok(row_key) = RowKey::try_from(row_key) else { continue };
                if let Some(plaintext) = epoch.records.open(stored) {
                    let row = RecordRow::decode(key.vault(), &plaintext).ok();
                    if let Some(row) = row.filter(|row| epoch.row_key(&row.id) == row_key) {
                        let stored = stored.to_vec();
                        self.keep(epochs, Kept { row, epoch: place, key: row_key, stored });
                    }
                } else if let Ok(row) = open_index(key.vault(), epoch, &row_key, stored) {
                    let current_key = epochs.current().row_key(&row.metadata.id);
                    let known = self.index.get(&current_key).map_or(0, |row| row.metadata.version);
                    if row.metadata.version > known {
                        self.index.insert(current_key, row);
                    }
                }
            }
            Ok(())
        })
    }

    /// Takes a record in, if it comes after the one that is known. A tombstone has the version of
    /// what it replaced, and comes after it; and the same row comes in a newer epoch later.
    fn keep(&mut self, epochs: &Epochs, found: Kept) {
        let order = |kept: &Kept| (kept.row.version, !kept.row.is_live(), kept.epoch);
        let current_key = epochs.current().row_key(&found.row.id);
        let known = self.records.get(&current_key);
        if known.is_none_or(|known| order(&found) > order(known)) {
            self.records.insert(current_key, found);
        }
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
    fn promote_history(&mut self, vault: &[u8; 16], epochs: &Epochs) {
        let epoch = epochs.current();
        // In the order of the versions: the newest of each credential comes last.
        let newest: BTreeMap<RowKey, HistoryKey> =
            self.history.iter().map(|(key, (row, ..))| (epoch.row_key(row.id()), *key)).collect();
        for (row_key, history_key) in newest {
            let Some((row, ..)) = self.history.get(&history_key) else { continue };
            let (id, uid, version) = (row.id().clone(), row.uid, row.version());
            let known = self.records.get(&row_key).map(|kept| &kept.row);
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
            let current = epochs.keys.len() - 1;
            let kept = Kept { row: record, epoch: current, key: row_key, stored };
            self.records.insert(row_key, kept);
        }
    }

    /// What is missing or older than it was.
    fn report(&self, key: &VaultKey, epochs: &Epochs) -> Salvaged {
        let live = self.records.values().filter(|kept| kept.row.is_live()).count() as u64;
        let mut lost = Vec::new();
        let mut absent = 0;
        for (row_key, index) in &self.index {
            let newest = index.metadata.version;
            let reason = match self.records.get(row_key) {
                Some(Kept { row, .. }) if row.version >= newest => continue,
                Some(Kept { row, .. }) if row.is_live() => {
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
            if lost.is_empty() && !self.agrees(&manifest, epochs) {
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

    /// Whether the records that were found are those that the manifest sums up.
    fn agrees(&self, manifest: &Manifest, epochs: &Epochs) -> bool {
        let mut totals = BTreeMap::<u32, Total>::new();
        for kept in self.records.values() {
            let epoch = &epochs.keys[kept.epoch];
            let total = totals.entry(epoch.epoch()).or_default();
            total.rows += 1;
            total.sum.add(&epoch.row_mac(Table::Records.name(), &kept.key, &kept.stored));
        }
        let of_manifest = manifest.epochs().map(|epoch| (epoch, Total::default()));
        let numbers: BTreeMap<u32, Total> = of_manifest.chain(totals).collect();
        numbers.into_iter().all(|(epoch, total)| total == manifest.total(epoch, Table::Records))
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
        epochs: &Epochs,
        new_slot: &NewSlot,
    ) -> Result<()> {
        let now = Utc::now().trunc_subsecs(6);
        let (epoch, keys) = (&epochs.current, epochs.current());
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
            for (row_key, Kept { row, epoch, stored, .. }) in &self.records {
                let stored = if epochs.is_current(*epoch) {
                    Cow::Borrowed(stored)
                } else {
                    Cow::Owned(keys.records.seal(&row.encode(key.vault())))
                };
                manifest.replace(keys, Table::Records, row_key, (None, Some(&stored)))?;
                rows.put(Table::Records, row_key, &stored)?;
                if let RecordState::Live(credential) = &row.state {
                    let index = IndexRow { uid: row.uid, metadata: credential.metadata.clone() };
                    let sealed = keys.index.seal(&index.encode(key.vault()));
                    manifest.replace(keys, Table::Index, row_key, (None, Some(&sealed)))?;
                    rows.put(Table::Index, row_key, &sealed)?;
                }
            }
            // Rows of versions that were dropped are found too: no change would drop them again.
            for (history_key, (row, epoch, stored)) in self.newest_history(keep) {
                let stored = if epochs.is_current(*epoch) {
                    Cow::Borrowed(stored)
                } else {
                    Cow::Owned(keys.history.seal(&row.encode(key.vault())))
                };
                manifest.replace(keys, Table::History, history_key, (None, Some(&stored)))?;
                rows.put(Table::History, history_key, &stored)?;
            }
            manifest.renew_fixed(rows, key)?;
            manifest.write(rows, key, now)
        })
    }

    /// The newest so many earlier versions of each credential, in the order of their keys.
    fn newest_history(&self, keep: usize) -> Vec<(&HistoryKey, &Earlier)> {
        let mut newest = Vec::new();
        let (mut credential, mut count) = (None, 0);
        for (key, found) in self.history.iter().rev() {
            if credential != Some(&key[..20]) {
                (credential, count) = (Some(&key[..20]), 0);
            }
            count += 1;
            if count <= keep {
                newest.push((key, found));
            }
        }
        newest.reverse();
        newest
    }
}
