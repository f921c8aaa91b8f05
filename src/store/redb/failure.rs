//! What the engine's errors mean to a vault.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

use ::redb::{BackendError, DatabaseError, StorageError, TableError, TransactionError};

use crate::error::Error;
use crate::store::Table;
use crate::store::patience::OutOfTime;

/// Why the engine could not do what it was asked for.
#[derive(Debug)]
pub(in crate::store) enum OpenFailure {
    /// Says all there is to say.
    Known(Error),
    /// Another process has the file open in a mode that excludes this one.
    InUse,
    /// The last writer died: the file must be opened for writing once.
    NeedsRepair,
    /// This handle is of no more use; a new one may be, or tell the same.
    Stale(Error),
    /// A wait for a lock came to its limit.
    TimedOut,
    /// The engine panicked.
    Panicked,
}

impl From<Error> for OpenFailure {
    fn from(error: Error) -> Self {
        Self::Known(error)
    }
}

impl From<OutOfTime> for OpenFailure {
    fn from(_: OutOfTime) -> Self {
        Self::TimedOut
    }
}

pub(super) fn table_error(error: TableError, table: Table, path: &Path) -> Error {
    match error {
        TableError::Storage(error) => storage_error(error, path),
        TableError::TableDoesNotExist(_) if table == Table::Header => Error::NotAVault {
            path: path.to_owned(),
            reason: "it is a redb database of another program".to_owned(),
        },
        _ => corrupt(path, format!("its table {} is missing or of another type", table.name())),
    }
}

pub(super) fn storage_error(error: StorageError, path: &Path) -> Error {
    match error {
        StorageError::Corrupted(reason) => corrupt(path, lower(&reason)),
        StorageError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            corrupt(path, "the file is shorter than it should be".to_owned())
        }
        StorageError::Io(error) => Error::io("read or write", path)(error),
        StorageError::LockPoisoned(_) => corrupt(path, "reading it failed unexpectedly".to_owned()),
        other => Error::io("read or write", path)(io::Error::other(lower(&other.to_string()))),
    }
}

pub(super) fn starting(error: TransactionError, path: &Path) -> OpenFailure {
    match error {
        TransactionError::Storage(error) => failure(error, path),
        _ => OpenFailure::InUse,
    }
}

pub(super) fn failure(error: StorageError, path: &Path) -> OpenFailure {
    match error {
        StorageError::Io(error) if is_time_out(&error) => OpenFailure::TimedOut,
        error => OpenFailure::Known(storage_error(error, path)),
    }
}

pub(super) fn opening(error: DatabaseError, path: &Path) -> OpenFailure {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenFailure::InUse
        }
        DatabaseError::RepairAborted => OpenFailure::NeedsRepair,
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == ErrorKind::InvalidData =>
        {
            let reason = "it does not begin as a redb database does".to_owned();
            OpenFailure::Known(Error::NotAVault { path: path.to_owned(), reason })
        }
        DatabaseError::Storage(error) => failure(error, path),
        other => OpenFailure::Known(corrupt(path, lower(&other.to_string()))),
    }
}

fn corrupt(path: &Path, reason: String) -> Error {
    Error::corrupt(path.display().to_string(), reason)
}

fn lower(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// The cause in the error of a lock that was not to be had in time.
#[derive(Debug)]
pub(super) struct LockTimeout;

impl fmt::Display for LockTimeout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a lock was not to be had in time")
    }
}

impl std::error::Error for LockTimeout {}

impl From<OutOfTime> for BackendError {
    fn from(_: OutOfTime) -> Self {
        Self::Io(io::Error::new(ErrorKind::TimedOut, LockTimeout))
    }
}

fn is_time_out(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<LockTimeout>)
}
