//! Keys: the vault key, its slots, the epochs' root keys and what is derived from them.
//!
//! A random vault key wraps the epochs' root keys; each slot wraps the vault key under a key of
//! one kind, so that ways of unlocking come and go without touching a record (as in LUKS).

mod derive;
mod epoch;
mod key_file;
mod kind;
mod passphrase;
mod recipient;
mod recovery;
#[cfg(target_os = "linux")]
pub(crate) mod session;
#[cfg(not(target_os = "linux"))]
#[path = "no_session.rs"]
pub(crate) mod session;
mod slot;
mod source;

pub(crate) use self::derive::VaultKey;
pub(crate) use self::epoch::{EpochKeys, EpochRow, HistoryKey, RowKey};
pub use self::kind::{Slot, SlotKind};
pub use self::passphrase::{KdfCost, Passphrase};
pub use self::recovery::RecoveryCode;
pub(crate) use self::slot::{NewSlot, SlotDetails, SlotFailure, SlotKey, SlotRow};
pub(crate) use self::source::Secrets;
pub use self::source::{KeySource, NewKey};
