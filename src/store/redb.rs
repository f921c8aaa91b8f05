//! The engine: redb 4.6 in `MultiWriter` mode. The only room that names redb.
//!
//! Any number of processes have the file open for writing, one write transaction runs at a time,
//! and readers see snapshots. Our backend bounds every wait for a lock, and a panic inside of
//! redb, which a damaged file can cause, becomes an error.

mod backend;
mod checksums;
mod failure;
mod header;
mod overlay;
mod rows;

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::redb::{
    Builder, CommitError, CompactionError, ConcurrencyMode, Database, ReadOnlyDatabase,
    ReadableDatabase, StorageError, TransactionError,
};

use self::backend::{Backend, Doubt, EmptyFile};
use self::checksums::Pages;
pub(super) use self::failure::OpenFailure;
use self::failure::{LockTimeout, failure, opening, starting};
use self::header::Watched;
use self::overlay::Overlay;
use self::rows::{Reading, Writing};
use super::file::{Access, Medium};
use super::sorted::Sorted;
use super::{ReadRows, Verdict, WriteRows};
use crate::error::{Error, Result};

/// Pages kept in memory for one open file, in bytes; redb's own default is 1 GiB.
const CACHE: usize = 32 * 1_048_576;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a call of the storage engine: a panic there means that the
/// file is damaged, which a program's panic hook can report before anything unwinds.
#[must_use]
pub fn inside_store_call() -> bool {
    INSIDE.get()
}

/// An open file.
pub(super) struct Engine {
    handle: Option<Handle>,
    path: PathBuf,
    /// The open file, to look at its pages without the engine.
    file: File,
    /// Whether the file had nothing in it when it was opened.
    is_new: bool,
    doubt: Arc<Doubt>,
}

enum Handle {
    Reader(ReadOnlyDatabase),
    Writer(Database),
}

impl Engine {
    /// Opens a file that holds a database.
    pub(super) fn open(medium: Medium, access: Access, path: &Path) -> Result<Self, OpenFailure> {
        Self::start(medium, access, EmptyFile::Refused, path)
    }

    /// Makes a database of an empty file.
    pub(super) fn create(medium: Medium, path: &Path) -> Result<Self, OpenFailure> {
        Self::start(medium, Access::Write, EmptyFile::Expected, path)
    }

    fn start(
        medium: Medium,
        access: Access,
        empty: EmptyFile,
        path: &Path,
    ) -> Result<Self, OpenFailure> {
        let doubt = Arc::new(Doubt::default());
        let file = medium.file(path)?;
        let backend = Backend::new(medium, empty, &doubt).map_err(|e| opening(e, path))?;
        let handle = contained(|| {
            Ok(match access {
                Access::Read => Handle::Reader(inside(|| {
                    builder().open_read_only_with_backend(backend).map_err(|e| opening(e, path))
                })?),
                Access::Write => Handle::Writer(inside(|| {
                    builder().create_with_backend(backend).map_err(|e| opening(e, path))
                })?),
            })
        })?;
        let is_new = empty == EmptyFile::Expected;
        Ok(Self { handle: Some(handle), path: path.to_owned(), file, is_new, doubt })
    }

    /// Checks the whole file, page by page: whether redb would not have to mend anything. Waits
    /// for a writer, and lets none write meanwhile; the file stays as it is.
    pub(super) fn check_structure(medium: Medium, path: &Path) -> Result<bool, OpenFailure> {
        let doubt = Arc::default();
        let watched = Watched::of(&medium, path)?;
        let backend =
            Backend::new(medium, EmptyFile::Refused, &doubt).map_err(|e| opening(e, path))?;
        let checked = contained(|| {
            inside(|| {
                let mut database = builder().create_with_backend(Overlay::new(backend))?;
                database.check_integrity()
            })
            .map_err(|error| opening(error, path))
        });
        if matches!(checked, Ok(true)) || watched.is_unchanged()? {
            checked
        } else {
            Err(OpenFailure::InUse)
        }
    }

    pub(super) fn is_writer(&self) -> bool {
        matches!(self.handle, Some(Handle::Writer(_)))
    }

    /// Runs `body` on the last committed state.
    pub(super) fn read<T>(
        &self,
        body: impl Fn(&dyn ReadRows) -> Result<T>,
    ) -> Result<T, OpenFailure> {
        contained(|| {
            let transaction = inside(|| match &self.handle {
                Some(Handle::Reader(database)) => database.begin_read(),
                Some(Handle::Writer(database)) => database.begin_read(),
                None => Err(TransactionError::Storage(StorageError::DatabaseClosed)),
            })
            .map_err(|error| match starting(error, &self.path) {
                OpenFailure::Known(error) => OpenFailure::Stale(error),
                failure => failure,
            })?;
            let pages = Pages::of(&self.file);
            let rows = Reading { transaction, tables: Default::default(), pages, path: &self.path };
            let result = body(&rows);
            inside(|| drop(rows));
            Ok(result?)
        })
    }

    /// Runs `body` as one transaction, durable when this returns.
    pub(super) fn write<T>(
        &self,
        body: &mut dyn FnMut(&mut dyn WriteRows) -> Result<Verdict<T>>,
    ) -> Result<T, OpenFailure> {
        contained(|| {
            let Some(Handle::Writer(database)) = &self.handle else {
                return Err(OpenFailure::Known(Error::Poisoned));
            };
            let transaction =
                inside(|| database.begin_write()).map_err(|error| starting(error, &self.path))?;
            let pages = (!self.is_new).then(|| Pages::of(&self.file));
            let tables = Default::default();
            let mut rows = Writing { transaction: &transaction, tables, pages, path: &self.path };
            let verdict = {
                let mut sorted = Sorted::new(&mut rows);
                body(&mut sorted).and_then(|verdict| match verdict {
                    Verdict::Commit(value) => sorted.settle().map(|()| Verdict::Commit(value)),
                    rollback @ Verdict::Rollback(_) => Ok(rollback),
                })
            };
            inside(|| drop(rows));
            match verdict {
                Ok(Verdict::Commit(value)) => {
                    self.doubt.begin();
                    inside(|| transaction.commit()).map_err(|error| self.committing(error))?;
                    Ok(value)
                }
                Ok(Verdict::Rollback(value)) => {
                    inside(|| drop(transaction));
                    Ok(value)
                }
                Err(error) => {
                    inside(|| drop(transaction));
                    Err(OpenFailure::Known(error))
                }
            }
        })
    }

    /// Gives the free pages of the file back, which nobody else may have open.
    pub(super) fn trim(&mut self) -> Result<(), OpenFailure> {
        contained(|| {
            let Some(Handle::Writer(database)) = &mut self.handle else {
                return Err(OpenFailure::Known(Error::Poisoned));
            };
            inside(|| database.compact()).map(drop).map_err(|error| match error {
                CompactionError::Storage(error) => failure(error, &self.path),
                _ => OpenFailure::InUse,
            })
        })
    }

    /// Closes the file, and tells whether all went well with it since it was opened. What was
    /// committed is durable whatever the answer is, but the file may need repair.
    pub(super) fn close(self) -> Result<()> {
        let (path, doubt) = (self.path.clone(), Arc::clone(&self.doubt));
        drop(self);
        doubt.failure.lock().take().map_or(Ok(()), |error| Err(Error::io("write", &path)(error)))
    }

    /// Runs `body` on the last committed state while nobody else can commit to the file, which
    /// stays as it is.
    pub(super) fn hold<T>(
        medium: Medium,
        path: &Path,
        body: &mut dyn FnMut(&dyn ReadRows) -> Result<T>,
    ) -> Result<T, OpenFailure> {
        let doubt = Arc::default();
        let watched = Watched::of(&medium, path)?;
        let backend =
            Backend::new(medium, EmptyFile::Refused, &doubt).map_err(|e| opening(e, path))?;
        let opened = contained(|| {
            let database = inside(|| builder().create_with_backend(Overlay::new(backend)))
                .map_err(|error| opening(error, path))?;
            let transaction =
                inside(|| database.begin_write()).map_err(|error| starting(error, path))?;
            Ok((database, transaction))
        });
        // The overlay has a header of its own: a commit that somebody made between its opening
        // and the writer's lock would be missed.
        if !watched.is_unchanged()? {
            return Err(OpenFailure::InUse);
        }
        let (database, transaction) = opened?;
        contained(|| {
            let pages = Some(Pages::of(&watched.file));
            let tables = Default::default();
            let rows = Writing { transaction: &transaction, tables, pages, path };
            let result = body(&rows);
            inside(|| drop(rows));
            inside(|| drop((transaction, database)));
            Ok(result?)
        })
    }

    fn committing(&self, error: CommitError) -> OpenFailure {
        let failure = match error {
            CommitError::Storage(error) => failure(error, &self.path),
            _ => return OpenFailure::Panicked,
        };
        if !self.doubt.is_justified() {
            return failure;
        }
        let unknown =
            |source| OpenFailure::Known(Error::OutcomeUnknown { path: self.path.clone(), source });
        match failure {
            OpenFailure::Known(Error::Io { source, .. }) => unknown(source),
            OpenFailure::TimedOut => unknown(io::Error::new(ErrorKind::TimedOut, LockTimeout)),
            failure => failure,
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let handle = self.handle.take();
        // What was committed is durable already: a close that fails, or panics on a damaged
        // file, leaves the file for repair.
        let _ = catch_unwind(AssertUnwindSafe(|| inside(|| drop(handle))));
        INSIDE.set(false);
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_writer() { "Engine(writer)" } else { "Engine(reader)" })
    }
}

/// Marks what `call` does as the engine's. A panic leaves the mark, for [`contained`].
fn inside<T>(call: impl FnOnce() -> T) -> T {
    let before = INSIDE.replace(true);
    let result = call();
    INSIDE.set(before);
    result
}

/// Turns a panic of the engine into a failure; one of our own goes on.
fn contained<T>(call: impl FnOnce() -> Result<T, OpenFailure>) -> Result<T, OpenFailure> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result,
        Err(_) if INSIDE.replace(false) => Err(OpenFailure::Panicked),
        Err(payload) => resume_unwind(payload),
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_concurrency_mode(ConcurrencyMode::MultiWriter);
    builder
}
