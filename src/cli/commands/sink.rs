//! Where secrets that were asked for go: stdout, or a file that appears whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use credb::Error;

use crate::cli::context::io_error;
use crate::cli::draft::{Draft, Durable};
use crate::cli::output::{Output, to_stdout};
use crate::cli::page::{Page, Reader};
use crate::cli::report::{Failure, with_causes};

/// Where a result goes.
pub(super) enum Sink {
    /// Standard output.
    Stdout,
    /// A file with these permissions.
    File(PathBuf, u32),
}

impl Sink {
    /// Standard output, also as `-`, or a file with these permissions.
    pub(super) fn new(path: Option<PathBuf>, mode: u32) -> Self {
        let path = path.filter(|path| path.as_os_str() != "-");
        path.map_or(Self::Stdout, |path| Self::File(path, mode))
    }

    /// An empty page for this place.
    pub(super) fn page<'a>(&self, output: &'a Output) -> Page<'a> {
        match self {
            Self::Stdout => Page::new(output),
            Self::File(..) => Page::for_reader(output, Reader::Program),
        }
    }

    /// Writes a page.
    pub(super) fn write(&self, output: &Output, page: Page<'_>) -> Result<(), Failure> {
        match self {
            Self::Stdout => page.print(),
            Self::File(path, mode) => {
                replace(output, path, *mode, &page.into_bytes())?;
                output.confirm(&format!("wrote {}", path.display()));
                Ok(())
            }
        }
    }

    /// Writes text as it is.
    pub(super) fn write_text(&self, output: &Output, text: &str) -> Result<(), Failure> {
        match self {
            Self::Stdout => to_stdout(text.as_bytes()),
            Self::File(path, mode) => replace(output, path, *mode, text.as_bytes()),
        }
    }
}

/// Puts a file with these contents in the place of what is there.
fn replace(output: &Output, path: &Path, mode: u32, contents: &[u8]) -> Result<(), Failure> {
    // After creation, since that is subject to the umask.
    place(output, path, contents, |file, _| file.set_permissions(Permissions::from_mode(mode)))
}

/// Puts other contents in the place of a file's, which keeps its owner, group and mode, or stays
/// as it is.
pub(super) fn rewrite(output: &Output, path: &Path, contents: &[u8]) -> Result<(), Failure> {
    place(output, path, contents, |file, target| {
        let (model, own) = (fs::metadata(target)?, file.metadata()?);
        if (model.uid(), model.gid()) != (own.uid(), own.gid()) {
            std::os::unix::fs::fchown(file, Some(model.uid()), Some(model.gid()))?;
        }
        file.set_permissions(model.permissions())
    })
}

/// Puts a new file in the place of what is there, after `prepare` has seen it and the path that
/// it gets.
fn place(
    output: &Output,
    path: &Path,
    contents: &[u8],
    prepare: impl FnOnce(&File, &Path) -> io::Result<()>,
) -> Result<(), Failure> {
    let path = target(path)?;
    let written = Draft::of(&path, contents, |file| prepare(file, &path))
        .and_then(|draft| draft.replace(&path))
        .map_err(io_error("write", &path))?;
    tell_durability(output, &path, written);
    Ok(())
}

/// Says that a file is in its place, and may not be after a loss of power.
fn tell_durability(output: &Output, path: &Path, durable: Durable) {
    if let Err(source) = durable {
        let error = Error::Io { action: "make durable where it is", path: path.into(), source };
        output.note(&format!("{} is written: {}", path.display(), with_causes(&error)));
    }
}

/// The file to replace: links are followed to what is there, and nothing but a regular file is
/// replaced.
fn target(path: &Path) -> Result<PathBuf, Failure> {
    let refused = |reason| Err(Failure::invalid(path.display().to_string(), reason));
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            fs::canonicalize(path).map_err(io_error("write", path))
        }
        Ok(_) => refused("is not a regular file"),
        // To make a file where a link says is not what its name promises, nor to replace the link.
        Err(_) if path.is_symlink() => refused("is a link to a file that is not there"),
        // A new file, or a failure that writing tells better.
        Err(_) => Ok(path.to_owned()),
    }
}

/// The permissions that a file gets if none are asked for.
pub(super) const PRIVATE: u32 = 0o600;

/// Parses octal permissions.
pub(super) fn mode(text: Option<&OsStr>) -> Result<u32, Failure> {
    let Some(text) = text else { return Ok(PRIVATE) };
    text.to_str()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| u32::from_str_radix(text, 8).ok())
        .filter(|mode| *mode <= 0o777)
        .ok_or_else(|| Failure::usage("--file-mode is octal, such as 0600 or 640"))
}
