//! What a program did to its files, recorded for the crash simulator in `tests/`, and failures on
//! purpose.
//!
//! Only with the feature `simulate`. Records are made where the work is done: by the storage
//! backend and by the functions that change directory entries.

mod fault;

use std::cell::RefCell;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use self::fault::{Fault, Lasting, Operation, fail};
pub(crate) use self::fault::{attempt, fails};

/// A file, whatever its names: its inode number.
pub type Inode = u64;

/// One change of a file or of a directory entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes were written; durable with the file's next sync.
    Write {
        /// The file.
        file: Inode,
        /// Where, in bytes.
        offset: u64,
        /// What.
        data: Vec<u8>,
    },
    /// The file's length was set; durable with the file's next sync.
    SetLength {
        /// The file.
        file: Inode,
        /// The new length in bytes.
        length: u64,
    },
    /// What was written to the file is durable.
    Sync {
        /// The file.
        file: Inode,
    },
    /// A file has this name now; durable with the directory's next sync.
    Link {
        /// The file.
        file: Inode,
        /// The name.
        path: PathBuf,
    },
    /// A name was changed, in place of another if there was one; durable with the next sync of
    /// the directory.
    Rename {
        /// The file.
        file: Inode,
        /// The name before.
        from: PathBuf,
        /// The name after.
        to: PathBuf,
    },
    /// The entries of a directory are durable.
    SyncDirectory {
        /// The directory.
        path: PathBuf,
    },
}

thread_local! {
    static RECORD: RefCell<Option<Vec<Event>>> = const { RefCell::new(None) };
}

/// Runs `work` on this thread and returns what it did, in order, with its result.
pub fn record<T>(work: impl FnOnce() -> T) -> (T, Vec<Event>) {
    let before = RECORD.replace(Some(Vec::new()));
    let result = work();
    (result, RECORD.replace(before).unwrap_or_default())
}

/// The number of events recorded so far on this thread.
#[must_use]
pub fn recorded() -> usize {
    RECORD.with_borrow(|record| record.as_ref().map_or(0, Vec::len))
}

/// Adds an event, if this thread records.
pub(crate) fn observe(event: impl FnOnce() -> Event) {
    RECORD.with_borrow_mut(|record| {
        if let Some(events) = record {
            events.push(event());
        }
    });
}

impl Event {
    pub(crate) fn link(path: &Path) -> Self {
        Self::Link { file: inode_at(path), path: path.to_owned() }
    }

    pub(crate) fn rename(from: &Path, to: &Path) -> Self {
        Self::Rename { file: inode_at(to), from: from.to_owned(), to: to.to_owned() }
    }

    pub(crate) fn sync(file: &File) -> Self {
        Self::Sync { file: inode_of(file) }
    }

    pub(crate) fn write(file: &File, contents: &[u8]) -> Self {
        Self::Write { file: inode_of(file), offset: 0, data: contents.to_vec() }
    }
}

pub(crate) fn inode_of(file: &File) -> Inode {
    file.metadata().map_or(0, |metadata| metadata.ino())
}

fn inode_at(path: &Path) -> Inode {
    fs::metadata(path).map_or(0, |metadata| metadata.ino())
}
