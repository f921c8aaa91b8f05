//! Signals that ask to stop, for whoever in this process looks for them: one set of handlers,
//! installed once.
//!
//! A signal does what it always does unless somebody watches. Handlers that were installed twice
//! would each decide on their own whether anybody does. Signals that whoever started this process
//! made it ignore stay ignored.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::{emulate_default_handler, pipe, unregister};

static HANDLERS: Mutex<Option<Handlers>> = Mutex::new(None);

/// What the handlers of the process share.
struct Handlers {
    /// The signals that have one.
    signals: Vec<i32>,
    /// How many watch.
    watchers: usize,
    /// Whether nobody does.
    idle: Arc<AtomicBool>,
    /// The signal that came last while somebody did.
    last: Arc<AtomicUsize>,
}

impl Handlers {
    /// Those of the process, installed if they are not yet.
    fn of_process(known: &mut Option<Self>) -> io::Result<&mut Self> {
        let handlers = match known.take() {
            Some(handlers) => handlers,
            None => Self::install()?,
        };
        Ok(known.insert(handlers))
    }

    fn install() -> io::Result<Self> {
        let idle = Arc::new(AtomicBool::new(true));
        let last = Arc::new(AtomicUsize::new(0));
        let mut signals = Vec::new();
        for signal in [SIGINT, SIGTERM, SIGQUIT, SIGHUP] {
            if is_ignored(signal) {
                continue;
            }
            let number = signal.unsigned_abs() as usize;
            // In this order, so that a signal that comes when the last one stops watching is
            // either seen or does what it always does.
            flag::register_usize(signal, Arc::clone(&last), number)?;
            // Stays, since a signal does nothing once there was a handler for it.
            flag::register_conditional_default(signal, Arc::clone(&idle))?;
            signals.push(signal);
        }
        Ok(Self { signals, watchers: 0, idle, last })
    }
}

/// Somebody looks for signals: until this is dropped they do nothing by themselves.
pub(crate) struct Watched {
    last: Arc<AtomicUsize>,
    registered: Vec<SigId>,
}

impl Watched {
    /// Watches from now on.
    pub(crate) fn begin() -> io::Result<Self> {
        let mut known = lock();
        let handlers = Handlers::of_process(&mut known)?;
        handlers.watchers += 1;
        handlers.idle.store(false, Ordering::SeqCst);
        Ok(Self { last: Arc::clone(&handlers.last), registered: Vec::new() })
    }

    /// Watches from now on; each signal writes a byte to this end.
    pub(crate) fn telling(end: &UnixStream) -> io::Result<Self> {
        let mut watched = Self::begin()?;
        let signals = lock().as_ref().map(|handlers| handlers.signals.clone()).unwrap_or_default();
        for signal in signals {
            watched.tell_of(signal, end)?;
        }
        Ok(watched)
    }

    /// Has a signal of another kind write a byte to this end too.
    pub(crate) fn tell_of(&mut self, signal: i32, end: &UnixStream) -> io::Result<()> {
        self.registered.push(pipe::register(signal, end.try_clone()?)?);
        Ok(())
    }

    /// The signal that asked to stop last, if one did.
    pub(crate) fn signal(&self) -> Option<u8> {
        u8::try_from(self.last.load(Ordering::SeqCst)).ok().filter(|number| *number > 0)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(handlers) = lock().as_mut() {
            handlers.watchers -= 1;
            handlers.idle.store(handlers.watchers == 0, Ordering::SeqCst);
        }
        for id in self.registered.drain(..) {
            unregister(id);
        }
    }
}

/// Signals wait until this is dropped, and then do what they always do.
pub(crate) struct Hold(Option<Watched>);

impl Hold {
    pub(crate) fn begin() -> io::Result<Self> {
        Watched::begin().map(|watched| Self(Some(watched)))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(watched) = self.0.take() else { return };
        let last = Arc::clone(&watched.last);
        drop(watched);
        let is_idle = lock().as_ref().is_some_and(|handlers| handlers.watchers == 0);
        // Somebody else who watches learns of it.
        if is_idle && let Ok(signal @ 1..) = i32::try_from(last.load(Ordering::SeqCst)) {
            let _ = emulate_default_handler(signal);
        }
    }
}

fn lock() -> MutexGuard<'static, Option<Handlers>> {
    HANDLERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this process was started with a signal ignored, as by nohup or for a job in the
/// background of a script.
pub(super) fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    ignored.is_some_and(|ignored| ignored >> (signal - 1) & 1 == 1)
}
