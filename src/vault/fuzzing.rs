//! Ways into the decoders for the targets in `fuzz/`, which could not forge a seal, and to the
//! keys for the tests that search memory for them.
//!
//! Not part of the interface: only with the feature `fuzzing`, and free to change. Each function
//! panics if a promise of the format does not hold.

use chrono::DateTime;
use serde::ser::{Serialize, SerializeTuple, Serializer};
use sha2::{Digest, Sha256};

use super::Vault;
use super::epochs::Epochs;
use super::manifest::Manifest;
use super::settings::Settings;
use crate::codec::{self, Binding, HistoryRow, IndexRow, RecordRow};
use crate::credential::{Credential, CredentialId, Edit};
use crate::error::{Error, Result};
use crate::keys::{EpochKeys, EpochRow, KdfCost, SlotRow, VaultKey};
use crate::seal::{self, Sealer};
use crate::secret::Secret;
use crate::store::{ReadRows, Table};

const VAULT: [u8; 16] = [9; 16];
const NUMBER: [u8; 4] = [0, 0, 0, 1];

/// The sealed rows of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Of `records`.
    Record,
    /// Of `index`.
    Index,
    /// Of `history`.
    History,
    /// Of `epochs`.
    Epoch,
    /// Of `settings`.
    Settings,
    /// Of `manifest`.
    Manifest,
}

impl Row {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Record, Self::Index, Self::Epoch, Self::Settings, Self::Manifest, Self::History];

    fn binding(self) -> Binding {
        match self {
            Self::Record => Binding::Records,
            Self::Index => Binding::Index,
            Self::History => Binding::History,
            Self::Epoch => Binding::Epochs,
            Self::Settings => Binding::Settings,
            Self::Manifest => Binding::Manifest,
        }
    }
}

/// The slot key that a vault was opened with, its vault key and the root key of its epoch.
///
/// # Errors
///
/// Those of [`Vault::read`].
pub fn keys(vault: &Vault) -> Result<[Secret; 3]> {
    vault.store.read(|rows| {
        let keys = vault.keys.at(rows)?;
        let row = current_epoch(rows, keys.vault_key())?;
        let exposed = [vault.keys.slot_key().expose(), keys.vault_key().expose(), row.expose()];
        Ok(exposed.map(|key| Secret::from(key.as_slice())))
    })
}

fn current_epoch(rows: &dyn ReadRows, vault_key: &VaultKey) -> Result<EpochRow> {
    let stored = Epochs::stored(rows)?;
    let (key, token) = &stored[stored.len() - 1];
    let row = EpochRow::open(vault_key, key, token);
    row.map_err(|reason| Error::corrupt("the current epoch", reason))
}

/// The keys of one epoch, to see what they open.
pub struct Keys(EpochKeys);

impl Keys {
    /// Those of the current epoch.
    ///
    /// # Errors
    ///
    /// Those of [`Vault::read`].
    pub fn current(vault: &Vault) -> Result<Self> {
        vault.store.read(|rows| {
            let keys = vault.keys.at(rows)?;
            let row = current_epoch(rows, keys.vault_key())?;
            Ok(Self(row.keys(keys.vault_key().vault())))
        })
    }

    /// How many rows of credentials they open, in whichever epoch those stand.
    ///
    /// # Errors
    ///
    /// Those of [`Vault::read`].
    pub fn opens(&self, vault: &Vault) -> Result<u64> {
        let sealers = [
            (Table::Records, &self.0.records),
            (Table::Index, &self.0.index),
            (Table::History, &self.0.history),
        ];
        vault.store.read(|rows| {
            let mut opened = 0;
            for (table, sealer) in sealers {
                rows.rows(table, &[], &mut |_, stored| {
                    opened += u64::from(sealer.open(stored).is_some());
                    Ok(())
                })?;
            }
            Ok(opened)
        })
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Keys")
    }
}

/// The plaintext with this value in it, bound and framed as it should be.
#[must_use]
pub fn plaintext(row: Row, value: &[u8]) -> Vec<u8> {
    codec::encode(&VAULT, row.binding(), &Raw(value)).to_vec()
}

/// Decodes a plaintext as this row, if it is one.
///
/// # Panics
///
/// If it decodes and a second plaintext would mean the same.
pub fn decode(row: Row, plaintext: &[u8]) {
    let key = VaultKey::from_bytes(VAULT, [7; 32].into());
    match row {
        Row::Record => {
            if let Ok(row) = RecordRow::decode(&VAULT, plaintext) {
                assert_eq!(row.encode(&VAULT).as_slice(), plaintext, "two plaintexts mean it");
            }
        }
        Row::Index => {
            if let Ok(row) = IndexRow::decode(&VAULT, plaintext) {
                assert_eq!(row.encode(&VAULT).as_slice(), plaintext, "two plaintexts mean it");
            }
        }
        Row::History => {
            if let Ok(row) = HistoryRow::decode(&VAULT, plaintext) {
                assert_eq!(row.encode(&VAULT).as_slice(), plaintext, "two plaintexts mean it");
            }
        }
        Row::Epoch => {
            if let Ok(row) = EpochRow::open(&key, &NUMBER, &key.epochs().seal(plaintext)) {
                let again = key.epochs().open(&row.seal(&key)).expect("a token of our own");
                assert_eq!(again.as_slice(), plaintext, "two plaintexts mean it");
            }
        }
        Row::Settings => {
            if let Ok(settings) = Settings::open(&key.settings().seal(plaintext), &key) {
                let again = key.settings().open(&settings.seal(&key)).expect("a token of our own");
                assert_eq!(again.as_slice(), plaintext, "two plaintexts mean it");
                drop(settings.created_at());
            }
        }
        Row::Manifest => {
            if let Ok(manifest) = Manifest::open(&key.manifest().seal(plaintext), &key) {
                drop(manifest.changed_at());
                let _ = manifest.rows(Table::Records);
                let _ = manifest.digest(&key, &VAULT);
            }
        }
    }
}

/// Reads a row of `slots` with the right digest after these bytes.
///
/// # Panics
///
/// If it is read and other bytes would mean the same, or if a key opens it that is not its own.
pub fn slot(body: &[u8]) {
    let digest = Sha256::new().chain_update(NUMBER).chain_update(body).finalize();
    let bytes = [body, &digest[..16]].concat();
    let Ok(row) = SlotRow::from_bytes(&NUMBER, &bytes) else { return };
    assert_eq!(row.to_bytes(), bytes, "two rows mean it");
    let key = VaultKey::from_bytes(VAULT, [7; 32].into());
    assert!(row.details(&key).is_err(), "another key opens its details");
    // Costs within the limits are honest, and too slow to try many of.
    let cheap = KdfCost::new(8, 1).expect("the least cost");
    let is_cheap =
        |cost: KdfCost| cost.memory_mib() <= cheap.memory_mib() && cost.passes() <= cheap.passes();
    if !row.shown(None).cost.is_none_or(is_cheap) {
        return;
    }
    match row.open(&VAULT, b"a secret of no slot") {
        Err(_) => {}
        Ok(_) => panic!("a wrong secret opens it"),
    }
}

/// Opens a token, in its stored form, with a key that sealed none.
///
/// # Panics
///
/// If it opens.
pub fn token(bytes: &[u8]) {
    assert!(Sealer::new(&[7; 32]).open(bytes).is_none(), "a forged token opens");
}

/// A vault of the predecessor's form over this text.
#[must_use]
pub fn seal_foreign(hostname: &str, text: &[u8]) -> String {
    seal::seal_foreign(&Sha256::digest(hostname).into(), text, 1_735_689_600)
}

/// The credential that an edit makes where there is none, if it makes one.
#[must_use]
pub fn stored(id: &CredentialId, edit: &Edit) -> Option<Credential> {
    edit.apply(id, None, 0, DateTime::UNIX_EPOCH).ok()
}

/// Whether an edit changes what is stored; `None` if it cannot be applied.
#[must_use]
pub fn changes(edit: &Edit, stored: &Credential) -> Option<bool> {
    edit.would_change(stored).ok()
}

/// Bytes that are written as they are.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| bytes.serialize_element(byte))?;
        bytes.end()
    }
}
