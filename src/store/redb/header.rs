//! The header of redb's file as it is on the disk: constants, then two commit slots. Each commit
//! changes it.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::store::file::Medium;

/// The bytes of the header that are in use.
const LENGTH: usize = 320;

/// A header; zeros if the file ends in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Header(pub(super) [u8; LENGTH]);

impl Header {
    /// Reads the header as it is now.
    ///
    /// # Errors
    ///
    /// Those of reading the file.
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let mut bytes = [0; LENGTH];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Ok(Self(bytes)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Self([0; LENGTH])),
            Err(error) => Err(error),
        }
    }
}

/// A file and the header it had, to see whether somebody commits to it.
pub(super) struct Watched<'a> {
    pub(super) file: File,
    header: Header,
    path: &'a Path,
}

impl<'a> Watched<'a> {
    pub(super) fn of(medium: &Medium, path: &'a Path) -> Result<Self> {
        let file = medium.file(path)?;
        let header = Header::read(&file).map_err(Error::io("read", path))?;
        Ok(Self { file, header, path })
    }

    pub(super) fn is_unchanged(&self) -> Result<bool> {
        Ok(Header::read(&self.file).map_err(Error::io("read", self.path))? == self.header)
    }
}
