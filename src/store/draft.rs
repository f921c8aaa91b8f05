//! New files of a vault's rows: built whole under a temporary name, then placed.

use std::io::ErrorKind;
use std::path::Path;

use super::file::{FileSystems, Medium, check_file_system};
use super::redb::{Engine, OpenFailure};
use super::{Verdict, WriteRows};
use crate::error::{Error, Result};
use crate::files::{Draft, create_private_directory, parent};

/// Makes a vault at `path`, whole or not at all, in place of nothing. `body` writes its first
/// rows. Durable when this returns. Directories above it are made where they are missing, for
/// their owner only.
///
/// # Errors
///
/// [`Error::VaultExists`], [`Error::Io`], [`Error::UnsupportedFileSystem`] and those of `body`.
pub(crate) fn create(
    path: &Path,
    file_systems: FileSystems,
    body: impl FnMut(&mut dyn WriteRows) -> Result<()>,
) -> Result<()> {
    create_private_directory(parent(path))?;
    if fill(path, file_systems, body, |_| Ok(()))?.place(path)? {
        return Ok(());
    }
    Err(Error::VaultExists { path: path.to_owned() })
}

/// A whole and synced file with the rows that `body` writes, and without free pages, still under a
/// temporary name beside `path`.
///
/// # Errors
///
/// [`Error::Io`], [`Error::UnsupportedFileSystem`] and those of `body`.
pub(crate) fn build(
    path: &Path,
    file_systems: FileSystems,
    body: impl FnMut(&mut dyn WriteRows) -> Result<()>,
) -> Result<Draft> {
    // The engine's file grows in steps, the larger the longer it is.
    fill(path, file_systems, body, Engine::trim)
}

fn fill(
    path: &Path,
    file_systems: FileSystems,
    mut body: impl FnMut(&mut dyn WriteRows) -> Result<()>,
    finish: impl FnOnce(&mut Engine) -> Result<(), OpenFailure>,
) -> Result<Draft> {
    let draft = Draft::of(path)?;
    check_file_system(draft.file(), path, file_systems)?;
    let medium = Medium::File(draft.reopen()?);
    let failed = |failure| of_draft(failure, path);
    let mut engine = Engine::create(medium, path).map_err(failed)?;
    engine.write(&mut |rows| body(rows).map(Verdict::Commit)).map_err(failed)?;
    finish(&mut engine).map_err(failed)?;
    engine.close()?;
    draft.sync()?;
    Ok(draft)
}

/// The error of an engine on a draft: nobody else knows the file, and nothing is changed by it.
fn of_draft(failure: OpenFailure, path: &Path) -> Error {
    let io = |source| Error::io("write a new file for", path)(source);
    match failure {
        OpenFailure::Known(Error::OutcomeUnknown { source, .. }) => io(source),
        OpenFailure::Known(error) => error,
        OpenFailure::InUse | OpenFailure::TimedOut => io(ErrorKind::TimedOut.into()),
        // Most likely over the vault that its rows come from.
        _ => Error::corrupt("the vault or its copy", "copying failed unexpectedly"),
    }
}
