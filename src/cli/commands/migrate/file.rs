//! The predecessor's configuration gets references in the place of its passwords, after the vault
//! has them. It is replaced as a whole, and as it was it stays beside it.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use credb::exchange::migrate::{self, Import};
use zeroize::Zeroizing;

use crate::cli::commands::sink::{self, PRIVATE};
use crate::cli::context::io_error;
use crate::cli::draft::Draft;
use crate::cli::input::Place;
use crate::cli::output::Output;
use crate::cli::report::Failure;

/// What the name of the file as it was ends with.
const KEPT: &str = ".before-rewrite";

/// Refuses what could not be rewritten, before the vault is changed.
///
/// # Errors
///
/// Exit code 9 for a vault, and where another file has the name that this one is kept under.
pub(super) fn check(path: &Path, bytes: &[u8], import: &Import) -> Result<(), Failure> {
    if !migrate::is_configuration(bytes) {
        let reason = "is no configuration, which alone can hold references";
        return Err(Failure::invalid(path.display().to_string(), reason));
    }
    if import.entries.is_empty() {
        return Ok(());
    }
    let kept = kept_path(path)?;
    match Place::File(kept.clone()).document() {
        Ok(there) if there.as_slice() != bytes => Err(occupied(&kept)),
        Err(credb::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        other => other.map(drop).map_err(Failure::from),
    }
}

/// Replaces the file's contents, and keeps them as they were (0600, whatever the mode of the file
/// is) in the file whose path is returned.
///
/// # Errors
///
/// Exit code 9 if the file is not as it was read, and 8 if it cannot be replaced; it stays as it
/// is then, and no second one is left beside it.
pub(super) fn replace(
    output: &Output,
    path: &Path,
    before: &[u8],
    after: &Zeroizing<Vec<u8>>,
) -> Result<PathBuf, Failure> {
    let kept = kept_path(path)?;
    if *Place::File(path.to_owned()).document()? != before {
        let reason = "was changed meanwhile and stays as it is; the vault has what stood there \
                      before: do it again";
        return Err(Failure::invalid(path.display().to_string(), reason));
    }
    let was_there = kept.exists();
    keep(&kept, before)?;
    if let Err(failure) = sink::rewrite(output, path, after) {
        let is_unchanged = Place::File(path.to_owned()).document().is_ok_and(|now| *now == before);
        if is_unchanged && !was_there {
            fs::remove_file(&kept).map_err(io_error("remove", &kept))?;
        }
        return Err(failure);
    }
    Ok(kept)
}

/// Where the file is kept as it was: beside what a link points to.
fn kept_path(path: &Path) -> Result<PathBuf, Failure> {
    let mut kept = OsString::from(fs::canonicalize(path).map_err(io_error("read", path))?);
    kept.push(KEPT);
    Ok(kept.into())
}

/// Makes a file with these contents, durable, where none is or one with the same.
fn keep(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    let private = |file: &File| file.set_permissions(Permissions::from_mode(PRIVATE));
    let draft = Draft::of(path, contents, private).map_err(io_error("write", path))?;
    if let Some(durable) = draft.place(path).map_err(io_error("write", path))? {
        // What it keeps is gone from the file itself next.
        return durable.map_err(io_error("sync", path));
    }
    // Of a call that was stopped right after it made this.
    if Place::File(path.to_owned()).document()?.as_slice() != contents {
        return Err(occupied(path));
    }
    fs::set_permissions(path, Permissions::from_mode(PRIVATE)).map_err(io_error("write", path))
}

fn occupied(path: &Path) -> Failure {
    let reason = "is there already, with other contents: move it away or remove it first";
    Failure::invalid(path.display().to_string(), reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::{Chatter, Form};

    #[test]
    fn a_file_that_was_changed_meanwhile_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.json");
        fs::write(&path, "changed").unwrap();
        let after = Zeroizing::new(b"after".to_vec());
        let output = Output::new(Form::Text, Chatter::Quiet, None);
        let failure = replace(&output, &path, b"before", &after).err().unwrap();
        assert_eq!(failure.exit_code(), 9);
        assert_eq!(fs::read(&path).unwrap(), b"changed");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(replace(&output, &path, b"changed", &after).is_ok());
        assert_eq!(fs::read(&path).unwrap(), b"after");
    }
}
