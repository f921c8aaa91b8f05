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
            match before(&self.text[self.done..scheme]) {
                Before::Nothing => {
                    return Some(self.enclosed(scheme).unwrap_or_else(|| self.bare(scheme)));
                }
                Before::Something(letters) => return Some(self.glued(scheme, letters)),
                Before::Letters => position = scheme + SCHEME.len(),
            }
        }
    }

    /// What can be a reference or another scheme, and is to be written clearly.
    fn glued(&self, scheme: usize, letters: &[u8]) -> Found {
        let bare = self.bare(scheme);
        let reference = bare.reference.and_then(|reference| {
            // An option and nothing else is repeated: it is no secret.
            let before = match letters {
                [b'-', option] => format!("-{}", char::from(*option)),
                _ => "...".to_owned(),
            };
            let reason = format!(
                "stands right behind a letter, a digit or one of +-. and could be part of a word: \
                 write it as `{before}{{{{ {reference} }}}}`"
            );
            Err(Error::invalid("reference", reason))
        });
        Found { reference, ..bare }
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

/// What stands right before our scheme.
enum Before<'a> {
    /// Nothing that a scheme is made of.
    Nothing,
    /// Letters: it is another scheme, such as `xcredb` or `x+credb`.
    Letters,
    /// Something that can be part of a scheme, but is more likely an option, a number or a name.
    Something(&'a [u8]),
}

fn before(text: &[u8]) -> Before<'_> {
    // RFC 3986, section 3.1: a scheme begins with a letter.
    let is_of_scheme = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let length = text.iter().rev().take_while(is_of_scheme).count();
    match &text[text.len() - length..] {
        [] => Before::Nothing,
        [first, rest @ ..]
            if first.is_ascii_alphabetic()
                && rest.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'+') =>
        {
            Before::Letters
        }
        letters => Before::Something(letters),
    }
}

fn parse(text: &[u8]) -> Result<Reference> {
    let text =
        std::str::from_utf8(text).map_err(|_| Error::invalid("reference", "is not UTF-8"))?;
    text.parse()
}
