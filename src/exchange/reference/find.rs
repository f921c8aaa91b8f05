//! Where references stand in a text: bare ones and enclosed ones.
//!
//! Every byte is looked at a bounded number of times, whatever the text is.

use super::{Reference, SCHEME};
use crate::error::{Error, Result};

/// A reference in a text, and where what it stands for goes.
pub(super) struct Found {
    /// Where it begins, braces included.
    pub(super) start: usize,
    /// Where it ends, braces included.
    pub(super) end: usize,
    /// What it is, unless it is malformed.
    pub(super) reference: Result<Reference>,
}

/// Whether anything stands in a text that is a reference, well formed or not.
pub(in crate::exchange) fn holds_any(text: &str) -> bool {
    Finder::new(text.as_bytes()).next().is_some()
}

/// The references of a text in their order.
pub(super) struct Finder<'a> {
    text: &'a [u8],
    /// The end of the last one.
    done: usize,
}

impl<'a> Finder<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, done: 0 }
    }

    fn found(&self) -> Option<Found> {
        let mut position = self.done;
        loop {
            let scheme = position + index_of(&self.text[position..], SCHEME.as_bytes())?;
            // What ends in our scheme's letters is another scheme.
            if scheme == self.done || !is_scheme_letter(self.text[scheme - 1]) {
                return Some(self.enclosed(scheme).unwrap_or_else(|| self.bare(scheme)));
            }
            position = scheme + SCHEME.len();
        }
    }

    fn bare(&self, scheme: usize) -> Found {
        let length = self.text[scheme..].iter().take_while(|byte| is_bare(**byte)).count();
        let end = scheme + length;
        Found { start: scheme, end, reference: parse(&self.text[scheme..end]) }
    }

    /// The reference at `scheme` with its braces, if it has opening ones.
    fn enclosed(&self, scheme: usize) -> Option<Found> {
        let before = self.text[self.done..scheme].trim_ascii_end().strip_suffix(b"{{")?;
        let start = self.done + before.len();
        // Not across lines: braces above belong to something else.
        if self.text[start..scheme].contains(&b'\n') {
            return None;
        }
        let rest = &self.text[scheme..];
        let closing = rest.windows(2).position(|pair| pair == b"}}" || pair[0] == b'\n');
        let Some(length) = closing.filter(|end| rest[*end] == b'}') else {
            let unclosed = Error::invalid("reference", "has {{ before it and no }} behind it");
            return Some(Found { start, end: scheme, reference: Err(unclosed) });
        };
        let reference = parse(rest[..length].trim_ascii_end());
        Some(Found { start, end: scheme + length + b"}}".len(), reference })
    }
}

impl Iterator for Finder<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let found = self.found()?;
        self.done = found.end;
        Some(found)
    }
}

fn index_of(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// Whether a bare reference goes on with it.
pub(super) fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-_./@:+=~%#?".contains(&byte)
}

/// RFC 3986, section 3.1.
fn is_scheme_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

fn parse(text: &[u8]) -> Result<Reference> {
    let text =
        std::str::from_utf8(text).map_err(|_| Error::invalid("reference", "is not UTF-8"))?;
    text.parse()
}
