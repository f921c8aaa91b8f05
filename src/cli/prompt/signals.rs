//! Signals during a question: it is given up, or asked again.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::reader::Reader;

static HANDLERS: OnceLock<Handlers> = OnceLock::new();

/// What signals to end do: nothing of their own during a question, else what they always do.
struct Handlers {
    idle: Arc<AtomicBool>,
    end: UnixStream,
    /// Told when the process goes on after it was stopped.
    continued: UnixStream,
}

impl Handlers {
    fn install() -> io::Result<Self> {
        let idle = Arc::new(AtomicBool::new(true));
        let (end, sender) = UnixStream::pair()?;
        end.set_nonblocking(true)?;
        for signal in [SIGINT, SIGTERM, SIGQUIT, SIGHUP] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&idle))?;
            signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
        }
        let (continued, sender) = UnixStream::pair()?;
        continued.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGCONT, sender)?;
        Ok(Self { idle, end, continued })
    }
}

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
pub(super) struct Signals(&'static Handlers);

impl Signals {
    pub(super) fn watch() -> io::Result<Self> {
        let handlers = if let Some(handlers) = HANDLERS.get() {
            handlers
        } else {
            let installed = Handlers::install()?;
            HANDLERS.get_or_init(|| installed)
        };
        handlers.idle.store(false, Ordering::SeqCst);
        Ok(Self(handlers))
    }

    /// Waits until there is something; a signal to end comes first.
    pub(super) fn wait(&self, reader: &Reader) -> io::Result<Event> {
        let Handlers { end, continued, .. } = self.0;
        loop {
            let mut sources =
                [end, continued, &reader.done].map(|it| PollFd::new(it, PollFlags::IN));
            match poll(&mut sources, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if is_told(end) {
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

impl Drop for Signals {
    fn drop(&mut self) {
        self.0.idle.store(true, Ordering::SeqCst);
    }
}

/// Whether a handler wrote to the other end of this, which does not block.
fn is_told(mut pipe: &UnixStream) -> bool {
    pipe.read(&mut [0; 8]).is_ok_and(|count| count > 0)
}
