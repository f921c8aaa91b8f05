//! Epochs: the root key that the rows of one epoch are sealed under, and its subkeys.

use std::sync::LazyLock;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::derive::{VaultKey, derive};
use crate::codec::{self, Binding, Malformed};
use crate::credential::CredentialId;
use crate::seal::{Key, Sealer, random};

/// The bytes of a key of the table `epochs`: the epoch's number, big-endian.
pub(crate) const EPOCH_KEY_LENGTH: usize = 4;

/// The key of a row of `records` and `index`, and what one of `history` begins with: the epoch, big-endian, and the blind id.
pub(crate) type RowKey = [u8; 20];

/// The key of a row of `history`: that of the credential, and the version, big-endian.
pub(crate) type HistoryKey = [u8; 28];

/// A row of `epochs`.
#[derive(PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct EpochRow {
    epoch: u32,
    root: [u8; 32],
}

impl EpochRow {
    /// A new random root key for this epoch.
    pub(crate) fn generate(epoch: u32) -> Self {
        Self { epoch, root: *random() }
    }

    #[cfg(feature = "fuzzing")]
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.root
    }

    /// The row's key in the table.
    pub(crate) fn key(&self) -> [u8; EPOCH_KEY_LENGTH] {
        self.epoch.to_be_bytes()
    }

    /// The row's sealed bytes.
    pub(crate) fn seal(&self, vault_key: &VaultKey) -> Vec<u8> {
        vault_key.epochs().seal(&codec::encode(vault_key.vault(), Binding::Epochs, self))
    }

    /// Opens the row stored under `key`.
    ///
    /// # Errors
    ///
    /// A reason, if the row does not open or belongs elsewhere.
    pub(crate) fn open(vault_key: &VaultKey, key: &[u8], token: &[u8]) -> Result<Self, Malformed> {
        let plaintext = vault_key.epochs().open(token).ok_or("wrong key or altered")?;
        let row: Self = codec::decode(vault_key.vault(), Binding::Epochs, &plaintext)?;
        if row.key() != key {
            return Err("it belongs to another epoch");
        }
        Ok(row)
    }

    /// The keys of this epoch in the vault of this id.
    pub(crate) fn keys(&self, vault: &[u8; 16]) -> EpochKeys {
        let subkey = |info| derive(&self.root, vault, info);
        let (root, vault_id) = (Zeroizing::new(self.root), *vault);
        let history = move || Sealer::new(&derive(root.as_slice(), &vault_id, "credb/1 history"));
        EpochKeys {
            epoch: self.epoch,
            records: Sealer::new(&subkey("credb/1 records")),
            index: Sealer::new(&subkey("credb/1 index")),
            history: LateSealer::new(Box::new(history)),
            blind: subkey("credb/1 blind"),
            sums: subkey("credb/1 sums"),
        }
    }
}

/// Made when it is needed first: what reads present versions does not pay for it.
type LateSealer = LazyLock<Sealer, Box<dyn FnOnce() -> Sealer + Send>>;

/// What the rows of one epoch are found, sealed and summed up with.
pub(crate) struct EpochKeys {
    epoch: u32,
    pub(crate) records: Sealer,
    pub(crate) index: Sealer,
    pub(crate) history: LateSealer,
    blind: Key,
    sums: Key,
}

impl EpochKeys {
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The prefix of all rows of this epoch.
    pub(crate) fn prefix(&self) -> [u8; EPOCH_KEY_LENGTH] {
        self.epoch.to_be_bytes()
    }

    /// The key of the rows of this credential.
    pub(crate) fn row_key(&self, id: &CredentialId) -> RowKey {
        let mac = mac(&self.blind, &[id.as_str().as_bytes()]);
        let mut key = [0; 20];
        key[..4].copy_from_slice(&self.prefix());
        key[4..].copy_from_slice(&mac[..16]);
        key
    }

    /// The key of an earlier version of this credential.
    pub(crate) fn history_key(&self, id: &CredentialId, version: u64) -> HistoryKey {
        let mut key = [0; 28];
        key[..20].copy_from_slice(&self.row_key(id));
        key[20..].copy_from_slice(&version.to_be_bytes());
        key
    }

    /// What a stored row adds to its table's sum in the manifest.
    pub(crate) fn row_mac(&self, table: &str, key: &[u8], stored: &[u8]) -> [u8; 32] {
        row_mac(&self.sums, table, key, stored)
    }
}

/// HMAC-SHA256 of a row: table, key and stored bytes, each after its length (u32, big-endian).
pub(crate) fn row_mac(key: &Key, table: &str, row_key: &[u8], stored: &[u8]) -> [u8; 32] {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let table = table.as_bytes();
    let parts = [&length(table), table, &length(row_key), row_key, &length(stored), stored];
    *mac(key, &parts)
}

fn mac(key: &Key, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).expect("a key of any length");
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

impl std::fmt::Debug for EpochKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "EpochKeys({}, [redacted])", self.epoch)
    }
}
