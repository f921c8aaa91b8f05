//! Finds rows in the bytes of a file, without the engine: for salvage, and to prove that a row is
//! absent.
//!
//! redb keeps rows in leaf pages that describe themselves (its docs/design.md, "Leaf page"): a
//! type byte 1, an unused byte, the number of rows (u16), the ends of all keys and of all values
//! (u32 each, little-endian, counted from the page's start), the keys, the values. Every page
//! begins at a multiple of 4096 bytes. Pages that are no longer in use are found too, with rows
//! as they once were: whoever asks must authenticate each row and compare versions.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::Visit;
use crate::error::{Error, Result};

const PAGE: u64 = 4_096;

/// The most rows that a page of sensible rows can have.
const MOST_ROWS: usize = 4_096;

/// The largest leaf that is looked at, in bytes: more than the largest row needs.
const LARGEST: usize = 8 * 1_048_576;

/// Visits every row that a page seems to hold, in the order of the file.
///
/// # Errors
///
/// [`Error::Io`] and those of `visit`. Bytes that are no leaf are passed over.
pub(crate) fn scan(path: &Path, visit: Visit<'_>) -> Result<()> {
    // A pipe that nobody writes to is not waited for.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    let mut start = PAGE;
    while start < length {
        if let Some(leaf) = Leaf::read(&file, start, length).map_err(Error::io("read", path))? {
            leaf.rows().try_for_each(|(key, value)| visit(key, value))?;
        }
        start += PAGE;
    }
    Ok(())
}

/// A page that describes itself as a leaf.
pub(super) struct Leaf {
    bytes: Vec<u8>,
    rows: usize,
}

impl Leaf {
    /// The leaf at `start`, if the bytes there can be one.
    pub(super) fn read(file: &File, start: u64, length: u64) -> std::io::Result<Option<Self>> {
        let room = usize::try_from(length - start).unwrap_or(LARGEST).min(LARGEST);
        let mut head = [0; 4];
        if room < head.len() || !read_at(file, &mut head, start)? || head[0] != 1 {
            return Ok(None);
        }
        let rows = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let ends = 4 + 8 * rows;
        if rows == 0 || rows > MOST_ROWS || ends > room {
            return Ok(None);
        }
        let mut table = vec![0; ends];
        if !read_at(file, &mut table, start)? {
            return Ok(None);
        }
        let mut leaf = Self { bytes: table, rows };
        let mut before = ends;
        for end in (0..2 * rows).map(|position| leaf.end(position)) {
            if end < before || end > room {
                return Ok(None);
            }
            before = end;
        }
        leaf.bytes.resize(before, 0);
        Ok(read_at(file, &mut leaf.bytes, start)?.then_some(leaf))
    }

    /// The end of key `position`, or of value `position - rows`.
    fn end(&self, position: usize) -> usize {
        let at = 4 + 4 * position;
        let word = self.bytes[at..at + 4].iter().rev();
        word.fold(0, |end, byte| end << 8 | usize::from(*byte))
    }

    /// All of the page up to the end of its last value.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Keys and values, in the order of the page.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let begin = |position: usize| match position {
            0 => 4 + 8 * self.rows,
            position => self.end(position - 1),
        };
        let part = move |position| &self.bytes[begin(position)..self.end(position)];
        (0..self.rows).map(move |row| (part(row), part(self.rows + row)))
    }
}

/// Whether all bytes could be read; a file that ends early is no error here.
pub(super) fn read_at(file: &File, out: &mut [u8], offset: u64) -> std::io::Result<bool> {
    match file.read_exact_at(out, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        // A bad sector costs its page.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut rows = Vec::new();
        scan(file.path(), &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            Ok(())
        })
        .unwrap();
        rows
    }

    fn page() -> Vec<u8> {
        let mut bytes = vec![0; 4_096];
        bytes.extend([1, 0, 2, 0]);
        for end in [21_u32, 22, 24, 27] {
            bytes.extend(end.to_le_bytes());
        }
        bytes.extend(*b"abVVvvv");
        bytes
    }

    #[test]
    fn rows_of_a_leaf_are_found() {
        let rows = scanned(&page());
        assert_eq!(rows, [(b"a".to_vec(), b"VV".to_vec()), (b"b".to_vec(), b"vvv".to_vec())]);
    }

    #[test]
    fn no_bytes_break_the_scan() {
        let good = page();
        for position in 4_096..good.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = good.clone();
                bytes[position] = value;
                assert!(scanned(&bytes).len() <= MOST_ROWS);
                scanned(&bytes[..position]);
            }
        }
    }
}
