//! The vault's file: placing, opening, watching, and the turnstile beside it.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::patience::{Budget, OutOfTime};
use super::turnstile_path;
use crate::error::{Error, Result};

/// Whether a file is opened to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Which file it is, however it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// What the engine keeps its bytes in.
pub(crate) enum Medium {
    File(File),
}

impl Medium {
    /// The open file once more, with the locks that it has.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub(super) fn file(&self, path: &Path) -> Result<File> {
        let Self::File(file) = self;
        file.try_clone().map_err(Error::io("read", path))
    }
}

/// Held by a writer from before it looks at the file until its work is done. Let go by dropping.
pub(crate) trait Turn {}

/// Where a vault is, and how its writers queue there.
pub(crate) trait Place: fmt::Debug + Send + Sync {
    /// The path to name in messages.
    fn path(&self) -> &Path;

    /// Which file is at the path now.
    fn identity(&self) -> Result<Identity>;

    /// Opens what is at the path.
    fn open(&self, access: Access) -> Result<(Medium, Identity)>;

    /// Waits for this writer's turn.
    fn turnstile(&self, budget: &Budget) -> Result<Box<dyn Turn>>;
}

/// A vault in a file.
#[derive(Debug)]
pub(crate) struct FilePlace {
    path: PathBuf,
    file_systems: FileSystems,
}

/// Which file systems a vault may be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileSystems {
    /// Those where locks and syncs can be relied on.
    Local,
    /// All, as the user asked for.
    Any,
}

impl FilePlace {
    /// The vault at this path, which is resolved once: a link to it is followed now.
    ///
    /// # Errors
    ///
    /// [`Error::VaultNotFound`] with the full path, and [`Error::Io`].
    pub(crate) fn find(path: &Path, file_systems: FileSystems) -> Result<Self> {
        match fs::canonicalize(path) {
            Ok(path) => Ok(Self { path, file_systems }),
            Err(error) if is_absent(&error) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                Err(Error::VaultNotFound { path })
            }
            Err(error) => Err(Error::io("open", path)(error)),
        }
    }

    fn metadata(&self) -> Result<fs::Metadata> {
        fs::metadata(&self.path).map_err(|error| self.failed("read", error))
    }

    fn failed(&self, action: &'static str, error: io::Error) -> Error {
        if is_absent(&error) {
            return Error::VaultNotFound { path: self.path.clone() };
        }
        Error::io(action, &self.path)(error)
    }
}

impl Place for FilePlace {
    fn path(&self) -> &Path {
        &self.path
    }

    fn identity(&self) -> Result<Identity> {
        Ok(Identity::of(&self.metadata()?))
    }

    fn open(&self, access: Access) -> Result<(Medium, Identity)> {
        let file = OpenOptions::new()
            .read(true)
            .write(access == Access::Write)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open(&self.path)
            .map_err(|error| self.failed("open", error))?;
        let metadata = file.metadata().map_err(|error| self.failed("read", error))?;
        let what = || self.path.display().to_string();
        if !metadata.is_file() {
            let reason = "it is no regular file".to_owned();
            return Err(Error::NotAVault { path: self.path.clone(), reason });
        }
        if metadata.len() == 0 {
            return Err(Error::corrupt(what(), "the file is empty"));
        }
        check_file_system(&file, &self.path, self.file_systems)?;
        Ok((Medium::File(file), Identity::of(&metadata)))
    }

    fn turnstile(&self, budget: &Budget) -> Result<Box<dyn Turn>> {
        let path = turnstile_path(&self.path);
        loop {
            let file = open_turnstile(&path, &self.path)?;
            let file = lock(file, &path, budget)?;
            let held = file.metadata().map_err(Error::io("read", &path))?;
            // Somebody may have deleted the file while we waited for it: then others queue at
            // a new one, and holding this one says nothing.
            match fs::metadata(&path) {
                Ok(now) if Identity::of(&now) == Identity::of(&held) => {
                    return Ok(Box::new(FileTurn::new(file)));
                }
                Ok(_) => {}
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(Error::io("read", &path)(error)),
            }
        }
    }
}

impl Identity {
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A turn at the lock of this file.
#[derive(Debug)]
pub(super) struct FileTurn {
    file: File,
    pid: u32,
}

impl FileTurn {
    /// That of a file which this process has locked.
    pub(super) fn new(file: File) -> Self {
        Self { file, pid: std::process::id() }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Turn for FileTurn {}

impl Drop for FileTurn {
    fn drop(&mut self) {
        // A child that was forked meanwhile shares the lock: closing alone would leave it held
        // until the child ends, and the child must not let its parent's turn go.
        if self.pid == std::process::id() {
            let _ = self.file.unlock();
        }
    }
}

/// Opens the file at `path` that processes queue at, made where it is missing for the owner of the
/// vault.
pub(super) fn open_turnstile(path: &Path, vault: &Path) -> Result<File> {
    let open = |create: bool| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(create)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
    };
    loop {
        match open(false) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => return result.map_err(Error::io("open", path)),
        }
        match open(true) {
            Ok(file) => {
                give_to_owner_of(vault, &file);
                return Ok(file);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return match fs::symlink_metadata(vault) {
                    Err(missing) if is_absent(&missing) => {
                        Err(Error::VaultNotFound { path: vault.to_owned() })
                    }
                    _ => Err(Error::io("create", path)(error)),
                };
            }
        }
    }
}

/// A file that root makes beside somebody's vault must not lock its owner out; and a umask must
/// not lock out everybody. Best effort: whoever may not change it owns it already.
fn give_to_owner_of(vault: &Path, file: &File) {
    let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
    if let (Ok(vault), Ok(own)) = (fs::metadata(vault), file.metadata())
        && (vault.uid(), vault.gid()) != (own.uid(), own.gid())
    {
        let owner = rustix::fs::Uid::from_raw(vault.uid());
        let group = rustix::fs::Gid::from_raw(vault.gid());
        let _ = rustix::fs::fchown(file, Some(owner), Some(group));
    }
}

/// The most threads that wait in the kernel at once; one that was given up on waits until the
/// holder lets go, and more of them than that would use up threads and descriptors.
const MOST_HELPERS: usize = 64;

static HELPERS: AtomicUsize = AtomicUsize::new(0);

enum Waiting {
    OutOfTime,
    Failed(io::Error),
}

impl From<OutOfTime> for Waiting {
    fn from(_: OutOfTime) -> Self {
        Self::OutOfTime
    }
}

/// Locks the whole file for this description alone. The kernel queues those who wait, which a
/// helper thread does for us, so that the caller can give up; a lock that comes too late is let
/// go by closing its file.
pub(super) fn lock(file: File, path: &Path, budget: &Budget) -> Result<File> {
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) if budget.left().is_zero() => {
            return Err(budget.exhausted());
        }
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
    }
    if HELPERS.load(Ordering::Relaxed) >= MOST_HELPERS {
        let attempt = || match file.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Waiting::Failed(error)),
        };
        return match budget.poll(attempt) {
            Ok(()) => Ok(file),
            Err(Waiting::OutOfTime) => Err(budget.exhausted()),
            Err(Waiting::Failed(error)) => Err(Error::io("lock", path)(error)),
        };
    }
    HELPERS.fetch_add(1, Ordering::Relaxed);
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::Builder::new()
        .name("credb-turnstile".to_owned())
        .stack_size(64 * 1_024)
        .spawn(move || {
            let locked = file.lock().map(|()| file);
            HELPERS.fetch_sub(1, Ordering::Relaxed);
            // Nobody may be waiting any more; then the file is closed here.
            let _ = sender.try_send(locked);
        })
        .inspect_err(|_| {
            HELPERS.fetch_sub(1, Ordering::Relaxed);
        })
        .map_err(Error::io("wait for", path))?;
    match budget.spend(|left| receiver.recv_timeout(left)) {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(error)) => Err(Error::io("lock", path)(error)),
        Err(_) => Err(budget.exhausted()),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Refuses file systems whose locks or syncs are somebody else's promise.
pub(super) fn check_file_system(file: &File, path: &Path, allowed: FileSystems) -> Result<()> {
    if allowed == FileSystems::Any {
        return Ok(());
    }
    let Ok(status) = rustix::fs::fstatfs(file) else {
        return Ok(());
    };
    match network_file_system(status.f_type) {
        Some(kind) => Err(Error::UnsupportedFileSystem { path: path.to_owned(), kind }),
        None => Ok(()),
    }
}

/// The name of a network file system by its magic number (Linux, `statfs(2)`).
fn network_file_system(magic: i64) -> Option<&'static str> {
    match magic {
        0x6969 => Some("NFS"),
        0x517b => Some("SMB"),
        0xff53_4d42 | 0xfe53_4d42 => Some("CIFS"),
        0x0102_1997 => Some("9p"),
        0x5346_414f => Some("AFS"),
        0x00c3_6400 => Some("Ceph"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::patience::Patience;
    use super::*;

    fn budget(limit: Duration) -> std::sync::Arc<Budget> {
        Patience::each_call(PathBuf::from("v"), limit).budget()
    }

    fn place() -> (tempfile::TempDir, FilePlace) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.redb");
        fs::write(&path, b"x").unwrap();
        let place = FilePlace::find(&path, FileSystems::Any).unwrap();
        (dir, place)
    }

    #[test]
    fn one_turn_at_a_time() {
        let (_dir, place) = place();
        let turn = place.turnstile(&budget(Duration::ZERO)).unwrap();
        let second = place.turnstile(&budget(Duration::from_millis(20)));
        assert!(matches!(second, Err(Error::Busy { .. })));
        drop(turn);
        assert!(place.turnstile(&budget(Duration::from_secs(10))).is_ok());
    }

    #[test]
    fn a_turn_given_up_on_does_not_stay_taken() {
        let (_dir, place) = place();
        let turn = place.turnstile(&budget(Duration::ZERO)).unwrap();
        assert!(place.turnstile(&budget(Duration::from_millis(20))).is_err());
        drop(turn);
        // The helper thread gets the lock now, and lets it go.
        assert!(place.turnstile(&budget(Duration::from_secs(10))).is_ok());
    }

    #[test]
    fn a_deleted_turnstile_is_no_turn() {
        let (_dir, place) = place();
        let turn = place.turnstile(&budget(Duration::ZERO)).unwrap();
        fs::remove_file(turnstile_path(&place.path)).unwrap();
        let second = place.turnstile(&budget(Duration::ZERO));
        assert!(second.is_ok(), "a new file, which others queue at");
        drop(turn);
    }

    #[test]
    fn network_file_systems_are_known_by_name() {
        assert_eq!(network_file_system(0x6969), Some("NFS"));
        assert_eq!(network_file_system(0xef53), None);
    }
}
