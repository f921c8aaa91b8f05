//! Kinds of key slots, and slots as a user sees them.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::derive::derive;
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

    pub(super) fn tag(self) -> u8 {
        match self {
            Self::Machine => 1,
            Self::Hostname => 2,
            Self::File => 3,
            Self::Recovery => 4,
        }
    }

    pub(super) fn from_tag(tag: u8) -> Option<Self> {
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
    pub(super) fn slot_key(self, secret: &[u8], salt: &[u8]) -> Key {
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
