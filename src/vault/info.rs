//! About a vault as a whole.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};

use super::config::Config;
use super::manifest::Manifest;
use super::rotate::RotationState;
use super::settings::Settings;
use super::{Vault, VaultId, header, slots};
use crate::error::Result;
use crate::keys::Slot;
use crate::store::Table;

/// About a vault as a whole, from one committed state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The full path of the file.
    pub path: PathBuf,
    /// The vault's id.
    pub vault_id: VaultId,
    /// The version of the file's format.
    pub format_version: u32,
    /// The number of credentials.
    pub credentials: u64,
    /// The number of earlier versions in it, of all credentials and removed ones together.
    pub earlier_versions: u64,
    /// The number of writes the vault has seen.
    pub generation: u64,
    /// The key slots with their labels.
    pub slots: Vec<Slot>,
    /// How far a rotation is that is not complete.
    pub rotation: RotationState,
    /// When the last rotation of the keys began; none before the first.
    pub rotated_at: Option<DateTime<Utc>>,
    /// When the keys reach the age that [`Config::rotation_max_age`] allows them, if ever.
    pub rotation_due_at: Option<DateTime<Utc>>,
    /// When the vault was made.
    pub created_at: DateTime<Utc>,
    /// When anything in it last changed.
    pub updated_at: DateTime<Utc>,
}

impl Vault {
    /// About the vault as a whole. Costs the same whatever the number of credentials.
    ///
    /// # Errors
    ///
    /// Those of [`Vault::read`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{NewKey, Options, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// assert_eq!(vault.info()?.credentials, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn info(&self) -> Result<Info> {
        self.store.read(|rows| {
            let keys = self.keys.at(rows)?;
            let key = keys.vault_key();
            let manifest = Manifest::read(rows, key)?;
            let settings = Settings::read(rows, key)?;
            let (created_at, rotated_at) = (settings.created_at()?, settings.rotated_at()?);
            let age = Config::of(&settings)?.rotation_max_age;
            let age = age.and_then(|age| TimeDelta::from_std(age).ok());
            let keys_made_at = rotated_at.unwrap_or(created_at);
            Ok(Info {
                path: self.path().to_owned(),
                vault_id: self.id,
                format_version: header::FORMAT,
                credentials: manifest.rows(Table::Index),
                earlier_versions: manifest.rows(Table::History),
                generation: manifest.generation(),
                slots: slots::read(rows, key)?,
                rotation: RotationState::of(keys.epochs(), &manifest, &settings),
                rotated_at,
                rotation_due_at: age.and_then(|age| keys_made_at.checked_add_signed(age)),
                created_at,
                updated_at: manifest.changed_at()?,
            })
        })
    }
}
