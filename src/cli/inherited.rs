//! Descriptors that this process was started with and told to read: a command that it starts does
//! not get them, since behind one that is a file the secret could be read once more.
//!
//! Has `unsafe` since Rust has no other way to say that a number is an open descriptor.
#![expect(unsafe_code, reason = "a descriptor that is known by its number alone is borrowed")]

use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::getpid;

/// Keeps the descriptor that a path such as `/dev/fd/3` stands for from commands; standard input,
/// output and errors are not kept. Any other path is left alone.
pub(crate) fn keep_from_commands(path: &Path) {
    let Some(number) = number(path) else { return };
    // SAFETY: the number is not negative. Where it is not open the kernel says so, and the borrow
    // ends before anything of this process can be opened or closed; what we opened ourselves has
    // the flag anyway.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    let _ = fcntl_setfd(descriptor, FdFlags::CLOEXEC);
}

fn number(path: &Path) -> Option<i32> {
    let own = format!("/proc/{}/fd", getpid().as_raw_pid());
    let directories = ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd", &own];
    let name = directories.into_iter().find_map(|directory| path.strip_prefix(directory).ok())?;
    name.to_str()?.parse().ok().filter(|number| *number > 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_known_by_their_paths() {
        let own = format!("/proc/{}/fd/7", std::process::id());
        for path in ["/dev/fd/7", "/proc/self/fd/7", "/proc/thread-self/fd/7", "//dev/fd//7", &own]
        {
            assert_eq!(number(Path::new(path)), Some(7), "{path}");
        }
        for path in
            ["/dev/fd/2", "/dev/fd/-1", "/dev/fd", "/dev/fd/7/x", "/proc/1/fd/7", "dev/fd/7"]
        {
            assert_eq!(number(Path::new(path)), None, "{path}");
        }
    }
}
