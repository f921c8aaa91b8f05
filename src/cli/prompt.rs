//! Questions on the terminal.
//!
//! Reads stdin, never `/dev/tty`, and asks only where stdin and stderr are terminals. The terminal
//! gets its echo back however a question ends, also by a signal.

use std::io::{self, IsTerminal, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use credb::{Error, Secret};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use zeroize::Zeroizing;

use super::escape;
use super::report::Failure;

/// How often two passwords may differ before giving up.
const TRIES: usize = 3;

/// How much is read at once; a terminal gives one line, of less than this, at a time.
const LINE: usize = 4_096;

/// Someone who can be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prompt(());

/// Whether a typed line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Echo {
    On,
    Off,
}

impl Prompt {
    /// The terminal, if there is one to ask on.
    pub(crate) fn on_terminal() -> Option<Self> {
        (io::stdin().is_terminal() && io::stderr().is_terminal()).then_some(Self(()))
    }

    /// Whether stdin is a terminal, so that reading it means asking.
    pub(crate) fn stdin_is_terminal() -> bool {
        io::stdin().is_terminal()
    }

    /// Asks for a new secret, twice.
    #[expect(clippy::unused_self, reason = "to have a prompt is to have someone to ask")]
    pub(crate) fn new_secret(self, question: &str) -> Result<Secret, Failure> {
        let conversation = Conversation::begin(Echo::Off)?;
        for _ in 0..TRIES {
            let first = conversation.secret(question)?;
            let second = conversation.secret("Once more")?;
            if first == second {
                return Ok(first);
            }
            say("The two differ, so again.\n");
        }
        Err(Failure::invalid("password", "was typed differently each time"))
    }

    /// Asks for a secret that is known, once; an empty one is the wish to give none.
    #[expect(clippy::unused_self, reason = "to have a prompt is to have someone to ask")]
    pub(crate) fn secret(self, question: &str) -> Result<Secret, Failure> {
        Conversation::begin(Echo::Off)?.secret(question)
    }

    /// Tells who is asked something that belongs to the conversation.
    #[expect(clippy::unused_self, reason = "to have a prompt is to have someone to ask")]
    pub(crate) fn tell(self, text: &str) {
        say(&format!("{}\n", escape::text(text)));
    }

    /// Asks a question whose answer is yes or no; an empty one is `default`.
    #[expect(clippy::unused_self, reason = "to have a prompt is to have someone to ask")]
    pub(crate) fn confirm(self, question: &str, default: Answer) -> Result<Answer, Failure> {
        let conversation = Conversation::begin(Echo::On)?;
        let choices = if default == Answer::Yes { "[Y/n]" } else { "[y/N]" };
        loop {
            let line = conversation.line(&format!("{question} {choices} "));
            let Some(line) = line.inspect_err(|_| say("\n"))? else {
                say("\n");
                return Ok(Answer::No);
            };
            match String::from_utf8_lossy(&line).trim().to_lowercase().as_str() {
                "" => return Ok(default),
                "y" | "yes" => return Ok(Answer::Yes),
                "n" | "no" => return Ok(Answer::No),
                _ => say("Please answer yes or no.\n"),
            }
        }
    }
}

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Do it.
    Yes,
    /// Leave it.
    No,
}

/// Questions in one mode of the terminal, which is left before signals act as usual again.
struct Conversation {
    _mode: Mode,
    signals: Signals,
}

impl Conversation {
    fn begin(echo: Echo) -> Result<Self, Failure> {
        let signals = Signals::watch().map_err(unusable)?;
        let mode = Mode::enter(echo).map_err(unusable)?;
        Ok(Self { _mode: mode, signals })
    }

    fn secret(&self, question: &str) -> Result<Secret, Failure> {
        let line = self.line(&format!("{question}: "));
        // The line's end was not echoed either.
        say("\n");
        let mut line = line?.ok_or(Failure::Cancelled)?;
        Ok(Secret::new(std::mem::take(&mut *line)))
    }

    /// One line without its end, none at the end of input.
    fn line(&self, question: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        say(&escape::text(question));
        self.signals.read_line().map_err(unusable)?.ok_or(Failure::Interrupted)
    }
}

/// The terminal's mode during a question; the former one comes back at the end.
struct Mode(Termios);

impl Mode {
    fn enter(echo: Echo) -> rustix::io::Result<Self> {
        let former = tcgetattr(stdin())?;
        let mut asking = former.clone();
        // Whole lines, editable, and Ctrl-C as a signal.
        asking.local_modes |= LocalModes::ICANON | LocalModes::ISIG;
        asking.local_modes.set(LocalModes::ECHO, echo == Echo::On);
        // What was typed ahead is kept.
        tcsetattr(stdin(), OptionalActions::Now, &asking)?;
        Ok(Self(former))
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

static HANDLERS: OnceLock<Handlers> = OnceLock::new();

/// What signals to end do: nothing of their own during a question, else what they always do.
struct Handlers {
    idle: Arc<AtomicBool>,
    pipe: UnixStream,
}

impl Handlers {
    fn install() -> io::Result<Self> {
        let idle = Arc::new(AtomicBool::new(true));
        let (pipe, sender) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        for signal in [SIGINT, SIGTERM, SIGQUIT, SIGHUP] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&idle))?;
            signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Self { idle, pipe })
    }
}

/// Signals to end while a question waits for its answer.
struct Signals(&'static Handlers);

impl Signals {
    fn watch() -> io::Result<Self> {
        let handlers = if let Some(handlers) = HANDLERS.get() {
            handlers
        } else {
            let installed = Handlers::install()?;
            HANDLERS.get_or_init(|| installed)
        };
        handlers.idle.store(false, Ordering::SeqCst);
        Ok(Self(handlers))
    }

    /// A line (none at the end of input), or nothing if a signal came first.
    #[expect(clippy::option_option, reason = "interrupted, ended and answered are three things")]
    fn read_line(&self) -> io::Result<Option<Option<Zeroizing<Vec<u8>>>>> {
        let mut line = Zeroizing::new(Vec::with_capacity(2 * LINE));
        let mut chunk = Zeroizing::new([0; LINE]);
        loop {
            if self.wait()? {
                return Ok(None);
            }
            let count = match rustix::io::read(stdin(), &mut chunk[..]) {
                Ok(count) => count,
                Err(rustix::io::Errno::INTR) => continue,
                // The terminal hung up.
                Err(rustix::io::Errno::IO) => 0,
                Err(error) => return Err(error.into()),
            };
            let read = &chunk[..count];
            if let Some(end) = read.iter().position(|byte| *byte == b'\n') {
                line.extend_from_slice(&read[..end]);
                return Ok(Some(Some(line)));
            }
            line.extend_from_slice(read);
            if count == 0 {
                return Ok(Some(if line.is_empty() { None } else { Some(line) }));
            }
            if line.len() > LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "the line is too long"));
            }
        }
    }

    /// Waits for input or a signal; whether it was a signal.
    fn wait(&self) -> io::Result<bool> {
        let input = stdin();
        loop {
            let mut sources =
                [PollFd::new(&input, PollFlags::IN), PollFd::new(&self.0.pipe, PollFlags::IN)];
            match poll(&mut sources, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if (&self.0.pipe).read(&mut [0; 8]).is_ok_and(|count| count > 0) {
                return Ok(true);
            }
            if !sources[0].revents().is_empty() {
                return Ok(false);
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.0.idle.store(true, Ordering::SeqCst);
    }
}

fn unusable(error: impl Into<io::Error>) -> Failure {
    Error::Io { action: "read", path: "the terminal".into(), source: error.into() }.into()
}

/// A question that cannot be shown is asked nevertheless: the reader may know it.
fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}
