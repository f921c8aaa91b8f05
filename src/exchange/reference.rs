//! References to secrets, `credb://ID[#FIELD]`, and templates that hold them.
//!
//! Inside of an id `#`, `?`, `%` and white space are percent-encoded; no field means the password.
//! Nothing here opens a vault, and no message repeats what was read.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXUPPER_PERMISSIVE;
use zeroize::Zeroizing;

use super::node::without_mark;
use crate::credential::CredentialId;
use crate::error::{Error, Result};

/// What every reference begins with.
pub const SCHEME: &str = "credb://";

/// The field that is meant if none is named.
const PASSWORD: &str = "password";

/// One field of one credential.
///
/// # Examples
///
/// ```
/// use credb::exchange::reference::Reference;
///
/// let reference: Reference = "credb://db/mysql%20prod#username".parse()?;
/// assert_eq!(reference.id().as_str(), "db/mysql prod");
/// assert_eq!(reference.field(), "username");
/// assert_eq!(reference.to_string(), "credb://db/mysql%20prod#username");
/// # Ok::<(), credb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    id: CredentialId,
    field: Option<String>,
}

impl Reference {
    /// A reference to the password of a credential.
    #[must_use]
    pub fn to_password(id: CredentialId) -> Self {
        Self { id, field: None }
    }

    /// A reference to a field of a credential, by any name that `get --field` takes.
    #[must_use]
    pub fn to_field(id: CredentialId, field: impl Into<String>) -> Self {
        Self { id, field: Some(field.into()) }
    }

    /// The credential.
    #[must_use]
    pub fn id(&self) -> &CredentialId {
        &self.id
    }

    /// The reference as a text that is whole wherever it stands, with everything percent-encoded
    /// that would end a bare one in a [`Template`].
    #[must_use]
    pub fn to_bare(&self) -> String {
        let encoded = self.to_string();
        let plain = |byte: u8| is_bare(byte).then(|| vec![byte]);
        let bytes = encoded
            .bytes()
            .flat_map(|byte| plain(byte).unwrap_or_else(|| format!("%{byte:02X}").into_bytes()));
        // Only whole ASCII characters were replaced.
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    }

    /// The field, `password` if none was named.
    #[must_use]
    pub fn field(&self) -> &str {
        self.field.as_deref().unwrap_or(PASSWORD)
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |reason: String| Error::invalid("reference", reason);
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| invalid(format!("does not begin with {SCHEME}")))?;
        if rest.contains(char::is_whitespace) {
            return Err(invalid("has white space: write a space as %20".to_owned()));
        }
        let (id, field) = match rest.split_once('#') {
            Some((id, field)) => (id, Some(field)),
            None => (rest, None),
        };
        if id.contains('?') {
            return Err(invalid("has a question mark: write it as %3F".to_owned()));
        }
        if field.is_some_and(str::is_empty) {
            return Err(invalid("names no field after #".to_owned()));
        }
        let id = CredentialId::new(decode(id)?).map_err(|error| match error {
            Error::Invalid { what, reason } => invalid(format!("is wrong: its {what} {reason}")),
            other => other,
        })?;
        Ok(Self { id, field: field.map(decode).transpose()? })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(SCHEME)?;
        encode(self.id.as_str(), formatter)?;
        match &self.field {
            Some(field) => {
                formatter.write_str("#")?;
                encode(field, formatter)
            }
            None => Ok(()),
        }
    }
}

fn decode(text: &str) -> Result<String> {
    let invalid = |reason| Error::invalid("reference", reason);
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits =
            part.as_bytes().get(..2).and_then(|pair| HEXUPPER_PERMISSIVE.decode(pair).ok());
        let digits =
            digits.ok_or_else(|| invalid("has a % that is not followed by two hex digits"))?;
        bytes.extend(digits);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_| invalid("is not UTF-8"))
}

fn encode(text: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    for character in text.chars() {
        if matches!(character, '#' | '?' | '%') || character.is_whitespace() {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                write!(formatter, "%{byte:02X}")?;
            }
        } else {
            write!(formatter, "{character}")?;
        }
    }
    Ok(())
}

/// A text in which references stand for secrets: bare ones, `credb://db/app`, and enclosed ones,
/// `{{ credb://db/app }}`. Everything else stays as it is, other braces too.
///
/// A bare reference ends before the first character that is neither a letter, a digit nor one of
/// `-_./@:+=~%#?`. An enclosed one may have any character but white space.
///
/// # Examples
///
/// ```
/// use credb::exchange::reference::Template;
/// # use credb::{Error, Secret};
///
/// let template = Template::parse(b"url = \"mysql://app:{{ credb://db/app }}@localhost\"\n")?;
/// assert_eq!(template.references().count(), 1);
/// let filled = template.fill(|_| Ok::<_, Error>(b"P@ss".to_vec().into()))?;
/// assert_eq!(*filled, b"url = \"mysql://app:P@ss@localhost\"\n");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Template<'a> {
    pieces: Vec<Piece<'a>>,
}

/// A part of a template.
#[derive(Debug)]
pub enum Piece<'a> {
    /// What stays as it is.
    Text(&'a [u8]),
    /// What is replaced, with the braces around it.
    Reference(Reference),
}

impl<'a> Template<'a> {
    /// Finds the references.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] names the line of a malformed one.
    pub fn parse(text: &'a [u8]) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut done = 0;
        while let Some(found) = find(text, done) {
            let line = || text[..found.start].split(|byte| *byte == b'\n').count();
            let reference = found.reference.and_then(parse_bytes);
            let reference = reference.map_err(|error| on_line(line(), error))?;
            pieces.push(Piece::Text(&text[done..found.start]));
            pieces.push(Piece::Reference(reference));
            done = found.end;
        }
        pieces.push(Piece::Text(&text[done..]));
        Ok(Self { pieces })
    }

    /// All of it in its order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece<'a>] {
        &self.pieces
    }

    /// The references in their order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Reference(reference) => Some(reference),
            Piece::Text(_) => None,
        })
    }

    /// As [`Self::fill`] for a template that is JSON, whose references stand inside of strings:
    /// what they stand for is escaped as JSON wants it.
    ///
    /// # Errors
    ///
    /// Those of `resolve`, and [`Error::Invalid`] for what is not UTF-8.
    pub fn fill_json<E: From<Error>>(
        &self,
        resolve: impl Fn(&Reference) -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<Zeroizing<Vec<u8>>, E> {
        self.fill(|reference| Ok(json_escaped(reference, &resolve(reference)?)?))
    }

    /// The text with what the references stand for.
    ///
    /// # Errors
    ///
    /// Those of `resolve`.
    pub fn fill<E>(
        &self,
        resolve: impl Fn(&Reference) -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<Zeroizing<Vec<u8>>, E> {
        let mut parts = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            parts.push(match piece {
                Piece::Text(text) => Zeroizing::new(text.to_vec()),
                Piece::Reference(reference) => resolve(reference)?,
            });
        }
        // In one piece from the start, so that growing leaves no copy behind.
        let mut filled =
            Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
        for part in &parts {
            filled.extend_from_slice(part);
        }
        Ok(filled)
    }
}

/// Whether a text is JSON, so that what goes into its strings has to be escaped.
#[must_use]
pub fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(without_mark(text)).is_ok()
}

/// What a reference stands for as the inside of a JSON string.
///
/// # Errors
///
/// [`Error::Invalid`] if it is not UTF-8.
pub fn json_escaped(reference: &Reference, value: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let what = || format!("{reference}");
    let text = std::str::from_utf8(value)
        .map_err(|_| Error::invalid(what(), "is not UTF-8, and the template is JSON"))?;
    // Room for the longest escapes, so that growing leaves no copy behind.
    let mut escaped = Zeroizing::new(Vec::with_capacity(6 * text.len() + 2));
    serde_json::to_writer(&mut *escaped, text)
        .map_err(|_| Error::invalid(what(), "is not a text"))?;
    escaped.pop();
    escaped.remove(0);
    Ok(escaped)
}

impl From<Reference> for Template<'_> {
    /// The template that is this reference alone.
    fn from(reference: Reference) -> Self {
        Self { pieces: vec![Piece::Reference(reference)] }
    }
}

/// A reference in a text, and where what it stands for goes.
struct Found<'a> {
    start: usize,
    end: usize,
    reference: Result<&'a [u8]>,
}

/// The first reference at or after `from`.
fn find(text: &[u8], from: usize) -> Option<Found<'_>> {
    let mut position = from;
    loop {
        let scheme = position + index_of(&text[position..], SCHEME.as_bytes())?;
        // What ends in our scheme's letters is another scheme.
        let is_ours = scheme == from || !is_scheme_letter(text[scheme - 1]);
        if is_ours {
            return Some(enclosed(text, from, scheme).unwrap_or_else(|| bare(text, scheme)));
        }
        position = scheme + SCHEME.len();
    }
}

fn bare(text: &[u8], scheme: usize) -> Found<'_> {
    let length = text[scheme..].iter().take_while(|byte| is_bare(**byte)).count();
    let end = scheme + length;
    Found { start: scheme, end, reference: Ok(&text[scheme..end]) }
}

/// The reference at `scheme` with its braces, if it has opening ones.
fn enclosed(text: &[u8], from: usize, scheme: usize) -> Option<Found<'_>> {
    let before = text[from..scheme].trim_ascii_end().strip_suffix(b"{{")?;
    let start = from + before.len();
    // Not across lines: braces above belong to something else.
    if text[start..scheme].contains(&b'\n') {
        return None;
    }
    let rest = &text[scheme..];
    let rest = &rest[..index_of(rest, b"\n").unwrap_or(rest.len())];
    let Some(length) = index_of(rest, b"}}") else {
        let unclosed = Error::invalid("reference", "has {{ before it and no }} behind it");
        return Some(Found { start, end: scheme, reference: Err(unclosed) });
    };
    let reference = rest[..length].trim_ascii_end();
    Some(Found { start, end: scheme + length + b"}}".len(), reference: Ok(reference) })
}

fn index_of(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-_./@:+=~%#?".contains(&byte)
}

/// RFC 3986, section 3.1.
fn is_scheme_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

fn parse_bytes(text: &[u8]) -> Result<Reference> {
    let text =
        std::str::from_utf8(text).map_err(|_| Error::invalid("reference", "is not UTF-8"))?;
    text.parse()
}

fn on_line(line: usize, error: Error) -> Error {
    match error {
        Error::Invalid { what, reason } => Error::invalid(format!("{what} on line {line}"), reason),
        other => other,
    }
}

#[cfg(test)]
mod tests;
