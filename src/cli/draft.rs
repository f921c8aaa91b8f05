//! Files of the program's own that appear whole: written under a temporary name beside their
//! place, and then moved there.
//!
//! A draft holds secrets in clear. Signals that would end the process wait until it is in its
//! place or gone. One that a killed process left behind is removed by the next that writes a file
//! of the same name: it holds the lock of its draft while it lives.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tempfile::NamedTempFile;

use super::signals::Hold;

/// How the names of drafts end.
const DRAFT: &[u8] = b".credb-out";

/// The random characters in a draft's name.
const RANDOM: usize = 6;

/// How much of a file's name goes into that of its draft, which may have 255 bytes.
const LONGEST_NAME: usize = 200;

/// A file under a temporary name (0600), whole and durable but for its place. Removed if it is
/// dropped before it has one.
pub(crate) struct Draft {
    // Dropped before signals act again.
    file: NamedTempFile,
    directory: PathBuf,
    _hold: Hold,
}

/// Whether the entry of a file that is in its place survives a loss of power.
pub(crate) type Durable = io::Result<()>;

impl Draft {
    /// A draft of the file at `path`, with these contents, after `prepare` has seen it.
    pub(crate) fn of(
        path: &Path,
        contents: &[u8],
        prepare: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<Self> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let prefix = prefix(path);
        let hold = Hold::begin()?;
        remove_abandoned(directory, &prefix);
        let mut file = create(directory, &prefix)?;
        file.write_all(contents)?;
        prepare(file.as_file())?;
        file.as_file().sync_all()?;
        Ok(Self { file, directory: directory.to_owned(), _hold: hold })
    }

    /// Moves it to its place, whatever file is there.
    pub(crate) fn replace(self, path: &Path) -> io::Result<Durable> {
        self.file.persist(path).map_err(|error| error.error)?;
        Ok(sync(&self.directory))
    }

    /// Moves it to its place if nothing is there; none if something is.
    pub(crate) fn place(self, path: &Path) -> io::Result<Option<Durable>> {
        match self.file.persist_noclobber(path) {
            Ok(_) => Ok(Some(sync(&self.directory))),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error.error),
        }
    }
}

/// A new draft, locked.
fn create(directory: &Path, prefix: &OsStr) -> io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new()
            .prefix(prefix)
            .rand_bytes(RANDOM)
            .suffix(OsStr::from_bytes(DRAFT))
            .tempfile_in(directory)?;
        match file.as_file().lock() {
            // Somebody may have taken it for abandoned just before.
            Ok(()) if file.as_file().metadata()?.nlink() == 0 => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Where there are no locks nobody can tell that one is abandoned, and none is removed.
            Ok(()) | Err(_) => return Ok(file),
        }
    }
}

/// How the names of this file's drafts begin.
fn prefix(path: &Path) -> OsString {
    let name = path.file_name().unwrap_or(OsStr::new("credb")).as_bytes();
    let mut prefix = OsString::from(".");
    prefix.push(OsStr::from_bytes(&name[..name.len().min(LONGEST_NAME)]));
    prefix.push(".");
    prefix
}

/// Removes the drafts with names of this kind that were left behind, as far as that can be done.
fn remove_abandoned(directory: &Path, prefix: &OsStr) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let random = name.as_bytes().strip_prefix(prefix.as_bytes());
        let random = random.and_then(|name| name.strip_suffix(DRAFT));
        let is_draft = random.is_some_and(|random| {
            random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric)
        });
        if is_draft {
            remove_if_abandoned(&entry);
        }
    }
}

/// Removes a draft whose lock nobody has.
fn remove_if_abandoned(entry: &DirEntry) {
    let path = entry.path();
    // Neither followed nor waited for, should it be something else.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(&path);
    let Ok(file) = opened else { return };
    let is_file = file.metadata().is_ok_and(|found| found.is_file());
    if is_file && file.try_lock().is_ok() {
        let _ = fs::remove_file(path);
    }
}

/// Makes the entries of a directory durable, where its file system knows how.
fn sync(directory: &Path) -> Durable {
    match File::open(directory)?.sync_all() {
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn drafts_that_nobody_has_are_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(directory.path().join(name), "x").unwrap();
        let kept = [
            ".out.abc123.new",
            ".out.abcd1234.credb-out",
            ".out.abc-12.credb-out",
            ".other.abc123.credb-out",
            "out.abc123.credb-out",
        ];
        kept.into_iter().for_each(write);
        let link = directory.path().join(".out.link00.credb-out");
        symlink(directory.path().join(".out.abc123.new"), &link).unwrap();
        write(".out.abc123.credb-out");
        let path = directory.path().join("out");
        let first = Draft::of(&path, b"first", |_| Ok(())).unwrap();
        let second = Draft::of(&path, b"second", |_| Ok(())).unwrap();
        assert!(!directory.path().join(".out.abc123.credb-out").exists());
        assert!(link.symlink_metadata().is_ok());
        assert!(kept.iter().all(|name| directory.path().join(name).exists()));
        first.replace(&path).unwrap().unwrap();
        assert!(second.place(&path).unwrap().is_none());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), kept.len() + 2);
    }

    #[test]
    fn the_longest_name_has_a_draft() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x".repeat(255));
        Draft::of(&path, b"", |_| Ok(())).unwrap().replace(&path).unwrap().unwrap();
        assert!(path.exists());
    }
}
