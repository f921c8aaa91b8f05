//! Leases: files beside a vault, each of whose locks one process holds while it does something
//! that others would otherwise do too.
//!
//! The lock is the operating system's and ends with its process. The holder deletes the file when
//! it is done, so that those who queued at it find what it left, and later ones a new file.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Store;
use super::file::{FileTurn, Identity, lock, open_turnstile};
use crate::error::{Error, Result};
use crate::store::Patience;

/// The longest note that a holder leaves, in bytes.
pub(crate) const LONGEST_NOTE: usize = 256;

/// What came of waiting for a lease.
pub(crate) enum Leased {
    /// It is this caller's.
    Held(LeaseFile),
    /// Another had it and left this.
    Left(Vec<u8>),
}

/// A lease that is held. Dropped, it goes to the next in the queue, as if its process had died.
#[derive(Debug)]
pub(crate) struct LeaseFile {
    turn: FileTurn,
    path: PathBuf,
}

impl Store {
    /// Waits for the lease of this name. Bound to no transaction and to no other lock.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], [`Error::Io`], [`Error::VaultNotFound`] and [`Error::Forked`].
    pub(crate) fn lease(&self, name: &str, limit: Duration) -> Result<Leased> {
        self.begin()?;
        let path = lease_path(self.path(), name);
        let budget = Patience::each_call(self.path().to_owned(), limit).budget();
        loop {
            let file = open_turnstile(&path, self.path())?;
            let turn = FileTurn::new(lock(file, &path, &budget)?);
            let held = turn.file().metadata().map_err(Error::io("read", &path))?;
            match fs::symlink_metadata(&path) {
                Ok(now) if Identity::of(&now) == Identity::of(&held) => {
                    // What a holder wrote that died before it was done counts for nobody.
                    turn.file().set_len(0).map_err(Error::io("write", &path))?;
                    return Ok(Leased::Held(LeaseFile { turn, path }));
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("read", &path)(error)),
            }
            let note = read_note(turn.file()).map_err(Error::io("read", &path))?;
            // Without a note it was deleted by somebody else, and others queue at a new file.
            if !note.is_empty() {
                return Ok(Leased::Left(note));
            }
        }
    }
}

impl LeaseFile {
    /// Ends the lease and leaves a note of 1 to [`LONGEST_NOTE`] bytes for all that wait for it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; then the next one that waits gets the lease.
    pub(crate) fn leave(self, note: &[u8]) -> Result<()> {
        let note = &note[..note.len().min(LONGEST_NOTE)];
        self.turn.file().write_all_at(note, 0).map_err(Error::io("write", &self.path))?;
        fs::remove_file(&self.path).map_err(Error::io("remove", &self.path))
    }
}

fn read_note(file: &File) -> std::io::Result<Vec<u8>> {
    let mut note = vec![0; LONGEST_NOTE];
    let mut length = 0;
    loop {
        match file.read_at(&mut note[length..], length as u64) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    note.truncate(length);
    Ok(note)
}

/// The file beside a vault whose lock is the lease of this name.
fn lease_path(vault: &Path, name: &str) -> PathBuf {
    let mut path = vault.as_os_str().to_owned();
    path.push(".lease-");
    path.push(name);
    PathBuf::from(path)
}
