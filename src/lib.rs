//! A credential database for one machine: one crash-safe file that any number of processes read
//! and write at once.
//!
//! Every credential is sealed on its own with Fernet and kept in a redb file. Writes of all
//! processes are serial, an acknowledged write is durable, and a reader sees one committed state
//! without waiting for writers.
//!
//! [`Vault::resolve`] fills in the references (`credb://mysql-prod#username`) of a text, and gives
//! back the full configuration of the predecessor, vault first.
//!
//! # Examples
//!
//! ```
//! use credb::{CredentialId, Edit, KeySource, NewKey, Options, Vault};
//!
//! # fn main() -> credb::Result<()> {
//! # let dir = tempfile::tempdir().unwrap();
//! let path = dir.path().join("demo.redb");
//! let key_file = dir.path().join("demo.key");
//!
//! let options = Options::new();
//! Vault::create(&path, &options, &NewKey::File(key_file.clone()))?;
//!
//! let vault = Vault::open(&path, &options, &[KeySource::KeyFile(key_file)])?;
//! let id = CredentialId::new("mysql-prod")?;
//! vault.set(&id, &Edit::new().username("root").password("P@ss"))?;
//! assert_eq!(vault.get(&id)?.password.expose(), b"P@ss");
//!
//! // Texts that others may read hold references instead of secrets.
//! let url = vault.resolve(b"mysql://root:{{ credb://mysql-prod }}@localhost")?;
//! assert_eq!(url.text(), b"mysql://root:P@ss@localhost");
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod codec;
mod credential;
mod error;
pub mod exchange;
mod files;
mod keys;
mod known;
pub mod location;
mod seal;
mod secret;
#[cfg(feature = "simulate")]
pub mod simulate;
mod store;
mod vault;

pub use credential::{
    BUILT_IN_FIELDS, Change, Condition, Credential, CredentialId, Earlier, Edit, Lineage, Metadata,
    Patch, Pending, Replacement, limits,
};
pub use error::{Attempt, Error, Result};
pub use keys::{KdfCost, KeySource, NewKey, Passphrase, RecoveryCode, Slot, SlotKind};
pub use known::KnownVaults;
pub use secret::Secret;
pub use store::inside_store_call;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use vault::fuzzing;
pub use vault::{
    Backup, Checked, Compaction, Config, Damage, Event, HeldLease, Info, Lease, LockedVault, Lost,
    Options, Overwrite, Progress, Purge, Purpose, Query, Resealed, Restored, Rotated,
    RotationState, Salvaged, Since, Snapshot, StateToken, Transaction, Undone, Vault, VaultId,
    Verification, Watch, What,
};
