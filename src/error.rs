//! One error type: what a caller can act on, and nothing secret.
//!
//! Messages are lower case and name the path or id they are about; a cause stands in `source()`
//! only. No type of a dependency shows here.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::credential::CredentialId;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the terms of what a caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no vault at this path.
    #[error("no vault at {}", path.display())]
    VaultNotFound {
        /// The full path looked for.
        path: PathBuf,
    },

    /// There is another vault at the path than the one known there: somebody may have put it in
    /// its place.
    #[error("{} is not the vault that was here before: it is {found}, and {known} is known", path.display())]
    OtherVault {
        /// The path.
        path: PathBuf,
        /// The id of the vault that is known there.
        known: String,
        /// The id of the vault that is there.
        found: String,
    },

    /// The file of known vaults is damaged, and was left alone.
    #[error("the list of known vaults {} is damaged: line {line} is malformed", path.display())]
    KnownVaultsDamaged {
        /// The file.
        path: PathBuf,
        /// The first line that is wrong.
        line: usize,
    },

    /// There is something at the path where a vault was to be made; it was left alone.
    #[error("{} exists already", path.display())]
    VaultExists {
        /// The path.
        path: PathBuf,
    },

    /// These credentials are not in the vault. Nothing was changed.
    #[error("no credential {}", quoted(ids))]
    NotFound {
        /// All ids that are missing, in the order asked for.
        ids: Vec<CredentialId>,
    },

    /// The credential exists, but this optional field of it is not set.
    #[error("credential \"{id}\" has no {field}")]
    FieldNotFound {
        /// The credential.
        id: CredentialId,
        /// The field asked for.
        field: String,
    },

    /// This version of the credential is not kept, or there never was one.
    #[error("no version {version} of credential \"{id}\" is kept")]
    VersionNotFound {
        /// The credential.
        id: CredentialId,
        /// The version asked for.
        version: u64,
    },

    /// No earlier version of this very credential is kept, or none that differs from it.
    #[error("no earlier version of credential \"{id}\" is kept to go back to")]
    NoEarlierVersion {
        /// The credential.
        id: CredentialId,
    },

    /// The vault has no key slot of this number.
    #[error("no key slot {slot}")]
    SlotNotFound {
        /// The number asked for.
        slot: u32,
    },

    /// The last key slot cannot be removed: nothing would open the vault again.
    #[error("slot {slot} is the last key of this vault")]
    LastSlot {
        /// The slot that was to be removed.
        slot: u32,
    },

    /// The credential exists already, and the change was to happen only if it did not.
    #[error("credential \"{id}\" exists already (version {version})")]
    AlreadyExists {
        /// The credential.
        id: CredentialId,
        /// Its present version.
        version: u64,
    },

    /// The credential is not at the version that the change was to happen for.
    #[error("credential \"{id}\" is {}, not {}", version_name(*actual), version_name(*expected))]
    VersionMismatch {
        /// The credential.
        id: CredentialId,
        /// The version asked for; 0 means that it must not exist.
        expected: u64,
        /// The version found; 0 means that it does not exist.
        actual: u64,
    },

    /// A new password waits already for taking the place of the present one. Nothing was changed.
    #[error("credential \"{id}\" has a new password that is pending since {}", Moment(*since))]
    Pending {
        /// The credential.
        id: CredentialId,
        /// When the new password was stored.
        since: DateTime<Utc>,
    },

    /// No new password waits for taking the place of the present one.
    #[error("credential \"{id}\" has no pending password")]
    NotPending {
        /// The credential.
        id: CredentialId,
    },

    /// Two entries of one input have the same id. Nothing was changed.
    #[error("two entries would be \"{id}\": {first} and {second}")]
    Duplicate {
        /// The id that both have.
        id: CredentialId,
        /// Where the first stands.
        first: String,
        /// Where the second stands.
        second: String,
    },

    /// No key at hand opens the vault.
    #[error("no key at hand opens {}{}", path.display(), Tried(attempts))]
    Locked {
        /// The vault.
        path: PathBuf,
        /// What was tried and why it failed, slot by slot.
        attempts: Vec<Attempt>,
    },

    /// A key source is there but cannot be used: readable by others, malformed, missing.
    #[error("{source_name} {reason}")]
    KeyUnusable {
        /// What it is and where, such as `key file /etc/k`.
        source_name: String,
        /// Why it cannot be used.
        reason: String,
        /// The command that mends it, where there is one.
        remedy: Option<String>,
    },

    /// The foreign vault is well formed, but this key does not open it (or it was altered).
    #[error("{} does not open with the key of host name \"{hostname}\": wrong key or altered", path.display())]
    ForeignLocked {
        /// The file.
        path: PathBuf,
        /// The host name whose key was tried.
        hostname: String,
    },

    /// The file, or a row in it, fails its authentication or its checks.
    #[error("{what} is damaged: {reason}")]
    Corrupt {
        /// The file or row.
        what: String,
        /// Which check failed.
        reason: String,
    },

    /// The file is no credb vault.
    #[error("{} is not a vault: {reason}", path.display())]
    NotAVault {
        /// The file.
        path: PathBuf,
        /// What it is instead, or what is missing.
        reason: String,
    },

    /// The vault was written by a newer program and cannot be used safely by this one.
    #[error("{} needs a newer credb: {reason}", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Which format or feature is unknown here.
        reason: String,
    },

    /// Other processes held the vault for longer than the caller would wait.
    #[error("{} is in use by other processes: gave up after {}", path.display(), Seconds(*waited))]
    Busy {
        /// The vault.
        path: PathBuf,
        /// How long this call waited.
        waited: Duration,
    },

    /// The file system refused. Nothing was changed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted, such as `open`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },

    /// The disk, or a process in the way, failed a change while it was being made durable: it may
    /// or may not be there.
    #[error("the outcome of this write to {} is unknown: it failed while it was made durable", path.display())]
    OutcomeUnknown {
        /// The vault.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },

    /// The file system cannot give the guarantees a vault needs.
    #[error("{} is on {kind}, where locks and syncs cannot be relied on", path.display())]
    UnsupportedFileSystem {
        /// The file or directory.
        path: PathBuf,
        /// The kind of file system.
        kind: &'static str,
    },

    /// Input breaks a rule: an id, a size, a malformed file.
    #[error("{what} {reason}")]
    Invalid {
        /// What the rule is about, such as `password`.
        what: String,
        /// The rule, with the limit and the actual size where there is one.
        reason: String,
    },

    /// This handle was opened by another process and came here through `fork`.
    #[error("this handle belongs to another process: open the vault again")]
    Forked,

    /// An earlier failure made this handle unusable.
    #[error("this handle is unusable after an earlier failure: open the vault again")]
    Poisoned,
}

impl Error {
    /// Input that breaks a rule.
    pub(crate) fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), reason: reason.into() }
    }

    /// Input that is larger than its limit, both in `unit`s.
    pub(crate) fn too_large(what: &str, actual: usize, limit: usize, unit: &str) -> Self {
        Self::invalid(what, format!("has {actual} {unit}, and at most {limit} are allowed"))
    }

    /// A damaged file or row.
    pub(crate) fn corrupt(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into(), reason: reason.into() }
    }

    /// A mapping for `map_err` that adds what was attempted on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// One way of unlocking that was tried and failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The slot it was tried on, if there is one of its kind.
    pub slot: Option<u32>,
    /// The kind of key and where it came from, such as `machine key /etc/credb/machine.key`.
    pub key: String,
    /// Why it failed.
    pub reason: String,
    /// The command that mends it, where there is one.
    pub remedy: Option<String>,
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(slot) = self.slot {
            write!(formatter, "slot {slot}, ")?;
        }
        write!(formatter, "{}: {}", self.key, self.reason)
    }
}

/// The attempts as the tail of a sentence.
struct Tried<'a>(&'a [Attempt]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, attempt) in self.0.iter().enumerate() {
            write!(formatter, "{}{attempt}", if position == 0 { " (" } else { "; " })?;
        }
        formatter.write_str(if self.0.is_empty() { "" } else { ")" })
    }
}

/// A duration as seconds, without digits that say nothing.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.1} s", self.0.as_secs_f64())
    }
}

/// A time in UTC, to the second.
struct Moment(DateTime<Utc>);

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.format("%Y-%m-%dT%H:%M:%SZ"))
    }
}

fn quoted(ids: &[CredentialId]) -> String {
    let names: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    names.join(", ")
}

fn version_name(version: u64) -> String {
    match version {
        0 => "absent".to_owned(),
        version => format!("at version {version}"),
    }
}
