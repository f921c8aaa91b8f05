//! Operations as they come in, line by line: many at a time, or as many as wait already.
//!
//! Never reads ahead of what is asked for in a way that would wait: a program at the other end
//! may write its next line only after it has read an answer. Lines are kept as they were written
//! and read when their turn comes, so that a large load is held once.

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

/// The most lines of one transaction.
const MOST_LINES: usize = 1_000_000;

/// The most lines that are answered as one group, and how many bytes they may have together: the
/// first of them waits for the last.
const GROUP: (usize, usize) = (1_024, 4 << 20);

/// Where operations come from.
pub(super) struct Feed {
    source: File,
    name: PathBuf,
    /// Begins with the lines that were given out last.
    buffer: Zeroizing<Vec<u8>>,
    /// Where the next line begins, and up to where there is no end of it.
    next: usize,
    searched: usize,
    /// The bytes of the next line that were not kept, since it is too long.
    skipped: usize,
    given_out: usize,
    ended: bool,
}

/// Why there are no lines.
pub(super) enum NoLines {
    /// They are too many, or too long, for one transaction.
    TooMuch {
        /// What there is too much of.
        error: Error,
        /// How many of them were not.
        fitting: usize,
    },
    /// They cannot be read.
    Unreadable(Error),
}

/// Lines that stand together.
pub(super) struct Lines<'a> {
    text: &'a [u8],
    /// The place of the first one, from 1.
    pub(super) first: usize,
    places: Vec<Line>,
}

/// A line: from where to where, or the length of one that is too long.
enum Line {
    Kept(usize, usize),
    TooLong(usize),
}

impl Lines<'_> {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether the line at this position may change the vault.
    pub(super) fn writes(&self, position: usize) -> bool {
        self.operation(position).is_ok_and(|operation| !operation.only_reads())
    }

    /// What the line at this position says, or why it cannot be taken.
    pub(super) fn operation(&self, position: usize) -> Result<Operation> {
        match self.places[position] {
            Line::Kept(start, end) => Operation::read(&self.text[start..end]),
            Line::TooLong(length) => {
                let reason = format!("has {length} bytes, and at most {MAX_LINE} are allowed");
                Err(Error::Invalid { what: "line".to_owned(), reason })
            }
        }
    }
}

impl Feed {
    pub(super) fn open(place: &Place) -> Result<Self> {
        let name = place.name();
        let opened = place.open();
        let source =
            opened.map_err(|source| Error::Io { action: "read", path: name.clone(), source })?;
        let buffer = Zeroizing::default();
        let (next, searched, skipped, given_out, ended) = (0, 0, 0, 0, false);
        Ok(Self { source, name, buffer, next, searched, skipped, given_out, ended })
    }

    /// The next lines up to this number; none at the end.
    pub(super) fn up_to(&mut self, most: usize) -> Result<Lines<'_>, NoLines> {
        self.forget();
        let mut places = Vec::new();
        while places.len() < most {
            if let Some(line) = self.buffered() {
                let limit = match (self.next > MAX_INPUT, places.len() == MOST_LINES) {
                    (true, _) => format!("has more than {MAX_INPUT} bytes"),
                    (_, true) => format!("has more than {MOST_LINES} lines"),
                    _ => {
                        places.push(line);
                        continue;
                    }
                };
                let reason = format!("{limit} for one transaction");
                let error = Error::Invalid { what: "input".to_owned(), reason };
                return Err(NoLines::TooMuch { error, fitting: places.len() });
            } else if self.ended {
                break;
            }
            self.fill().map_err(NoLines::Unreadable)?;
        }
        Ok(self.give_out(places))
    }

    /// The next line, and all that wait behind it already; none at the end.
    pub(super) fn waiting(&mut self) -> Result<Lines<'_>> {
        self.forget();
        let mut places = Vec::new();
        while places.len() < GROUP.0 && self.next < GROUP.1 {
            if let Some(line) = self.buffered() {
                places.push(line);
            } else if self.ended || !places.is_empty() && !self.is_ready() {
                break;
            } else {
                self.fill()?;
            }
        }
        Ok(self.give_out(places))
    }

    fn give_out(&mut self, places: Vec<Line>) -> Lines<'_> {
        let first = self.given_out + 1;
        self.given_out += places.len();
        Lines { text: &self.buffer, first, places }
    }

    /// Forgets what was given out.
    fn forget(&mut self) {
        self.buffer.drain(..self.next);
        self.searched -= self.next;
        self.next = 0;
    }

    /// The next line of the buffer, if it is whole.
    fn buffered(&mut self) -> Option<Line> {
        let end = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        let (end, next) = match end {
            Some(offset) => (self.searched + offset, self.searched + offset + 1),
            None if self.ended && self.next < self.buffer.len() + self.skipped => {
                (self.buffer.len(), self.buffer.len())
            }
            None => {
                self.searched = self.buffer.len();
                self.skip();
                return None;
            }
        };
        let length = std::mem::take(&mut self.skipped) + (end - self.next);
        let kept = Line::Kept(self.next, end);
        (self.next, self.searched) = (next, next);
        Some(if length > MAX_LINE { Line::TooLong(length) } else { kept })
    }

    /// Drops what there is of a line that is too long.
    fn skip(&mut self) {
        let length = self.buffer.len() - self.next;
        if self.skipped > 0 || length > MAX_LINE {
            self.skipped += length;
            self.buffer.truncate(self.next);
            self.searched = self.next;
        }
    }

    /// Waits for more.
    fn fill(&mut self) -> Result<()> {
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

    fn kinds(lines: &Lines<'_>) -> Vec<(usize, bool)> {
        let kind = |at| (lines.first + at, lines.operation(at).is_ok());
        (0..lines.len()).map(kind).collect()
    }

    fn up_to(feed: &mut Feed, most: usize) -> Lines<'_> {
        feed.up_to(most).ok().expect("lines")
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
            assert_eq!(kinds(&up_to(&mut feed(&text), usize::MAX)), expected);
            assert_eq!(kinds(&feed(&text).waiting().unwrap()), expected);
        }
        let mut feed = feed(&long);
        let error = up_to(&mut feed, 1).operation(0).unwrap_err().to_string();
        assert_eq!(error, "line has 2197152 bytes, and at most 2097152 are allowed");
    }

    #[test]
    fn lines_are_given_out_in_parts() {
        let text = [&br#"{"op":"list"}"#[..]; 5].join(&b'\n');
        let mut feed = feed(&text);
        assert_eq!(kinds(&up_to(&mut feed, 2)), [(1, true), (2, true)]);
        assert_eq!(kinds(&up_to(&mut feed, 2)), [(3, true), (4, true)]);
        assert_eq!(kinds(&up_to(&mut feed, 2)), [(5, true)]);
        assert_eq!(up_to(&mut feed, 2).len(), 0);
    }

    #[test]
    fn what_is_too_much_for_one_transaction_tells_how_much_is_not() {
        let many = vec![b'\n'; MOST_LINES + 7];
        let Err(NoLines::TooMuch { error, fitting }) = feed(&many).up_to(usize::MAX) else {
            panic!("{MOST_LINES} lines and more")
        };
        assert_eq!(error.to_string(), "input has more than 1000000 lines for one transaction");
        assert_eq!(fitting, MOST_LINES);
        let line = [&vec![b'x'; 1 << 20][..], b"\n"].concat();
        let mut feed = feed(&line.repeat(70));
        let Err(NoLines::TooMuch { error, fitting }) = feed.up_to(usize::MAX) else {
            panic!("70 MiB")
        };
        assert_eq!(error.to_string(), "input has more than 67108864 bytes for one transaction");
        assert_eq!(fitting, 63);
    }
}
