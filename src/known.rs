//! Known vaults: which vault was at which path, as ssh knows hosts, so that a vault that somebody
//! put in the place of another is not written to in silence.
//!
//! Reading it costs one small file. Where it cannot be read or written, vaults open all the same:
//! it is a warning to who has it, and no lock.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;

use crate::error::{Error, Result};
use crate::files::{Draft, create_private_directory, parent};
use crate::vault::VaultId;

/// The first line of the file.
const HEAD: &str = "# credb known vaults 1";

/// The longest file that is read, in bytes.
const LONGEST: u64 = 1_048_576;

/// The most vaults that are known; the one known first goes first.
const MOST: usize = 1_000;

/// The longest wait for others that write the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// A file that says which vault is at which path.
///
/// # Examples
///
/// ```
/// use credb::{KnownVaults, LockedVault, NewKey, Options, Vault};
///
/// # fn main() -> credb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let (path, other) = (dir.path().join("v.redb"), dir.path().join("other.redb"));
/// let known = KnownVaults::in_file(&dir.path().join("known_vaults"));
/// let options = Options::new().known_vaults(known);
/// let key = NewKey::Hostname("host-a".into());
/// Vault::create(&path, &options, &key)?;
/// LockedVault::open(&path, &options)?;
/// // Somebody puts another vault there.
/// Vault::create(&other, &Options::new(), &key)?;
/// std::fs::rename(&other, &path).unwrap();
/// assert!(LockedVault::open(&path, &options).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownVaults(PathBuf);

/// A vault that is not known yet, and will be once a key has opened it.
#[derive(Debug, Clone)]
pub(crate) struct Newcomer {
    known: KnownVaults,
    path: PathBuf,
}

/// A path and the vault that was there.
type Entry = (PathBuf, VaultId);

impl KnownVaults {
    /// Those in this file, which need not be there yet.
    #[must_use]
    pub fn in_file(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The vault that was at this path.
    ///
    /// # Errors
    ///
    /// [`Error::KnownVaultsDamaged`].
    pub fn at(&self, path: &Path) -> Result<Option<VaultId>> {
        let path = absolute(path);
        let entries = self.read()?;
        Ok(entries.into_iter().rev().find(|(known, _)| *known == path).map(|(_, id)| id))
    }

    /// Knows this vault at this path from now on, and no other. Makes the file where it is
    /// missing, with its directory (0700).
    ///
    /// # Errors
    ///
    /// [`Error::Io`], also if others hold the file for more than five seconds, and
    /// [`Error::KnownVaultsDamaged`].
    pub fn pin(&self, path: &Path, vault: VaultId) -> Result<()> {
        create_private_directory(parent(&self.0))?;
        let _lock = self.lock()?;
        let path = absolute(path);
        let mut entries = self.read()?;
        entries.retain(|(known, _)| *known != path);
        entries.push((path, vault));
        let first = entries.len().saturating_sub(MOST);
        let draft = Draft::of(&self.0)?;
        draft.write(text(&entries[first..]).as_bytes())?;
        draft.sync()?;
        draft.replace(&self.0)
    }

    /// Checks the vault found at a path against the one that is known there. `None` if it is the
    /// same.
    ///
    /// # Errors
    ///
    /// [`Error::OtherVault`] and [`Error::KnownVaultsDamaged`].
    pub(crate) fn check(&self, path: &Path, found: VaultId) -> Result<Option<Newcomer>> {
        match self.at(path)? {
            None => Ok(Some(Newcomer { known: self.clone(), path: path.to_owned() })),
            Some(known) if known == found => Ok(None),
            Some(known) => Err(Error::OtherVault {
                path: absolute(path),
                known: known.to_string(),
                found: found.to_string(),
            }),
        }
    }

    /// Knows this vault at this path, as far as that can be written down. Makes no directory: a
    /// vault with a key elsewhere leaves no trace beside a machine secret that is not there.
    pub(crate) fn note(&self, path: &Path, vault: VaultId) {
        if parent(&self.0).is_dir() {
            let _ = self.pin(path, vault);
        }
    }

    fn read(&self) -> Result<Vec<Entry>> {
        let mut bytes = Vec::new();
        // Who may not read it cannot be warned by it.
        let Ok(file) = File::open(&self.0) else { return Ok(Vec::new()) };
        if file.take(LONGEST + 1).read_to_end(&mut bytes).is_err() {
            return Ok(Vec::new());
        }
        let damaged = |line| Error::KnownVaultsDamaged { path: self.0.clone(), line };
        if bytes.len() as u64 > LONGEST {
            return Err(damaged(MOST));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged(1))?;
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return Err(damaged(1));
        }
        let entries = lines.enumerate().map(|(number, line)| {
            entry(line).filter(|_| number < MOST).ok_or_else(|| damaged(number + 2))
        });
        entries.collect()
    }

    /// A lock that all who write the file take, on a file of its own since this one is replaced.
    fn lock(&self) -> Result<File> {
        let mut path = self.0.clone().into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let failed = || Error::io("lock", &path);
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(&path).map_err(failed())?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                    thread::sleep(Duration::from_millis(2));
                }
                Err(error) => return Err(failed()(error.into())),
            }
        }
    }
}

impl Newcomer {
    /// Knows the vault from now on, as far as that can be written down.
    pub(crate) fn welcome(&self, vault: VaultId) {
        self.known.note(&self.path, vault);
    }
}

/// The path as it is named, from the root on: where a link leads is a part of what may change.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn text(entries: &[Entry]) -> String {
    let lines = entries.iter().map(|(path, id)| format!("{id} {}\n", escaped(path)));
    std::iter::once(format!("{HEAD}\n")).chain(lines).collect()
}

fn entry(line: &str) -> Option<Entry> {
    let (id, path) = line.split_once(' ')?;
    let id: [u8; 16] = HEXLOWER.decode(id.as_bytes()).ok()?.try_into().ok()?;
    Some((unescaped(path)?, VaultId(id)))
}

/// A path in printable ASCII: other bytes, and `%`, as `%` and two hexadecimal digits.
fn escaped(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes().iter();
    bytes
        .map(|byte| match byte {
            b'!'..=b'~' if *byte != b'%' => char::from(*byte).to_string(),
            byte => format!("%{byte:02x}"),
        })
        .collect()
}

fn unescaped(text: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().filter(|_| *byte == b'%');
        match (byte, digits) {
            (b'%', Some(digits)) => {
                bytes.push(*HEXLOWER.decode(digits).ok()?.first()?);
                rest = &after[2..];
            }
            (b'!'..=b'~', None) if *byte != b'%' => {
                bytes.push(*byte);
                rest = after;
            }
            _ => return None,
        }
    }
    let path = PathBuf::from(std::ffi::OsString::from_vec(bytes));
    path.is_absolute().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> VaultId {
        VaultId([byte; 16])
    }

    #[test]
    fn paths_of_all_bytes_come_back() {
        let path = PathBuf::from(std::ffi::OsString::from_vec(
            [b"/", &[1, 255, b'%', b' ', b'\n'][..], b"x"].concat(),
        ));
        let line = text(&[(path.clone(), id(7))]);
        assert_eq!(line.lines().nth(1).unwrap(), format!("{} /%01%ff%25%20%0ax", id(7)));
        assert_eq!(entry(line.lines().nth(1).unwrap()), Some((path, id(7))));
        for wrong in ["", "x /a", "07070707070707070707070707070707 a", "0707 /a"] {
            assert_eq!(entry(wrong), None, "{wrong}");
        }
        for wrong in ["/%", "/%0", "/%0G", "/a b", "/\u{e9}"] {
            assert_eq!(unescaped(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_last_pin_of_a_path_counts_and_the_number_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let known = KnownVaults::in_file(&dir.path().join("sub/known_vaults"));
        assert_eq!(known.at(Path::new("/a")).unwrap(), None);
        known.pin(Path::new("/a"), id(1)).unwrap();
        known.pin(Path::new("/a"), id(2)).unwrap();
        assert_eq!(known.at(Path::new("/a")).unwrap(), Some(id(2)));
        assert!(known.check(Path::new("/a"), id(2)).unwrap().is_none());
        assert!(matches!(known.check(Path::new("/a"), id(1)), Err(Error::OtherVault { .. })));
        let many: Vec<Entry> =
            (0..MOST).map(|number| (PathBuf::from(format!("/{number}")), id(3))).collect();
        fs::write(&known.0, text(&many)).unwrap();
        known.pin(Path::new("/new"), id(4)).unwrap();
        let entries = known.read().unwrap();
        assert_eq!((entries.len(), &entries[0].0), (MOST, &PathBuf::from("/1")));
    }

    #[test]
    fn a_damaged_file_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let known = KnownVaults::in_file(&dir.path().join("known_vaults"));
        let many = format!("{HEAD}\n{}", format!("{} /a\n", id(1)).repeat(MOST + 1));
        for (damaged, expected) in
            [("", 1), ("x", 1), (&format!("{HEAD}\n{} /a\nx\n", id(1)), 3), (&many, MOST + 2)]
        {
            fs::write(&known.0, damaged).unwrap();
            let error = known.at(Path::new("/a")).unwrap_err();
            let Error::KnownVaultsDamaged { line, .. } = error else { panic!("{error:?}") };
            assert_eq!(line, expected);
            assert!(known.pin(Path::new("/a"), id(1)).is_err(), "it is left alone");
            assert_eq!(fs::read_to_string(&known.0).unwrap(), *damaged);
        }
    }
}
