//! Files and directory entries that appear whole and survive a power loss.
//!
//! Every change of a directory entry that a vault depends on goes through here, so that the
//! crash simulator sees them all.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, DirEntry, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};
#[cfg(feature = "simulate")]
use crate::simulate;

/// The directory that a path's last part is in; `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a directory (0700, whatever the umask) and those above it where they are missing.
///
/// # Errors
///
/// [`Error::Io`].
pub(crate) fn create_private_directory(directory: &Path) -> Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = parent(directory);
    if above != directory {
        create_private_directory(above)?;
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => {
            fs::set_permissions(directory, Permissions::from_mode(0o700))
                .map_err(Error::io("set the permissions of", directory))?;
            sync_directory(above)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::io("create", directory)(error)),
    }
}

/// Makes the entries of a directory durable.
///
/// # Errors
///
/// [`Error::Io`].
pub(crate) fn sync_directory(directory: &Path) -> Result<()> {
    #[cfg(feature = "simulate")]
    simulate::observe(|| simulate::Event::SyncDirectory { path: directory.to_owned() });
    let sync = || {
        #[cfg(feature = "simulate")]
        simulate::attempt(simulate::Operation::Sync)?;
        File::open(directory)?.sync_all()
    };
    sync().map_err(Error::io("sync", directory))
}

/// Gives a file a second name, in place of nothing. Durable with the directory's next sync.
///
/// # Errors
///
/// [`Error::Io`].
pub(crate) fn link(path: &Path, second: &Path) -> Result<()> {
    fs::hard_link(path, second).map_err(Error::io("keep a copy as", second))?;
    #[cfg(feature = "simulate")]
    simulate::observe(|| simulate::Event::link(second));
    Ok(())
}

/// Takes a second name of a file away again, as far as that can be done; the only name of a file
/// stays.
pub(crate) fn unlink_second(second: &Path, path: &Path) {
    let identity = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    if identity(path).is_some_and(|known| identity(second) == Some(known)) {
        let _ = fs::remove_file(second);
    }
}

/// How the names of drafts end.
const DRAFT: &[u8] = b".credb-draft";

/// The random characters in a draft's name.
const RANDOM: usize = 6;

/// A draft that nobody wrote to for so long has no maker any more: no call waits longer than half of
/// it. A lock could not tell, since the engine takes each for one of its own older versions.
const ABANDONED: Duration = Duration::from_secs(48 * 3_600);

/// A file under a temporary name (0600, whatever the umask), to be filled and then placed under
/// its own. Removed if it is dropped before.
#[derive(Debug)]
pub(crate) struct Draft(NamedTempFile);

impl Draft {
    /// A draft of the file at `path`, in the same directory. Old drafts of the same file, whose
    /// makers were killed, are removed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let directory = parent(path);
        let prefix = draft_prefix(path);
        remove_abandoned(directory, &prefix);
        let failed = || Error::io("create a file in", directory);
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .rand_bytes(RANDOM)
            .suffix(OsStr::from_bytes(DRAFT))
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(directory)
            .map_err(failed())?;
        file.as_file().set_permissions(Permissions::from_mode(0o600)).map_err(failed())?;
        #[cfg(feature = "simulate")]
        simulate::observe(|| simulate::Event::link(file.path()));
        Ok(Self(file))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes the whole contents of a draft that is still empty.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub(crate) fn write(&self, contents: &[u8]) -> Result<()> {
        let write = || {
            #[cfg(feature = "simulate")]
            simulate::attempt(simulate::Operation::Write)?;
            self.file().write_all_at(contents, 0)
        };
        write().map_err(Error::io("write", self.path()))?;
        #[cfg(feature = "simulate")]
        simulate::observe(|| simulate::Event::write(self.file(), contents));
        Ok(())
    }

    pub(crate) fn file(&self) -> &File {
        self.0.as_file()
    }

    /// A second description of the draft's file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub(crate) fn reopen(&self) -> Result<File> {
        self.0.reopen().map_err(Error::io("open", self.path()))
    }

    /// Makes the contents durable.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub(crate) fn sync(&self) -> Result<()> {
        #[cfg(feature = "simulate")]
        simulate::observe(|| simulate::Event::sync(self.file()));
        let sync = || {
            #[cfg(feature = "simulate")]
            simulate::attempt(simulate::Operation::Sync)?;
            self.file().sync_all()
        };
        sync().map_err(Error::io("sync", self.path()))
    }

    /// Gives the draft the owner, group and mode of another file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if they cannot be had.
    pub(crate) fn adopt(&self, other: &Path) -> Result<()> {
        let failed = || Error::io("keep the owner and mode of", other);
        let model = fs::metadata(other).map_err(failed())?;
        let own = self.file().metadata().map_err(failed())?;
        if (model.uid(), model.gid()) != (own.uid(), own.gid()) {
            let owner = rustix::fs::Uid::from_raw(model.uid());
            let group = rustix::fs::Gid::from_raw(model.gid());
            rustix::fs::fchown(self.file(), Some(owner), Some(group))
                .map_err(|error| failed()(error.into()))?;
        }
        self.file().set_permissions(model.permissions()).map_err(failed())
    }

    /// Places the draft where nothing is; `false` if something is. Durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and [`Error::OutcomeUnknown`] if it is placed and may not be durable.
    pub(crate) fn place(self, path: &Path) -> Result<bool> {
        #[cfg(feature = "simulate")]
        let from = self.path().to_owned();
        match self.0.persist_noclobber(path) {
            Ok(_) => {}
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(Error::io("create", path)(error.error)),
        }
        #[cfg(feature = "simulate")]
        simulate::observe(|| simulate::Event::rename(&from, path));
        sync_entry(path).map(|()| true)
    }

    /// Places the draft in place of whatever file is there. Durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and [`Error::OutcomeUnknown`] if it is placed and may not be durable.
    pub(crate) fn replace(self, path: &Path) -> Result<()> {
        #[cfg(feature = "simulate")]
        let from = self.path().to_owned();
        self.0.persist(path).map_err(|error| Error::io("replace", path)(error.error))?;
        #[cfg(feature = "simulate")]
        simulate::observe(|| simulate::Event::rename(&from, path));
        sync_entry(path)
    }
}

/// How the names of this file's drafts begin.
fn draft_prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or(OsStr::new("credb")));
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
        if is_draft && is_abandoned(&entry) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_abandoned(entry: &DirEntry) -> bool {
    // Of the entry itself, not of what a link points to.
    let Ok(found) = entry.metadata() else { return false };
    let is_old = |time: SystemTime| time.elapsed().is_ok_and(|age| age > ABANDONED);
    found.is_file() && found.modified().is_ok_and(is_old)
}

/// Makes the name of a file durable that is in its place already.
fn sync_entry(path: &Path) -> Result<()> {
    sync_directory(parent(path)).map_err(|error| match error {
        Error::Io { source, .. } => Error::OutcomeUnknown { path: path.to_owned(), source },
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_drafts_of_the_file_are_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - ABANDONED - Duration::from_secs(60);
        let write = |name: &str| {
            let file = File::create(dir.path().join(name)).unwrap();
            file.set_modified(old).unwrap();
        };
        let kept = [
            ".v.redb.abc123.new",
            ".v.redb.abcd1234.credb-draft",
            ".v.redb.abc-12.credb-draft",
            ".w.redb.abc123.credb-draft",
            "v.redb.abc123.credb-draft",
            ".v.redb.target",
        ];
        kept.into_iter().for_each(write);
        let link = dir.path().join(".v.redb.link00.credb-draft");
        std::os::unix::fs::symlink(dir.path().join(".v.redb.target"), &link).unwrap();
        write(".v.redb.abc123.credb-draft");
        let vault = dir.path().join("v.redb");
        let first = Draft::of(&vault).unwrap();
        let second = Draft::of(&vault).unwrap();
        assert!(!dir.path().join(".v.redb.abc123.credb-draft").exists());
        assert!(first.path().exists() && second.path().exists(), "somebody is at work on them");
        assert!(link.symlink_metadata().is_ok());
        for name in kept {
            assert!(dir.path().join(name).exists(), "{name}");
        }
        drop((first, second));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), kept.len() + 1);
    }
}
