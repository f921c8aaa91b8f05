//! Making a vault: whole or not at all, in place of nothing.

use std::path::Path;

use chrono::{SubsecRound, Utc};

use super::locked::LockedVault;
use super::manifest::Manifest;
use super::settings::{self, Settings};
use super::{Options, Vault, VaultId, header};
use crate::error::{Error, Result};
use crate::keys::{EpochRow, NewKey, SlotDetails, VaultKey};
use crate::seal::random;
use crate::store::{self, Table, WriteRows};

impl Vault {
    /// Makes a vault with one key slot, and the directories above it where they are missing.
    /// A secret that is made for the slot is durable before the vault is there.
    ///
    /// # Errors
    ///
    /// [`Error::VaultExists`] if anything is at the path, [`Error::KeyUnusable`],
    /// [`Error::Io`] and [`Error::UnsupportedFileSystem`].
    pub fn create(path: &Path, options: &Options, key: &NewKey) -> Result<Self> {
        let path = std::path::absolute(path).map_err(Error::io("create", path))?;
        if path.symlink_metadata().is_ok() {
            return Err(Error::VaultExists { path });
        }
        let new_slot = key.slot()?;
        let id = VaultId(*random());
        let vault_key = VaultKey::generate(id.0);
        let first_epoch = EpochRow::generate(1);
        let created_at = Utc::now().trunc_subsecs(6);
        let details = SlotDetails { label: None, created_at };
        let slot = new_slot.row(1, &vault_key, &details);
        store::create(&path, options.file_systems(), |rows: &mut dyn WriteRows| {
            for table in Table::ALL {
                rows.row(table, &[])?;
            }
            header::write(rows, id)?;
            rows.put(Table::Slots, &slot.key(), &slot.to_bytes())?;
            rows.put(Table::Epochs, &first_epoch.key(), &first_epoch.seal(&vault_key))?;
            let settings = Settings::new(created_at).seal(&vault_key);
            rows.put(Table::Settings, settings::KEY, &settings)?;
            let mut manifest = Manifest::new();
            manifest.renew_fixed(rows, &vault_key)?;
            manifest.write(rows, &vault_key, created_at)
        })?;
        options.placed(&path, id);
        LockedVault::open(&path, options)?.unlock_held(&new_slot.slot_key(1), &vault_key)
    }
}
