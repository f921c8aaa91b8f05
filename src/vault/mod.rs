//! The vault: open, unlock, read, change.

mod backup;
mod cache;
mod config;
mod create;
mod epochs;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod header;
mod history;
mod info;
mod lease;
mod left_behind;
mod list;
mod locked;
mod manifest;
mod mover;
mod options;
mod pending;
mod rename;
mod restore;
mod rotate;
mod salvage;
mod sealing;
mod session;
mod settings;
mod slots;
mod snapshot;
mod token;
mod transaction;
mod undo;
mod unlocked;
mod verify;
mod watch;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{SubsecRound, Utc};

pub use self::backup::{Backup, Compaction, Overwrite};
use self::cache::Cache;
pub use self::config::Config;
pub use self::info::Info;
pub use self::lease::{HeldLease, Lease, Purpose};
pub use self::list::Query;
pub use self::locked::LockedVault;
pub use self::options::Options;
pub use self::restore::Restored;
pub use self::rotate::{Resealed, Rotated, RotationState};
pub use self::salvage::{Lost, Salvaged};
pub use self::snapshot::Snapshot;
pub use self::token::{Since, StateToken};
pub use self::transaction::Transaction;
pub use self::undo::{Purge, Undone};
use self::unlocked::Unlocked;
pub use self::verify::{Checked, Damage, Progress, Verification};
pub use self::watch::{Event, Watch, What};
use crate::credential::{Change, Condition, Credential, CredentialId, Edit, Metadata};
use crate::error::Result;
use crate::keys::KeySource;
use crate::store::{FileSystems, Store, Verdict};

/// Sixteen random bytes that tell vaults apart. Shown as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VaultId(pub(crate) [u8; 16]);

impl fmt::Display for VaultId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// An unlocked vault, to be shared between threads as it is.
///
/// Holds no lock between calls. A handle belongs to the process that opened it: in a forked
/// child every call fails with [`Error::Forked`](crate::Error::Forked).
///
/// # Examples
///
/// ```
/// use credb::{Condition, CredentialId, Edit, KeySource, NewKey, Options, Query, Vault};
///
/// # fn main() -> credb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("v.redb");
/// let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
/// let id = CredentialId::new("api/token")?;
///
/// let change = vault.set(&id, &Edit::new().password("first"))?;
/// assert_eq!((change.version, change.created), (1, true));
///
/// // Only if nobody changed it meanwhile.
/// let edit = Edit::new().password("second");
/// assert_eq!(vault.set_if(&id, &edit, Condition::IfVersion(1))?.version, 2);
/// assert!(vault.set_if(&id, &edit, Condition::IfVersion(1)).is_err());
///
/// // Another handle, here or in another process, sees it at once.
/// let other = Vault::open(&path, &Options::new(), &[KeySource::Hostname("host-a".into())])?;
/// assert_eq!(other.get(&id)?.password.expose(), b"second");
/// assert_eq!(other.list(&Query::all())?.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Vault {
    store: Arc<Store>,
    id: VaultId,
    file_systems: FileSystems,
    keys: Unlocked,
    cache: Cache,
}

impl Vault {
    fn new(locked: &LockedVault, keys: Unlocked) -> Self {
        let store = Arc::clone(&locked.store);
        let cache = Cache::default();
        Self { store, id: locked.id, file_systems: locked.file_systems, keys, cache }
    }

    /// Opens a vault and unlocks it with the first of these keys that fits.
    ///
    /// # Errors
    ///
    /// Those of [`LockedVault::open`] and [`LockedVault::unlock`].
    pub fn open(path: &Path, options: &Options, keys: &[KeySource]) -> Result<Self> {
        LockedVault::open(path, options)?.unlock(keys)
    }

    /// Forgets the keys and wipes the cache.
    #[must_use]
    pub fn lock(self) -> LockedVault {
        self.cache.clear();
        LockedVault::of(Arc::clone(&self.store), self.id, self.file_systems)
    }

    /// Gives a handle of [`Options::wait_in_all`] this long for all its calls from now on, whatever
    /// they waited so far: for what must not fail since something before it had to wait. Any other
    /// handle waits anew in each call by itself.
    pub fn wait_anew(&self, limit: Duration) {
        self.store.wait_anew(limit);
    }

    /// The full path of the vault's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    /// The vault's id.
    #[must_use]
    pub fn vault_id(&self) -> VaultId {
        self.id
    }

    /// The credential of this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound), and those of [`Self::read`].
    pub fn get(&self, id: &CredentialId) -> Result<Credential> {
        self.read(|snapshot| snapshot.get(id))
    }

    /// All of the credential of this id that is not secret.
    ///
    /// # Errors
    ///
    /// As for [`Self::get`].
    pub fn metadata(&self, id: &CredentialId) -> Result<Metadata> {
        self.read(|snapshot| snapshot.metadata(id))
    }

    /// Whether there is a credential of this id.
    ///
    /// # Errors
    ///
    /// Those of [`Self::read`].
    pub fn exists(&self, id: &CredentialId) -> Result<bool> {
        self.read(|snapshot| snapshot.exists(id))
    }

    /// The credentials that match, without their secrets, sorted by id in byte order.
    ///
    /// # Errors
    ///
    /// Those of [`Self::read`]. A damaged row fails the whole list.
    pub fn list(&self, query: &Query) -> Result<Vec<Metadata>> {
        self.read(|snapshot| snapshot.list(query))
    }

    /// Adds or updates a credential. Durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`](crate::Error::Invalid), and those of [`Self::write`].
    pub fn set(&self, id: &CredentialId, edit: &Edit) -> Result<Change> {
        self.set_if(id, edit, Condition::Always)
    }

    /// Adds or updates a credential on a condition. Durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`](crate::Error::AlreadyExists),
    /// [`Error::VersionMismatch`](crate::Error::VersionMismatch), and those of [`Self::set`].
    pub fn set_if(&self, id: &CredentialId, edit: &Edit, condition: Condition) -> Result<Change> {
        self.write(|transaction| transaction.set_if(id, edit, condition))
    }

    /// Removes a credential. Durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`](crate::Error::NotFound), and those of [`Self::write`].
    pub fn remove(&self, id: &CredentialId) -> Result<()> {
        self.write(|transaction| transaction.remove_if(id, Condition::Always))
    }

    /// Several reads of one committed state.
    ///
    /// # Errors
    ///
    /// Those of `body`; [`Error::VaultNotFound`](crate::Error::VaultNotFound),
    /// [`Error::Corrupt`](crate::Error::Corrupt), [`Error::Busy`](crate::Error::Busy) (only if
    /// the file has to be repaired first), [`Error::Locked`](crate::Error::Locked) if the vault's
    /// key was changed meanwhile, [`Error::Io`](crate::Error::Io),
    /// [`Error::Forked`](crate::Error::Forked) and [`Error::Poisoned`](crate::Error::Poisoned).
    pub fn read<T>(&self, body: impl Fn(&Snapshot<'_>) -> Result<T>) -> Result<T> {
        self.store.read(|rows| body(&Snapshot::new(rows, &self.keys, &self.cache)?))
    }

    /// Several changes as one transaction, durable when this returns. An error of `body` rolls
    /// everything back; nothing is written if nothing changed. `body` may run more than once and
    /// must depend only on what it reads through the transaction.
    ///
    /// # Errors
    ///
    /// Those of `body` and of [`Self::read`];
    /// [`Error::NewerFormat`](crate::Error::NewerFormat),
    /// [`Error::Busy`](crate::Error::Busy), and
    /// [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown).
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{Condition, CredentialId, Edit, NewKey, Options, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// # let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// let (old, new) = (CredentialId::new("old")?, CredentialId::new("new")?);
    /// vault.set(&old, &Edit::new().password("p"))?;
    /// vault.write(|transaction| {
    ///     transaction.set_if(&new, &Edit::new().password("q"), Condition::IfAbsent)?;
    ///     transaction.remove_if(&old, Condition::Always)
    /// })?;
    /// assert!(!vault.exists(&old)? && vault.exists(&new)?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn write<T>(&self, mut body: impl FnMut(&mut Transaction<'_>) -> Result<T>) -> Result<T> {
        let now = Utc::now().trunc_subsecs(6);
        let result = self.store.write(|rows| {
            let mut transaction = Transaction::begin(rows, &self.keys, self.path(), now)?;
            let value = body(&mut transaction)?;
            Ok(if transaction.finish()? {
                Verdict::Commit(value)
            } else {
                Verdict::Rollback(value)
            })
        });
        self.cache.clear();
        result
    }

    /// Drops and wipes all cached credentials. They are found again in the file; the cache is
    /// never stale and needs no clearing for that.
    pub fn clear_cache(&self) {
        self.cache.clear();
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
