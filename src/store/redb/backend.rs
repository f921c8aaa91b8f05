//! The engine's bytes and locks: every wait for a lock has a limit, and what fails is remembered.

use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use ::redb::backends::FileBackend;
use ::redb::{BackendError, DatabaseError, StorageBackend};
use parking_lot::Mutex;

#[cfg(feature = "simulate")]
use crate::simulate;
use crate::store::file::Medium;
use crate::store::patience::Budget;

/// What went wrong with the file, and whether a commit that fails may be there all the same. Kept
/// by the backend.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// The first change of the file that failed.
    pub(super) failure: Mutex<Option<io::Error>>,
    /// Writes of the header since the commit began. The first one names the new state beside
    /// the one that counts; from the second on, the new state may be the one that counts.
    pub(super) headers: AtomicU32,
    /// A sync, or a write of the header, failed.
    pub(super) disk_failed: AtomicBool,
}

impl Doubt {
    pub(super) fn begin(&self) {
        self.headers.store(0, Ordering::Release);
        self.disk_failed.store(false, Ordering::Release);
    }

    pub(super) fn note(&self, error: &io::Error) {
        let copy = error.raw_os_error().map(io::Error::from_raw_os_error);
        self.failure.lock().get_or_insert(copy.unwrap_or_else(|| error.kind().into()));
    }

    pub(super) fn is_justified(&self) -> bool {
        self.disk_failed.load(Ordering::Acquire) || self.headers.load(Ordering::Acquire) > 1
    }
}

/// Whether a file without a byte is one to make a database of, or a damaged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EmptyFile {
    Expected,
    Refused,
}

/// The engine's bytes and locks, with a limit to every wait.
#[derive(Debug)]
pub(super) struct Backend {
    inner: Box<dyn StorageBackend>,
    empty: EmptyFile,
    doubt: Arc<Doubt>,
    #[cfg(feature = "simulate")]
    file: simulate::Inode,
}

impl Backend {
    pub(super) fn new(
        medium: Medium,
        empty: EmptyFile,
        doubt: &Arc<Doubt>,
    ) -> Result<Self, DatabaseError> {
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
            return Err(crate::store::patience::OutOfTime.into());
        }
        let attempt = || Ok(self.inner.try_lock_range(start, end)?.then_some(()));
        Budget::current().poll_moment(attempt)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        #[cfg(feature = "simulate")]
        if simulate::fails(simulate::Operation::Lock) {
            return Err(crate::store::patience::OutOfTime.into());
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
