//! Key slots of an unlocked vault: seen, added, removed.

use chrono::{SubsecRound, Utc};

use super::Vault;
use super::header::{self, Intent};
use super::locked::slot_rows;
use super::manifest::Manifest;
use crate::error::{Error, Result};
use crate::keys::{NewKey, NewSlot, Slot, SlotDetails, SlotRow, VaultKey};
use crate::store::{ReadRows, Table, Verdict, WriteRows};

/// The most slots a vault may have.
const MOST: usize = 32;

/// The longest label in bytes.
const LONGEST_LABEL: usize = 255;

impl Vault {
    /// The key slots with their labels, in the order of their numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if one of them is damaged, and those of [`Vault::read`].
    pub fn slots(&self) -> Result<Vec<Slot>> {
        self.store.read(|rows| {
            let keys = self.keys.at(rows)?;
            read(rows, keys.vault_key())
        })
    }

    /// Adds a way of unlocking the vault. A secret that is made for it is durable before the
    /// slot is.
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnusable`], [`Error::Invalid`], and those of [`Vault::write`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{KeySource, NewKey, Options, RecoveryCode, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// let code = RecoveryCode::generate();
    /// vault.add_slot(&NewKey::Recovery(code.clone()), Some("in the safe"))?;
    /// Vault::open(&path, &Options::new(), &[KeySource::Recovery(code)])?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_slot(&self, key: &NewKey, label: Option<&str>) -> Result<Slot> {
        let label = label.filter(|label| !label.is_empty()).map(str::to_owned);
        let length = label.as_ref().map_or(0, String::len);
        if length > LONGEST_LABEL {
            return Err(Error::too_large("label", length, LONGEST_LABEL, "bytes"));
        }
        let new = key.slot()?;
        let created_at = Utc::now().trunc_subsecs(6);
        self.change_slots(|rows, vault_key| {
            let details = SlotDetails { label: label.clone(), created_at };
            let row = next_slot(rows, &new, vault_key, &details)?;
            rows.put(Table::Slots, &row.key(), &row.to_bytes())?;
            Ok(row.shown(Some(details)))
        })
    }

    /// Gives a slot another key of its own kind; its number, label and time stay. Copies made
    /// before still open with the former key.
    ///
    /// # Errors
    ///
    /// [`Error::SlotNotFound`], [`Error::KeyUnusable`], [`Error::Invalid`] for a key of another
    /// kind, and those of [`Vault::write`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{KeySource, NewKey, Options, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("old".into()))?;
    /// vault.rebind_slot(1, &NewKey::Hostname("new".into()))?;
    /// Vault::open(&path, &Options::new(), &[KeySource::Hostname("new".into())])?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn rebind_slot(&self, slot: u32, key: &NewKey) -> Result<Slot> {
        let new = key.slot()?;
        self.change_slots(|rows, vault_key| {
            let slots = slot_rows(rows)?;
            let found = slots.into_iter().find(|(number, _)| *number == slot);
            let (_, row) = found.ok_or(Error::SlotNotFound { slot })?;
            let damaged = |reason| Error::corrupt(format!("slot {slot}"), reason);
            let row = row.map_err(damaged)?;
            if row.kind != key.kind() {
                let reason = format!("is a {} key, not a {} key", row.kind, key.kind());
                return Err(Error::invalid(format!("slot {slot}"), reason));
            }
            let details = row.details(vault_key).map_err(damaged)?;
            let row = new.row(slot, vault_key, &details);
            rows.put(Table::Slots, &row.key(), &row.to_bytes())?;
            Ok(row.shown(Some(details)))
        })
    }

    /// Removes a way of unlocking the vault. Copies made before, of the file or of its key, are
    /// not revoked by that.
    ///
    /// # Errors
    ///
    /// [`Error::SlotNotFound`], [`Error::LastSlot`], and those of [`Vault::write`].
    pub fn remove_slot(&self, slot: u32) -> Result<()> {
        self.change_slots(|rows, _| {
            let slots = slot_rows(rows)?;
            if slots.iter().all(|(number, _)| *number != slot) {
                return Err(Error::SlotNotFound { slot });
            }
            let usable = |(number, row): &&(u32, _)| *number != slot && Result::is_ok(row);
            if !slots.iter().any(|entry| usable(&entry)) {
                return Err(Error::LastSlot { slot });
            }
            rows.delete(Table::Slots, &slot.to_be_bytes())
        })
    }

    /// Changes the table of slots, and the manifest with it.
    fn change_slots<T>(
        &self,
        mut body: impl FnMut(&mut dyn WriteRows, &VaultKey) -> Result<T>,
    ) -> Result<T> {
        let now = Utc::now().trunc_subsecs(6);
        self.store.write(|rows| {
            header::check(rows, self.path(), Intent::Write)?;
            let keys = self.keys.at(rows)?;
            let key = keys.vault_key();
            let mut manifest = Manifest::read(rows, key)?;
            // Else a slot, or a recipient key in one, that somebody without a key put there would
            // be vouched for from now on.
            manifest.check_fixed(rows, key)?;
            let value = body(rows, key)?;
            manifest.renew_fixed(rows, key)?;
            manifest.write(rows, key, now)?;
            Ok(Verdict::Commit(value))
        })
    }
}

/// The row of a new slot, under the next free number.
pub(super) fn next_slot(
    rows: &dyn ReadRows,
    new: &NewSlot,
    vault_key: &VaultKey,
    details: &SlotDetails,
) -> Result<SlotRow> {
    let slots = slot_rows(rows)?;
    if slots.len() >= MOST {
        return Err(Error::too_large("key slots", slots.len() + 1, MOST, "entries"));
    }
    let number = slots.last().map_or(Some(1), |(number, _)| number.checked_add(1));
    let number = number.ok_or_else(|| Error::corrupt("the table of key slots", "it is full"))?;
    Ok(new.row(number, vault_key, details))
}

/// The slots as a user sees them.
pub(super) fn read(rows: &dyn ReadRows, key: &VaultKey) -> Result<Vec<Slot>> {
    let slots = slot_rows(rows)?.into_iter().map(|(number, row)| {
        let damaged = |reason| Error::corrupt(format!("slot {number}"), reason);
        let row = row.map_err(damaged)?;
        let details = row.details(key).map_err(damaged)?;
        Ok(row.shown(Some(details)))
    });
    slots.collect()
}
