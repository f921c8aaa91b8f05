//! Key slots: the vault key wrapped under a key of one kind.
//!
//! A slot's row is in clear but for the wrapped key and its details, so that a locked vault can
//! say what opens it. A digest of the row's own bytes and a check value of the derived key tell
//! a damaged slot from a wrong key.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::derive::{VaultKey, derive};
use crate::codec::{self, Binding, Malformed, from_micros, micros};
use crate::seal::{Key, Sealer, random, take_key};

/// The bytes of a slot's salt.
const SALT: usize = 16;

/// Kinds of key slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SlotKind {
    /// A random secret of this machine, in a file that only its owner can read.
    Machine,
    /// SHA-256 of the host's name: no protection but from a casual look.
    Hostname,
    /// A key file that the user places.
    File,
    /// A recovery code of 160 random bits.
    Recovery,
}

impl SlotKind {
    /// The name of the kind, as in `credb key add`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Hostname => "hostname",
            Self::File => "file",
            Self::Recovery => "recovery",
        }
    }

    /// What it protects against, in a few words.
    #[must_use]
    pub fn strength(self) -> &'static str {
        match self {
            Self::Machine => "strong: needs the machine secret of this machine",
            Self::Hostname => "weak: anybody who knows or guesses the host name opens the vault",
            Self::File => "strong: needs the key file",
            Self::Recovery => "strong: needs the recovery code",
        }
    }

    /// Whether it protects against nothing but a casual look.
    #[must_use]
    pub fn is_weak(self) -> bool {
        self == Self::Hostname
    }

    fn tag(self) -> u8 {
        match self {
            Self::Machine => 1,
            Self::Hostname => 2,
            Self::File => 3,
            Self::Recovery => 4,
        }
    }

    fn from_tag(tag: u8) -> Option<Self> {
        [Self::Machine, Self::Hostname, Self::File, Self::Recovery]
            .into_iter()
            .find(|kind| kind.tag() == tag)
    }

    fn info(self) -> &'static str {
        match self {
            Self::Machine => "credb/1 slot machine",
            Self::Hostname => "credb/1 slot hostname",
            Self::File => "credb/1 slot file",
            Self::Recovery => "credb/1 slot recovery",
        }
    }

    /// The key that wraps the vault key, from this kind's secret.
    fn key_encryption_key(self, secret: &[u8], salt: &[u8]) -> Key {
        match self {
            // The predecessor's scheme, unsalted: the secret is the host's name.
            Self::Hostname => Zeroizing::new(Sha256::digest(secret).into()),
            _ => derive(secret, salt, self.info()),
        }
    }
}

impl std::fmt::Display for SlotKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One way of unlocking a vault, as a user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Slot {
    /// Its number.
    pub number: u32,
    /// Its kind.
    pub kind: SlotKind,
    /// The user's words; `None` while the vault is locked or if there are none.
    pub label: Option<String>,
    /// When it was added; `None` while the vault is locked.
    pub created_at: Option<DateTime<Utc>>,
}

/// What a slot says of itself to those who opened the vault.
#[derive(Debug, Clone)]
pub(crate) struct SlotDetails {
    pub(crate) label: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
}

/// Why a slot did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotFailure {
    WrongKey,
    Damaged(Malformed),
}

/// A row of `slots`.
#[derive(Debug, Clone)]
pub(crate) struct SlotRow {
    pub(crate) number: u32,
    pub(crate) kind: SlotKind,
    wire: SlotWire,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SlotWire {
    kind: u8,
    /// For kinds that need them (the cost of a passphrase, for one).
    #[serde(with = "serde_bytes")]
    parameters: Vec<u8>,
    salt: [u8; SALT],
    check: [u8; 8],
    /// For rewrapping a new vault key while this slot's key is not at hand.
    #[serde(with = "serde_bytes")]
    recipient: Vec<u8>,
    #[serde(with = "serde_bytes")]
    wrapped: Vec<u8>,
    #[serde(with = "serde_bytes")]
    details: Vec<u8>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct WrappedKey {
    number: u32,
    kind: u8,
    key: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct DetailsWire {
    number: u32,
    label: Option<String>,
    created_at: i64,
}

impl SlotRow {
    /// A slot of this number that opens with `secret`.
    pub(crate) fn new(
        number: u32,
        kind: SlotKind,
        secret: &[u8],
        vault_key: &VaultKey,
        details: &SlotDetails,
    ) -> Self {
        let salt: [u8; SALT] = *random();
        let key = kind.key_encryption_key(secret, &salt);
        let wrapped = WrappedKey { number, kind: kind.tag(), key: *vault_key.expose() };
        let details = DetailsWire {
            number,
            label: details.label.clone(),
            created_at: micros(details.created_at),
        };
        let vault = vault_key.vault();
        let wire = SlotWire {
            kind: kind.tag(),
            parameters: Vec::new(),
            salt,
            check: check_value(&key, &salt),
            recipient: Vec::new(),
            wrapped: Sealer::new(&key).seal(&codec::encode(vault, Binding::Slots, &wrapped)),
            details: vault_key.slot_details().seal(&codec::encode(
                vault,
                Binding::SlotDetails,
                &details,
            )),
        };
        Self { number, kind, wire }
    }

    /// The row's key in the table: its number, big-endian.
    pub(crate) fn key(&self) -> [u8; 4] {
        self.number.to_be_bytes()
    }

    /// The row's bytes, ending in a digest of all before.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = codec::encode_plain(&self.wire).to_vec();
        let digest = digest(self.number, &bytes);
        bytes.extend_from_slice(&digest);
        bytes
    }

    /// The row stored under `key`.
    ///
    /// # Errors
    ///
    /// A reason, if the bytes are not as they were written.
    pub(crate) fn from_bytes(key: &[u8], bytes: &[u8]) -> Result<Self, Malformed> {
        let number = u32::from_be_bytes(key.try_into().map_err(|_| "its number is malformed")?);
        let (body, found) = bytes.split_last_chunk::<16>().ok_or("it is too short")?;
        if *found != digest(number, body) {
            return Err("it was altered");
        }
        let wire: SlotWire = codec::decode_plain(body)?;
        let kind = SlotKind::from_tag(wire.kind).ok_or("its kind is unknown here")?;
        Ok(Self { number, kind, wire })
    }

    /// The vault key, if `secret` is this slot's.
    ///
    /// # Errors
    ///
    /// Whether the key is wrong or the slot is damaged.
    pub(crate) fn unwrap_key(
        &self,
        vault: &[u8; 16],
        secret: &[u8],
    ) -> Result<VaultKey, SlotFailure> {
        let key = self.kind.key_encryption_key(secret, &self.wire.salt);
        if !bool::from(check_value(&key, &self.wire.salt).ct_eq(&self.wire.check)) {
            return Err(SlotFailure::WrongKey);
        }
        let plaintext = Sealer::new(&key)
            .open(&self.wire.wrapped)
            .ok_or(SlotFailure::Damaged("wrong key or altered"))?;
        let mut wrapped: WrappedKey =
            codec::decode(vault, Binding::Slots, &plaintext).map_err(SlotFailure::Damaged)?;
        let key = take_key(&mut wrapped.key);
        if wrapped.number != self.number || wrapped.kind != self.wire.kind {
            return Err(SlotFailure::Damaged("it belongs to another slot"));
        }
        Ok(VaultKey::from_bytes(*vault, key))
    }

    /// The label and the time, for those who opened the vault.
    ///
    /// # Errors
    ///
    /// A reason, if they do not open or belong elsewhere.
    pub(crate) fn details(&self, vault_key: &VaultKey) -> Result<SlotDetails, Malformed> {
        let plaintext =
            vault_key.slot_details().open(&self.wire.details).ok_or("wrong key or altered")?;
        let wire: DetailsWire = codec::decode(vault_key.vault(), Binding::SlotDetails, &plaintext)?;
        if wire.number != self.number {
            return Err("its details belong to another slot");
        }
        Ok(SlotDetails { label: wire.label, created_at: from_micros(wire.created_at)? })
    }
}

/// Eight bytes that tell whether a key is the slot's without opening anything with it.
fn check_value(key: &Key, salt: &[u8]) -> [u8; 8] {
    let derived = derive(key.as_slice(), salt, "credb/1 slot check");
    let mut check = [0; 8];
    check.copy_from_slice(&derived[..8]);
    check
}

/// The first 16 bytes of SHA-256 over the slot's number and its bytes.
fn digest(number: u32, body: &[u8]) -> [u8; 16] {
    let full = Sha256::new().chain_update(number.to_be_bytes()).chain_update(body).finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(kind: SlotKind) -> (VaultKey, SlotRow) {
        let vault_key = VaultKey::generate([3; 16]);
        let details = SlotDetails { label: Some("here".to_owned()), created_at: Utc::now() };
        let row = SlotRow::new(1, kind, b"secret", &vault_key, &details);
        (vault_key, row)
    }

    #[test]
    fn a_slot_opens_with_its_secret_only() {
        for kind in [SlotKind::Machine, SlotKind::Hostname, SlotKind::File, SlotKind::Recovery] {
            let (vault_key, row) = slot(kind);
            let row = SlotRow::from_bytes(&row.key(), &row.to_bytes()).unwrap();
            let opened = row.unwrap_key(&[3; 16], b"secret").unwrap();
            assert_eq!(opened.expose(), vault_key.expose());
            assert_eq!(row.details(&opened).unwrap().label.as_deref(), Some("here"));
            assert_eq!(row.unwrap_key(&[3; 16], b"other").unwrap_err(), SlotFailure::WrongKey);
        }
    }

    #[test]
    fn a_damaged_slot_is_not_a_wrong_key() {
        let (_, row) = slot(SlotKind::Machine);
        let bytes = row.to_bytes();
        for position in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[position] ^= 1;
            assert!(SlotRow::from_bytes(&row.key(), &altered).is_err(), "byte {position}");
        }
        assert!(SlotRow::from_bytes(&[0, 0, 0, 2], &bytes).is_err(), "another number");
    }

    #[test]
    fn a_slot_of_another_vault_is_refused() {
        let (_, row) = slot(SlotKind::Machine);
        let failure = row.unwrap_key(&[4; 16], b"secret").unwrap_err();
        assert!(matches!(failure, SlotFailure::Damaged(_)), "{failure:?}");
    }
}
