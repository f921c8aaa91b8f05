//! Signals during a question: it is given up, or asked again.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::SIGCONT;

use super::reader::Reader;
use crate::cli::signals::Watched;

/// What a question that was asked meets.
pub(super) enum Event {
    /// The reader is done.
    Answered,
    /// A signal to end came.
    Ended,
    /// The process was stopped and goes on; a shell may have set the terminal's mode meanwhile.
    Continued,
}

/// Signals while a question waits for its answer.
pub(super) struct Signals {
    end: UnixStream,
    /// Told when the process goes on after it was stopped.
    continued: UnixStream,
    watched: Watched,
    /// Open, so that nothing seems to be told where each signal is ignored.
    _tell: UnixStream,
}

impl Signals {
    pub(super) fn watch() -> io::Result<Self> {
        let (end, tell) = UnixStream::pair()?;
        end.set_nonblocking(true)?;
        let mut watched = Watched::telling(&tell)?;
        let (continued, sender) = UnixStream::pair()?;
        continued.set_nonblocking(true)?;
        watched.tell_of(SIGCONT, &sender)?;
        Ok(Self { end, continued, watched, _tell: tell })
    }

    /// Waits until there is something; a signal to end comes first.
    pub(super) fn wait(&self, reader: &Reader) -> io::Result<Event> {
        let Self { end, continued, watched, .. } = self;
        loop {
            // Also one that came just before the pipe was there.
            if watched.signal().is_some() {
                return Ok(Event::Ended);
            }
            let mut sources =
                [end, continued, &reader.done].map(|it| PollFd::new(it, PollFlags::IN));
            match poll(&mut sources, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if is_told(end) || watched.signal().is_some() {
                return Ok(Event::Ended);
            }
            if is_told(continued) {
                return Ok(Event::Continued);
            }
            if !sources[2].revents().is_empty() {
                return Ok(Event::Answered);
            }
        }
    }
}

/// Whether a handler wrote to the other end of this, which does not block.
fn is_told(mut pipe: &UnixStream) -> bool {
    pipe.read(&mut [0; 8]).is_ok_and(|count| count > 0)
}
