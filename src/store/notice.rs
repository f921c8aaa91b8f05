//! Notices that a vault's file may have changed, from the operating system (inotify(7)).
//!
//! They come too often rather than too seldom, but nobody vouches for them: who waits for one looks
//! by itself now and then.

use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use crate::files::parent;

/// Room for many notices at once; a name has at most 255 bytes.
const BUFFER: usize = 8 << 10;

/// Where notices about one file come from.
#[derive(Debug)]
pub(crate) struct Notices {
    queue: OwnedFd,
    name: OsString,
    /// Device and number of the directory that they are about.
    directory: Option<(u64, u64)>,
    /// Whether the system said that it was moved or removed.
    displaced: bool,
}

impl Notices {
    /// About the file at `path`, also when another one takes its place; `None` where the system
    /// has none to give.
    pub(crate) fn about(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_owned();
        // Before it is watched: if another one takes its place in between, that is found out.
        let directory = identity(parent(path));
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        // The directory's watch tells of its files too, whichever is at the path by then.
        let wanted = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        inotify::add_watch(&queue, parent(path), wanted).ok()?;
        Some(Self { queue, name, directory, displaced: false })
    }

    /// Whether the directory that they are about is still that of the file at `path`. If it is not
    /// there will be none about that file, ever.
    pub(crate) fn are_about(&self, path: &Path) -> bool {
        !self.displaced && self.directory.is_some() && self.directory == identity(parent(path))
    }

    /// Takes all that there are; whether one of them may be about the file.
    pub(crate) fn take(&mut self) -> bool {
        let moved =
            ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF | ReadFlags::UNMOUNT | ReadFlags::IGNORED;
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.queue, &mut buffer);
        let mut found = false;
        while let Ok(notice) = reader.next() {
            let lost = notice.events().contains(ReadFlags::QUEUE_OVERFLOW);
            self.displaced |= notice.events().intersects(moved);
            // One without a name is about the directory itself.
            let name = notice.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            found |= lost || name.is_none_or(|name| name == self.name);
        }
        found
    }
}

/// Device and number of a directory, which are those of no other one while it is there.
fn identity(directory: &Path) -> Option<(u64, u64)> {
    let metadata = directory.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn writing_and_replacing_are_noticed_and_other_files_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.redb");
        fs::write(&path, "1").unwrap();
        let mut notices = Notices::about(&path).unwrap();
        assert!(!notices.take());
        fs::write(&path, "2").unwrap();
        assert!(notices.take() && !notices.take());
        fs::write(directory.path().join("other"), "3").unwrap();
        assert!(!notices.take());
        fs::rename(directory.path().join("other"), &path).unwrap();
        assert!(notices.take());
        fs::remove_file(&path).unwrap();
        assert!(notices.take());
        assert!(notices.are_about(&path), "the directory is the same");
    }

    #[test]
    fn a_directory_that_another_one_took_the_place_of_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let above = root.path().join("above");
        let directory = above.join("directory");
        let path = directory.join("v.redb");
        let make = || {
            fs::create_dir_all(&directory).unwrap();
            fs::write(&path, "1").unwrap();
            Notices::about(&path).unwrap()
        };
        let mut moved = make();
        fs::rename(&directory, root.path().join("away")).unwrap();
        let mut removed = make();
        assert!(moved.take() && !moved.are_about(&path));
        assert!(!removed.take() && removed.are_about(&path));
        fs::remove_dir_all(&directory).unwrap();
        let mut with_all_above = make();
        assert!(removed.take() && !removed.are_about(&path));
        // Nobody tells of this one.
        fs::rename(&above, root.path().join("above, away")).unwrap();
        assert!(!with_all_above.take() && !with_all_above.are_about(&path));
        assert!(Notices::about(&path).is_none(), "there is nothing to be told of");
    }
}
