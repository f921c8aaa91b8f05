//! Signals that ask to stop, for commands that have to tidy up first.
//!
//! Until the first of these is watched for, and for signals that whoever started this process made
//! it ignore, everything is as it always is.

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::SigId;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::{pipe, unregister};

/// Tells of signals from now on. When it is dropped they do again what they always do.
pub(crate) struct Interrupts {
    wake: UnixStream,
    last: Arc<AtomicUsize>,
    idle: Arc<AtomicBool>,
    registered: Vec<SigId>,
}

/// How often signals are looked for that came between two looks, at the least.
const LONGEST_NAP: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

impl Interrupts {
    /// Watches for signals to stop and for the ends of commands that were started.
    pub(crate) fn watch() -> io::Result<Self> {
        let (wake, sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let last = Arc::new(AtomicUsize::new(0));
        let idle = Arc::new(AtomicBool::new(false));
        let mut registered = Vec::new();
        for signal in [SIGINT, SIGTERM, SIGQUIT, SIGHUP] {
            if is_ignored(signal) {
                continue;
            }
            let number = signal.unsigned_abs() as usize;
            // Stays, since a signal does nothing once there was a handler for it.
            flag::register_conditional_default(signal, Arc::clone(&idle))?;
            registered.push(flag::register_usize(signal, Arc::clone(&last), number)?);
            registered.push(pipe::register(signal, sender.try_clone()?)?);
        }
        registered.push(pipe::register(SIGCHLD, sender)?);
        Ok(Self { wake, last, idle, registered })
    }

    /// The signal that asked to stop last, if one did.
    pub(crate) fn signal(&self) -> Option<u8> {
        u8::try_from(self.last.load(Ordering::SeqCst)).ok().filter(|number| *number > 0)
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

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.idle.store(true, Ordering::SeqCst);
        for id in self.registered.drain(..) {
            unregister(id);
        }
    }
}

/// Whether this process was started with a signal ignored, as by nohup or for a job in the
/// background of a script.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    ignored.is_some_and(|ignored| ignored >> (signal - 1) & 1 == 1)
}
