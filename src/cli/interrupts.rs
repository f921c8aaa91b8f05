//! Signals that ask to stop, for commands that have to tidy up first.

use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::SIGCHLD;

use super::signals::Watched;

/// Tells of signals from now on. When it is dropped they do again what they always do, unless
/// somebody else watches for them.
pub(crate) struct Interrupts {
    wake: UnixStream,
    watched: Watched,
}

/// How often signals are looked for that came between two looks, at the least.
const LONGEST_NAP: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

impl Interrupts {
    /// Watches for signals to stop and for the ends of commands that were started.
    pub(crate) fn watch() -> io::Result<Self> {
        let (wake, sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let mut watched = Watched::telling(&sender)?;
        watched.tell_of(SIGCHLD, &sender)?;
        Ok(Self { wake, watched })
    }

    /// The signal that asked to stop last, if one did.
    pub(crate) fn signal(&self) -> Option<u8> {
        self.watched.signal()
    }

    /// Waits until one of these can be read or was hung up, a signal came, a command ended, or
    /// `limit` is over. May return for no reason. Whether each is ready.
    pub(crate) fn wait<const N: usize>(
        &self,
        sources: [(BorrowedFd<'_>, PollFlags); N],
        limit: std::time::Duration,
    ) -> io::Result<[bool; N]> {
        let limit = Timespec::try_from(limit).unwrap_or(LONGEST_NAP);
        let mut polled = vec![PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN)];
        polled.extend(sources.map(|(source, wanted)| PollFd::from_borrowed_fd(source, wanted)));
        match poll(&mut polled, Some(&limit)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        while (&self.wake).read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
        let mut ready = [false; N];
        for (ready, polled) in ready.iter_mut().zip(&polled[1..]) {
            *ready = !polled.revents().is_empty();
        }
        Ok(ready)
    }
}
