//! Key slots: the vault key wrapped under a key of one kind.
//!
//! A slot's row is in clear but for the wrapped key and its details, so that a locked vault can
//! say what opens it. A digest of the row's own bytes and a check value of the slot key tell a
//! damaged slot from a wrong key. A public key of the slot's lets a new vault key be wrapped for
//! it while its secret is elsewhere.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::derive::{VaultKey, derive};
use super::kind::{Slot, SlotKind};
use super::passphrase::KdfCost;
use super::recipient::{self, Recipient};
use crate::codec::{self, Binding, Malformed, from_micros, micros};
use crate::seal::{Key, Sealer, random, take_key};

/// The bytes of a slot's salt.
const SALT: usize = 16;

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
    /// There is no memory for what a guess at its passphrase costs.
    NoMemory,
}

/// What opens one slot, also after the vault key was rotated: kept in the vault key's place.
#[derive(Clone)]
pub(crate) struct SlotKey {
    number: u32,
    key: Key,
}

/// A slot that has no number yet: derived before a transaction, placed in one.
pub(crate) struct NewSlot {
    kind: SlotKind,
    cost: Option<KdfCost>,
    salt: [u8; SALT],
    key: Key,
}

/// A row of `slots`.
#[derive(Debug, Clone)]
pub(crate) struct SlotRow {
    pub(crate) number: u32,
    pub(crate) kind: SlotKind,
    /// What the parameters say.
    cost: Option<KdfCost>,
    wire: SlotWire,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SlotWire {
    kind: u8,
    /// The cost of a passphrase; empty in the other kinds.
    #[serde(with = "serde_bytes")]
    parameters: Vec<u8>,
    salt: [u8; SALT],
    check: [u8; 8],
    /// The public key that a new vault key can be wrapped for.
    recipient: Option<recipient::Public>,
    wrapped: Wrapped,
    #[serde(with = "serde_bytes")]
    details: Vec<u8>,
}

/// The vault key as a slot keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Wrapped {
    /// Under the slot key.
    Direct(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Under a key agreed on with the slot's recipient key.
    Agreed {
        ephemeral: recipient::Public,
        #[serde(with = "serde_bytes")]
        token: Vec<u8>,
    },
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

impl SlotKey {
    #[cfg(target_os = "linux")]
    pub(super) fn new(number: u32, key: Key) -> Self {
        Self { number, key }
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.key
    }

    /// The slot it opens.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl NewSlot {
    /// A slot that opens with `secret`; `None` if there is no memory for its cost.
    pub(crate) fn derive(kind: SlotKind, cost: Option<KdfCost>, secret: &[u8]) -> Option<Self> {
        let salt: [u8; SALT] = *random();
        Some(Self { kind, cost, salt, key: kind.slot_key(cost, secret, &salt)? })
    }

    /// The key of the slot once it has this number.
    pub(crate) fn slot_key(&self, number: u32) -> SlotKey {
        SlotKey { number, key: self.key.clone() }
    }

    /// The slot's row under a number.
    pub(crate) fn row(&self, number: u32, vault_key: &VaultKey, details: &SlotDetails) -> SlotRow {
        let mut row = SlotRow {
            number,
            kind: self.kind,
            cost: self.cost,
            wire: SlotWire {
                kind: self.kind.tag(),
                parameters: self.cost.map(KdfCost::to_parameters).unwrap_or_default(),
                salt: self.salt,
                check: check_value(&self.key, &self.salt),
                recipient: Some(Recipient::of(&self.key, &self.salt).public()),
                wrapped: Wrapped::Direct(Vec::new()),
                details: Vec::new(),
            },
        };
        row.wire.wrapped = Wrapped::Direct(row.seal_key(&self.key, vault_key));
        row.wire.details = row.seal_details(vault_key, details);
        row
    }
}

impl SlotRow {
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
        let cost = match kind {
            SlotKind::Passphrase => Some(KdfCost::from_parameters(&wire.parameters)?),
            _ if wire.parameters.is_empty() => None,
            _ => return Err("it has parameters that are not of its kind"),
        };
        Ok(Self { number, kind, cost, wire })
    }

    /// The slot as a user sees it, with its details where the vault is unlocked.
    pub(crate) fn shown(&self, details: Option<SlotDetails>) -> Slot {
        let created_at = details.as_ref().map(|details| details.created_at);
        let label = details.and_then(|details| details.label);
        Slot { number: self.number, kind: self.kind, label, created_at, cost: self.cost }
    }

    /// The slot's key and the vault key, if `secret` is this slot's.
    ///
    /// # Errors
    ///
    /// Whether the key is wrong or the slot is damaged.
    pub(crate) fn open(
        &self,
        vault: &[u8; 16],
        secret: &[u8],
    ) -> Result<(SlotKey, VaultKey), SlotFailure> {
        let key = self.kind.slot_key(self.cost, secret, &self.wire.salt);
        let key = key.ok_or(SlotFailure::NoMemory)?;
        let key = SlotKey { number: self.number, key };
        let vault_key = self.unwrap_key(vault, &key)?;
        Ok((key, vault_key))
    }

    /// The vault key, if the slot key is this slot's, whichever way the slot wraps it.
    ///
    /// # Errors
    ///
    /// Whether the key is wrong or the slot is damaged.
    pub(crate) fn unwrap_key(
        &self,
        vault: &[u8; 16],
        slot_key: &SlotKey,
    ) -> Result<VaultKey, SlotFailure> {
        let (key, salt) = (&slot_key.key, &self.wire.salt);
        if !bool::from(check_value(key, salt).ct_eq(&self.wire.check)) {
            return Err(SlotFailure::WrongKey);
        }
        let plaintext = match &self.wire.wrapped {
            Wrapped::Direct(token) => Sealer::new(key).open(token),
            Wrapped::Agreed { ephemeral, token } => Recipient::of(key, salt)
                .agree(ephemeral, &self.identity(vault))
                .and_then(|key| Sealer::new(&key).open(token)),
        };
        let plaintext = plaintext.ok_or(SlotFailure::Damaged("wrong key or altered"))?;
        let mut wrapped: WrappedKey =
            codec::decode(vault, Binding::Slots, &plaintext).map_err(SlotFailure::Damaged)?;
        let key = take_key(&mut wrapped.key);
        if wrapped.number != self.number || wrapped.kind != self.wire.kind {
            return Err(SlotFailure::Damaged("it belongs to another slot"));
        }
        Ok(VaultKey::from_bytes(*vault, key))
    }

    /// The same slot around a new vault key: under the slot key where that is held, else through
    /// the slot's recipient key. That key is in clear, and a stranger's reads what is wrapped
    /// for it: the caller must have checked the table of slots against the manifest under `old`
    /// in the same transaction.
    ///
    /// # Errors
    ///
    /// A reason, if the slot has no recipient key that can be used, if its details do not open,
    /// or if the slot key that is held is another's.
    pub(crate) fn rewrapped(
        &self,
        old: &VaultKey,
        new: &VaultKey,
        held: Option<&SlotKey>,
    ) -> Result<Self, Malformed> {
        let mut row = self.clone();
        row.wire.details = self.seal_details(new, &self.details(old)?);
        row.wire.wrapped = if let Some(held) = held {
            let check = check_value(&held.key, &self.wire.salt);
            if held.number != self.number || check != self.wire.check {
                return Err("the key that is held is another slot's");
            }
            Wrapped::Direct(self.seal_key(&held.key, new))
        } else {
            let recipient = self.wire.recipient.as_ref().ok_or("it has no recipient key")?;
            let agreed = recipient::agree_with(recipient, &self.identity(new.vault()));
            let (ephemeral, key) = agreed.ok_or("its recipient key is of no use")?;
            Wrapped::Agreed { ephemeral, token: self.seal_key(&key, new) }
        };
        Ok(row)
    }

    /// The same slot with another recipient key, as somebody without a key can write it.
    #[cfg(test)]
    pub(crate) fn with_recipient(mut self, recipient: recipient::Public) -> Self {
        self.wire.recipient = Some(recipient);
        self
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

    /// The vault key sealed under `key`, bound to this slot.
    fn seal_key(&self, key: &Key, vault_key: &VaultKey) -> Vec<u8> {
        let (number, kind) = (self.number, self.wire.kind);
        let wrapped = WrappedKey { number, kind, key: *vault_key.expose() };
        Sealer::new(key).seal(&codec::encode(vault_key.vault(), Binding::Slots, &wrapped))
    }

    fn seal_details(&self, vault_key: &VaultKey, details: &SlotDetails) -> Vec<u8> {
        let wire = DetailsWire {
            number: self.number,
            label: details.label.clone(),
            created_at: micros(details.created_at),
        };
        let plaintext = codec::encode(vault_key.vault(), Binding::SlotDetails, &wire);
        vault_key.slot_details().seal(&plaintext)
    }

    /// What tells this slot from all others: vault, number, kind.
    fn identity(&self, vault: &[u8; 16]) -> [u8; 21] {
        let mut identity = [0; 21];
        identity[..16].copy_from_slice(vault);
        identity[16..20].copy_from_slice(&self.key());
        identity[20] = self.wire.kind;
        identity
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

impl std::fmt::Debug for SlotKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SlotKey({}, [redacted])", self.number)
    }
}

impl std::fmt::Debug for NewSlot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "NewSlot({}, [redacted])", self.kind)
    }
}

#[cfg(test)]
mod tests;
