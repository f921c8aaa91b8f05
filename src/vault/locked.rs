//! A vault without a key: what it says of itself, and how it is unlocked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::header::{self, Intent};
use super::unlocked::Unlocked;
use super::{Options, Vault, VaultId};
use crate::error::{Attempt, Error, Result};
use crate::keys::{KeySource, Secrets, Slot, SlotFailure, SlotKey, SlotKind, SlotRow, VaultKey};
use crate::known::Newcomer;
use crate::store::{FilePlace, FileSystems, ReadRows, Store, Table, turnstile_path};

/// A vault whose file is known to be one, but for which no key was tried yet.
///
/// # Examples
///
/// ```
/// use credb::{KeySource, LockedVault, NewKey, Options, Vault};
///
/// # fn main() -> credb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("v.redb");
/// # Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
/// let locked = LockedVault::open(&path, &Options::new())?;
/// assert_eq!(locked.slots()?.len(), 1);
/// assert!(locked.unlock(&[KeySource::Hostname("host-b".into())]).is_err());
/// let vault = locked.unlock(&[KeySource::Hostname("host-a".into())])?;
/// # let _ = vault;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LockedVault {
    pub(super) store: Arc<Store>,
    pub(super) id: VaultId,
    pub(super) file_systems: FileSystems,
    /// To be known once a key has opened it.
    newcomer: Option<Newcomer>,
}

impl LockedVault {
    /// Opens the vault at a path, without a key and for reading.
    ///
    /// # Errors
    ///
    /// [`Error::VaultNotFound`], [`Error::NotAVault`], [`Error::NewerFormat`],
    /// [`Error::OtherVault`] and [`Error::KnownVaultsDamaged`] (only with
    /// [`Options::known_vaults`]), [`Error::Corrupt`], [`Error::Busy`] (only if the file has to be repaired first),
    /// [`Error::Io`] and [`Error::UnsupportedFileSystem`].
    pub fn open(path: &Path, options: &Options) -> Result<Self> {
        let place = FilePlace::find(path, options.file_systems())?;
        let patience = options.patience(path);
        let store = Store::open(Box::new(place), patience, options.lifetime())?;
        let id = store.read(|rows| header::check(rows, store.path(), Intent::Read))?;
        let newcomer = options.known().map(|known| known.check(path, id)).transpose()?.flatten();
        Ok(Self { newcomer, ..Self::of(Arc::new(store), id, options.file_systems()) })
    }

    pub(super) fn of(store: Arc<Store>, id: VaultId, file_systems: FileSystems) -> Self {
        Self { store, id, file_systems, newcomer: None }
    }

    /// The full path of the vault's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    /// The file beside it that its writers queue at.
    #[must_use]
    pub fn lock_path(&self) -> PathBuf {
        turnstile_path(self.path())
    }

    /// The vault's id, as the file says; nothing authenticates it until the vault is unlocked.
    #[must_use]
    pub fn vault_id(&self) -> VaultId {
        self.id
    }

    /// The version of the file's format.
    #[must_use]
    pub fn format_version(&self) -> u32 {
        header::FORMAT
    }

    /// The key slots, without their labels and times.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if one of them is damaged, and those of [`Vault::read`].
    pub fn slots(&self) -> Result<Vec<Slot>> {
        self.store.read(|rows| {
            let slots = slot_rows(rows)?.into_iter().map(|(number, row)| {
                let row = row.map_err(|reason| Error::corrupt(format!("slot {number}"), reason))?;
                Ok(row.shown(None))
            });
            slots.collect()
        })
    }

    /// Whether one of the slots that can be read is of this kind.
    ///
    /// # Errors
    ///
    /// Those of [`Vault::read`].
    pub fn accepts(&self, kind: SlotKind) -> Result<bool> {
        let slots = self.store.read(slot_rows)?;
        Ok(slots.iter().any(|(_, slot)| slot.as_ref().is_ok_and(|slot| slot.kind == kind)))
    }

    /// Unlocks the vault with the first of these keys that fits one of its slots. Each slot is
    /// tried at most once with each key.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] says what was tried and why it failed; [`Error::Corrupt`] if no slot
    /// is left undamaged, and those of [`Vault::read`].
    pub fn unlock(&self, keys: &[KeySource]) -> Result<Vault> {
        // No transaction stays open while a key is derived.
        let slots = self.store.read(slot_rows)?;
        let (slot_key, vault_key) = self.find_key(&slots, keys)?;
        self.unlock_held(&slot_key, &vault_key)
    }

    /// Unlocks the vault with the key of a slot and the vault key it unwrapped.
    pub(super) fn unlock_held(&self, slot_key: &SlotKey, vault_key: &VaultKey) -> Result<Vault> {
        let unlocked = self.store.read(|rows| {
            Unlocked::new(self.path().to_owned(), slot_key.clone(), vault_key.again(), rows)
        })?;
        if let Some(newcomer) = &self.newcomer {
            newcomer.welcome(self.id);
        }
        Ok(Vault::new(self, unlocked))
    }

    /// The first slot that one of the sources opens: its key, and the vault key.
    fn find_key(&self, slots: &[NumberedSlot], sources: &[KeySource]) -> Result<Opened> {
        if let [(number, Err(reason)), rest @ ..] = slots
            && rest.iter().all(|(_, slot)| slot.is_err())
        {
            return Err(Error::corrupt(format!("slot {number}"), *reason));
        }
        let mut secrets = Secrets::default();
        let mut attempts = Vec::new();
        for (position, source) in sources.iter().enumerate() {
            for slot in slots.iter().filter_map(|(_, slot)| slot.as_ref().ok()) {
                if slot.kind != source.kind() {
                    continue;
                }
                match attempt(slot, &self.id, &mut secrets, (position, source)) {
                    Ok(opened) => return Ok(opened),
                    Err(attempt) => attempts.push(attempt),
                }
            }
        }
        attempts.extend(untried(slots, sources, &attempts));
        Err(Error::Locked { path: self.path().to_owned(), attempts })
    }
}

/// The key of a slot that opened, and the vault key in it.
pub(super) type Opened = (SlotKey, VaultKey);

type NumberedSlot = (u32, Result<SlotRow, crate::codec::Malformed>);

/// All slots in the order of their numbers, the damaged ones as the reason why.
pub(super) fn slot_rows(rows: &dyn ReadRows) -> Result<Vec<NumberedSlot>> {
    let mut slots = Vec::new();
    rows.rows(Table::Slots, &[], &mut |key, value| {
        let number = key.try_into().map(u32::from_be_bytes).unwrap_or_default();
        slots.push((number, SlotRow::from_bytes(key, value)));
        Ok(())
    })?;
    if slots.is_empty() {
        return Err(Error::corrupt("the table of key slots", "it is empty"));
    }
    Ok(slots)
}

/// Tries one source, the one at this position, on one slot.
pub(super) fn attempt(
    slot: &SlotRow,
    vault: &VaultId,
    secrets: &mut Secrets,
    (position, source): (usize, &KeySource),
) -> std::result::Result<Opened, Attempt> {
    let (reason, remedy) = match secrets.of(position, source) {
        Err((reason, remedy)) => (reason.clone(), remedy.clone()),
        Ok(secret) => match slot.open(&vault.0, secret) {
            Ok(opened) => return Ok(opened),
            Err(SlotFailure::WrongKey) => ("wrong key".to_owned(), None),
            Err(SlotFailure::Damaged(reason)) => (format!("the slot is damaged: {reason}"), None),
            Err(SlotFailure::NoMemory) => ("costs more memory than there is".to_owned(), None),
        },
    };
    Err(Attempt { slot: Some(slot.number), key: source.name(), reason, remedy })
}

/// Why the remaining slots and sources came to nothing.
fn untried(slots: &[NumberedSlot], sources: &[KeySource], tried: &[Attempt]) -> Vec<Attempt> {
    let was_tried = |number: u32| tried.iter().any(|attempt| attempt.slot == Some(number));
    let mut rest: Vec<Attempt> = slots
        .iter()
        .filter(|(number, _)| !was_tried(*number))
        .map(|(number, slot)| {
            let (key, reason) = match slot {
                Ok(slot) => (slot.kind.to_string(), "no such key was given".to_owned()),
                Err(reason) => ("any key".to_owned(), format!("the slot is damaged: {reason}")),
            };
            Attempt { slot: Some(*number), key, reason, remedy: None }
        })
        .collect();
    let has_kind = |source: &KeySource| {
        slots.iter().any(|(_, slot)| slot.as_ref().is_ok_and(|slot| slot.kind == source.kind()))
    };
    if let [only] = sources
        && !has_kind(only)
    {
        let reason = format!("the vault has no {} slot", only.kind());
        rest.push(Attempt { slot: None, key: only.name(), reason, remedy: None });
    }
    rest
}
