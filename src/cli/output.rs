//! What goes to stdout and stderr, and in which dress.
//!
//! stdout carries only what was asked for, written whole and unbuffered, so that no copy of a
//! secret stays behind; everything else goes to stderr, where failing to write is no failure.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::builder::StyledStr;
use serde_json::Value;

use super::args::Color;
use super::escape;
use super::report::Failure;

/// What a masked secret looks like, whatever its length.
pub(crate) const MASK: &str = "************";

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const PLAIN: Style = Style::new();

/// stdout and stderr.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    form: Form,
    chatter: Chatter,
    stdout: Stream,
    stderr: Stream,
    /// Warnings that wait for the end, since stderr holds one document if a JSON call fails.
    waiting: Arc<Mutex<Vec<String>>>,
}

/// The form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people and line-based tools.
    Text,
    /// One JSON document.
    Json,
}

/// How much goes to stderr besides errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chatter {
    /// Warnings, and on a terminal confirmations and notes.
    Normal,
    /// Nothing.
    Quiet,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    terminal: bool,
    colour: ColorChoice,
}

impl Stream {
    fn new(stream: &impl RawStream, color: Option<Color>) -> Self {
        let choice = match color {
            Some(Color::Always) => ColorChoice::AlwaysAnsi,
            Some(Color::Never) => ColorChoice::Never,
            Some(Color::Auto) | None => AutoStream::choice(stream),
        };
        Self { terminal: stream.is_terminal(), colour: choice }
    }

    fn paint(self, style: Style) -> Style {
        if self.colour == ColorChoice::Never { PLAIN } else { style }
    }
}

impl Output {
    /// The streams of this process.
    pub(crate) fn new(form: Form, chatter: Chatter, color: Option<Color>) -> Self {
        Self {
            form,
            chatter,
            stdout: Stream::new(&io::stdout(), color),
            stderr: Stream::new(&io::stderr(), color),
            waiting: Arc::default(),
        }
    }

    /// Whether the result is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Whether the result goes to a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.stdout.terminal
    }

    /// Whether progress may be shown.
    pub(crate) fn shows_progress(&self) -> bool {
        self.is_chatty()
    }

    /// Whether stdout gets colours.
    pub(crate) fn is_coloured(&self) -> bool {
        self.stdout.colour != ColorChoice::Never
    }

    /// Writes a JSON document to stdout.
    pub(crate) fn json(&self, value: &Value) -> Result<(), Failure> {
        to_stdout(self.json_text(value).as_bytes())
    }

    /// A JSON document as stdout gets it.
    pub(crate) fn json_text(&self, value: &Value) -> String {
        if self.stdout.terminal {
            return format!("{}\n", escape::json(&format!("{value:#}")));
        }
        format!("{value}\n")
    }

    /// A JSON document of one line as stdout gets it, without the end of the line.
    pub(crate) fn json_line<'a>(&self, line: &'a str) -> Cow<'a, str> {
        if self.stdout.terminal { escape::json(line) } else { line.into() }
    }

    /// Help that was asked for.
    pub(crate) fn help(&self, text: &StyledStr) -> Result<(), Failure> {
        to_stdout(dressed(text, self.stdout).as_bytes())
    }

    /// Help instead of a result.
    pub(crate) fn help_on_stderr(&self, text: &StyledStr) {
        to_stderr(&dressed(text, self.stderr));
    }

    /// What happened, on a terminal only: cron is to mail nothing on success.
    pub(crate) fn confirm(&self, message: &str) {
        if self.is_chatty() {
            self.message(PLAIN, "", message);
        }
    }

    /// A remark or warning that is not about security, on a terminal only.
    pub(crate) fn note(&self, message: &str) {
        if self.is_chatty() {
            self.message(HINT, "note: ", message);
        }
    }

    /// A warning about security, everywhere.
    pub(crate) fn warning(&self, message: &str) {
        match (self.chatter, self.form) {
            (Chatter::Quiet, _) => {}
            (Chatter::Normal, Form::Text) => self.message(WARNING, "warning: ", message),
            (Chatter::Normal, Form::Json) => self.waiting().push(message.to_owned()),
        }
    }

    /// Prints what waited for a good end.
    pub(crate) fn finish(&self) {
        for message in self.waiting().drain(..) {
            self.message(WARNING, "warning: ", &message);
        }
    }

    /// What else to do.
    pub(crate) fn hint(&self, message: &str) {
        if self.chatter == Chatter::Normal {
            self.message(HINT, "hint: ", message);
        }
    }

    /// An error and what to do about it.
    pub(crate) fn error(&self, message: &str, hint: Option<&str>) {
        self.message(ERROR, "error: ", message);
        if let Some(hint) = hint {
            self.message(HINT, "hint: ", hint);
        }
    }

    /// An error in JSON, which is to be the only document on stderr.
    pub(crate) fn error_json(&self, value: &Value) {
        let document = value.to_string();
        let document = if self.stderr.terminal { escape::json(&document) } else { document.into() };
        to_stderr(&format!("{document}\n"));
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_chatty(&self) -> bool {
        self.chatter == Chatter::Normal && self.form == Form::Text && self.stderr.terminal
    }

    fn message(&self, style: Style, label: &str, message: &str) {
        let style = self.stderr.paint(style);
        to_stderr(&format!("{style}{label}{style:#}{}\n", escape::text(message)));
    }
}

fn dressed(text: &StyledStr, stream: Stream) -> String {
    if stream.colour == ColorChoice::Never { text.to_string() } else { text.ansi().to_string() }
}

/// Writes exactly these bytes to stdout.
pub(crate) fn to_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(Failure::Output)?;
    File::from(stdout).write_all(bytes).map_err(Failure::Output)
}

/// Nobody can be told that stderr cannot be written.
fn to_stderr(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}
