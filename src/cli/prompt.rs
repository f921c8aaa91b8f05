//! Questions on the terminal.
//!
//! Reads stdin, never `/dev/tty`, and asks only where stdin and stderr are terminals. The terminal
//! gets its echo back however a question ends, also by a signal.

mod mode;
mod reader;
mod signals;

use std::io::{self, IsTerminal, Write as _};

use credb::{Error, Secret};
use zeroize::Zeroizing;

use self::mode::{Echo, Mode};
use self::reader::Reader;
use self::signals::{Event, Signals};
use super::escape;
use super::report::Failure;

/// How often two passwords may differ before giving up.
const TRIES: usize = 3;

/// Someone who can be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prompt(());

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
    mode: Mode,
    signals: Signals,
}

impl Conversation {
    fn begin(echo: Echo) -> Result<Self, Failure> {
        let signals = Signals::watch().map_err(unusable)?;
        let mode = Mode::enter(echo).map_err(unusable)?;
        Ok(Self { mode, signals })
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
        let question = escape::text(question);
        say(&question);
        let reader = Reader::start().map_err(unusable)?;
        loop {
            match self.signals.wait(&reader).map_err(unusable)? {
                Event::Answered => return reader.line().map_err(unusable),
                Event::Ended => return Err(Failure::Interrupted),
                Event::Continued => {
                    self.mode.set().map_err(unusable)?;
                    say(&question);
                }
            }
        }
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
