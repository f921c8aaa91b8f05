//! Derives keys with HKDF-SHA256 (RFC 5869) and holds the vault key.
//!
//! Each derived key has one use, named in its `info`; docs/format.md lists them all.

use data_encoding::HEXLOWER;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::seal::{Key, Sealer, random};

/// The key of one use, from secret input, salt and the name of the use.
pub(crate) fn derive(secret: &[u8], salt: &[u8], info: &str) -> Key {
    let mut key = Zeroizing::new([0; 32]);
    #[expect(clippy::expect_used, reason = "32 bytes are within HKDF's limit of 255 * 32")]
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(info.as_bytes(), key.as_mut_slice())
        .expect("a key of 32 bytes");
    key
}

/// The key that all slots wrap, and the sealers of the tables it protects directly.
pub(crate) struct VaultKey {
    vault: [u8; 16],
    key: Key,
}

impl VaultKey {
    /// A new random key for the vault of this id.
    pub(crate) fn generate(vault: [u8; 16]) -> Self {
        Self { vault, key: random() }
    }

    pub(crate) fn from_bytes(vault: [u8; 16], key: Key) -> Self {
        Self { vault, key }
    }

    /// The same key once more.
    pub(crate) fn again(&self) -> Self {
        Self { vault: self.vault, key: self.key.clone() }
    }

    pub(crate) fn vault(&self) -> &[u8; 16] {
        &self.vault
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.key
    }

    /// Seals rows of `epochs`.
    pub(crate) fn epochs(&self) -> Sealer {
        self.sealer("credb/1 epochs")
    }

    /// Seals the row of `settings`.
    pub(crate) fn settings(&self) -> Sealer {
        self.sealer("credb/1 settings")
    }

    /// Seals the row of `manifest`.
    pub(crate) fn manifest(&self) -> Sealer {
        self.sealer("credb/1 manifest")
    }

    /// Seals the labels of slots.
    pub(super) fn slot_details(&self) -> Sealer {
        self.sealer("credb/1 slot details")
    }

    /// Authenticates the rows of the tables without an epoch.
    pub(crate) fn fixed_rows(&self) -> Key {
        derive(self.key.as_slice(), &self.vault, "credb/1 fixed rows")
    }

    /// Authenticates state tokens.
    pub(crate) fn state(&self) -> Key {
        derive(self.key.as_slice(), &self.vault, "credb/1 state")
    }

    /// The name of the lease on this id for this purpose: 64 bits in hex, which tell nothing.
    pub(crate) fn lease_name(&self, purpose: u8, id: &str) -> String {
        let key = derive(self.key.as_slice(), &self.vault, "credb/1 lease");
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).expect("a key of any length");
        mac.update(&[purpose]);
        mac.update(id.as_bytes());
        HEXLOWER.encode(&mac.finalize().into_bytes()[..8])
    }

    fn sealer(&self, info: &str) -> Sealer {
        Sealer::new(&derive(self.key.as_slice(), &self.vault, info))
    }
}

impl std::fmt::Debug for VaultKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("VaultKey([redacted])")
    }
}
