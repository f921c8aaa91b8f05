//! A file that is looked at as if it could be written: changes stay in memory, the file as it is.
//!
//! redb checks only a file that it may write, and mends or marks what it finds. Locks are real.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::ops::Bound;

use ::redb::{BackendError, StorageBackend};
use parking_lot::Mutex;

/// The size of the pieces that changes are kept in, in bytes.
const PIECE: u64 = 4_096;

/// A backend whose writes reach nobody else.
#[derive(Debug)]
pub(super) struct Overlay<B> {
    inner: B,
    changes: Mutex<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    /// The length, if it was set.
    length: Option<u64>,
    /// Pieces that were written to, by their number.
    pieces: BTreeMap<u64, Box<[u8]>>,
}

impl<B: StorageBackend> Overlay<B> {
    pub(super) fn new(inner: B) -> Self {
        Self { inner, changes: Mutex::default() }
    }

    /// Reads what the file has, and zeros beyond its end.
    fn read_beneath(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let left = self.inner.len()?.saturating_sub(offset);
        let (there, beyond) = out.split_at_mut(length(left).min(out.len()));
        beyond.fill(0);
        if there.is_empty() { Ok(()) } else { self.inner.read(offset, there) }
    }
}

/// A length in memory; what is longer is cut by whoever asks.
fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The parts of a range that lie in one piece each: the piece, where in it, and where in the range.
fn parts(offset: u64, size: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let position = offset + done as u64;
        let within = length(position % PIECE);
        let count = (length(PIECE) - within).min(size - done);
        let range = done..done + count;
        done += count;
        (count > 0).then_some((position / PIECE, within, range))
    })
}

impl<B: StorageBackend> StorageBackend for Overlay<B> {
    fn len(&self) -> io::Result<u64> {
        let set = self.changes.lock().length;
        set.map_or_else(|| self.inner.len(), Ok)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changes = self.changes.lock();
        match changes.length {
            None => self.inner.read(offset, out)?,
            Some(length) if offset + out.len() as u64 > length => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Some(_) => self.read_beneath(offset, out)?,
        }
        for (piece, within, range) in parts(offset, out.len()) {
            if let Some(bytes) = changes.pieces.get(&piece) {
                let count = range.len();
                out[range].copy_from_slice(&bytes[within..within + count]);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changes = self.changes.lock();
        for (piece, within, range) in parts(offset, data.len()) {
            let bytes = match changes.pieces.entry(piece) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let mut bytes = vec![0; length(PIECE)].into_boxed_slice();
                    self.read_beneath(piece * PIECE, &mut bytes)?;
                    entry.insert(bytes)
                }
            };
            bytes[within..within + range.len()].copy_from_slice(&data[range]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut changes = self.changes.lock();
        changes.length = Some(len);
        changes.pieces.retain(|piece, _| piece * PIECE < len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
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
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use ::redb::backends::FileBackend;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_not_in_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let before = vec![7; 10_000];
        std::fs::write(file.path(), &before).unwrap();
        let overlay = Overlay::new(FileBackend::new(file.reopen().unwrap()).unwrap());
        let mut expected = before.clone();
        for (offset, size) in [(0, 1_usize), (4_090, 12), (9_999, 1), (100, 9_000)] {
            let data: Vec<u8> = (0..size).map(|at| (at % 251).to_le_bytes()[0]).collect();
            overlay.write(offset as u64, &data).unwrap();
            expected[offset..offset + size].copy_from_slice(&data);
        }
        overlay.set_len(20_000).unwrap();
        expected.resize(20_000, 0);
        overlay.write(15_000, b"x").unwrap();
        expected[15_000] = b'x';
        assert_eq!(overlay.len().unwrap(), 20_000);
        let mut read = vec![1; 20_000];
        overlay.read(0, &mut read).unwrap();
        assert_eq!(read, expected);
        assert!(overlay.read(19_999, &mut [0; 2]).is_err());
        assert_eq!(std::fs::read(file.path()).unwrap(), before);
    }
}
