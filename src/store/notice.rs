//! Notices that a vault's file may have changed, from the operating system (inotify(7)).
//!
//! They come too often rather than too seldom, but nobody vouches for them: who waits for one looks
//! by itself now and then.

use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
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
}

impl Notices {
    /// About the file at `path`, also when another one takes its place; `None` where the system
    /// has none to give.
    pub(crate) fn about(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_owned();
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
        Some(Self { queue, name })
    }

    /// Takes all that there are; whether one of them may be about the file.
    pub(crate) fn take(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.queue, &mut buffer);
        let mut found = false;
        while let Ok(notice) = reader.next() {
            let lost = notice.events().contains(ReadFlags::QUEUE_OVERFLOW);
            // One without a name is about the directory itself.
            let name = notice.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            found |= lost || name.is_none_or(|name| name == self.name);
        }
        found
    }
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
        let notices = Notices::about(&path).unwrap();
        assert!(!notices.take());
        fs::write(&path, "2").unwrap();
        assert!(notices.take() && !notices.take());
        fs::write(directory.path().join("other"), "3").unwrap();
        assert!(!notices.take());
        fs::rename(directory.path().join("other"), &path).unwrap();
        assert!(notices.take());
        fs::remove_file(&path).unwrap();
        assert!(notices.take());
    }
}
