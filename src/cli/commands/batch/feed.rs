//! Operations as they come in, line by line: many at a time, or as many as wait already.
//!
//! Never reads ahead of what is asked for in a way that would wait: a program at the other end
//! may write its next line only after it has read an answer.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use credb::exchange::MAX_INPUT;
use credb::exchange::batch::{MAX_LINE, Operation};
use credb::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use crate::cli::input::{self, Place};

/// How much is read at once, in bytes.
const READ: usize = 64 << 10;

/// The most lines that are answered as one group, and how many bytes they may have together: the
/// first of them waits for the last.
const GROUP: (usize, usize) = (1_024, 4 << 20);

/// A line of the input.
pub(super) struct Entry {
    /// Its place, from 1.
    pub(super) line: usize,
    /// What it says, or why it cannot be taken.
    pub(super) operation: Result<Operation>,
}

/// Where operations come from.
pub(super) struct Feed {
    source: File,
    name: PathBuf,
    buffer: Zeroizing<Vec<u8>>,
    /// Where the next line begins, and up to where there is no end of it.
    start: usize,
    searched: usize,
    /// The bytes of a line that is too long and was not kept.
    skipped: usize,
    lines: usize,
    ended: bool,
}

impl Feed {
    pub(super) fn open(place: &Place) -> Result<Self> {
        let name = place.name();
        let opened = place.open();
        let source =
            opened.map_err(|source| Error::Io { action: "read", path: name.clone(), source })?;
        let buffer = Zeroizing::default();
        Ok(Self { source, name, buffer, start: 0, searched: 0, skipped: 0, lines: 0, ended: false })
    }

    /// The next lines up to this number; none at the end.
    pub(super) fn up_to(&mut self, lines: usize) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut size = 0;
        while entries.len() < lines {
            if let Some((entry, length)) = self.buffered() {
                entries.push(entry);
                size += length;
                if size > MAX_INPUT {
                    let reason = format!("has more than {MAX_INPUT} bytes for one transaction");
                    return Err(Error::Invalid { what: "input".to_owned(), reason });
                }
            } else if self.ended {
                break;
            } else {
                self.fill()?;
            }
        }
        Ok(entries)
    }

    /// The next line, and all that wait behind it already; none at the end.
    pub(super) fn waiting(&mut self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut size = 0;
        while entries.len() < GROUP.0 && size < GROUP.1 {
            if let Some((entry, length)) = self.buffered() {
                entries.push(entry);
                size += length;
            } else if self.ended || !entries.is_empty() && !self.is_ready() {
                break;
            } else {
                self.fill()?;
            }
        }
        Ok(entries)
    }

    /// The next line of the buffer, if it is whole, and its length.
    fn buffered(&mut self) -> Option<(Entry, usize)> {
        let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        let (end, next) = match end {
            Some(offset) => (self.searched + offset, self.searched + offset + 1),
            None if self.ended && self.start < self.buffer.len() + self.skipped => {
                (self.buffer.len(), self.buffer.len())
            }
            None => {
                self.searched = self.buffer.len();
                self.skip();
                return None;
            }
        };
        let length = std::mem::take(&mut self.skipped) + (end - self.start);
        let operation = if length > MAX_LINE {
            let reason = format!("has {length} bytes, and at most {MAX_LINE} are allowed");
            Err(Error::Invalid { what: "line".to_owned(), reason })
        } else {
            Operation::read(&self.buffer[self.start..end])
        };
        (self.start, self.searched) = (next, next);
        self.lines += 1;
        Some((Entry { line: self.lines, operation }, length))
    }

    /// Forgets what there is of a line that is too long.
    fn skip(&mut self) {
        let length = self.buffer.len() - self.start;
        if self.skipped > 0 || length > MAX_LINE {
            self.skipped += length;
            self.start = self.buffer.len();
        }
    }

    /// Waits for more.
    fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        let filled = self.buffer.len();
        input::grow(&mut self.buffer, READ);
        self.buffer.resize(filled + READ, 0);
        let read = loop {
            match self.source.read(&mut self.buffer[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
        let path = || self.name.clone();
        let count = read.map_err(|source| Error::Io { action: "read", path: path(), source })?;
        self.ended = count == 0;
        Ok(())
    }

    /// Whether there is more to read without waiting.
    fn is_ready(&self) -> bool {
        let mut sources = [PollFd::new(&self.source, PollFlags::IN)];
        // Where that cannot be told, the lines at hand are answered first.
        poll(&mut sources, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(text: &[u8]) -> Feed {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Feed::open(&Place::File(file.path().to_owned())).unwrap()
    }

    fn kinds(entries: &[Entry]) -> Vec<(usize, bool)> {
        entries.iter().map(|entry| (entry.line, entry.operation.is_ok())).collect()
    }

    #[test]
    fn a_line_that_is_too_long_is_an_error_of_that_line_alone() {
        let get = br#"{"op":"get","id":"a"}"#;
        let long = vec![b'x'; MAX_LINE + 100_000];
        for (text, expected) in [
            ([&get[..], b"\n", &long, b"\n", get].concat(), vec![(1, true), (2, false), (3, true)]),
            ([&get[..], b"\n", &long].concat(), vec![(1, true), (2, false)]),
            ([&long[..], b"\n", get, b"\n"].concat(), vec![(1, false), (2, true)]),
            (get.to_vec(), vec![(1, true)]),
            (b"\n".to_vec(), vec![(1, false)]),
            (Vec::new(), Vec::new()),
        ] {
            assert_eq!(kinds(&feed(&text).up_to(usize::MAX).unwrap()), expected);
            assert_eq!(kinds(&feed(&text).waiting().unwrap()), expected);
        }
        let entries = feed(&long).up_to(1).unwrap();
        let error = entries[0].operation.as_ref().unwrap_err().to_string();
        assert_eq!(error, "line has 2197152 bytes, and at most 2097152 are allowed");
    }

    #[test]
    fn lines_are_given_out_in_parts() {
        let text = [&br#"{"op":"list"}"#[..]; 5].join(&b'\n');
        let mut feed = feed(&text);
        assert_eq!(kinds(&feed.up_to(2).unwrap()), [(1, true), (2, true)]);
        assert_eq!(kinds(&feed.up_to(2).unwrap()), [(3, true), (4, true)]);
        assert_eq!(kinds(&feed.up_to(2).unwrap()), [(5, true)]);
        assert!(feed.up_to(2).unwrap().is_empty());
    }
}
