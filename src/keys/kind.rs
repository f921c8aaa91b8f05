//! Kinds of key slots, and slots as a user sees them.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::derive::derive;
use super::passphrase::KdfCost;
use crate::seal::Key;

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
    /// A passphrase, through Argon2id.
    Passphrase,
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
            Self::Passphrase => "passphrase",
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
            Self::Passphrase => "as strong as the passphrase",
        }
    }

    /// Whether it protects against nothing but a casual look.
    #[must_use]
    pub fn is_weak(self) -> bool {
        self == Self::Hostname
    }

    pub(super) fn tag(self) -> u8 {
        match self {
            Self::Machine => 1,
            Self::Hostname => 2,
            Self::File => 3,
            Self::Recovery => 4,
            Self::Passphrase => 5,
        }
    }

    pub(super) fn from_tag(tag: u8) -> Option<Self> {
        let all = [Self::Machine, Self::Hostname, Self::File, Self::Recovery, Self::Passphrase];
        all.into_iter().find(|kind| kind.tag() == tag)
    }

    /// The key that wraps the vault key, from this kind's secret; `None` if there is no memory
    /// for what a passphrase costs.
    pub(super) fn slot_key(self, cost: Option<KdfCost>, secret: &[u8], salt: &[u8]) -> Option<Key> {
        let derived = |info| Some(derive(secret, salt, info));
        match self {
            Self::Machine => derived("credb/1 slot machine"),
            // The predecessor's scheme, unsalted: the secret is the host's name.
            Self::Hostname => Some(Zeroizing::new(Sha256::digest(secret).into())),
            Self::File => derived("credb/1 slot file"),
            Self::Recovery => derived("credb/1 slot recovery"),
            Self::Passphrase => cost?.derive(secret, salt),
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
    /// What each guess at a passphrase costs; `None` for other kinds.
    pub cost: Option<KdfCost>,
}

impl Slot {
    /// What it protects against, in a few words.
    #[must_use]
    pub fn strength(&self) -> String {
        match self.cost {
            Some(cost) => format!(
                "{} ({} MiB, {} passes)",
                self.kind.strength(),
                cost.memory_mib(),
                cost.passes()
            ),
            None => self.kind.strength().to_owned(),
        }
    }
}
