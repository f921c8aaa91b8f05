//! The engine: redb 4.6 in `MultiWriter` mode. The only file that names redb.
//!
//! Any number of processes have the file open for writing, one write transaction runs at a time,
//! and readers see snapshots. Our backend bounds every wait for a lock, and a panic inside of
//! redb, which a damaged file can cause, becomes an error.

mod overlay;

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use ::redb::backends::FileBackend;
use ::redb::{
    BackendError, Builder, CommitError, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase,
    ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, StorageError,
    TableDefinition, TableError, TransactionError, WriteTransaction,
};
use parking_lot::Mutex;

use self::overlay::Overlay;
use super::file::{Access, Medium};
use super::patience::{Budget, OutOfTime};
use super::{ReadRows, Table, Verdict, Visit, WriteRows};
use crate::error::{Error, Result};
#[cfg(feature = "simulate")]
use crate::simulate;

/// Pages kept in memory for one open file, in bytes; redb's own default is 1 GiB.
const CACHE: usize = 32 * 1_048_576;

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
type ReadTable = ReadOnlyTable<&'static [u8], &'static [u8]>;
type WriteTable<'txn> = ::redb::Table<'txn, &'static [u8], &'static [u8]>;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a call of the storage engine: a panic there means that the
/// file is damaged, which a program's panic hook can report before anything unwinds.
#[must_use]
pub fn inside_store_call() -> bool {
    INSIDE.get()
}

/// Why the engine could not do what it was asked for.
#[derive(Debug)]
pub(super) enum OpenFailure {
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

/// An open file.
pub(super) struct Engine {
    handle: Option<Handle>,
    path: PathBuf,
    doubt: Arc<Doubt>,
}

/// What went wrong with the file, and whether a commit that fails may be there all the same. Kept
/// by the backend.
#[derive(Debug, Default)]
struct Doubt {
    /// The first change of the file that failed.
    failure: Mutex<Option<io::Error>>,
    /// Writes of the header since the commit began. The first one names the new state beside
    /// the one that counts; from the second on, the new state may be the one that counts.
    headers: AtomicU32,
    /// A sync, or a write of the header, failed.
    disk_failed: AtomicBool,
}

impl Doubt {
    fn begin(&self) {
        self.headers.store(0, Ordering::Release);
        self.disk_failed.store(false, Ordering::Release);
    }

    fn note(&self, error: &io::Error) {
        let copy = error.raw_os_error().map(io::Error::from_raw_os_error);
        self.failure.lock().get_or_insert(copy.unwrap_or_else(|| error.kind().into()));
    }

    fn is_justified(&self) -> bool {
        self.disk_failed.load(Ordering::Acquire) || self.headers.load(Ordering::Acquire) > 1
    }
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
        Ok(Self { handle: Some(handle), path: path.to_owned(), doubt })
    }

    /// Checks the whole file, page by page: whether redb would not have to mend anything. Waits
    /// for a writer, and lets none write meanwhile; the file stays as it is.
    pub(super) fn check_structure(medium: Medium, path: &Path) -> Result<bool, OpenFailure> {
        let doubt = Arc::default();
        let header = Header::of(&medium, path)?;
        let backend =
            Backend::new(medium, EmptyFile::Refused, &doubt).map_err(|e| opening(e, path))?;
        let checked = contained(|| {
            inside(|| {
                let mut database = builder().create_with_backend(Overlay::new(backend))?;
                database.check_integrity()
            })
            .map_err(|error| opening(error, path))
        });
        if matches!(checked, Ok(true)) || header.is_unchanged()? {
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
            let rows = Reading { transaction, tables: Default::default(), path: &self.path };
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
            let mut rows =
                Writing { transaction: &transaction, tables: Default::default(), path: &self.path };
            let verdict = body(&mut rows);
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
        let header = Header::of(&medium, path)?;
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
        if !header.is_unchanged()? {
            return Err(OpenFailure::InUse);
        }
        let (database, transaction) = opened?;
        contained(|| {
            let rows = Writing { transaction: &transaction, tables: Default::default(), path };
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

struct Reading<'a> {
    transaction: ReadTransaction,
    tables: [OnceCell<ReadTable>; Table::ALL.len()],
    path: &'a Path,
}

impl Reading<'_> {
    fn table(&self, table: Table) -> Result<&ReadTable> {
        let cell = &self.tables[table as usize];
        if let Some(open) = cell.get() {
            return Ok(open);
        }
        let open = inside(|| self.transaction.open_table(definition(table)))
            .map_err(|error| table_error(error, table, self.path))?;
        Ok(cell.get_or_init(|| open))
    }
}

impl ReadRows for Reading<'_> {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        get(self.table(table)?, key, self.path)
    }

    fn last_row(&self, table: Table) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        last(self.table(table)?, self.path)
    }

    fn rows(&self, table: Table, prefix: &[u8], visit: Visit<'_>) -> Result<()> {
        each(self.table(table)?, prefix, visit, self.path)
    }
}

struct Writing<'a> {
    transaction: &'a WriteTransaction,
    tables: [RefCell<Option<WriteTable<'a>>>; Table::ALL.len()],
    path: &'a Path,
}

impl<'a> Writing<'a> {
    /// Runs `call` on the table, which stays open for the rest of the transaction.
    fn with<T>(
        &self,
        table: Table,
        call: impl FnOnce(&mut WriteTable<'a>) -> Result<T>,
    ) -> Result<T> {
        let mut slot = self.tables[table as usize].borrow_mut();
        if slot.is_none() {
            let open = inside(|| self.transaction.open_table(definition(table)))
                .map_err(|error| table_error(error, table, self.path))?;
            *slot = Some(open);
        }
        match slot.as_mut() {
            Some(open) => call(open),
            None => Err(Error::Poisoned),
        }
    }
}

impl ReadRows for Writing<'_> {
    fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.with(table, |open| get(open, key, self.path))
    }

    fn last_row(&self, table: Table) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.with(table, |open| last(open, self.path))
    }

    fn rows(&self, table: Table, prefix: &[u8], visit: Visit<'_>) -> Result<()> {
        self.with(table, |open| each(open, prefix, visit, self.path))
    }
}

impl WriteRows for Writing<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<()> {
        self.with(table, |open| {
            inside(|| open.insert(key, value).map(drop)).map_err(|e| storage_error(e, self.path))
        })
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<()> {
        self.with(table, |open| {
            inside(|| open.remove(key).map(drop)).map_err(|e| storage_error(e, self.path))
        })
    }
}

type Rows = &'static [u8];

fn get(table: &impl ReadableTable<Rows, Rows>, key: &[u8], path: &Path) -> Result<Option<Vec<u8>>> {
    inside(|| Ok(table.get(key)?.map(|value| value.value().to_vec())))
        .map_err(|error| storage_error(error, path))
}

fn last(table: &impl ReadableTable<Rows, Rows>, path: &Path) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    inside(|| Ok(table.last()?.map(|(key, value)| (key.value().to_vec(), value.value().to_vec()))))
        .map_err(|error| storage_error(error, path))
}

fn each(
    table: &impl ReadableTable<Rows, Rows>,
    prefix: &[u8],
    visit: Visit<'_>,
    path: &Path,
) -> Result<()> {
    let mut range = inside(|| table.range::<&[u8]>((Bound::Included(prefix), Bound::Unbounded)))
        .map_err(|error| storage_error(error, path))?;
    while let Some(entry) = inside(|| range.next()) {
        let (key, value) = entry.map_err(|error| storage_error(error, path))?;
        // Where a row ends is read from its page only now.
        let (key, value) = inside(|| (key.value(), value.value()));
        if !key.starts_with(prefix) {
            break;
        }
        visit(key, value)?;
    }
    Ok(())
}

fn definition(table: Table) -> Definition {
    TableDefinition::new(table.name())
}

fn table_error(error: TableError, table: Table, path: &Path) -> Error {
    match error {
        TableError::Storage(error) => storage_error(error, path),
        TableError::TableDoesNotExist(_) if table == Table::Header => Error::NotAVault {
            path: path.to_owned(),
            reason: "it is a redb database of another program".to_owned(),
        },
        _ => corrupt(path, format!("its table {} is missing or of another type", table.name())),
    }
}

fn storage_error(error: StorageError, path: &Path) -> Error {
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

fn starting(error: TransactionError, path: &Path) -> OpenFailure {
    match error {
        TransactionError::Storage(error) => failure(error, path),
        _ => OpenFailure::InUse,
    }
}

fn failure(error: StorageError, path: &Path) -> OpenFailure {
    match error {
        StorageError::Io(error) if is_time_out(&error) => OpenFailure::TimedOut,
        error => OpenFailure::Known(storage_error(error, path)),
    }
}

fn opening(error: DatabaseError, path: &Path) -> OpenFailure {
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

/// Whether a file without a byte is one to make a database of, or a damaged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EmptyFile {
    Expected,
    Refused,
}

/// The engine's bytes and locks, with a limit to every wait.
#[derive(Debug)]
struct Backend {
    inner: Box<dyn StorageBackend>,
    empty: EmptyFile,
    doubt: Arc<Doubt>,
    #[cfg(feature = "simulate")]
    file: simulate::Inode,
}

impl Backend {
    fn new(medium: Medium, empty: EmptyFile, doubt: &Arc<Doubt>) -> Result<Self, DatabaseError> {
        #[cfg(feature = "simulate")]
        let file = {
            let Medium::File(file) = &medium;
            simulate::inode_of(file)
        };
        let inner: Box<dyn StorageBackend> = match medium {
            Medium::File(file) => Box::new(FileBackend::new(file)?),
        };
        Ok(Self {
            inner,
            empty,
            doubt: Arc::clone(doubt),
            #[cfg(feature = "simulate")]
            file,
        })
    }
}

/// The header of a file, to see whether somebody changes it.
struct Header<'a> {
    file: std::fs::File,
    bytes: Vec<u8>,
    path: &'a Path,
}

impl<'a> Header<'a> {
    fn of(medium: &Medium, path: &'a Path) -> Result<Self> {
        let Medium::File(file) = medium;
        let file = file.try_clone().map_err(Error::io("read", path))?;
        let bytes = Self::read(&file).map_err(Error::io("read", path))?;
        Ok(Self { file, bytes, path })
    }

    fn is_unchanged(&self) -> Result<bool> {
        Ok(Self::read(&self.file).map_err(Error::io("read", self.path))? == self.bytes)
    }

    fn read(file: &std::fs::File) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; 4_096];
        let length = file.read_at(&mut bytes, 0)?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_concurrency_mode(ConcurrencyMode::MultiWriter);
    builder
}

/// The cause in the error of a lock that was not to be had in time.
#[derive(Debug)]
struct LockTimeout;

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

/// The bytes of redb's header page, whose second write in a commit decides it.
const HEADER: u64 = 4_096;

impl Backend {
    fn change_length(&self, len: u64) -> io::Result<()> {
        #[cfg(feature = "simulate")]
        simulate::attempt(simulate::Operation::SetLength)?;
        self.inner.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        #[cfg(feature = "simulate")]
        simulate::attempt(simulate::Operation::Sync)?;
        self.inner.sync_data()
    }

    fn write_bytes(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        #[cfg(feature = "simulate")]
        {
            simulate::attempt(simulate::Operation::Write)?;
            if let Err(error) = simulate::attempt(simulate::Operation::ShortWrite) {
                self.inner.write(offset, &data[..data.len() / 2])?;
                return Err(error);
            }
        }
        self.inner.write(offset, data)
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        let length = self.inner.len()?;
        if length == 0 && self.empty == EmptyFile::Refused {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the file is empty"));
        }
        Ok(length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        #[cfg(feature = "simulate")]
        simulate::attempt(simulate::Operation::Read)?;
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        #[cfg(feature = "simulate")]
        simulate::observe(|| simulate::Event::SetLength { file: self.file, length: len });
        self.change_length(len).inspect_err(|error| self.doubt.note(error))
    }

    fn sync_data(&self) -> io::Result<()> {
        #[cfg(feature = "simulate")]
        simulate::observe(|| simulate::Event::Sync { file: self.file });
        self.sync().inspect_err(|error| {
            self.doubt.disk_failed.store(true, Ordering::Release);
            self.doubt.note(error);
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        #[cfg(feature = "simulate")]
        simulate::observe(|| simulate::Event::Write {
            file: self.file,
            offset,
            data: data.to_vec(),
        });
        let result = self.write_bytes(offset, data).inspect_err(|error| self.doubt.note(error));
        if offset < HEADER {
            self.doubt.headers.fetch_add(1, Ordering::AcqRel);
            self.doubt.disk_failed.fetch_or(result.is_err(), Ordering::AcqRel);
        }
        result
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        #[cfg(feature = "simulate")]
        if simulate::fails(simulate::Operation::Lock) {
            return Err(OutOfTime.into());
        }
        let attempt = || Ok(self.inner.try_lock_range(start, end)?.then_some(()));
        Budget::current().poll_moment(attempt)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        #[cfg(feature = "simulate")]
        if simulate::fails(simulate::Operation::Lock) {
            return Err(OutOfTime.into());
        }
        let attempt = || Ok(self.inner.try_lock_shared_range(start, end)?.then_some(()));
        Budget::current().poll_moment(attempt)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
