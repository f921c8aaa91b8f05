//! Files that hold 32 bytes of key: key files of the user's and the machine secret.
//!
//! Refuses files that others can read, as ssh does, and never replaces one.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::files::{Draft, create_private_directory, parent, sync_directory};
use crate::seal::{Key, random, take_key};

/// The most bytes a key file may have.
const LONGEST: u64 = 4_096;

/// Whether a key file that others can read is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Where its use is to be trusted: files of systemd and container secrets may be loose.
    ExceptDelivered,
    /// Always, whatever the directory.
    Strict,
}

/// The key in the file at `path`; `name` says what kind of file it is.
///
/// # Errors
///
/// [`Error::KeyUnusable`] if it is missing, can be read by others, or is no key.
pub(super) fn read(name: &str, path: &Path, reading: Reading) -> Result<Key> {
    let bytes = read_bytes(name, path, reading)?;
    parse(&bytes).ok_or_else(|| {
        unusable(name, path, "is not 32 bytes, raw or in base64 or hex".to_owned(), None)
    })
}

/// The bytes of a small secret file.
///
/// # Errors
///
/// [`Error::KeyUnusable`] if it is missing, can be read by others, or is too long.
pub(super) fn read_bytes(name: &str, path: &Path, reading: Reading) -> Result<Zeroizing<Vec<u8>>> {
    let failed = |error: std::io::Error| {
        let reason = match error.kind() {
            ErrorKind::NotFound => "is missing".to_owned(),
            ErrorKind::PermissionDenied => "cannot be read: permission denied".to_owned(),
            kind => format!("cannot be read: {kind}"),
        };
        unusable(name, path, reason, None)
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o777;
    if metadata.is_dir() {
        return Err(unusable(name, path, "is a directory".to_owned(), None));
    }
    let is_loose_by_right = reading == Reading::ExceptDelivered && may_be_loose(path);
    if metadata.is_file() && mode & 0o077 != 0 && !is_loose_by_right {
        return Err(unusable(
            name,
            path,
            format!("can be read by others (mode {mode:03o})"),
            Some(format!("chmod 600 {}", quoted(path))),
        ));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(256));
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        return Err(unusable(name, path, format!("is longer than {LONGEST} bytes"), None));
    }
    Ok(bytes)
}

/// Whether a secret file here may be readable by others: a system delivers it and decides on its
/// mode, or the user allows it.
pub(super) fn may_be_loose(path: &Path) -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let delivered = set("CREDENTIALS_DIRECTORY")
        .is_some_and(|directory| inside(path, Path::new(&directory)))
        || inside(path, Path::new("/run/secrets"));
    delivered || set("CREDB_ALLOW_LOOSE_KEY").is_some_and(|value| value == "1")
}

/// Whether `path` lies below `directory`, as written and not through `..`.
fn inside(path: &Path, directory: &Path) -> bool {
    directory.is_absolute()
        && path.starts_with(directory)
        && !path.components().any(|part| part == std::path::Component::ParentDir)
}

/// Makes a key file of 32 random bytes in base64, mode 0600, and returns its key; an existing
/// file is left alone and read. Durable when this returns.
///
/// # Errors
///
/// [`Error::Io`] if it cannot be made; [`Error::KeyUnusable`] as for [`read`].
pub(super) fn create_or_read(name: &str, path: &Path) -> Result<Key> {
    let directory = parent(path);
    create_private_directory(directory)?;
    if fs::symlink_metadata(path).is_err() {
        let key: Key = random();
        let text = Zeroizing::new(BASE64.encode(key.as_slice()) + "\n");
        let draft = Draft::of(path)?;
        draft.write(text.as_bytes())?;
        draft.sync()?;
        // If somebody else made it meanwhile, theirs counts.
        draft.place(path)?;
    }
    // Also for a file that somebody else made a moment ago: the caller relies on it.
    sync_directory(directory)?;
    read(name, path, Reading::Strict)
}

/// 32 bytes, raw or as text in hex or base64 with white space around.
fn parse(bytes: &[u8]) -> Option<Key> {
    if let Ok(raw) = <[u8; 32]>::try_from(bytes) {
        return Some(Zeroizing::new(raw));
    }
    let text = bytes.trim_ascii();
    [HEXLOWER_PERMISSIVE, BASE64, BASE64URL, BASE64_NOPAD, BASE64URL_NOPAD].iter().find_map(
        |encoding| {
            let decoded = Zeroizing::new(encoding.decode(text).ok()?);
            let mut key: [u8; 32] = decoded.as_slice().try_into().ok()?;
            Some(take_key(&mut key))
        },
    )
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn unusable(name: &str, path: &Path, reason: String, remedy: Option<String>) -> Error {
    Error::KeyUnusable { source_name: format!("{name} {}", path.display()), reason, remedy }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_read_raw_and_as_text() {
        let key = [0xfb; 32];
        let texts = [
            key.to_vec(),
            BASE64.encode(&key).into_bytes(),
            BASE64URL_NOPAD.encode(&key).into_bytes(),
            format!(" {}\r\n", BASE64URL.encode(&key)).into_bytes(),
            HEXLOWER_PERMISSIVE.encode(&key).to_uppercase().into_bytes(),
        ];
        for text in texts {
            assert_eq!(*parse(&text).unwrap(), key);
        }
        for wrong in [&b"short"[..], &[1; 31], &[1; 33], b""] {
            assert!(parse(wrong).is_none());
        }
    }

    #[test]
    fn a_key_file_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/k");
        let key = create_or_read("key file", &path).unwrap();
        assert_eq!(create_or_read("key file", &path).unwrap(), key);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        create_or_read("key file", &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = read("key file", &path, Reading::Strict).unwrap_err();
        assert!(error.to_string().contains("mode 640"), "{error}");
    }

    #[test]
    fn only_what_lies_below_counts_as_delivered() {
        assert!(inside(Path::new("/run/secrets/k"), Path::new("/run/secrets")));
        assert!(!inside(Path::new("/run/secrets/../k"), Path::new("/run/secrets")));
        assert!(!inside(Path::new("/run/secrets2/k"), Path::new("/run/secrets")));
        assert!(!inside(Path::new("k"), Path::new("")));
    }
}
