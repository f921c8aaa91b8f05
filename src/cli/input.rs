//! Reads what a command is given besides its arguments: secrets and documents, never more than
//! they may have.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use credb::exchange::MAX_INPUT;
use credb::{CredentialId, Error, Result, Secret};
use zeroize::Zeroizing;

use super::args::OneId;
use super::report::Failure;

/// How much of what is too large is read on to tell its size.
const LARGEST_COUNT: usize = 64 << 20;

/// Where something is read from.
pub(crate) enum Place {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// What happens to a final `\n` or `\r\n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It ends the line and is dropped.
    Dropped,
    /// It is part of the secret.
    Kept,
}

impl Place {
    /// A file, or standard input for `-`.
    pub(crate) fn of_document(path: &Path) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path.to_owned()) }
    }

    /// Reads a secret of at most `limit` bytes.
    pub(crate) fn secret(&self, what: &str, limit: usize, ending: Ending) -> Result<Secret> {
        let mut read = self.read(limit + 2)?;
        let size = match ending {
            Ending::Dropped => read.size - line_end(&read.tail),
            Ending::Kept => read.size,
        };
        within(what, size, limit)?;
        read.bytes.truncate(size);
        Ok(Secret::new(std::mem::take(&mut *read.bytes)))
    }

    /// Reads a document.
    pub(crate) fn document(&self) -> Result<Zeroizing<Vec<u8>>> {
        let read = self.read(MAX_INPUT)?;
        within("file", read.size, MAX_INPUT)?;
        Ok(read.bytes)
    }

    /// Keeps at most `limit` bytes, in memory that is wiped, and counts the others.
    fn read(&self, limit: usize) -> Result<Read> {
        let failed = |source| Error::Io { action: "read", path: self.name(), source };
        let mut source = self.open().map_err(failed)?;
        let mut chunk = Zeroizing::new(vec![0; 64 << 10]);
        let mut read = Read::default();
        while read.size < limit + LARGEST_COUNT {
            match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => read.add(&chunk[..count], limit),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(read)
    }

    /// Opens it.
    pub(crate) fn open(&self) -> io::Result<File> {
        match self {
            // Without the buffer of `io::stdin()`, which would keep a copy.
            Self::Stdin => io::stdin().as_fd().try_clone_to_owned().map(File::from),
            Self::File(path) => File::open(path),
        }
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> PathBuf {
        match self {
            Self::Stdin => "standard input".into(),
            Self::File(path) => path.clone(),
        }
    }
}

/// What was read.
#[derive(Default)]
struct Read {
    bytes: Zeroizing<Vec<u8>>,
    size: usize,
    tail: Vec<u8>,
}

impl Read {
    fn add(&mut self, chunk: &[u8], limit: usize) {
        self.size += chunk.len();
        if self.size <= limit {
            grow(&mut self.bytes, chunk.len());
            self.bytes.extend_from_slice(chunk);
        }
        self.tail.extend_from_slice(&chunk[chunk.len().saturating_sub(2)..]);
        self.tail.drain(..self.tail.len().saturating_sub(2));
    }
}

/// An argument as an id.
pub(crate) fn id(argument: OsString) -> Result<CredentialId, Failure> {
    Ok(CredentialId::new(text("id", argument)?)?)
}

/// An argument as text; the message does not repeat it.
pub(crate) fn text(what: &str, argument: OsString) -> Result<String, Failure> {
    argument.into_string().map_err(|_| Failure::invalid(what, "is not UTF-8"))
}

/// Ids given as arguments and as `--id`, at least one, each once.
pub(crate) fn ids(
    positional: Vec<OsString>,
    options: Vec<OsString>,
) -> Result<Vec<CredentialId>, Failure> {
    let mut ids: Vec<CredentialId> = Vec::with_capacity(positional.len() + options.len());
    let mut seen = std::collections::HashSet::new();
    for argument in positional.into_iter().chain(options) {
        let id = id(argument)?;
        if seen.insert(id.clone()) {
            ids.push(id);
        }
    }
    if ids.is_empty() {
        return Err(Failure::usage("an ID is needed"));
    }
    Ok(ids)
}

impl OneId {
    /// The one id there must be.
    pub(crate) fn parse(self) -> Result<CredentialId, Failure> {
        id(self.id.or(self.id_option).ok_or_else(|| Failure::usage("an ID is needed"))?)
    }
}

/// Refuses a size beyond its limit.
fn within(what: &str, size: usize, limit: usize) -> Result<()> {
    if size > limit { Err(too_large(what, size, limit)) } else { Ok(()) }
}

fn too_large(what: &str, size: usize, limit: usize) -> Error {
    let about = if size >= LARGEST_COUNT + limit { "at least " } else { "" };
    let reason = format!("has {about}{size} bytes, and at most {limit} are allowed");
    Error::Invalid { what: what.to_owned(), reason }
}

/// The length of a final `\n` or `\r\n`.
fn line_end(tail: &[u8]) -> usize {
    match tail {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    }
}

/// A secret without one final `\n` or `\r\n`.
pub(crate) fn without_line_end(secret: Secret) -> Secret {
    let bytes = secret.expose();
    match line_end(bytes) {
        0 => secret,
        end => bytes[..bytes.len() - end].into(),
    }
}

/// Makes room without leaving a copy in memory that is given back.
pub(crate) fn grow(bytes: &mut Zeroizing<Vec<u8>>, more: usize) {
    let needed = bytes.len() + more;
    if bytes.capacity() < needed {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_dropped_and_no_more() {
        for (read, length) in
            [("p\n", 1), ("p\r\n", 2), ("p\n\n", 1), ("p\r", 0), ("p", 0), ("\n", 1), ("", 0)]
        {
            assert_eq!(line_end(read.as_bytes()), length, "{read:?}");
        }
    }

    #[test]
    fn a_secret_keeps_to_its_limit_without_its_line_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let place = Place::File(path.clone());
        std::fs::write(&path, "12345678\r\n").unwrap();
        assert_eq!(place.secret("password", 8, Ending::Dropped).unwrap().expose(), b"12345678");
        let error = place.secret("password", 8, Ending::Kept).unwrap_err();
        assert_eq!(error.to_string(), "password has 10 bytes, and at most 8 are allowed");
        let error = place.secret("password", 7, Ending::Dropped).unwrap_err();
        assert_eq!(error.to_string(), "password has 8 bytes, and at most 7 are allowed");
    }

    #[test]
    fn ids_are_taken_once_and_one_is_needed() {
        let ids = ids(vec!["b".into(), "a".into()], vec!["b".into()]).ok().unwrap();
        assert_eq!(ids.iter().map(CredentialId::as_str).collect::<Vec<_>>(), ["b", "a"]);
        assert!(super::ids(Vec::new(), Vec::new()).is_err());
    }
}
