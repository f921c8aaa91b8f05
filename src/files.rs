//! Directories that only their owner enters, and directory entries that survive a power loss.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use crate::error::{Error, Result};

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
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
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
    let sync = || File::open(directory)?.sync_all();
    sync().map_err(Error::io("sync", directory))
}
